//! ARP for IPv4 over Ethernet (RFC 826).

use std::net::Ipv4Addr;

use pnet::packet::arp::{ArpHardwareTypes, ArpOperations, ArpPacket as Fields};
use pnet::packet::ethernet::EtherTypes;

use crate::domain::address::MacAddr;
use crate::wire::frame::{self, mac};
use crate::wire::refusal::Refusal;

/// The octets of an ARP packet for Ethernet and IPv4.
const LENGTH: usize = 28;

/// What an ARP packet does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Asks who has the target address (opcode 1).
    Request,
    /// Tells it (opcode 2).
    Reply,
}

/// An ARP packet that was received and has passed every check of form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArpPacket {
    /// What it does.
    pub operation: Operation,
    /// The source address of the Ethernet frame. It differs from `sender_mac` when a bridge or a
    /// proxy answers for another station, or when somebody lies.
    pub source_mac: MacAddr,
    /// The hardware address that the sender claims; always a station's.
    pub sender_mac: MacAddr,
    /// The address that the sender claims; unspecified in a probe (RFC 5227 section 2.1.1).
    pub sender: Ipv4Addr,
    /// The hardware address of the target; meaningless in a request.
    pub target_mac: MacAddr,
    /// The address that is asked for, or the receiver's in a reply.
    pub target: Ipv4Addr,
}

impl ArpPacket {
    /// Whether the station announces its own address, unasked: an ARP announcement or gratuitous ARP
    /// (RFC 5227 section 3, RFC 5944 section 4.6).
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target && !self.sender.is_unspecified()
    }

    /// Whether the frame came from the station that the packet speaks of.
    pub fn speaks_for_itself(&self) -> bool {
        self.source_mac == self.sender_mac
    }
}

/// Clears `out` and writes a broadcast frame that asks who has `target`: 42 octets, which the
/// interface pads to the minimum of Ethernet.
pub fn encode_request(out: &mut Vec<u8>, source_mac: MacAddr, source: Ipv4Addr, target: Ipv4Addr) {
    frame::begin(out, MacAddr::BROADCAST, source_mac, EtherTypes::Arp);
    // Hardware type Ethernet, protocol type IPv4, address lengths 6 and 4, opcode request.
    out.extend_from_slice(&[0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x01]);
    out.extend_from_slice(&source_mac.octets());
    out.extend_from_slice(&source.octets());
    out.extend_from_slice(&[0; 6]);
    out.extend_from_slice(&target.octets());
}

/// Reads the payload of an ARP frame; padding after it is ignored.
pub(super) fn decode(bytes: &[u8], source_mac: MacAddr) -> Result<ArpPacket, Refusal> {
    let packet =
        Fields::new(bytes).ok_or(Refusal::Truncated { part: "the ARP packet", needed: LENGTH, length: bytes.len() })?;
    let format =
        (packet.get_hardware_type(), packet.get_protocol_type(), packet.get_hw_addr_len(), packet.get_proto_addr_len());
    if format != (ArpHardwareTypes::Ethernet, EtherTypes::Ipv4, 6, 4) {
        let (hardware, protocol, hardware_length, protocol_length) = format;
        return Err(Refusal::ArpFormat {
            hardware: hardware.0,
            protocol: protocol.0,
            hardware_length,
            protocol_length,
        });
    }
    let operation = match packet.get_operation() {
        ArpOperations::Request => Operation::Request,
        ArpOperations::Reply => Operation::Reply,
        other => return Err(Refusal::ArpOperation(other.0)),
    };
    let sender_mac = mac(packet.get_sender_hw_addr());
    if !sender_mac.is_station() {
        return Err(Refusal::ArpSender(sender_mac));
    }
    Ok(ArpPacket {
        operation,
        source_mac,
        sender_mac,
        sender: packet.get_sender_proto_addr(),
        target_mac: mac(packet.get_target_hw_addr()),
        target: packet.get_target_proto_addr(),
    })
}
