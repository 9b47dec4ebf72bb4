//! IPv4 (RFC 791) around the probes.

use std::net::Ipv4Addr;

use pnet::packet::ethernet::EtherTypes;
use pnet::packet::ip::IpNextHeaderProtocol;
use pnet::packet::ipv4::{Ipv4Flags, Ipv4Packet};
use pnet::packet::util::checksum;

use crate::domain::address::MacAddr;
use crate::wire::frame;
use crate::wire::refusal::Refusal;

/// The octets of the header that is sent, and the least that is received: no options.
pub const HEADER_LENGTH: usize = 20;

/// The time to live of what is sent: the value that RFC 1700 recommends.
const TIME_TO_LIVE: u8 = 64;

/// Passed to [`checksum`] for "leave out no word": the sum over a header with its checksum is then
/// 0, whichever of the two zeroes of one's complement the sender wrote.
const EVERY_WORD: usize = usize::MAX;

/// What the Ethernet and IPv4 headers of a frame that is sent say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// The interface's hardware address.
    pub source_mac: MacAddr,
    /// The interface's address on the subnet of the destination.
    pub source: Ipv4Addr,
    /// The hardware address that was learnt for the destination.
    pub destination_mac: MacAddr,
    /// Who is probed.
    pub destination: Ipv4Addr,
    /// The identification field. "Don't fragment" is clear, so two datagrams with the same
    /// addresses and protocol must not share one while both may be under way (RFC 6864 section 4.3).
    pub identification: u16,
}

/// A payload that does not fit into one IPv4 packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a payload of {length} octets does not fit into one packet, which holds {limit}")]
pub struct PayloadTooLong {
    /// The octets that were to be sent.
    pub length: usize,
    /// The octets that fit.
    pub limit: usize,
}

impl PayloadTooLong {
    /// Refuses a payload that, after `headers` octets of IPv4 and transport headers, exceeds the
    /// total length that an IPv4 header can tell.
    pub(super) fn check(length: usize, headers: usize) -> Result<(), Self> {
        let limit = usize::from(u16::MAX) - headers;
        if length > limit { Err(Self { length, limit }) } else { Ok(()) }
    }
}

/// An IPv4 packet that was received whole.
pub(super) struct Received<'a> {
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub protocol: IpNextHeaderProtocol,
    /// Without options, and without the padding of a short Ethernet frame.
    pub payload: &'a [u8],
}

/// Clears `out` and writes the Ethernet and IPv4 headers. The caller has checked the length.
pub(super) fn begin(out: &mut Vec<u8>, heading: &Heading, protocol: IpNextHeaderProtocol, payload_length: usize) {
    frame::begin(out, heading.destination_mac, heading.source_mac, EtherTypes::Ipv4);
    let total = u16::try_from(HEADER_LENGTH + payload_length).unwrap_or(u16::MAX);
    let [total_high, total_low] = total.to_be_bytes();
    let [id_high, id_low] = heading.identification.to_be_bytes();
    let [s0, s1, s2, s3] = heading.source.octets();
    let [d0, d1, d2, d3] = heading.destination.octets();
    #[rustfmt::skip]
    let mut header: [u8; HEADER_LENGTH] = [
        0x45, 0x00, total_high, total_low, // version 4, 5 words of header; best effort; total length
        id_high, id_low, 0x00, 0x00,       // identification; no flags, offset 0
        TIME_TO_LIVE, protocol.0, 0, 0,    // time to live; protocol; checksum, below
        s0, s1, s2, s3,
        d0, d1, d2, d3,
    ];
    [header[10], header[11]] = checksum(&header, 5).to_be_bytes();
    out.extend_from_slice(&header);
}

/// Reads an IPv4 packet that may be followed by padding.
pub(super) fn decode(bytes: &[u8]) -> Result<Received<'_>, Refusal> {
    let (packet, header_length) = decode_header(bytes, "the IPv4 packet")?;
    let truncated = |needed| Refusal::Truncated { part: "the IPv4 packet", needed, length: bytes.len() };
    let header = bytes.get(..header_length).ok_or(truncated(header_length))?;
    if !sums_up(header) {
        return Err(Refusal::HeaderChecksum);
    }
    let total_length = usize::from(packet.get_total_length());
    let payload = bytes.get(header_length..total_length).ok_or(truncated(total_length.max(header_length)))?;
    if packet.get_flags() & Ipv4Flags::MoreFragments != 0 {
        return Err(Refusal::Fragment);
    }
    Ok(received(&packet, payload))
}

/// Reads the beginning of a packet that an ICMP error quotes: a header and at least the eight octets
/// after it (RFC 792). Neither checksum nor total length is checked: routers decrement the time to
/// live before they quote, and some hosts leave the length in their own byte order.
pub(super) fn decode_quote(bytes: &[u8]) -> Result<Received<'_>, Refusal> {
    let (packet, header_length) = decode_header(bytes, "the quoted packet")?;
    let truncated = Refusal::Truncated { part: "the quoted packet", needed: header_length, length: bytes.len() };
    Ok(received(&packet, bytes.get(header_length..).ok_or(truncated)?))
}

/// The fixed part of a header and the length of the whole, options included. A piece that is not the
/// first of its datagram is refused: it has no transport header.
fn decode_header<'a>(bytes: &'a [u8], part: &'static str) -> Result<(Ipv4Packet<'a>, usize), Refusal> {
    let truncated = Refusal::Truncated { part, needed: HEADER_LENGTH, length: bytes.len() };
    let packet = Ipv4Packet::new(bytes).ok_or(truncated)?;
    if packet.get_version() != 4 {
        return Err(Refusal::IpVersion(packet.get_version()));
    }
    let header_length = usize::from(packet.get_header_length()) * 4;
    if header_length < HEADER_LENGTH {
        return Err(Refusal::HeaderLength(header_length));
    }
    if packet.get_fragment_offset() != 0 {
        return Err(Refusal::Fragment);
    }
    Ok((packet, header_length))
}

fn received<'a>(packet: &Ipv4Packet<'_>, payload: &'a [u8]) -> Received<'a> {
    Received {
        source: packet.get_source(),
        destination: packet.get_destination(),
        protocol: packet.get_next_level_protocol(),
        payload,
    }
}

/// Whether the Internet checksum (RFC 1071) over `bytes`, checksum field included, is right.
pub(super) fn sums_up(bytes: &[u8]) -> bool {
    checksum(bytes, EVERY_WORD) == 0
}
