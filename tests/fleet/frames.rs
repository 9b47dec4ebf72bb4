//! Ethernet frames as a device reads and sends them: ARP (RFC 826), IPv4 (RFC 791), ICMP (RFC 792),
//! UDP (RFC 768). What arrives is read by the codecs of the program, where those know it; what is
//! sent is written here.

use std::net::Ipv4Addr;

use pdsno::domain::address::MacAddr;
use pdsno::wire::arp::Operation;
use pdsno::wire::frame::{Incoming, decode};
use pdsno::wire::refusal::Refusal;

const ETHERNET: usize = 14;
const IPV4: usize = 20;
const ARP_TYPE: [u8; 2] = [0x08, 0x06];
const IPV4_TYPE: [u8; 2] = [0x08, 0x00];
const ICMP: u8 = 1;
const UDP: u8 = 17;
/// The port of SNMP agents.
const SNMP_PORT: u16 = 161;

/// Between whom a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    pub source_mac: MacAddr,
    pub source: Ipv4Addr,
    pub destination_mac: MacAddr,
    pub destination: Ipv4Addr,
}

/// What is asked by a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request<'a> {
    /// Who has the destination's address?
    Arp(Ends),
    /// Echo this: an ICMP message without its first four octets.
    Echo(Ends, &'a [u8]),
    /// A datagram to an SNMP agent, and the port that it is from.
    Snmp { ends: Ends, source_port: u16, payload: &'a [u8] },
    /// A datagram to another port, as the IPv4 packet that it came in.
    Udp(Ends, &'a [u8]),
    /// Something that no device answers.
    Other,
}

/// Reads a frame.
pub fn read(frame: &[u8]) -> Request<'_> {
    let Some(destination_mac) = mac(frame, 0) else { return Request::Other };
    match decode(frame) {
        Ok(Incoming::Arp(packet)) if packet.operation == Operation::Request && !packet.is_gratuitous() => {
            let (source_mac, source) = (packet.sender_mac, packet.sender);
            Request::Arp(Ends { source_mac, source, destination_mac, destination: packet.target })
        }
        Ok(Incoming::Udp { source_mac, source, source_port, destination, destination_port, payload }) => {
            let ends = Ends { source_mac, source, destination_mac, destination };
            match destination_port {
                SNMP_PORT => Request::Snmp { ends, source_port, payload },
                _ => Request::Udp(ends, packet(frame)),
            }
        }
        // The program sends echo requests and never reads one; its codec has checked the headers.
        Err(Refusal::Icmp { kind: 8, code: 0 }) => echo(frame, destination_mac).unwrap_or(Request::Other),
        _ => Request::Other,
    }
}

fn echo(frame: &[u8], destination_mac: MacAddr) -> Option<Request<'_>> {
    let packet = packet(frame);
    let source_mac = mac(frame, 6)?;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let message = packet.get(header + 4..)?;
    let ends = Ends { source_mac, source: address(packet, 12)?, destination_mac, destination: address(packet, 16)? };
    Some(Request::Echo(ends, message))
}

/// The IPv4 packet in a frame, without what pads the frame.
fn packet(frame: &[u8]) -> &[u8] {
    let packet = &frame[ETHERNET..];
    let total = usize::from(u16::from_be_bytes([packet[2], packet[3]]));
    packet.get(..total).unwrap_or(packet)
}

fn mac(octets: &[u8], at: usize) -> Option<MacAddr> {
    Some(MacAddr::new(octets.get(at..at + 6)?.try_into().ok()?))
}

fn address(octets: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = octets.get(at..at + 4)?.try_into().ok()?;
    Some(octets.into())
}

impl Ends {
    /// The ends of a reply from this station.
    pub fn back(&self, source_mac: MacAddr) -> Self {
        Self { source_mac, source: self.destination, destination_mac: self.source_mac, destination: self.source }
    }
}

/// Clears `out` and writes an ARP reply: the source is at the source's hardware address.
pub fn write_arp(out: &mut Vec<u8>, ends: &Ends) {
    begin(out, ends, ARP_TYPE);
    out.extend_from_slice(&[0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x02]);
    out.extend_from_slice(&ends.source_mac.octets());
    out.extend_from_slice(&ends.source.octets());
    out.extend_from_slice(&ends.destination_mac.octets());
    out.extend_from_slice(&ends.destination.octets());
}

/// Clears `out` and writes an echo reply with what followed the checksum of the request.
pub fn write_echo(out: &mut Vec<u8>, ends: &Ends, rest: &[u8]) {
    begin_ipv4(out, ends, ICMP, 4 + rest.len());
    end_icmp(out, [0, 0], rest);
}

/// Clears `out` and writes that nothing listens where `packet` was to go: as much of it as RFC 792
/// asks for is quoted.
pub fn write_port_unreachable(out: &mut Vec<u8>, ends: &Ends, packet: &[u8]) {
    let quoted = &packet[..packet.len().min(IPV4 + 8)];
    begin_ipv4(out, ends, ICMP, 8 + quoted.len());
    let start = out.len();
    out.extend_from_slice(&[3, 3, 0, 0, 0, 0, 0, 0]);
    out.extend_from_slice(quoted);
    sum_up(out, start, start + 2, 0);
}

/// Clears `out` and writes a datagram from an SNMP agent.
pub fn write_snmp(out: &mut Vec<u8>, ends: &Ends, destination_port: u16, payload: &[u8]) {
    let length = 8 + payload.len();
    begin_ipv4(out, ends, UDP, length);
    let start = out.len();
    out.extend_from_slice(&SNMP_PORT.to_be_bytes());
    out.extend_from_slice(&destination_port.to_be_bytes());
    out.extend_from_slice(&(length as u16).to_be_bytes());
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(payload);
    let pseudo = words(&ends.source.octets()) + words(&ends.destination.octets()) + u32::from(UDP) + length as u32;
    sum_up(out, start, start + 6, pseudo);
}

fn begin(out: &mut Vec<u8>, ends: &Ends, kind: [u8; 2]) {
    out.clear();
    out.extend_from_slice(&ends.destination_mac.octets());
    out.extend_from_slice(&ends.source_mac.octets());
    out.extend_from_slice(&kind);
}

fn begin_ipv4(out: &mut Vec<u8>, ends: &Ends, protocol: u8, length: usize) {
    begin(out, ends, IPV4_TYPE);
    let start = out.len();
    let [high, low] = ((IPV4 + length) as u16).to_be_bytes();
    // "Don't fragment" is set, so the identification says nothing (RFC 6864 section 4.1).
    out.extend_from_slice(&[0x45, 0, high, low, 0, 0, 0x40, 0, 64, protocol, 0, 0]);
    out.extend_from_slice(&ends.source.octets());
    out.extend_from_slice(&ends.destination.octets());
    sum_up(out, start, start + 10, 0);
}

fn end_icmp(out: &mut Vec<u8>, kind: [u8; 2], rest: &[u8]) {
    let start = out.len();
    out.extend_from_slice(&kind);
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(rest);
    sum_up(out, start, start + 2, 0);
}

/// Writes the Internet checksum (RFC 1071) of all from `start` on, and of `more`, to `field`.
fn sum_up(out: &mut [u8], start: usize, field: usize, more: u32) {
    let sum = u64::from(words(&out[start..])) + u64::from(more);
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    // Zero says of UDP that there is no checksum; all ones mean the same number.
    let checksum = match !(folded as u16) {
        0 => u16::MAX,
        sum => sum,
    };
    out[field..field + 2].copy_from_slice(&checksum.to_be_bytes());
}

fn words(octets: &[u8]) -> u32 {
    let pairs = octets.chunks_exact(2);
    let odd = pairs.remainder().first().map_or(0, |last| u32::from(*last) << 8);
    pairs.map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>() + odd
}

/// Makes a frame one that nobody can read: a format that ARP has not, a checksum that is wrong, or
/// an SNMP message of nonsense.
pub fn spoil(frame: &mut [u8]) {
    match (frame.get(12..14), frame.get(ETHERNET + 9)) {
        (Some(kind), _) if kind == ARP_TYPE => frame[ETHERNET + 4] = 16,
        (_, Some(&UDP)) => {
            let payload = ETHERNET + IPV4 + 8;
            // From about the community on: what comes later may be a text that may say anything.
            let from = (payload + 7).min(frame.len());
            frame[from..].fill(0xff);
            // No checksum: what is wrong shall be the message.
            frame[payload - 2..payload].fill(0);
        }
        _ => frame[ETHERNET + IPV4 + 2] ^= 0x55,
    }
}

/// How much of a frame is left when it is cut off.
pub fn cut(length: usize) -> usize {
    (length - 6).min(ETHERNET + IPV4 + (length - ETHERNET) / 2)
}

#[cfg(test)]
mod tests {
    use pdsno::wire::arp;
    use pdsno::wire::icmp::{self, Echo};
    use pdsno::wire::ipv4::Heading;

    use super::*;

    const ASKING: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
    const ASKED: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 2]);
    const US: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 250);
    const THEM: Ipv4Addr = Ipv4Addr::new(10, 1, 7, 7);

    fn ends() -> Ends {
        Ends { source_mac: ASKING, source: US, destination_mac: ASKED, destination: THEM }
    }

    #[test]
    fn an_arp_reply_is_what_the_program_expects() {
        let mut frame = Vec::new();
        arp::encode_request(&mut frame, ASKING, US, THEM);
        let Request::Arp(asked) = read(&frame) else { panic!("{frame:?}") };
        assert_eq!(asked, Ends { destination_mac: MacAddr::BROADCAST, ..ends() });
        write_arp(&mut frame, &asked.back(ASKED));
        let Ok(Incoming::Arp(reply)) = decode(&frame) else { panic!("{frame:?}") };
        assert_eq!((reply.operation, reply.sender_mac, reply.sender), (Operation::Reply, ASKED, THEM));
        assert_eq!((reply.target_mac, reply.target, reply.speaks_for_itself()), (ASKING, US, true));
        assert_eq!(read(&frame), Request::Other, "a reply asks nothing");
    }

    #[test]
    fn an_echo_has_the_ids_and_the_payload_of_its_request() {
        let heading =
            Heading { source_mac: ASKING, source: US, destination_mac: ASKED, destination: THEM, identification: 7 };
        for payload in [b"".as_slice(), b"odd", b"even"] {
            let mut frame = Vec::new();
            icmp::encode_echo_request(&mut frame, &heading, &Echo { identifier: 300, sequence: 2, payload }).unwrap();
            frame.resize(frame.len().max(60), 0);
            let Request::Echo(asked, rest) = read(&frame) else { panic!("{frame:?}") };
            assert_eq!(asked, ends());
            let mut reply = Vec::new();
            write_echo(&mut reply, &asked.back(ASKED), rest);
            let expected = Incoming::EchoReply {
                source_mac: ASKED,
                source: THEM,
                destination: US,
                identifier: 300,
                sequence: 2,
                payload,
            };
            assert_eq!(decode(&reply), Ok(expected));
        }
    }

    #[test]
    fn a_port_that_is_closed_quotes_the_datagram() {
        let mut datagram = Vec::new();
        write_snmp(&mut datagram, &ends(), 4_000, b"hello");
        let mut frame = Vec::new();
        write_port_unreachable(&mut frame, &ends().back(ASKED), packet(&datagram));
        let Ok(Incoming::PortUnreachable { source, destination, source_port, destination_port, .. }) = decode(&frame)
        else {
            panic!("{frame:?}")
        };
        assert_eq!((source, destination, source_port, destination_port), (THEM, THEM, SNMP_PORT, 4_000));
    }

    #[test]
    fn the_sum_over_a_datagram_is_right() {
        let mut frame = Vec::new();
        for payload in [b"".as_slice(), b"a", b"ab", &[0xff; 1_001]] {
            write_snmp(&mut frame, &ends(), 4_000, payload);
            let segment = &frame[ETHERNET + IPV4..];
            let sum = pnet::packet::util::ipv4_checksum(
                segment,
                3,
                &[],
                &US,
                &THEM,
                pnet::packet::ip::IpNextHeaderProtocols::Udp,
            );
            assert_eq!(u16::from_be_bytes([segment[6], segment[7]]), sum);
        }
    }

    #[test]
    fn what_is_spoilt_or_cut_off_is_refused() {
        let mut frames = vec![Vec::new(); 2];
        write_arp(&mut frames[0], &ends());
        write_echo(&mut frames[1], &ends(), &[0, 1, 0, 2, 3, 4, 5, 6]);
        for frame in &frames {
            assert!(decode(frame).is_ok());
            let mut spoilt = frame.clone();
            spoil(&mut spoilt);
            assert!(decode(&spoilt).is_err_and(|refusal| refusal.is_malformed()), "{spoilt:?}");
            assert!(decode(&frame[..cut(frame.len())]).is_err_and(|refusal| refusal.is_malformed()), "{frame:?}");
        }
    }
}
