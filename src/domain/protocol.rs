//! The protocols that a cycle probes with.

use serde::{Deserialize, Serialize};

use crate::domain::names::named;

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

named!(Protocol, ProtocolError, "protocol", Arp => "arp", Icmp => "icmp", Snmp => "snmp");

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
