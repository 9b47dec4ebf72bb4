//! Reading the arguments, and what is said about those that are none.

use std::process::ExitCode;

use clap::Parser;
use clap::error::{ContextKind, ContextValue};

use super::args::Cli;
use super::output;

/// Reads the arguments of this process.
///
/// # Errors
/// The exit code where there is nothing to run: 0 after help was printed, 2 after a word on what is wrong.
pub fn read() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|mut error| {
        match suggested(&mut error) {
            Some(meant) => output::note(&with_suggestion(&rendered(&error), &meant)),
            // Nobody to tell is nothing to fail for.
            None => drop(error.print()),
        }
        u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
    })
}

/// Takes out what was probably meant; clap would say it below the line that scripts and logs keep.
fn suggested(error: &mut clap::Error) -> Option<String> {
    let kinds = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    kinds.into_iter().find_map(|kind| match error.remove(kind)? {
        ContextValue::String(one) => Some(one),
        // The likeliest is the last.
        ContextValue::Strings(mut several) => several.pop(),
        _ => None,
    })
}

fn rendered(error: &clap::Error) -> String {
    let styled = error.render();
    if output::colours_of_errors() { styled.ansi().to_string() } else { styled.to_string() }
}

/// The text with the suggestion at the end of its first line.
fn with_suggestion(text: &str, meant: &str) -> String {
    let (first, rest) = text.trim_end().split_once('\n').unwrap_or((text.trim_end(), ""));
    // Where the suggestion was there are two empty lines now.
    format!("{first}; did you mean {meant}?\n\n{}", rest.trim_start()).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(arguments: &[&str]) -> (Option<String>, String) {
        let mut error = Cli::try_parse_from([&["pdsno"], arguments].concat()).unwrap_err();
        let meant = suggested(&mut error);
        (meant, error.render().to_string())
    }

    #[test]
    fn what_was_probably_meant_is_taken_out_once() {
        for (arguments, meant) in [
            (&["devices", "--data-dri", "x"][..], "--data-dir"),
            (&["--data-dri", "x"], "--data-dir"),
            (&["discove"], "discover"),
            (&["devices", "--format", "jsn"], "json"),
        ] {
            let (suggestion, rest) = told(arguments);
            assert_eq!(suggestion.as_deref(), Some(meant), "{arguments:?}");
            assert!(!rest.contains("tip"), "{rest}");
        }
        assert_eq!(told(&["devices", "--xyzzy"]).0, None);
    }

    #[test]
    fn a_suggestion_ends_the_first_line() {
        assert_eq!(
            with_suggestion("error: no --x\n\n\nUsage: p\n", "--y"),
            "error: no --x; did you mean --y?\n\nUsage: p"
        );
        assert_eq!(with_suggestion("error: no --x\n", "--y"), "error: no --x; did you mean --y?");
    }
}
