//! The messages by which controllers know of each other that they are there.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::controller::ControllerId;
use crate::domain::message::MessageType;
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::time::Timestamp;
use crate::wire::envelope::Body;

/// The most children that one heartbeat tells of, so that it stays far below the size of an envelope.
pub const MOST_CHILDREN: usize = 500;

/// Child to parent: I am there, and this is how I am.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// When it was made, by the child's clock; the answer quotes it.
    pub sent_at: Timestamp,
    /// How it works at the moment.
    pub state: State,
    /// The policy that it runs; none before it has taken one.
    pub policy_version: Option<PolicyVersion>,
    /// The number of its last report or summary; 0 before the first.
    pub last_report: StreamSeq,
    /// What a Regional Controller knows of those below it, ascending; at most [`MOST_CHILDREN`].
    pub children: Vec<ChildPresence>,
}

/// How a controller works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Its parent is there.
    Active,
    /// Its parent is away, as far as it knows; it works on within its authority.
    Offline,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "ACTIVE",
            Self::Offline => "OFFLINE",
        })
    }
}

/// A controller as its parent knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChildPresence {
    /// Its name.
    pub id: ControllerId,
    /// Whether it is heard.
    pub online: bool,
    /// The policy that it runs.
    pub policy_version: Option<PolicyVersion>,
    /// When it was last heard, by its parent's clock.
    pub last_contact: Option<Timestamp>,
    /// The number of its last report or summary, as it says.
    pub last_report: StreamSeq,
}

/// Parent to child: I am there, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatAck {
    /// `sent_at` of the heartbeat that it answers.
    pub sent_at: Timestamp,
    /// How many children the parent has: they would all come at once when it was away.
    pub children: u32,
}

impl Body for Heartbeat {
    const MESSAGE_TYPE: MessageType = MessageType::Heartbeat;
}

impl Body for HeartbeatAck {
    const MESSAGE_TYPE: MessageType = MessageType::HeartbeatAck;
}
