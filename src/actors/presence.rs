//! The actor that knows who is there: the controller above, and those below.
//!
//! ```text
//!   PostActor ──Delivered<Heartbeat>, Delivered<HeartbeatAck>──► PresenceActor ──Send──► PostActor
//!   northbound ──ReadPresence──►                                   │
//!              ParentReached, ParentLost, ChildOnline, ChildOffline └──► those who wait for them
//! ```

use std::time::Duration;

use actix::Message;

use crate::domain::controller::ControllerId;

/// The controller above is heard, for the first time since the start or again. What waited for it is
/// sent after a wait that each who has something to send draws evenly from nothing to `spread`, once;
/// what is lost after that is sent again with full jitter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ParentReached {
    /// The longest such wait: it grows with the number of controllers that lost the same parent.
    pub spread: Duration,
}

/// The controller above has been silent for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ParentLost;

/// A controller below is heard, for the first time since the start or again.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ChildOnline(pub ControllerId);

/// A controller below has been silent for too long, or does not belong here any more.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct ChildOffline(pub ControllerId);
