//! Refused messages in the event log: however many come, a few events tell of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::domain::controller::ControllerId;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::key::PublicKey;
use crate::domain::message::{MessageId, MessageType};
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;

/// For how long nothing more is told of one kind of refusal of one sender.
pub const WINDOW: Duration = Duration::from_secs(60);

/// How many kinds are remembered at most.
pub const MOST: usize = 1_024;

/// One place a reason is kept for those whom there is no place for.
const SINGLE: usize = MOST - Reason::ALL.len();

/// A message that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// Why.
    pub reason: Reason,
    /// Why, for people.
    pub detail: String,
    /// What it said it was, if that could be read.
    pub message_type: Option<MessageType>,
    /// Its name and whom it said it was from, if its signature was right.
    pub header: Option<(MessageId, ControllerId)>,
    /// The key that it named.
    pub key: Option<PublicKey>,
    /// The address that it came from.
    pub source: String,
}

/// What is to be told: a complaint that stands for so many messages, itself among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The latest of them.
    pub complaint: Complaint,
    /// How many there were since the last was told.
    pub messages: u64,
}

/// Who is complained about: the key, if it signed; else nobody is known but the source.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Whom {
    Key(PublicKey),
    Source(String),
    /// All for whom there is no place.
    Others,
}

#[derive(Debug)]
struct Entry {
    told_at: Duration,
    // The messages since, and the latest of them.
    since: u64,
    latest: Option<Complaint>,
}

/// What was told lately, and what is held back.
#[derive(Debug, Default)]
pub struct Complaints {
    entries: BTreeMap<(Whom, Reason), Entry>,
}

impl Complaints {
    /// Notes a refusal; says what is to be told now. `now` is a time that never goes back.
    pub fn note(&mut self, complaint: Complaint, now: Duration) -> Option<Told> {
        let place = self.place(&complaint, now);
        let Some(entry) = self.entries.get_mut(&place) else {
            self.entries.insert(place, Entry { told_at: now, since: 0, latest: None });
            return Some(Told { complaint, messages: 1 });
        };
        entry.since = entry.since.saturating_add(1);
        if entry.is_within(now) {
            entry.latest = Some(complaint);
            return None;
        }
        entry.told_at = now;
        entry.latest = None;
        Some(Told { complaint, messages: std::mem::take(&mut entry.since) })
    }

    fn place(&mut self, complaint: &Complaint, now: Duration) -> (Whom, Reason) {
        let whom = match (&complaint.header, complaint.key) {
            (Some(_), Some(key)) => Whom::Key(key),
            _ => Whom::Source(complaint.source.clone()),
        };
        let own = (whom, complaint.reason);
        if self.entries.contains_key(&own) || self.single() < SINGLE {
            return own;
        }
        self.entries.retain(|_, entry| entry.is_within(now) || entry.since > 0);
        if self.single() < SINGLE { own } else { (Whom::Others, complaint.reason) }
    }

    fn single(&self) -> usize {
        self.entries.len() - self.entries.keys().rev().take_while(|(whom, _)| *whom == Whom::Others).count()
    }

    /// Tells of what was held back for a window, and forgets whom nothing was held back of.
    pub fn sum_up(&mut self, now: Duration) -> Vec<Told> {
        self.entries.retain(|_, entry| entry.is_within(now) || entry.since > 0);
        let due = self.entries.values_mut().filter(|entry| !entry.is_within(now));
        due.filter_map(|entry| {
            entry.told_at = now;
            let complaint = entry.latest.take()?;
            Some(Told { complaint, messages: std::mem::take(&mut entry.since) })
        })
        .collect()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl Entry {
    fn is_within(&self, now: Duration) -> bool {
        now.saturating_sub(self.told_at) < WINDOW
    }
}

impl Told {
    /// The events that tell it. That somebody's name is used by two has its alarm where it is locked.
    pub fn events(self, own: &ControllerId, now: Timestamp) -> Vec<NewEvent> {
        let Self { complaint, messages } = self;
        let (id, sender) = complaint.header.unzip();
        let subject = sender.as_ref().map_or_else(|| complaint.source.clone(), ControllerId::to_string);
        let payload = json!({
            "reason": complaint.reason,
            "detail": complaint.detail,
            "message_type": complaint.message_type,
            "message_id": id,
            "sender": sender,
            "public_key": complaint.key,
            "source": complaint.source,
            "messages": messages,
        });
        let event = |event_type| NewEvent {
            event_type,
            actor: own.to_string(),
            subject: subject.clone(),
            timestamp: now,
            payload: payload.clone(),
        };
        let alarm = complaint.reason.is_alarming() && complaint.reason != Reason::IdentityCloned;
        let alarm = alarm.then(|| event(EventType::SecurityAlert));
        std::iter::once(event(EventType::MessageRefused)).chain(alarm).collect()
    }
}
