//! The log: readable on a terminal, JSON lines otherwise. It goes to standard error, so that what a
//! command prints can be piped.

use std::io::{IsTerminal, Write, stderr};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// A log filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{text:?} is no log filter; write a level (error, warn, info, debug, trace) or target=level,…")]
pub struct FilterError {
    text: String,
}

/// Starts the log. A bare level is for pdsno itself; what it is built of only warns.
///
/// # Errors
/// [`FilterError`] for a filter that cannot be read.
pub fn start(filter: &str) -> Result<(), FilterError> {
    let targets = targets(filter)?;
    let terminal = stderr().is_terminal();
    let layer = if terminal {
        let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        fmt::layer().with_writer(stderr).with_target(false).with_ansi(colours).boxed()
    } else {
        fmt::layer().json().flatten_event(true).with_writer(stderr).boxed()
    };
    // A second start in one process keeps the first log.
    let _kept = tracing_subscriber::registry().with(layer.with_filter(targets)).try_init();
    Ok(())
}

fn targets(filter: &str) -> Result<Targets, FilterError> {
    let refuse = || FilterError { text: filter.to_owned() };
    let is_level = |text: &str| !text.is_empty() && text.parse::<LevelFilter>().is_ok();
    // A word alone would be read as a target of that name, and a misspelt level as silence.
    if !filter.split(',').all(|part| is_level(part.split_once('=').map_or(part, |(_, level)| level))) {
        return Err(refuse());
    }
    if let Ok(level) = filter.parse::<LevelFilter>() {
        return Ok(Targets::new().with_default(LevelFilter::WARN.min(level)).with_target("pdsno", level));
    }
    filter.parse().map_err(|_| refuse())
}

/// Makes a panic of any thread the end of the process: an actor that died would leave the rest
/// waiting for it. The reason goes to the log; a service manager starts anew.
pub fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let said = panic.payload_as_str().unwrap_or("it said nothing");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name().unwrap_or("unnamed"), "panic: {said}; the process ends");
        let _told = writeln!(stderr(), "pdsno: panic at {place}: {said}");
        std::process::abort();
    }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    #[test]
    fn a_bare_level_is_for_the_program_and_what_it_is_built_of_only_warns() {
        let debug = targets("debug").unwrap();
        assert!(debug.would_enable("pdsno::app", &Level::DEBUG) && !debug.would_enable("pdsno::app", &Level::TRACE));
        assert!(debug.would_enable("actix_server", &Level::WARN) && !debug.would_enable("actix_server", &Level::INFO));
        let error = targets("ERROR").unwrap();
        assert!(error.would_enable("actix_server", &Level::ERROR) && !error.would_enable("actix_server", &Level::WARN));
        assert!(!targets("off").unwrap().would_enable("pdsno", &Level::ERROR));
    }

    #[test]
    fn targets_have_levels_of_their_own() {
        let filter = targets("warn,pdsno::actors=trace").unwrap();
        assert!(filter.would_enable("pdsno::actors::nib", &Level::TRACE));
        assert!(filter.would_enable("pdsno::app", &Level::WARN) && !filter.would_enable("pdsno::app", &Level::INFO));
    }

    #[test]
    fn what_is_no_filter_is_refused_by_its_text() {
        for text in ["", " ", "debgu", "pdsno", "info,", "pdsno=loud", "pdsno=info=debug", "info,pdsno=", "=x"] {
            let refusal = targets(text).map(|targets| targets.to_string()).unwrap_err().to_string();
            assert!(refusal.contains(&format!("{text:?}")) && refusal.contains("target=level"), "{refusal}");
        }
    }
}
