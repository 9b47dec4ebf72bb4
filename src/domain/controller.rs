//! Controllers: their tiers, names, regions and cluster.

mod name;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use crate::domain::controller::name::{ControllerName, RegionSlug};
use crate::domain::names::named;

/// What a process runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Role {
    /// Root of trust for the whole network.
    Global,
    /// One zone.
    Regional,
    /// Its subnets: discovers devices and carries out approved changes.
    Local,
    /// The three tiers in one process.
    All,
}

named!(Role, RoleError, "role",
    Global => "global", Regional => "regional", Local => "local", All => "all");

impl TryFrom<String> for Role {
    type Error = RoleError;

    fn try_from(text: String) -> Result<Self, RoleError> {
        text.parse()
    }
}

/// A text that cannot name a controller or a region.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a {what}; use 1 to {max} letters, digits, {also}")]
pub struct NameError {
    text: String,
    what: &'static str,
    also: &'static str,
    max: usize,
}

fn checked(text: &str, max: usize, what: &'static str, also: &'static str) -> Result<String, NameError> {
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if text.len() <= max && plain && text.contains(|c: char| c.is_ascii_alphanumeric()) {
        Ok(text.to_owned())
    } else {
        Err(NameError { text: text.chars().take(100).collect(), what, also, max })
    }
}

/// The name of a controller, given by the one above it: `local_cntl_zoneA_5`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ControllerId(String);

impl ControllerId {
    /// A controller without a parent has not been named by anybody; it signs its own work so.
    pub fn standalone() -> Self {
        Self("standalone".to_owned())
    }

    /// What a controller calls itself until its parent has named it; no parent gives such a name.
    pub fn newcomer(random: [u8; 16]) -> Self {
        Self(format!("newcomer-{:032x}", u128::from_be_bytes(random)))
    }

    /// Whether a controller that has no name yet calls itself so.
    pub fn is_newcomer(&self) -> bool {
        let digits = self.0.strip_prefix("newcomer-").unwrap_or_default();
        digits.len() == 32 && digits.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ControllerId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        checked(text, 63, "controller name", "'_' and '-'").map(Self)
    }
}

/// A zone of the network, `zone-A`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Region(String);

impl Region {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Region {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        // Short enough that the names of its controllers fit a DNS label (RFC 1035 section 2.3.4).
        checked(text, 32, "region", "'-' and '_', with at least one letter or digit").map(Self)
    }
}

/// The name of the whole installation: one Global Controller and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cluster(String);

impl Cluster {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Cluster {
    /// The one that nobody named.
    fn default() -> Self {
        Self("pdsno".to_owned())
    }
}

impl FromStr for Cluster {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        checked(text, 63, "cluster name", "'-' and '_'").map(Self)
    }
}

macro_rules! text_value {
    ($($name:ident),+) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.0
            }
        }
    )+};
}

text_value!(ControllerId, Region, Cluster);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_is_read_back_and_another_is_refused_by_name() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().unwrap_err().to_string().contains("\"root\""));
    }

    #[test]
    fn a_name_is_short_and_plain() {
        assert_eq!("zone-A".parse::<Region>().unwrap().as_str(), "zone-A");
        assert_eq!("local_cntl_zoneA_5".parse::<ControllerId>().unwrap().as_str(), "local_cntl_zoneA_5");
        for text in ["", "zone A", "zone/A", "-", &"z".repeat(33)] {
            assert!(text.parse::<Region>().unwrap_err().to_string().contains(&format!("{text:?}")));
        }
    }
}
