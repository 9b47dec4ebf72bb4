//! What a decision writes.

use std::time::Duration;

use crate::domain::controller::ControllerId;
use crate::domain::counters::Counters;
use crate::domain::device::{Device, DeviceId, Version};
use crate::domain::event::NewEvent;
use crate::domain::fact::FactRow;
use crate::domain::log::LogChange;
use crate::domain::policy::PolicyRow;
use crate::domain::protocol::Protocol;
use crate::domain::registry::RegistryChange;
use crate::domain::stream::{Sighting, StreamChange};
use crate::domain::time::Timestamp;

/// One change of a commit. It carries the version that it was computed from.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A device that the NIB does not have. Its version is [`Version::FIRST`]; a number that has
    /// been used before is a conflict.
    InsertDevice(Device),
    /// A device as it shall be; its `version` is the one that it was computed from, the row gets
    /// the next one.
    UpdateDevice(Device),
    /// A device was seen as it was known: `missed_cycles` becomes 0, the row gets its next version,
    /// the rest stays.
    TouchDevice {
        /// The device.
        id: DeviceId,
        /// The version that was read.
        version: Version,
        /// When it was seen.
        last_seen: Timestamp,
        /// What it answered.
        methods: Vec<Protocol>,
        /// How fast.
        rtt: Option<Duration>,
    },
    /// A device turned out to be another one: its row goes, with its facts and counters. Its number is not given
    /// again. A device that a controller below told of cannot go.
    RemoveDevice {
        /// The device.
        id: DeviceId,
        /// The version that was read.
        version: Version,
    },
    /// A fact of a device that exists, also when it is inserted earlier in the same commit. A fact
    /// that is older than the stored one of the same device, kind and source changes nothing; one
    /// of the same time replaces it.
    PutFact(FactRow),
    /// What the interfaces of a device counted, which exists, also when it is inserted earlier in the same
    /// commit. It replaces what was known of all of its interfaces.
    PutCounters(Counters),
    /// An event, appended in the order of the list.
    Append(NewEvent),
    /// Who belongs here.
    Registry(RegistryChange),
    /// What is sent to the controller above until it is acknowledged, and what was taken from those
    /// below.
    Stream(StreamChange),
    /// A device was reported by a controller below; the device here exists, also when it is inserted
    /// earlier in the same commit. Replaces what the same reporter told about the same device.
    PutSighting(Sighting),
    /// A controller below no longer has this device; it may not be known.
    DropSighting {
        /// Who.
        reporter: ControllerId,
        /// The device's id there.
        reported: DeviceId,
    },
    /// A policy, which takes effect: its version is higher than that of the one before.
    PutPolicy(PolicyRow),
    /// What is known of logs.
    Log(LogChange),
}
