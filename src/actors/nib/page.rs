//! Rows for those who read page by page.

use super::{Nib, NibError};
use crate::domain::device::{DeviceId, DeviceStatus};
use crate::domain::event::{Event, EventSeq, EventType};
use crate::domain::inventory::DeviceView;
use crate::domain::time::Timestamp;
use crate::nib::EventQuery;

/// The most rows that one page has, whatever is asked for.
pub const MOST_ROWS: usize = 1_000;

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Only these types; all when empty.
    pub types: Vec<EventType>,
    /// Only about this subject.
    pub subject: Option<String>,
    /// Only those not older than this.
    pub since: Option<Timestamp>,
}

impl Nib {
    /// At most `limit` devices with their facts, ascending by id, those after `after`, of one status
    /// or of all.
    ///
    /// # Errors
    /// As [`Nib::ask`].
    pub async fn devices(
        &self,
        status: Option<DeviceStatus>,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<DeviceView>, NibError> {
        self.ask(move |reader| {
            let page = reader.devices(status, after, limit.min(MOST_ROWS))?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(Vec::new()) };
            let facts = reader.facts(first.id, last.id)?;
            let counters = reader.counters(first.id, last.id)?;
            let mut views = DeviceView::all(page, &facts);
            DeviceView::count(&mut views, &counters);
            Ok(views)
        })
        .await
    }

    /// At most `limit` events, in the order of their positions, from this one on.
    ///
    /// # Errors
    /// As [`Nib::ask`].
    pub async fn events(&self, filter: EventFilter, from: EventSeq, limit: usize) -> Result<Vec<Event>, NibError> {
        let EventFilter { types, subject, since } = filter;
        let query = EventQuery { from, types, subject, since, limit: limit.min(MOST_ROWS) };
        self.ask(move |reader| reader.events(&query)).await
    }
}
