//! Ethernet frames (IEEE Std 802.3): what arrives at a capture socket, sorted.

use std::net::Ipv4Addr;

use pnet::packet::ethernet::{EtherType, EtherTypes, EthernetPacket};
use pnet::packet::ip::IpNextHeaderProtocols;

use crate::domain::address::MacAddr;
use crate::wire::arp::{self, ArpPacket};
use crate::wire::icmp::{self, Echo, Message};
use crate::wire::ipv4;
use crate::wire::refusal::Refusal;
use crate::wire::udp;

/// The octets of an Ethernet header without a tag.
const HEADER_LENGTH: usize = 14;

/// A frame that may answer a probe. Whether it does is for the table of probes in flight to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incoming<'a> {
    /// ARP, request or reply, whoever it is meant for.
    Arp(ArpPacket),
    /// The answer to an ICMP echo request.
    EchoReply {
        /// The station that sent the frame.
        source_mac: MacAddr,
        /// Who answers.
        source: Ipv4Addr,
        /// Who is answered.
        destination: Ipv4Addr,
        /// The identifier of the request.
        identifier: u16,
        /// The sequence number of the request.
        sequence: u16,
        /// The payload of the request.
        payload: &'a [u8],
    },
    /// Nothing listens at the UDP port that was asked.
    PortUnreachable {
        /// The station that sent the frame.
        source_mac: MacAddr,
        /// Who says so.
        source: Ipv4Addr,
        /// Where the datagram had gone to.
        destination: Ipv4Addr,
        /// The port that the datagram had come from.
        source_port: u16,
        /// The port where nothing listens.
        destination_port: u16,
    },
    /// A UDP datagram.
    Udp {
        /// The station that sent the frame.
        source_mac: MacAddr,
        /// Who sent it.
        source: Ipv4Addr,
        /// The port that it came from.
        source_port: u16,
        /// Who it is sent to.
        destination: Ipv4Addr,
        /// The port that it is sent to.
        destination_port: u16,
        /// Its contents.
        payload: &'a [u8],
    },
}

/// Sorts one frame, from the destination address to the end of the payload, without the frame check
/// sequence. Lengths and checksums are checked, except UDP's: frames from a virtual link or from the
/// host itself carry a partial sum.
///
/// # Errors
/// The [`Refusal`] that says whether the frame is malformed or not of interest.
pub fn decode(frame: &[u8]) -> Result<Incoming<'_>, Refusal> {
    let truncated = Refusal::Truncated { part: "the Ethernet header", needed: HEADER_LENGTH, length: frame.len() };
    let packet = EthernetPacket::new(frame).ok_or(truncated)?;
    let payload = frame.get(HEADER_LENGTH..).ok_or(truncated)?;
    let source_mac = mac(packet.get_source());
    if source_mac.is_group() {
        return Err(Refusal::GroupSource(source_mac));
    }
    match packet.get_ethertype() {
        EtherTypes::Arp => arp::decode(payload, source_mac).map(Incoming::Arp),
        EtherTypes::Ipv4 => decode_ipv4(payload, source_mac),
        EtherTypes::Vlan | EtherTypes::PBridge | EtherTypes::QinQ => Err(Refusal::VlanTagged),
        other => Err(Refusal::EtherType(other.0)),
    }
}

fn decode_ipv4(bytes: &[u8], source_mac: MacAddr) -> Result<Incoming<'_>, Refusal> {
    let packet = ipv4::decode(bytes)?;
    let (source, destination) = (packet.source, packet.destination);
    match packet.protocol {
        IpNextHeaderProtocols::Icmp => Ok(match icmp::decode(packet.payload)? {
            Message::EchoReply(Echo { identifier, sequence, payload }) => {
                Incoming::EchoReply { source_mac, source, destination, identifier, sequence, payload }
            }
            Message::PortUnreachable(quoted) => Incoming::PortUnreachable {
                source_mac,
                source,
                destination: quoted.destination,
                source_port: quoted.source_port,
                destination_port: quoted.destination_port,
            },
        }),
        IpNextHeaderProtocols::Udp => {
            let udp::Datagram { source_port, destination_port, payload } = udp::decode(packet.payload)?;
            Ok(Incoming::Udp { source_mac, source, source_port, destination, destination_port, payload })
        }
        other => Err(Refusal::Protocol(other.0)),
    }
}

/// Clears `out` and writes an Ethernet header.
pub(super) fn begin(out: &mut Vec<u8>, destination: MacAddr, source: MacAddr, kind: EtherType) {
    out.clear();
    out.extend_from_slice(&destination.octets());
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&kind.0.to_be_bytes());
}

/// The address as ours.
pub(super) fn mac(address: pnet::util::MacAddr) -> MacAddr {
    MacAddr::new(address.octets())
}

#[cfg(test)]
mod tests;
