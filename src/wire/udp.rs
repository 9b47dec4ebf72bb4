//! UDP (RFC 768) in frames.

use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::udp::UdpPacket;
use pnet::packet::util::ipv4_checksum;

use crate::wire::ipv4::{self, Heading, PayloadTooLong};
use crate::wire::refusal::Refusal;

/// The octets before the payload.
const HEADER_LENGTH: usize = 8;

/// What a datagram carries, and between which ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// The port that it comes from.
    pub source_port: u16,
    /// The port that it goes to.
    pub destination_port: u16,
    /// Its contents.
    pub payload: &'a [u8],
}

/// Clears `out` and writes a frame with a UDP datagram, checksum included.
///
/// # Errors
/// [`PayloadTooLong`] for more than 65,507 octets of payload.
pub fn encode(out: &mut Vec<u8>, heading: &Heading, datagram: &Datagram<'_>) -> Result<(), PayloadTooLong> {
    PayloadTooLong::check(datagram.payload.len(), ipv4::HEADER_LENGTH + HEADER_LENGTH)?;
    let length = HEADER_LENGTH + datagram.payload.len();
    ipv4::begin(out, heading, IpNextHeaderProtocols::Udp, length);
    let start = out.len();
    out.extend_from_slice(&datagram.source_port.to_be_bytes());
    out.extend_from_slice(&datagram.destination_port.to_be_bytes());
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(&[0, 0]); // checksum
    out.extend_from_slice(datagram.payload);
    if let Some(segment) = out.get_mut(start..) {
        // The segment goes in as one slice: the sum over a second one leaves out its last octet when
        // its length is odd.
        let sum = ipv4_checksum(segment, 3, &[], &heading.source, &heading.destination, IpNextHeaderProtocols::Udp);
        // A sum of zero is sent as all ones, because zero says that there is no checksum.
        let sum = if sum == 0 { u16::MAX } else { sum };
        if let Some(field) = segment.get_mut(6..8) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
    Ok(())
}

/// Reads the payload of an IPv4 packet with UDP in it.
///
/// The checksum is not checked: a frame that is captured on the host that sent it, or that came
/// over a virtual link, carries the partial sum that hardware would have completed. What the payload
/// says is checked by its own decoder.
pub(super) fn decode(bytes: &[u8]) -> Result<Datagram<'_>, Refusal> {
    let truncated = |needed| Refusal::Truncated { part: "the UDP datagram", needed, length: bytes.len() };
    let packet = UdpPacket::new(bytes).ok_or(truncated(HEADER_LENGTH))?;
    let length = usize::from(packet.get_length());
    if length < HEADER_LENGTH {
        return Err(Refusal::UdpLength(packet.get_length()));
    }
    Ok(Datagram {
        source_port: packet.get_source(),
        destination_port: packet.get_destination(),
        payload: bytes.get(HEADER_LENGTH..length).ok_or(truncated(length))?,
    })
}
