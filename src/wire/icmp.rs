//! ICMP echo and port unreachable (RFC 792).

use std::net::Ipv4Addr;

use pnet::packet::icmp::IcmpPacket;
use pnet::packet::icmp::echo_reply::EchoReplyPacket;
use pnet::packet::ip::IpNextHeaderProtocols;
use pnet::packet::udp::UdpPacket;
use pnet::packet::util::checksum;

use crate::wire::ipv4::{self, Heading, PayloadTooLong};
use crate::wire::refusal::Refusal;

/// The octets before the payload of an echo message.
const HEADER_LENGTH: usize = 8;

const ECHO_REPLY: u8 = 0;
const DESTINATION_UNREACHABLE: u8 = 3;
const PORT_UNREACHABLE_CODE: u8 = 3;
const ECHO_REQUEST: u8 = 8;

/// The fields of an echo request or reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Echo<'a> {
    /// Chosen by the sender, to tell its replies from others'. An unprivileged ICMP socket replaces
    /// it by its own.
    pub identifier: u16,
    /// Chosen by the sender, to tell its requests apart.
    pub sequence: u16,
    /// Returned as it was sent.
    pub payload: &'a [u8],
}

/// An ICMP message that answers a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message<'a> {
    /// The answer to an echo request.
    EchoReply(Echo<'a>),
    /// Nothing listens at the UDP port of a datagram that was sent.
    PortUnreachable(QuotedUdp),
}

/// The datagram that a port unreachable message quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotedUdp {
    /// Where the datagram had come from.
    pub source: Ipv4Addr,
    /// The port that it had come from.
    pub source_port: u16,
    /// Where it had gone to: not always the address that complains.
    pub destination: Ipv4Addr,
    /// The port where nothing listens.
    pub destination_port: u16,
}

/// Clears `out` and writes a frame with an echo request.
///
/// # Errors
/// [`PayloadTooLong`] for more than 65,507 octets of payload.
pub fn encode_echo_request(out: &mut Vec<u8>, heading: &Heading, echo: &Echo<'_>) -> Result<(), PayloadTooLong> {
    PayloadTooLong::check(echo.payload.len(), ipv4::HEADER_LENGTH + HEADER_LENGTH)?;
    ipv4::begin(out, heading, IpNextHeaderProtocols::Icmp, HEADER_LENGTH + echo.payload.len());
    append_echo_request(out, echo);
    Ok(())
}

/// Clears `out` and writes an echo request without headers below it, for a socket of the kernel's.
///
/// # Errors
/// [`PayloadTooLong`] for more than 65,507 octets of payload.
pub fn encode_echo_message(out: &mut Vec<u8>, echo: &Echo<'_>) -> Result<(), PayloadTooLong> {
    PayloadTooLong::check(echo.payload.len(), ipv4::HEADER_LENGTH + HEADER_LENGTH)?;
    out.clear();
    append_echo_request(out, echo);
    Ok(())
}

fn append_echo_request(out: &mut Vec<u8>, echo: &Echo<'_>) {
    let start = out.len();
    out.extend_from_slice(&[ECHO_REQUEST, 0, 0, 0]); // type, code, checksum
    out.extend_from_slice(&echo.identifier.to_be_bytes());
    out.extend_from_slice(&echo.sequence.to_be_bytes());
    out.extend_from_slice(echo.payload);
    if let Some(message) = out.get_mut(start..) {
        let sum = checksum(message, 1);
        if let Some(field) = message.get_mut(2..4) {
            field.copy_from_slice(&sum.to_be_bytes());
        }
    }
}

/// Reads an ICMP message without headers below it, as an unprivileged ICMP socket delivers it.
///
/// # Errors
/// [`Refusal::Truncated`], [`Refusal::IcmpChecksum`], [`Refusal::Icmp`] for a message that answers
/// no probe, and what is wrong with the datagram that an error message quotes.
pub fn decode(bytes: &[u8]) -> Result<Message<'_>, Refusal> {
    let truncated = Refusal::Truncated { part: "the ICMP message", needed: HEADER_LENGTH, length: bytes.len() };
    let payload = bytes.get(HEADER_LENGTH..).ok_or(truncated)?;
    let packet = IcmpPacket::new(bytes).ok_or(truncated)?;
    if !ipv4::sums_up(bytes) {
        return Err(Refusal::IcmpChecksum);
    }
    match (packet.get_icmp_type().0, packet.get_icmp_code().0) {
        (ECHO_REPLY, 0) => {
            let reply = EchoReplyPacket::new(bytes).ok_or(truncated)?;
            let (identifier, sequence) = (reply.get_identifier(), reply.get_sequence_number());
            Ok(Message::EchoReply(Echo { identifier, sequence, payload }))
        }
        (DESTINATION_UNREACHABLE, PORT_UNREACHABLE_CODE) => decode_quoted_udp(payload).map(Message::PortUnreachable),
        (kind, code) => Err(Refusal::Icmp { kind, code }),
    }
}

fn decode_quoted_udp(bytes: &[u8]) -> Result<QuotedUdp, Refusal> {
    let quote = ipv4::decode_quote(bytes)?;
    if quote.protocol != IpNextHeaderProtocols::Udp {
        return Err(Refusal::Protocol(quote.protocol.0));
    }
    let length = quote.payload.len();
    let header = UdpPacket::new(quote.payload).ok_or(Refusal::Truncated {
        part: "the quoted UDP header",
        needed: UdpPacket::minimum_packet_size(),
        length,
    })?;
    Ok(QuotedUdp {
        source: quote.source,
        source_port: header.get_source(),
        destination: quote.destination,
        destination_port: header.get_destination(),
    })
}
