//! `pdsno man`.

use std::fs;
use std::path::Path;

use anyhow::Context;
use clap::Command;
use clap_mangen::Man;

use super::output::{self, Ended};
use crate::app::failure::Failure;

/// Prints the page of the program, or writes the pages of the program and of each verb into a folder.
pub fn run(command: Command, folder: Option<&Path>) -> Result<(), Ended> {
    let mut command = command.disable_help_subcommand(true);
    // Gives each verb the name of its page: pdsno-nib-check.
    command.build();
    match folder {
        None => output::bytes(page(command)?.as_bytes()),
        Some(folder) => write(&command, folder),
    }
}

fn write(command: &Command, folder: &Path) -> Result<(), Ended> {
    let file = folder.join(Man::new(command.clone()).get_filename());
    let written = fs::write(&file, page(command.clone())?);
    written.with_context(|| format!("cannot write {}", file.display())).map_err(Failure::Usage)?;
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).try_for_each(|verb| write(verb, folder))
}

fn page(command: Command) -> Result<String, Ended> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(with_lines_kept(&String::from_utf8_lossy(&page)))
}

/// What stands behind the options are examples, whose lines must stay lines: `.nf` to `.fi` (man(7)).
fn with_lines_kept(page: &str) -> String {
    let Some((before, behind)) = page.split_once(".SH EXTRA\n") else { return page.to_owned() };
    let (examples, rest) = match behind.split_once("\n.SH ") {
        Some((examples, rest)) => (examples, format!(".SH {rest}")),
        None => (behind.trim_end(), String::new()),
    };
    format!("{before}.SH EXAMPLES\n.nf\n{examples}\n.fi\n{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_are_not_filled() {
        let page = with_lines_kept(".SH NAME\nx\n.SH EXTRA\nExamples:\n  a\n  b\n.SH VERSION\nv1\n");
        assert_eq!(page, ".SH NAME\nx\n.SH EXAMPLES\n.nf\nExamples:\n  a\n  b\n.fi\n.SH VERSION\nv1\n");
        assert_eq!(with_lines_kept(".SH EXTRA\na\n"), ".SH EXAMPLES\n.nf\na\n.fi\n");
        assert_eq!(with_lines_kept(".SH NAME\nx\n"), ".SH NAME\nx\n");
    }
}
