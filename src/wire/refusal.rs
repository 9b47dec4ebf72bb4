//! Why received bytes are not one of the packets that probes wait for.

use crate::domain::address::MacAddr;

/// Why a frame or a message was not decoded.
///
/// The reasons are of two kinds: traffic that is well-formed as far as it was read and is simply
/// somebody else's, and bytes that break the format. [`Refusal::is_malformed`] tells them apart, so
/// that the second kind can be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A VLAN tag (IEEE Std 802.1Q) that the interface did not take off: another broadcast domain.
    #[error("the frame carries a VLAN tag, so it belongs to another broadcast domain")]
    VlanTagged,
    /// Neither ARP nor IPv4.
    #[error("EtherType {0:#06x} is neither ARP nor IPv4")]
    EtherType(u16),
    /// A piece of a datagram. No reply to a probe is long enough to be fragmented by a sane path,
    /// and reassembly is a well-known way to be fooled.
    #[error("the packet is a fragment")]
    Fragment,
    /// Neither ICMP nor UDP, or an ICMP error about a packet that was not UDP.
    #[error("IP protocol {0} is not one that probes use")]
    Protocol(u8),
    /// An ICMP message that answers no probe.
    #[error("ICMP type {kind} code {code} answers no probe")]
    Icmp {
        /// The ICMP type.
        kind: u8,
        /// The ICMP code.
        code: u8,
    },
    /// Fewer octets than the format needs.
    #[error("{part} needs {needed} octets, there are {length}")]
    Truncated {
        /// What was being read.
        part: &'static str,
        /// The octets that it needs at least.
        needed: usize,
        /// The octets that are there.
        length: usize,
    },
    /// A frame whose source is a group of stations (IEEE Std 802.3 clause 3.2.3 forbids it).
    #[error("the frame's source {0} is a group address")]
    GroupSource(MacAddr),
    /// ARP for other address formats than Ethernet and IPv4.
    #[error(
        "ARP for hardware type {hardware} and protocol {protocol:#06x}, address lengths {hardware_length} and {protocol_length}, is not ARP for Ethernet and IPv4"
    )]
    ArpFormat {
        /// The hardware type; Ethernet is 1.
        hardware: u16,
        /// The protocol type; IPv4 is 0x0800.
        protocol: u16,
        /// The octets of a hardware address; Ethernet has 6.
        hardware_length: u8,
        /// The octets of a protocol address; IPv4 has 4.
        protocol_length: u8,
    },
    /// An ARP opcode other than request and reply.
    #[error("ARP opcode {0} is neither request nor reply")]
    ArpOperation(u16),
    /// An ARP sender that no station can have.
    #[error("the ARP sender {0} is not the address of a station")]
    ArpSender(MacAddr),
    /// An IP version other than 4 under the EtherType of IPv4.
    #[error("IP version {0} in an IPv4 frame")]
    IpVersion(u8),
    /// An IPv4 header shorter than its fixed part.
    #[error("an IPv4 header of {0} octets is shorter than 20")]
    HeaderLength(usize),
    /// The IPv4 header's checksum is wrong.
    #[error("the IPv4 header checksum is wrong")]
    HeaderChecksum,
    /// The ICMP checksum is wrong.
    #[error("the ICMP checksum is wrong")]
    IcmpChecksum,
    /// A UDP length that is shorter than the header.
    #[error("a UDP length of {0} octets is shorter than the header")]
    UdpLength(u16),
}

impl Refusal {
    /// Whether the bytes break a format, as opposed to being traffic that is not ours.
    pub const fn is_malformed(self) -> bool {
        !matches!(self, Self::VlanTagged | Self::EtherType(_) | Self::Fragment | Self::Protocol(_) | Self::Icmp { .. })
    }
}
