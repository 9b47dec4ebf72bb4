//! Reading the event log.

use anyhow::anyhow;

use crate::app::failure::Failure;
use crate::domain::event::{Event, EventType};
use crate::nib::{NibError, NibReader};

pub use crate::nib::EventQuery;

/// How many events are held at once.
const PAGE: usize = 1_000;

/// Why reading ended before the last event.
#[derive(Debug)]
pub enum Ended<E> {
    /// The NIB could not be read.
    Nib(NibError),
    /// Whoever was told had enough.
    Told(E),
}

/// How alike a name must be to one that there is to be taken for that, misspelt (Jaro and Winkler).
const ALIKE: f64 = 0.8;

/// The event types with these names, in any case.
///
/// # Errors
/// [`Failure::Usage`] names the first that is none, and those like it; all that there are, if none is.
pub fn event_types(names: &[String]) -> Result<Vec<EventType>, Failure> {
    names.iter().map(|name| event_type(name)).collect()
}

fn event_type(name: &str) -> Result<EventType, Failure> {
    let wanted = name.trim().to_ascii_uppercase();
    wanted.parse().map_err(|error| {
        let mut alike: Vec<(f64, &str)> = EventType::ALL
            .iter()
            .map(|known| (strsim::jaro_winkler(&wanted, known.as_str()), known.as_str()))
            .filter(|(likeness, _)| *likeness >= ALIKE)
            .collect();
        alike.sort_by(|(one, _), (other, _)| other.total_cmp(one));
        match alike.iter().take(3).map(|(_, name)| *name).collect::<Vec<_>>().join(", or ") {
            none if none.is_empty() => Failure::usage(error),
            near => Failure::Usage(anyhow!("unknown event type {wanted:?}; did you mean {near}?")),
        }
    })
}

/// Tells every event that the query asks for, in order. The query is left at the position after the
/// last one that was told, so that a further call goes on there.
///
/// # Errors
/// [`Ended::Nib`] when the NIB cannot be read, [`Ended::Told`] with whatever `tell` returned.
pub fn each_event<E>(
    reader: &dyn NibReader,
    query: &mut EventQuery,
    mut tell: impl FnMut(Event) -> Result<(), E>,
) -> Result<(), Ended<E>> {
    query.limit = PAGE;
    loop {
        let page = reader.events(query).map_err(Ended::Nib)?;
        let full = page.len() == PAGE;
        for event in page {
            let next = event.seq.next();
            tell(event).map_err(Ended::Told)?;
            query.from = next;
        }
        if !full {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Result<Vec<EventType>, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        event_types(&names).map_err(|failure| failure.to_string())
    }

    #[test]
    fn types_are_read_in_any_case() {
        let wanted = vec![EventType::DeviceUpdated, EventType::LogFork];
        assert_eq!(names(&["device_updated", " LOG_FORK"]), Ok(wanted));
    }

    #[test]
    fn the_unknown_one_is_named_with_those_like_it() {
        let refused = names(&["LOG_FORK", "DEVICE_UPDATE"]).unwrap_err();
        assert!(refused.starts_with("unknown event type \"DEVICE_UPDATE\"; did you mean DEVICE_UPDATED"), "{refused}");
        assert!(refused.split(", or ").count() <= 3 && !refused.contains("LOG_FORK"), "{refused}");
        let refused = names(&["QQ"]).unwrap_err();
        assert!(
            refused.contains("\"QQ\"") && refused.contains("one of: ") && refused.contains("LOG_FORK"),
            "{refused}"
        );
        assert!(names(&[""]).unwrap_err().contains("one of: "));
    }
}
