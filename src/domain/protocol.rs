//! The protocols that a cycle probes with.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A probe protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum Protocol {
    /// Address Resolution Protocol (RFC 826).
    Arp,
    /// ICMP echo (RFC 792).
    Icmp,
    /// SNMP v2c (RFC 3416).
    Snmp,
}

/// A name that is no protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown protocol {text:?}; the protocols are arp, icmp and snmp")]
pub struct ProtocolError {
    text: String,
}

impl Protocol {
    /// All protocols, in the order in which they are reported.
    pub const ALL: [Self; 3] = [Self::Arp, Self::Icmp, Self::Snmp];

    /// The name in output and configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Arp => "arp",
            Self::Icmp => "icmp",
            Self::Snmp => "snmp",
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Protocol {
    type Err = ProtocolError;

    fn from_str(text: &str) -> Result<Self, ProtocolError> {
        Self::ALL
            .into_iter()
            .find(|protocol| protocol.as_str().eq_ignore_ascii_case(text.trim()))
            .ok_or_else(|| ProtocolError { text: text.to_owned() })
    }
}

impl TryFrom<String> for Protocol {
    type Error = ProtocolError;

    fn try_from(text: String) -> Result<Self, ProtocolError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back_and_another_is_refused_by_name() {
        for protocol in Protocol::ALL {
            assert_eq!(protocol.to_string().parse(), Ok(protocol));
        }
        assert!("lldp".parse::<Protocol>().unwrap_err().to_string().contains("\"lldp\""));
    }
}
