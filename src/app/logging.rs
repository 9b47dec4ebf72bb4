//! The log: readable on a terminal, JSON lines otherwise. It goes to standard error, so that what a
//! command prints can be piped.

use std::io::{IsTerminal, stderr};

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
    let refuse = |_| FilterError { text: filter.to_owned() };
    let targets = match filter.parse::<LevelFilter>() {
        Ok(level) => Targets::new().with_default(LevelFilter::WARN.min(level)).with_target("pdsno", level),
        // A bare word would be the name of a target, and turn off the log of everything else.
        Err(_) if !filter.contains('=') => return Err(FilterError { text: filter.to_owned() }),
        Err(_) => filter.parse::<Targets>().map_err(refuse)?,
    };
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

/// Makes a panic of any thread the end of the process: an actor that died would leave the rest
/// waiting for it. The reason goes to the log; a service manager starts anew.
pub fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let said = panic.payload_as_str().unwrap_or("it said nothing");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current();
        tracing::error!(place, thread = thread.name().unwrap_or("unnamed"), "panic: {said}; the process ends");
        eprintln!("pdsno: panic at {place}: {said}");
        std::process::abort();
    }));
}
