//! What controllers below tell of their devices, and what is answered.
//!
//! Both streams, reports and summaries, are numbered; the number is given when the item is written
//! and stands beside it, not in it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::domain::address::MacAddr;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::cycle::{Completeness, Trigger};
use crate::domain::device::{DeviceId, DeviceStatus, DeviceType};
use crate::domain::digest::Digest;
use crate::domain::event::EventType;
use crate::domain::message::MessageType;
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::protocol::Protocol;
use crate::domain::stream::Stream;
use crate::domain::time::Timestamp;
use crate::wire::envelope::Body;
pub use crate::wire::report::fact::{ReportedFact, value_of};

mod fact;

/// The most octets that the canonical JSON of a report or summary has: base64 and the header still fit
/// into an envelope.
pub const LARGEST_BODY: usize = 128 * 1024;

/// The most addresses of one device that are told. A router that answers for a whole network has more.
pub const MOST_ADDRESSES: usize = 1_024;

/// A device, as the controller that tells of it has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedDevice {
    /// Its identity there.
    pub id: DeviceId,
    /// Its hardware address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<MacAddr>,
    /// Its addresses, at most [`MOST_ADDRESSES`].
    pub addresses: Vec<Ipv4Addr>,
    /// How many more it has.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub addresses_omitted: u32,
    /// The name that it gives itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Who made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// What kind of thing it is.
    #[serde(rename = "type")]
    pub device_type: DeviceType,
    /// Its software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Whether it is there.
    pub status: DeviceStatus,
    /// Its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// The Local Controller that has it; summaries tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_controller: Option<ControllerId>,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Cycles in a row in which it was not seen.
    pub missed_cycles: u32,
    /// The protocols that it answered.
    pub methods: Vec<Protocol>,
    /// What is known of it beside; only what changed, in a snapshot all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<ReportedFact>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands it over so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The place of an item in a snapshot: all devices, told anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PlainPart")]
pub struct SnapshotPart {
    part: u32,
    parts: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainPart {
    part: u32,
    parts: u32,
}

/// A part that no snapshot has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("part {part} of {parts} is none: parts are counted from 1")]
pub struct PartError {
    part: u32,
    parts: u32,
}

impl SnapshotPart {
    /// A part of a snapshot.
    ///
    /// # Errors
    /// [`PartError`] unless it is one of 1 to `parts`.
    pub fn new(part: u32, parts: u32) -> Result<Self, PartError> {
        if (1..=parts).contains(&part) { Ok(Self { part, parts }) } else { Err(PartError { part, parts }) }
    }

    /// Whether the snapshot begins here.
    pub const fn is_first(self) -> bool {
        self.part == 1
    }

    /// Whether the snapshot ends here.
    pub const fn is_last(self) -> bool {
        self.part == self.parts
    }

    /// The number of the snapshot's first item, when this one has `seq`: they follow each other.
    pub fn first(self, seq: StreamSeq) -> StreamSeq {
        StreamSeq::from_number(seq.number().saturating_sub(u64::from(self.part) - 1))
    }

    /// How many parts there are.
    pub const fn parts(self) -> u32 {
        self.parts
    }
}

impl TryFrom<PlainPart> for SnapshotPart {
    type Error = PartError;

    fn try_from(PlainPart { part, parts }: PlainPart) -> Result<Self, PartError> {
        Self::new(part, parts)
    }
}

/// How a cycle went, as far as the tier above wants to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedCycle {
    /// Why it ran.
    pub trigger: Trigger,
    /// How far it came.
    pub completeness: Completeness,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds.
    pub duration_ms: u32,
    /// What it changed.
    pub counts: ReportedCounts,
}

/// How many devices a cycle changed, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportedCounts {
    /// Seen for the first time.
    pub new: u32,
    /// Seen, and different.
    pub updated: u32,
    /// Seen as they were.
    pub unchanged: u32,
    /// Not seen, within what policy allows.
    pub missed: u32,
    /// Now inactive.
    pub inactive: u32,
}

/// An item of a Local Controller's stream: what a cycle changed, or a part of a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The cycle; a snapshot has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<ReportedCycle>,
    /// The policy that the controller runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<PolicyVersion>,
    /// The devices that are new or changed; in a snapshot, all.
    pub devices: Vec<ReportedDevice>,
    /// Those that it no longer has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<DeviceId>,
    /// Which part of a snapshot this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotPart>,
    /// The root of the reporter's devices after this item. Only the last item of several that belong
    /// together has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_root: Option<Digest>,
}

/// What a Regional Controller found that one Local Controller cannot see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anomaly {
    /// The event that it wrote.
    pub event: EventType,
    /// What it is about.
    pub subject: String,
    /// The particulars.
    pub payload: Map<String, Value>,
}

/// The Local Controllers of a region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reporters {
    /// Those whose reports came since the last summary.
    pub reported: Vec<ControllerId>,
    /// Those that have been silent for longer than policy allows.
    pub missing: Vec<ControllerId>,
}

/// An item of a Regional Controller's stream: what changed in its view, or a part of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Summary {
    /// The region.
    pub region: Region,
    /// How many devices there are in the view, by status.
    pub totals: BTreeMap<DeviceStatus, u32>,
    /// The devices that are new or changed, as the view has them; in a snapshot, all.
    pub devices: Vec<ReportedDevice>,
    /// Those that it no longer has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub removed: Vec<DeviceId>,
    /// What was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub anomalies: Vec<Anomaly>,
    /// Who reported, and who did not; a snapshot does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lcs: Option<Reporters>,
    /// The policy that the controller runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_version: Option<PolicyVersion>,
    /// Which part of a snapshot this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotPart>,
    /// The root of the view's devices after this item, where one is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_root: Option<Digest>,
}

/// Local to Regional Controller: an item of the stream of reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryReport {
    /// Its number.
    pub seq: StreamSeq,
    /// The item.
    pub report: Report,
}

/// Regional to Global Controller: an item of the stream of summaries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscoverySummary {
    /// Its number.
    pub seq: StreamSeq,
    /// The item.
    pub summary: Summary,
}

/// Parent to child: all of the stream up to this number is written down here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamAck {
    /// The stream.
    pub stream: Stream,
    /// The number.
    pub up_to: StreamSeq,
}

/// Parent to child: this is missing here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamRequest {
    /// The stream.
    pub stream: Stream,
    /// What of it.
    pub wanted: Wanted,
}

/// What of a stream a parent wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// The items from this number on.
    From(StreamSeq),
    /// All devices, for what is known here is not what the child has.
    Snapshot,
}

/// Parent to child: run a cycle now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiscoveryRequest {
    /// Why, for people.
    pub reason: String,
    /// Which Local Controller shall run it, when the child is a Regional one; all of its if none is
    /// named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub controller: Option<ControllerId>,
}

macro_rules! bodies {
    ($($body:ident),+ $(,)?) => {$(
        impl Body for $body {
            const MESSAGE_TYPE: MessageType = MessageType::$body;
        }
    )+};
}

bodies!(DiscoveryReport, DiscoverySummary, StreamAck, StreamRequest, DiscoveryRequest);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::canonical;
    use serde_json::json;

    #[test]
    fn a_report_is_read_as_it_was_written_and_nothing_else_is() {
        let value = json!({
            "seq": "7",
            "report": {
                "devices": [{
                    "id": "nib-dev-000001", "mac": "02:00:00:00:00:01", "addresses": ["10.0.1.1"], "type": "router",
                    "status": "active", "first_seen": "2026-11-21T10:00:00.000Z",
                    "last_seen": "2026-11-21T10:00:00.000Z", "missed_cycles": 0, "methods": ["arp"]
                }],
                "snapshot": { "part": 2, "parts": 3 }
            }
        });
        let read: DiscoveryReport = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(read.report.snapshot.unwrap().first(read.seq), StreamSeq::from_number(6));
        assert_eq!(serde_json::to_value(&read).unwrap(), value);
        for (pointer, wrong) in [
            ("/seq", json!(7)),
            ("/report/snapshot/part", json!(0)),
            ("/report/snapshot/part", json!(4)),
            ("/report/snapshot", json!({ "part": 1, "parts": 1, "more": 1 })),
            ("/report/devices/0/mac", json!("nobody")),
            ("/report/devices/0", json!({ "id": "nib-dev-000001", "unknown": 1 })),
        ] {
            let mut changed = value.clone();
            *changed.pointer_mut(pointer).unwrap() = wrong;
            assert!(serde_json::from_value::<DiscoveryReport>(changed.clone()).is_err(), "{changed}");
        }
    }

    #[test]
    fn what_is_wanted_has_one_spelling_each() {
        let text = |wanted| {
            let request = StreamRequest { stream: Stream::Reports, wanted };
            String::from_utf8(canonical::to_bytes(&request).unwrap()).unwrap()
        };
        let from = Wanted::From(StreamSeq::from_number(3));
        assert_eq!(text(from), r#"{"stream":"reports","wanted":{"from":"3"}}"#);
        assert_eq!(text(Wanted::Snapshot), r#"{"stream":"reports","wanted":"snapshot"}"#);
    }
}
