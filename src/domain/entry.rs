//! An entry of the event log: an event as the log keeps it for those who trust nobody.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::domain::digest::Digest;
use crate::domain::event::{EventSeq, EventType};
use crate::domain::names::named;
use crate::domain::number::Epoch;
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;

/// The longest canonical payload that an entry carries itself, in octets; a longer one is kept
/// beside the log, and the entry carries its digest.
pub const PAYLOAD_LIMIT: usize = 16 * 1024;

/// The longest actor, subject or action, in octets. With it and [`PAYLOAD_LIMIT`] a leaf is shorter
/// than 64 KiB, as an entry bundle of C2SP tlog-tiles demands.
pub const TEXT_LIMIT: usize = 1024;

/// The identity of an event wherever it is told: a UUID of version 7 (RFC 9562 section 5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId(Uuid);

/// A text that is not the identity of an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an event id: a UUID of version 7, lower-case with hyphens")]
pub struct EventIdError {
    text: String,
}

impl EventId {
    /// The identity of an event of this instant, by 80 bits of randomness (74 of them count).
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl FromStr for EventId {
    type Err = EventIdError;

    fn from_str(text: &str) -> Result<Self, EventIdError> {
        // One identity has one text: what differs only in its case is refused.
        Uuid::try_parse(text)
            .ok()
            .filter(|id| id.get_version_num() == 7 && id.hyphenated().to_string() == text)
            .map(Self)
            .ok_or_else(|| EventIdError { text: text.to_owned() })
    }
}

impl TryFrom<String> for EventId {
    type Error = EventIdError;

    fn try_from(text: String) -> Result<Self, EventIdError> {
        text.parse()
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

/// What was decided about an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Decision {
    /// It may be done.
    Approve,
    /// It must not be done.
    Deny,
    /// It is somebody else's to decide.
    Flag,
    /// It was done.
    Execute,
    /// It was undone.
    RollBack,
    /// A controller was taken in.
    Join,
    /// A message or a request was not listened to.
    Refuse,
}

named!(Decision, DecisionError, "decision",
    Approve => "APPROVE", Deny => "DENY", Flag => "FLAG", Execute => "EXECUTE",
    RollBack => "ROLL_BACK", Join => "JOIN", Refuse => "REFUSE");

/// The particulars of an entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// The particulars, an object of at most [`PAYLOAD_LIMIT`] octets of canonical JSON.
    Inside(Value),
    /// The SHA-256 digest of their canonical JSON, which is kept beside the log.
    Beside(Digest),
}

/// The body of an entry: what is signed and hashed.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The log that it belongs to.
    pub origin: Origin,
    /// Its place in the log: from 0, without gaps.
    pub seq: EventSeq,
    /// Its identity.
    pub event_id: EventId,
    /// What happened.
    pub event_type: EventType,
    /// Who decided or did it, and signs: at most [`TEXT_LIMIT`] octets.
    pub actor: String,
    /// What it happened to: at most [`TEXT_LIMIT`] octets.
    pub subject: String,
    /// What was to be done, if anything: at most [`TEXT_LIMIT`] octets.
    pub action: Option<String>,
    /// What was decided about it, if anything.
    pub decision: Option<Decision>,
    /// The version of the policy that was in effect, if one was.
    pub policy_version: Option<u64>,
    /// The epoch of the Global Controller that was in effect.
    pub epoch: Epoch,
    /// When it was decided.
    pub timestamp: Timestamp,
    /// The particulars.
    pub payload: Payload,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_event_id_is_read_back_and_sorts_by_time(random: [u8; 10], other: [u8; 10], millis in 0_i64..(1 << 47)) {
            let id = EventId::new(Timestamp::from_millis(millis), random);
            prop_assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
            prop_assert!(id < EventId::new(Timestamp::from_millis(millis + 1), other));
        }
    }

    #[test]
    fn an_event_id_has_one_text() {
        let id = EventId::new(Timestamp::from_millis(1_795_255_200_250), [0xab; 10]).to_string();
        let version_4 = "936da01f-9abd-4d9d-80c7-02af85c822a8";
        for text in [&id.to_uppercase(), &id.replace('-', ""), &format!("{{{id}}}"), version_4, ""] {
            assert!(text.parse::<EventId>().unwrap_err().to_string().contains(text));
        }
    }

    #[test]
    fn a_decision_has_one_name_in_text_and_in_json() {
        for decision in Decision::ALL {
            assert_eq!(serde_json::to_value(decision).unwrap(), decision.as_str());
        }
    }
}
