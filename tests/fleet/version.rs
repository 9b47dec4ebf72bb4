//! The versions of SNMP.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Version {
    /// RFC 1157.
    V1,
    /// RFC 1901, RFC 3416.
    V2c,
    /// RFC 3412, RFC 3414.
    V3,
}

impl Version {
    /// By its number on the wire.
    pub const fn of(number: i64) -> Option<Self> {
        match number {
            0 => Some(Self::V1),
            1 => Some(Self::V2c),
            3 => Some(Self::V3),
            _ => None,
        }
    }
}

/// Those that an agent speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Versions(pub &'static [Version]);

impl Versions {
    pub const V1: Self = Self(&[Version::V1]);
    pub const COMMUNITIES: Self = Self(&[Version::V1, Version::V2c]);
    pub const V3: Self = Self(&[Version::V3]);
    pub const ALL: Self = Self(&[Version::V1, Version::V2c, Version::V3]);

    pub fn has(self, version: Version) -> bool {
        self.0.contains(&version)
    }
}
