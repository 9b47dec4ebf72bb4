//! Devices.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::address::MacAddr;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::names::named;
use crate::domain::protocol::Protocol;
use crate::domain::time::Timestamp;

/// The identity of a device in one NIB, printed as `nib-dev-000047`. Numbers start at 1 and are
/// never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceId(u32);

/// A text that is not a device's identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a device id such as nib-dev-000047")]
pub struct DeviceIdError {
    text: String,
}

impl DeviceId {
    const PREFIX: &str = "nib-dev-";

    /// The identity with this number.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The number, from 1.
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:06}", Self::PREFIX, self.0)
    }
}

impl FromStr for DeviceId {
    type Err = DeviceIdError;

    fn from_str(text: &str) -> Result<Self, DeviceIdError> {
        text.strip_prefix(Self::PREFIX)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| DeviceIdError { text: text.to_owned() })
    }
}

impl TryFrom<String> for DeviceId {
    type Error = DeviceIdError;

    fn try_from(text: String) -> Result<Self, DeviceIdError> {
        text.parse()
    }
}

impl From<DeviceId> for String {
    fn from(id: DeviceId) -> Self {
        id.to_string()
    }
}

/// The version of a row. A change names the version that it was computed from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Version(u32);

impl Version {
    /// The version of a row that has just been inserted.
    pub const FIRST: Self = Self(1);

    /// The version with this number, as stored.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// The number, from 1.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The version after the next write.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Whether a device is there, and whether it may be worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceStatus {
    /// Seen in a recent cycle.
    Active,
    /// Missed in as many cycles as policy allows.
    Inactive,
    /// Known to be there and not to be reached.
    Unreachable,
    /// Set apart by an operator or an emergency.
    Quarantined,
    /// A change failed and could not be rolled back; an operator must resolve it.
    Degraded,
}

named!(DeviceStatus, DeviceStatusError, "device status",
    Active => "active", Inactive => "inactive", Unreachable => "unreachable",
    Quarantined => "quarantined", Degraded => "degraded");

/// What a cycle says of a known device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sighting {
    /// It answered.
    Seen,
    /// It did not answer, for the nth cycle in a row, and policy's limit is not reached.
    Missed,
    /// It did not answer, and policy's limit of missed cycles is reached.
    MissedTooOften,
}

impl DeviceStatus {
    /// The status after a sighting: the one transition table of what discovery may do.
    /// Quarantine and degradation are decisions of people; no cycle lifts them.
    #[must_use]
    pub const fn after(self, sighting: Sighting) -> Self {
        match (self, sighting) {
            (Self::Active | Self::Inactive | Self::Unreachable, Sighting::Seen) => Self::Active,
            (Self::Active | Self::Unreachable, Sighting::MissedTooOften) => Self::Inactive,
            (unchanged, _) => unchanged,
        }
    }
}

/// What kind of thing a device is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceType {
    /// Forwards between networks (layer 3).
    Router,
    /// Forwards within a network (layer 2).
    Switch,
    /// Serves applications.
    Server,
    /// Prints.
    Printer,
    /// A host that serves nobody: workstation, phone, camera.
    Endpoint,
    /// No evidence yet.
    Unknown,
}

named!(DeviceType, DeviceTypeError, "device type",
    Router => "router", Switch => "switch", Server => "server",
    Printer => "printer", Endpoint => "endpoint", Unknown => "unknown");

/// One device: the row of the NIB's `devices` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its identity in this NIB.
    pub id: DeviceId,
    /// Its hardware address; unique within a NIB. `None` for a device that is not on link and has
    /// told none yet.
    pub mac: Option<MacAddr>,
    /// Its addresses, ascending, distinct.
    pub addresses: Vec<Ipv4Addr>,
    /// The name that it gives itself.
    pub hostname: Option<String>,
    /// Who made it.
    pub vendor: Option<String>,
    /// What kind of thing it is.
    pub device_type: DeviceType,
    /// Its software, in its own words.
    pub firmware: Option<String>,
    /// The zone of the controller that found it.
    pub region: Option<Region>,
    /// The Local Controller that owns it; `None` while that controller is standalone.
    pub local_controller: Option<ControllerId>,
    /// Whether it is there.
    pub status: DeviceStatus,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Cycles in a row in which it was not seen.
    pub missed_cycles: u32,
    /// The protocols that it answered when it was last seen, in order.
    pub methods: Vec<Protocol>,
    /// The round-trip time when it was last seen.
    pub rtt: Option<Duration>,
    /// The version of the row.
    pub version: Version,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_is_printed_with_six_digits_and_read_back() {
        assert_eq!(DeviceId::from_number(47).to_string(), "nib-dev-000047");
        for number in [1, 47, 999_999, 1_000_000, u32::MAX] {
            let id = DeviceId::from_number(number);
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        for text in ["", "nib-dev-", "nib-dev-+1", "dev-000047", "nib-dev-99999999999"] {
            assert!(text.parse::<DeviceId>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn discovery_moves_a_device_between_active_and_inactive_only() {
        use DeviceStatus::{Active, Degraded, Inactive, Quarantined, Unreachable};
        use Sighting::{Missed, MissedTooOften, Seen};
        for (before, seen, missed, missed_too_often) in [
            (Active, Active, Active, Inactive),
            (Inactive, Active, Inactive, Inactive),
            (Unreachable, Active, Unreachable, Inactive),
            (Quarantined, Quarantined, Quarantined, Quarantined),
            (Degraded, Degraded, Degraded, Degraded),
        ] {
            assert_eq!(before.after(Seen), seen);
            assert_eq!(before.after(Missed), missed);
            assert_eq!(before.after(MissedTooOften), missed_too_often);
        }
    }

    #[test]
    fn names_are_read_back_and_others_refused_by_name() {
        for status in DeviceStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(status));
        }
        for kind in DeviceType::ALL {
            assert_eq!(kind.to_string().parse(), Ok(kind));
        }
        let refusal = "gone".parse::<DeviceStatus>().unwrap_err().to_string();
        assert!(refusal.contains("\"gone\"") && refusal.contains("quarantined"), "{refusal}");
    }
}
