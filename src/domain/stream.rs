//! Numbered streams between a controller and its parent: what is sent until it is acknowledged, and
//! applied once and in order.

use serde::{Deserialize, Serialize};

use crate::domain::controller::ControllerId;
use crate::domain::device::DeviceId;
use crate::domain::fact::FactVersions;
use crate::domain::names::named;
use crate::domain::number::StreamSeq;
use crate::domain::time::Timestamp;

/// What is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Discovery reports of a Local Controller to its Regional one.
    Reports,
    /// Summaries of a Regional Controller to the Global one.
    Summaries,
}

named!(Stream, StreamError, "stream", Reports => "reports", Summaries => "summaries");

/// A message that was accepted for sending and is not acknowledged yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxItem {
    /// Its number, from 1, without gaps.
    pub seq: StreamSeq,
    /// Its body, JSON; the number is not in it.
    pub body: String,
    /// When it was written.
    pub at: Timestamp,
}

/// How far a stream of this controller is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StreamPosition {
    /// The number of the last item that was written; 0 before the first.
    pub last: StreamSeq,
    /// The number up to which all is acknowledged.
    pub acknowledged: StreamSeq,
}

/// A change of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamChange {
    /// The next item: the store gives it its number.
    Enqueue {
        /// To which stream.
        stream: Stream,
        /// The body, JSON without the number.
        body: String,
        /// When.
        at: Timestamp,
    },
    /// All up to this number was taken: removed from the outbox. A lower number than before, or one
    /// that was never given, changes nothing.
    Acknowledge {
        /// Of which stream.
        stream: Stream,
        /// Up to and with this one.
        up_to: StreamSeq,
    },
    /// All that waits is removed, if `last` still is the last item that was written: a snapshot
    /// replaces it, and must know of all that it replaces. The numbers stay used, and `acknowledged`
    /// is as it was.
    Discard {
        /// Of which stream.
        stream: Stream,
        /// The last item's number; 0 before the first.
        last: StreamSeq,
    },
    /// The item with this number of another controller's stream was applied, if the last one that was
    /// applied still is `after`.
    Receive {
        /// Whose stream.
        from: ControllerId,
        /// Which.
        stream: Stream,
        /// The number that was the last one; 0 for none.
        after: StreamSeq,
        /// The number that is.
        seq: StreamSeq,
    },
}

/// That a controller below reported a device: which of its devices is which of this NIB's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Who reported.
    pub reporter: ControllerId,
    /// The device's id there.
    pub reported: DeviceId,
    /// The device's id here.
    pub device: DeviceId,
    /// When it was last seen there.
    pub last_seen: Timestamp,
    /// Whether it is active there.
    pub is_active: bool,
    /// The report that told it last.
    pub told_by: StreamSeq,
    /// The facts that it told of it, as it has them.
    pub facts: FactVersions,
}
