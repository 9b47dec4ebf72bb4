//! Events about refused messages, on their way to the NIB: never more than a few, however many
//! messages come.

use std::collections::VecDeque;
use std::time::Duration;

use tracing::{error, warn};

use crate::actors::causes;
use crate::algorithms::trust::complaints::{Complaint, Complaints, WINDOW};
use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::event::NewEvent;
use crate::domain::time::Clock;
use crate::nib::NibError;

/// How many events may wait while others are being written.
const MOST_WAITING: usize = 64;

/// What waits to be written, and what was written lately.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    complaints: Complaints,
    waiting: VecDeque<NewEvent>,
    writing: bool,
    /// Whether the timer runs.
    wound: bool,
    unwritten: u64,
}

impl Ledger {
    /// Notes a refusal: an event, if the like was not told of lately.
    pub fn note(&mut self, complaint: Complaint, own: &ControllerId, clock: &dyn Clock) {
        let told = self.complaints.note(complaint, clock.elapsed());
        self.queue(told.into_iter().flat_map(|told| told.events(own, clock.now())));
    }

    /// Tells of what was held back long enough.
    pub fn sum_up(&mut self, own: &ControllerId, clock: &dyn Clock) {
        self.wound = false;
        let told = self.complaints.sum_up(clock.elapsed());
        self.queue(told.into_iter().flat_map(|told| told.events(own, clock.now())));
    }

    /// Tells of this.
    pub fn tell(&mut self, event: NewEvent) {
        self.queue(std::iter::once(event));
    }

    fn queue(&mut self, events: impl Iterator<Item = NewEvent>) {
        for event in events {
            if self.waiting.len() < MOST_WAITING {
                self.waiting.push_back(event);
            } else {
                self.unwritten += 1;
                warn!(event = %event.event_type, so_far = self.unwritten, "an event was not written: too many wait");
            }
        }
    }

    /// When the timer is to be set, and to what: it runs only while there is something to tell.
    pub fn wind_up(&mut self) -> Option<Duration> {
        if self.wound || self.complaints.is_empty() {
            return None;
        }
        self.wound = true;
        Some(WINDOW)
    }

    /// The next commit, if none is going on.
    pub fn take(&mut self) -> Option<Vec<Change>> {
        if self.writing || self.waiting.is_empty() {
            return None;
        }
        self.writing = true;
        Some(self.waiting.drain(..).map(Change::Append).collect())
    }

    /// The commit of so many events has ended.
    pub fn written(&mut self, events: usize, error: Option<NibError>) {
        self.writing = false;
        if let Some(error) = error {
            self.unwritten += u64::try_from(events).unwrap_or(u64::MAX);
            error!(error = %causes(&error), events, so_far = self.unwritten, "events about refused messages were not written");
        }
    }
}
