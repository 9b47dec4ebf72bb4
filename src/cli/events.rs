//! `pdsno events`.

use std::time::Duration;

use serde_json::Value;

use super::args::{EventsArgs, PlainFormat};
use super::devices::folder_configuration;
use super::output::{self, Ended};
use super::text::one_line;
use crate::app::events::{self, EventQuery, each_event, event_types};
use crate::app::failure::Failure;
use crate::app::inventory;
use crate::app::since::since;
use crate::domain::event::{Event, EventType};

/// How often the NIB is asked for what is new.
const POLL: Duration = Duration::from_millis(250);

pub fn run(args: &EventsArgs) -> Result<(), Ended> {
    let mut query = EventQuery {
        types: event_types(&args.types)?,
        subject: args.subject.clone(),
        since: args.since.as_deref().map(since).transpose().map_err(Failure::usage)?,
        ..EventQuery::default()
    };
    let config = folder_configuration(&args.chosen)?;
    let mut print = |event: Event| match args.format {
        PlainFormat::Json => output::json_line(&event),
        // What does not fit goes on behind the position and its gap.
        PlainFormat::Table => output::lines(&line(&event), 8),
    };
    loop {
        // Opened anew each time: a file at rest is read without locks and must not be kept open
        // while a controller starts on it.
        let reader = inventory::open(&config.nib.path).map_err(Failure::usage)?;
        match each_event(&reader, &mut query, &mut print) {
            Ok(()) => {}
            // A controller has just started here; what it writes is read next time.
            Err(events::Ended::Nib(error)) if args.follow && error.is_retryable() => {}
            Err(events::Ended::Nib(error)) => return Err(Failure::failed(error).into()),
            Err(events::Ended::Told(ended)) => return Err(ended),
        }
        if !args.follow {
            return Ok(());
        }
        std::thread::park_timeout(POLL);
    }
}

/// An event on one line.
fn line(event: &Event) -> String {
    let Event { seq, event_type, subject, timestamp, .. } = event;
    let subject = one_line(subject);
    format!("{seq:>6}  {timestamp}  {event_type:<25} {subject:<20} {}\n", particulars(event))
}

/// What an event is about, short: the whole is in the JSON output.
fn particulars(event: &Event) -> String {
    let payload = &event.payload;
    match event.event_type {
        EventType::DeviceUpdated => changes(&payload["changes"]),
        EventType::DeviceDiscovered | EventType::DeviceInactive => {
            let parts = [&payload["ip_addresses"], &payload["mac"], &payload["hostname"], &payload["vendor"]];
            parts.into_iter().filter(|part| !part.is_null()).map(plain).collect::<Vec<_>>().join(" ")
        }
        EventType::DiscoveryCycleCompleted => {
            let delta = &payload["delta"];
            let counts =
                ["new", "updated", "unchanged", "missed", "inactive"].map(|name| format!("{} {name}", delta[name]));
            format!("{} ms: {}", payload["duration_ms"], counts.join(", "))
        }
        _ => short(payload.to_string()),
    }
}

/// Certificates and heads are longer than anybody reads on a line; as JSON all of it is told.
fn short(mut text: String) -> String {
    const LONGEST: usize = 160;
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(at);
        text.push('…');
    }
    text
}

fn changes(changes: &Value) -> String {
    let Some(changes) = changes.as_object() else { return changes.to_string() };
    let change = |(column, change): (&String, &Value)| match (change.get("from"), change.get("to")) {
        (Some(from), Some(to)) => format!("{column}: {} -> {}", plain(from), plain(to)),
        _ => format!("{column}: {change}"),
    };
    changes.iter().map(change).collect::<Vec<_>>().join("; ")
}

/// A value without the marks of JSON.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
