//! Events: every decision, in the order in which it was made.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::domain::names::named;
use crate::domain::time::Timestamp;

/// The position of an event in its NIB's log: from 0, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventSeq(u64);

impl EventSeq {
    /// The first event of a log.
    pub const FIRST: Self = Self(0);

    /// The event at this position.
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// The position, from 0.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for EventSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventType {
    /// A NIB was created or migrated.
    NibMigrated,
    /// A controller began its work.
    ControllerStarted,
    /// A controller ended its work in an orderly way.
    ControllerStopped,
    /// The configuration was read again and taken.
    ConfigReloaded,
    /// The configuration was read again and refused; the old values stay.
    ConfigRejected,
    /// An operator asked for discovery, here or below.
    DiscoveryRequested,
    /// A cycle had nothing to do.
    DiscoverySkipped,
    /// A cycle ended.
    DiscoveryCycleCompleted,
    /// A cycle ended without any working protocol; no device changed.
    DiscoveryCycleFailed,
    /// A cycle's result could not be written, because others wrote the same rows.
    DiscoveryWriteConflict,
    /// A protocol could not be used in a cycle.
    ScanProtocolFailed,
    /// A device was seen for the first time.
    DeviceDiscovered,
    /// A device's address, name, vendor, type, status or interfaces changed.
    DeviceUpdated,
    /// A device was missed as often as policy allows.
    DeviceInactive,
    /// A device's SNMP agent has started again since it was last heard.
    AgentRestarted,
    /// A device turned out to be another one, which has its row now.
    DeviceMerged,
    /// Two devices answered for one address.
    AnomalyDuplicateAddress,
    /// A controller was given a name and a certificate.
    ControllerValidated,
    /// A controller did not pass.
    ControllerRejected,
    /// A controller that might have passed was not validated, because pdsno failed.
    ControllerValidationFailed,
    /// A controller was given a certificate for its next key.
    CertificateRenewed,
    /// Too many proofs for a token were wrong.
    BootstrapTokenLocked,
    /// A source asks to be validated more often than is allowed; told once until it stops.
    AttemptsLimited,
    /// Somebody may be attacking; the payload has the reason.
    SecurityAlert,
    /// The log has an origin from here on: the controller was given its name.
    LogOpened,
    /// The log does not agree with a head that was signed; the payload names the first bad entry.
    LogCorrupt,
    /// The head of a log below was checked and cosigned.
    ChildCheckpoint,
    /// The head of the Global Controller's log was checked and cosigned.
    AboveCheckpoint,
    /// A log showed two histories; both heads are kept.
    LogFork,
    /// A log below has shown no head for too long.
    AnchorLag,
    /// An operator had a token made.
    BootstrapTokenIssued,
    /// An operator took a token back.
    BootstrapTokenRevoked,
    /// An operator took a controller's certificate back.
    ControllerRevoked,
    /// A controller's messages are refused until an operator decides.
    ControllerSuspended,
    /// Two processes used a controller's name.
    ControllerLocked,
    /// An operator lets a suspended controller in again.
    ControllerReinstated,
    /// A controller used its next certificate for the first time; the old one is refused.
    CertificateSwitched,
    /// A key or a source was put on the blocklist or taken off it.
    BlocklistChanged,
    /// This controller was given its name and certificate.
    MembershipGranted,
    /// This controller was not validated; the payload has the reason and what an operator must do.
    MembershipRefused,
    /// This controller was given a certificate for its next key.
    MembershipRenewed,
    /// Messages of a sender were not acted on; the payload has the reason and how many.
    MessageRefused,
    /// A controller below is not heard any more.
    ControllerOffline,
    /// A controller below is heard again.
    ControllerOnline,
    /// The controller above is not heard any more; this one works on within its authority.
    ParentUnreachable,
    /// The controller above is heard again.
    ParentReached,
    /// A report was not taken; the payload has the reason.
    DiscoveryReportRejected,
    /// A report was made under another policy; it was taken.
    DiscoveryReportStalePolicy,
    /// A device was seen more recently by another controller below, which has it now.
    DeviceLcReassigned,
    /// Several controllers below see one device.
    DeviceMultiLc,
    /// A device of another region was reported.
    AnomalyCrossRegionDevice,
    /// More new devices at once than policy expects.
    AnomalyDiscoverySpike,
    /// One MAC address is active in two regions.
    AnomalyGlobalMacCollision,
    /// A Local Controller has not reported within the time that policy gives.
    LcDiscoveryOverdue,
    /// A Local Controller is missing in the reports of a region: told to operators.
    DiscoveryLcMissing,
    /// The global view took a region's summary.
    GlobalDiscoveryCycleUpdated,
    /// A view was made anew from a snapshot, because numbers or roots did not agree.
    ViewResynchronised,
    /// An operator set a policy.
    PolicySet,
    /// A policy from above was verified and took effect.
    PolicyTaken,
    /// A policy was not taken; the payload has the reason.
    PolicyRefused,
}

impl EventType {
    /// What operators should look at: found here or told from below, and never acted on by itself.
    pub const ANOMALIES: [Self; 6] = [
        Self::AnomalyDuplicateAddress,
        Self::AnomalyCrossRegionDevice,
        Self::AnomalyDiscoverySpike,
        Self::AnomalyGlobalMacCollision,
        Self::LcDiscoveryOverdue,
        Self::DiscoveryLcMissing,
    ];
}

named!(EventType, EventTypeError, "event type",
    NibMigrated => "NIB_MIGRATED",
    ControllerStarted => "CONTROLLER_STARTED",
    ControllerStopped => "CONTROLLER_STOPPED",
    ConfigReloaded => "CONFIG_RELOADED",
    ConfigRejected => "CONFIG_REJECTED",
    DiscoveryRequested => "DISCOVERY_REQUESTED",
    DiscoverySkipped => "DISCOVERY_SKIPPED",
    DiscoveryCycleCompleted => "DISCOVERY_CYCLE_COMPLETED",
    DiscoveryCycleFailed => "DISCOVERY_CYCLE_FAILED",
    DiscoveryWriteConflict => "DISCOVERY_WRITE_CONFLICT",
    ScanProtocolFailed => "SCAN_PROTOCOL_FAILED",
    DeviceDiscovered => "DEVICE_DISCOVERED",
    DeviceUpdated => "DEVICE_UPDATED",
    DeviceInactive => "DEVICE_INACTIVE",
    AgentRestarted => "AGENT_RESTARTED",
    DeviceMerged => "DEVICE_MERGED",
    AnomalyDuplicateAddress => "ANOMALY_DUPLICATE_ADDRESS",
    ControllerValidated => "CONTROLLER_VALIDATED",
    ControllerRejected => "CONTROLLER_REJECTED",
    ControllerValidationFailed => "CONTROLLER_VALIDATION_FAILED",
    CertificateRenewed => "CERTIFICATE_RENEWED",
    BootstrapTokenLocked => "BOOTSTRAP_TOKEN_LOCKED",
    AttemptsLimited => "ATTEMPTS_LIMITED",
    SecurityAlert => "SECURITY_ALERT",
    LogOpened => "LOG_OPENED",
    LogCorrupt => "LOG_CORRUPT",
    ChildCheckpoint => "CHILD_CHECKPOINT",
    AboveCheckpoint => "ABOVE_CHECKPOINT",
    LogFork => "LOG_FORK",
    AnchorLag => "ANCHOR_LAG",
    BootstrapTokenIssued => "BOOTSTRAP_TOKEN_ISSUED",
    BootstrapTokenRevoked => "BOOTSTRAP_TOKEN_REVOKED",
    ControllerRevoked => "CONTROLLER_REVOKED",
    ControllerSuspended => "CONTROLLER_SUSPENDED",
    ControllerLocked => "CONTROLLER_LOCKED",
    ControllerReinstated => "CONTROLLER_REINSTATED",
    CertificateSwitched => "CERTIFICATE_SWITCHED",
    BlocklistChanged => "BLOCKLIST_CHANGED",
    MembershipGranted => "MEMBERSHIP_GRANTED",
    MembershipRefused => "MEMBERSHIP_REFUSED",
    MembershipRenewed => "MEMBERSHIP_RENEWED",
    MessageRefused => "MESSAGE_REFUSED",
    ControllerOffline => "CONTROLLER_OFFLINE",
    ControllerOnline => "CONTROLLER_ONLINE",
    ParentUnreachable => "PARENT_UNREACHABLE",
    ParentReached => "PARENT_REACHED",
    DiscoveryReportRejected => "DISCOVERY_REPORT_REJECTED",
    DiscoveryReportStalePolicy => "DISCOVERY_REPORT_STALE_POLICY",
    DeviceLcReassigned => "DEVICE_LC_REASSIGNED",
    DeviceMultiLc => "DEVICE_MULTI_LC",
    AnomalyCrossRegionDevice => "ANOMALY_CROSS_REGION_DEVICE",
    AnomalyDiscoverySpike => "ANOMALY_DISCOVERY_SPIKE",
    AnomalyGlobalMacCollision => "ANOMALY_GLOBAL_MAC_COLLISION",
    LcDiscoveryOverdue => "LC_DISCOVERY_OVERDUE",
    DiscoveryLcMissing => "DISCOVERY_LC_MISSING",
    GlobalDiscoveryCycleUpdated => "GLOBAL_DISCOVERY_CYCLE_UPDATED",
    ViewResynchronised => "VIEW_RESYNCHRONISED",
    PolicySet => "POLICY_SET",
    PolicyTaken => "POLICY_TAKEN",
    PolicyRefused => "POLICY_REFUSED");

/// An event before the store has given it its place.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// What happened.
    pub event_type: EventType,
    /// Who decided or did it: a controller's name.
    pub actor: String,
    /// What it happened to: a device's id, a protocol, a subnet, a file.
    pub subject: String,
    /// When it was decided.
    pub timestamp: Timestamp,
    /// The particulars, an object.
    pub payload: Value,
}

/// An event in its place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its position in the log.
    pub seq: EventSeq,
    /// What happened.
    pub event_type: EventType,
    /// Who decided or did it.
    pub actor: String,
    /// What it happened to.
    pub subject: String,
    /// When it was decided.
    pub timestamp: Timestamp,
    /// The particulars, an object.
    pub payload: Value,
}

impl Event {
    /// The event without its place.
    pub fn into_new(self) -> NewEvent {
        let Self { seq: _, event_type, actor, subject, timestamp, payload } = self;
        NewEvent { event_type, actor, subject, timestamp, payload }
    }
}

impl NewEvent {
    /// The event at its place in a log.
    pub fn at(self, seq: EventSeq) -> Event {
        let Self { event_type, actor, subject, timestamp, payload } = self;
        Event { seq, event_type, actor, subject, timestamp, payload }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_name_in_text_and_in_json() {
        for kind in EventType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
        assert!("DEVICE_EXPLODED".parse::<EventType>().unwrap_err().to_string().contains("DEVICE_EXPLODED"));
    }
}
