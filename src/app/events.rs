//! Reading the event log.

use crate::domain::event::Event;
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
