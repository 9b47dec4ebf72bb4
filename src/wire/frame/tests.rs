use proptest::prelude::*;

use super::*;
use crate::wire::arp::Operation;
use crate::wire::ipv4::{Heading, PayloadTooLong};

const PROBER_MAC: MacAddr = MacAddr::new([0x02, 0x00, 0x00, 0x00, 0x00, 0x01]);
const PROBER: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 2);
const HOST_MAC: MacAddr = MacAddr::new([0x00, 0x1b, 0x2f, 0x3c, 0x4d, 0x5e]);
const HOST: Ipv4Addr = Ipv4Addr::new(10, 0, 1, 7);

/// From the prober to the host.
fn there() -> Heading {
    Heading {
        source_mac: PROBER_MAC,
        source: PROBER,
        destination_mac: HOST_MAC,
        destination: HOST,
        identification: 0x1234,
    }
}

/// From the host to the prober.
fn back() -> Heading {
    Heading { source_mac: HOST_MAC, source: HOST, destination_mac: PROBER_MAC, destination: PROBER, identification: 0 }
}

/// An ARP reply by RFC 826, padded to Ethernet's minimum of 60 octets.
#[rustfmt::skip]
fn arp_reply() -> Vec<u8> {
    let mut frame = vec![
        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, // Ethernet destination: the prober
        0x00, 0x1b, 0x2f, 0x3c, 0x4d, 0x5e, // Ethernet source: the host
        0x08, 0x06,                         // EtherType: ARP
        0x00, 0x01,                         // hardware type: Ethernet
        0x08, 0x00,                         // protocol type: IPv4
        0x06, 0x04,                         // address lengths
        0x00, 0x02,                         // opcode: reply
        0x00, 0x1b, 0x2f, 0x3c, 0x4d, 0x5e, // sender hardware address
        10, 0, 1, 7,                        // sender protocol address
        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, // target hardware address
        10, 0, 1, 2,                        // target protocol address
    ];
    frame.resize(60, 0);
    frame
}

/// An echo reply by RFC 792 with four octets of payload, one word of IPv4 options, and padding.
#[rustfmt::skip]
fn echo_reply() -> Vec<u8> {
    let mut frame = vec![
        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, // Ethernet destination
        0x00, 0x1b, 0x2f, 0x3c, 0x4d, 0x5e, // Ethernet source
        0x08, 0x00,                         // EtherType: IPv4
        0x46, 0x00, 0x00, 0x24,             // version 4, 6 words of header; service; total length 36
        0x00, 0x00, 0x40, 0x00,             // identification; don't fragment, offset 0
        0x40, 0x01, 0x00, 0x00,             // time to live 64; ICMP; header checksum, below
        10, 0, 1, 7,                        // source
        10, 0, 1, 2,                        // destination
        0x01, 0x01, 0x01, 0x00,             // options: three no-operations and the end
        0x00, 0x00, 0x00, 0x00,             // echo reply, code 0; ICMP checksum, below
        0xbe, 0xef, 0x00, 0x2a,             // identifier; sequence number 42
        b'p', b'i', b'n', b'g',             // payload
    ];
    // By hand: 4600+0024+0000+4000+4001+0a00+0107+0a00+0102+0101+0100 = de2f, its complement 21d0.
    frame[24..26].copy_from_slice(&[0x21, 0xd0]);
    // 0000+beef+002a+7069+6e67 = 19de9, folded 9dea, its complement 6215.
    frame[40..42].copy_from_slice(&[0x62, 0x15]);
    frame.resize(60, 0);
    frame
}

/// Port unreachable by RFC 792 about a datagram from port 50,000 to port 161.
#[rustfmt::skip]
fn port_unreachable() -> Vec<u8> {
    let mut icmp = vec![
        0x03, 0x03, 0x00, 0x00, // destination unreachable, port unreachable; checksum, below
        0x00, 0x00, 0x00, 0x00, // unused
        0x45, 0x00, 0x00, 0x30, // the quoted header: version 4, 5 words; total length 48
        0x12, 0x34, 0x00, 0x00,
        0x3f, 0x11, 0xff, 0xff, // time to live 63; UDP; a checksum that nobody corrected
        10, 0, 1, 2,
        10, 0, 1, 7,
        0xc3, 0x50, 0x00, 0xa1, // source port 50,000, destination port 161
        0x00, 0x1c, 0x00, 0x00, // UDP length, no checksum
    ];
    let sum = pnet::packet::util::checksum(&icmp, 1);
    icmp[2..4].copy_from_slice(&sum.to_be_bytes());
    ipv4_frame(&back(), IpNextHeaderProtocols::Icmp, &icmp)
}

fn ipv4_frame(heading: &Heading, protocol: pnet::packet::ip::IpNextHeaderProtocol, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    ipv4::begin(&mut frame, heading, protocol, payload.len());
    frame.extend_from_slice(payload);
    frame
}

/// Writes the right header checksum into a frame whose IPv4 header has no options.
fn correct_header_checksum(frame: &mut [u8]) {
    let sum = pnet::packet::util::checksum(&frame[14..34], 5);
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
}

fn udp_frame(payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    let datagram = udp::Datagram { source_port: 161, destination_port: 50_000, payload };
    udp::encode(&mut frame, &back(), &datagram).unwrap();
    frame
}

#[test]
fn an_arp_reply_is_read_by_rfc_826() {
    let Ok(Incoming::Arp(packet)) = decode(&arp_reply()) else { panic!("{:?}", decode(&arp_reply())) };
    assert_eq!(
        packet,
        ArpPacket {
            operation: Operation::Reply,
            source_mac: HOST_MAC,
            sender_mac: HOST_MAC,
            sender: HOST,
            target_mac: PROBER_MAC,
            target: PROBER,
        }
    );
    assert!(packet.speaks_for_itself() && !packet.is_gratuitous());
}

#[test]
fn an_arp_request_is_written_by_rfc_826() {
    let mut frame = vec![0xaa; 100];
    arp::encode_request(&mut frame, PROBER_MAC, PROBER, HOST);
    #[rustfmt::skip]
    let expected = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // Ethernet destination: broadcast
        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, // Ethernet source
        0x08, 0x06,                         // EtherType: ARP
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, // Ethernet, IPv4, address lengths
        0x00, 0x01,                         // opcode: request
        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 10, 0, 1, 2, // sender
        0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 10, 0, 1, 7, // target
    ];
    assert_eq!(frame, expected);
}

#[test]
fn arp_of_another_format_or_from_no_station_is_refused() {
    let refused = |place: usize, octet: u8| {
        let mut frame = arp_reply();
        frame[place] = octet;
        decode(&frame).unwrap_err()
    };
    let format = Refusal::ArpFormat { hardware: 1, protocol: 0x0800, hardware_length: 6, protocol_length: 4 };
    assert!(matches!(refused(15, 6), Refusal::ArpFormat { hardware: 6, .. }), "not {format}");
    assert!(matches!(refused(16, 0x86), Refusal::ArpFormat { protocol: 0x8600, .. }));
    assert!(matches!(refused(18, 8), Refusal::ArpFormat { hardware_length: 8, .. }));
    assert!(matches!(refused(19, 16), Refusal::ArpFormat { protocol_length: 16, .. }));
    assert_eq!(refused(21, 3), Refusal::ArpOperation(3));
    assert_eq!(refused(22, 0x01), Refusal::ArpSender("01:1b:2f:3c:4d:5e".parse().unwrap()));
    assert_eq!(refused(6, 0x01), Refusal::GroupSource("01:1b:2f:3c:4d:5e".parse().unwrap()));
    let mut silent = arp_reply();
    silent[22..28].fill(0);
    assert_eq!(decode(&silent), Err(Refusal::ArpSender(MacAddr::new([0; 6]))));
}

#[test]
fn arp_for_another_station_is_reported_and_an_announcement_known() {
    let mut frame = arp_reply();
    frame[6..12].copy_from_slice(&[0x00, 0x1b, 0x2f, 0, 0, 9]);
    frame[38..42].copy_from_slice(&HOST.octets());
    let Ok(Incoming::Arp(packet)) = decode(&frame) else { panic!("{:?}", decode(&frame)) };
    assert!(!packet.speaks_for_itself() && packet.is_gratuitous());
    let probe = ArpPacket { sender: Ipv4Addr::UNSPECIFIED, target: Ipv4Addr::UNSPECIFIED, ..packet };
    assert!(!probe.is_gratuitous());
}

#[test]
fn an_echo_reply_with_options_and_padding_is_read_by_rfc_792() {
    let expected = Incoming::EchoReply {
        source_mac: HOST_MAC,
        source: HOST,
        destination: PROBER,
        identifier: 0xbeef,
        sequence: 42,
        payload: b"ping",
    };
    assert_eq!(decode(&echo_reply()), Ok(expected));
}

#[test]
fn an_echo_request_is_written_by_rfc_792_and_answers_no_probe() {
    let echo = Echo { identifier: 0xbeef, sequence: 42, payload: b"ping" };
    let mut frame = vec![0xaa; 100];
    icmp::encode_echo_request(&mut frame, &there(), &echo).unwrap();
    #[rustfmt::skip]
    let expected = [
        0x00, 0x1b, 0x2f, 0x3c, 0x4d, 0x5e, // Ethernet destination
        0x02, 0x00, 0x00, 0x00, 0x00, 0x01, // Ethernet source
        0x08, 0x00,                         // EtherType: IPv4
        0x45, 0x00, 0x00, 0x20,             // version 4, 5 words of header; service; total length 32
        0x12, 0x34, 0x00, 0x00,             // identification; no flags, offset 0
        // 4500+0020+1234+0000+4001+0a00+0102+0a00+0107 = ad5e, its complement 52a1.
        0x40, 0x01, 0x52, 0xa1,             // time to live 64; ICMP; header checksum
        10, 0, 1, 2,                        // source
        10, 0, 1, 7,                        // destination
        // 0800+beef+002a+7069+6e67 = 1a5e9, folded a5ea, its complement 5a15.
        0x08, 0x00, 0x5a, 0x15,             // echo request, code 0; ICMP checksum
        0xbe, 0xef, 0x00, 0x2a,             // identifier; sequence number 42
        b'p', b'i', b'n', b'g',
    ];
    assert_eq!(frame, expected);
    assert_eq!(decode(&frame), Err(Refusal::Icmp { kind: 8, code: 0 }));

    let mut message = vec![0xaa; 100];
    icmp::encode_echo_message(&mut message, &echo).unwrap();
    assert_eq!(message, expected[34..]);
}

#[test]
fn port_unreachable_names_the_datagram_that_it_is_about() {
    let expected = Incoming::PortUnreachable {
        source_mac: HOST_MAC,
        source: HOST,
        destination: HOST,
        source_port: 50_000,
        destination_port: 161,
    };
    let frame = port_unreachable();
    assert_eq!(decode(&frame), Ok(expected));
    assert!(matches!(
        icmp::decode(&frame[34..]),
        Ok(Message::PortUnreachable(quoted)) if quoted.source == PROBER && quoted.destination == HOST
    ));
}

#[test]
fn a_quote_of_tcp_or_of_too_little_is_refused() {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut icmp = port_unreachable().split_off(34);
        change(&mut icmp);
        let sum = pnet::packet::util::checksum(&icmp, 1);
        icmp[2..4].copy_from_slice(&sum.to_be_bytes());
        decode(&ipv4_frame(&back(), IpNextHeaderProtocols::Icmp, &icmp)).unwrap_err()
    };
    assert_eq!(with(|icmp| icmp[17] = 6), Refusal::Protocol(6));
    assert_eq!(with(|icmp| icmp[1] = 1), Refusal::Icmp { kind: 3, code: 1 });
    assert_eq!(with(|icmp| icmp[8] = 0x65), Refusal::IpVersion(6));
    assert_eq!(with(|icmp| icmp[8] = 0x44), Refusal::HeaderLength(16));
    assert_eq!(with(|icmp| icmp[15] = 1), Refusal::Fragment);
    assert!(matches!(with(|icmp| icmp[8] = 0x4f), Refusal::Truncated { needed: 60, length: 28, .. }));
    assert!(matches!(with(|icmp| icmp.truncate(35)), Refusal::Truncated { needed: 8, length: 7, .. }));
}

#[test]
fn a_datagram_is_written_by_rfc_768() {
    let mut frame = vec![0xaa; 100];
    let datagram = udp::Datagram { source_port: 50_000, destination_port: 161, payload: b"odd" };
    udp::encode(&mut frame, &there(), &datagram).unwrap();
    #[rustfmt::skip]
    let expected = [
        0xc3, 0x50, 0x00, 0xa1, // source port 50,000, destination port 161
        // 0a00+0102+0a00+0107+0011+000b, the pseudo-header, +c350+00a1+000b+6f64+6400 = 1ad85,
        // folded ad86, its complement 5279.
        0x00, 0x0b, 0x52, 0x79, // length 11; checksum
        b'o', b'd', b'd',
    ];
    assert_eq!(frame[34..], expected);
    assert_eq!(frame[14..24], [0x45, 0, 0, 31, 0x12, 0x34, 0, 0, 64, 17], "IPv4 header up to its checksum");
}

#[test]
fn a_checksum_of_zero_is_sent_as_all_ones() {
    // The two octets of payload are chosen so that the sum comes out as zero.
    let payload = |word: u16| word.to_be_bytes();
    let sum_of = |word| {
        let mut frame = Vec::new();
        let datagram = udp::Datagram { source_port: 50_000, destination_port: 161, payload: &payload(word) };
        udp::encode(&mut frame, &there(), &datagram).unwrap();
        u16::from_be_bytes([frame[40], frame[41]])
    };
    assert_eq!(sum_of(sum_of(0)), u16::MAX);
}

#[test]
fn what_is_not_for_a_prober_is_refused_by_kind() {
    let refused = |frame: &[u8]| {
        let refusal = decode(frame).unwrap_err();
        assert!(!refusal.is_malformed(), "{refusal}");
        refusal
    };
    for tag in [[0x81, 0x00], [0x88, 0xa8], [0x91, 0x00]] {
        let mut frame = arp_reply();
        frame.splice(12..12, [tag[0], tag[1], 0x00, 0x0a]);
        assert_eq!(refused(&frame), Refusal::VlanTagged);
    }
    let mut frame = arp_reply();
    frame[12..14].copy_from_slice(&[0x86, 0xdd]);
    assert_eq!(refused(&frame), Refusal::EtherType(0x86dd));
    assert_eq!(refused(&ipv4_frame(&back(), IpNextHeaderProtocols::Tcp, &[0; 20])), Refusal::Protocol(6));
    for (place, octet) in [(20, 0x20), (20, 0x1f), (21, 0x01)] {
        let mut frame = udp_frame(b"x");
        frame[place] = octet;
        correct_header_checksum(&mut frame);
        assert_eq!(refused(&frame), Refusal::Fragment);
    }
}

#[test]
fn what_breaks_the_format_is_refused_by_cause() {
    let refused = |frame: &[u8]| {
        let refusal = decode(frame).unwrap_err();
        assert!(refusal.is_malformed(), "{refusal}");
        refusal
    };
    let with = |place: usize, octet: u8, checksum: bool| {
        let mut frame = udp_frame(b"payload");
        frame[place] = octet;
        if checksum {
            correct_header_checksum(&mut frame);
        }
        refused(&frame)
    };
    assert_eq!(with(14, 0x65, true), Refusal::IpVersion(6));
    assert_eq!(with(14, 0x44, true), Refusal::HeaderLength(16));
    assert_eq!(with(22, 1, false), Refusal::HeaderChecksum);
    assert!(matches!(with(17, 0xff, true), Refusal::Truncated { needed: 0xff, length: 35, .. }));
    assert!(matches!(with(17, 19, true), Refusal::Truncated { needed: 20, length: 35, .. }));
    assert_eq!(with(39, 7, false), Refusal::UdpLength(7));
    assert!(matches!(with(39, 16, false), Refusal::Truncated { needed: 16, length: 15, .. }));
    let mut frame = echo_reply();
    frame[46] ^= 1;
    assert_eq!(refused(&frame), Refusal::IcmpChecksum);
    assert!(matches!(refused(&[0; 13]), Refusal::Truncated { needed: 14, length: 13, .. }));
}

#[test]
fn a_payload_that_no_packet_holds_is_refused() {
    let payload = vec![0; 65_508];
    let too_long = Err(PayloadTooLong { length: 65_508, limit: 65_507 });
    let mut frame = Vec::new();
    let echo = Echo { identifier: 0, sequence: 0, payload: &payload };
    assert_eq!(icmp::encode_echo_request(&mut frame, &there(), &echo), too_long);
    assert_eq!(icmp::encode_echo_message(&mut frame, &echo), too_long);
    let datagram = udp::Datagram { source_port: 0, destination_port: 0, payload: &payload };
    assert_eq!(udp::encode(&mut frame, &there(), &datagram), too_long);
    udp::encode(&mut frame, &there(), &udp::Datagram { payload: &payload[1..], ..datagram }).unwrap();
    assert!(matches!(decode(&frame), Ok(Incoming::Udp { payload, .. }) if payload.len() == 65_507));
}

fn any_heading() -> impl Strategy<Value = Heading> {
    (any::<[u8; 6]>(), any::<[u8; 4]>(), any::<[u8; 6]>(), any::<[u8; 4]>(), any::<u16>()).prop_map(
        |([first, rest @ ..], source, destination_mac, destination, identification)| {
            let [b, c, d, e, f] = rest;
            Heading {
                source_mac: MacAddr::new([first & 0xfe, b, c, d, e, f]),
                source: source.into(),
                destination_mac: MacAddr::new(destination_mac),
                destination: destination.into(),
                identification,
            }
        },
    )
}

proptest! {
    #[test]
    fn a_request_is_read_back(mac in any_heading().prop_map(|heading| heading.source_mac), source: [u8; 4], target: [u8; 4]) {
        prop_assume!(mac.is_station());
        let mut frame = Vec::new();
        arp::encode_request(&mut frame, mac, source.into(), target.into());
        prop_assert_eq!(decode(&frame), Ok(Incoming::Arp(ArpPacket {
            operation: Operation::Request,
            source_mac: mac,
            sender_mac: mac,
            sender: source.into(),
            target_mac: MacAddr::new([0; 6]),
            target: target.into(),
        })));
    }

    #[test]
    fn a_datagram_is_read_back_without_padding(
        heading in any_heading(), ports: (u16, u16), payload in prop::collection::vec(any::<u8>(), 0..1500), padding in 0..50_usize,
    ) {
        let mut frame = Vec::new();
        let datagram = udp::Datagram { source_port: ports.0, destination_port: ports.1, payload: &payload };
        udp::encode(&mut frame, &heading, &datagram).unwrap();
        let (source, destination) = (heading.source, heading.destination);
        let sum = pnet::packet::util::ipv4_checksum(
            &frame[34..], usize::MAX, &[], &source, &destination, IpNextHeaderProtocols::Udp);
        prop_assert_eq!(sum, 0, "the checksum makes the sum all ones");
        frame.resize(frame.len() + padding, 0xaa);
        prop_assert_eq!(decode(&frame), Ok(Incoming::Udp {
            source_mac: heading.source_mac,
            source,
            source_port: ports.0,
            destination,
            destination_port: ports.1,
            payload: &payload,
        }));
    }

    #[test]
    fn an_echo_is_read_back(identifier: u16, sequence: u16, payload in prop::collection::vec(any::<u8>(), 0..1500)) {
        let mut message = Vec::new();
        let echo = Echo { identifier, sequence, payload: &payload };
        icmp::encode_echo_message(&mut message, &echo).unwrap();
        prop_assert_eq!(pnet::packet::util::checksum(&message, usize::MAX), 0);
        // Type 0 makes the request a reply; the sum loses the 0x0800 of the request's type.
        message[0] = 0;
        let sum = pnet::packet::util::checksum(&message, 1);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
        prop_assert_eq!(icmp::decode(&message), Ok(Message::EchoReply(echo)));
    }

    #[test]
    fn any_octets_are_sorted_or_refused(frame: Vec<u8>) {
        let _ = decode(&frame);
        let _ = icmp::decode(&frame);
    }

    #[test]
    fn any_octets_after_a_plausible_header_are_sorted_or_refused(kind in 0..3_usize, body in prop::collection::vec(any::<u8>(), 0..100)) {
        let frame = match kind {
            0 => [&arp_reply()[..14], &body].concat(),
            1 => ipv4_frame(&back(), IpNextHeaderProtocols::Udp, &body),
            _ => ipv4_frame(&back(), IpNextHeaderProtocols::Icmp, &body),
        };
        let _ = decode(&frame);
    }
}

#[test]
fn damaged_frames_are_sorted_or_refused() {
    for valid in [arp_reply(), echo_reply(), port_unreachable(), udp_frame(b"payload")] {
        assert!(decode(&valid).is_ok());
        for length in 0..valid.len() {
            let _ = decode(&valid[..length]);
        }
        for place in 0..valid.len() {
            let mut frame = valid.clone();
            for octet in 0..=u8::MAX {
                frame[place] = octet;
                let _ = decode(&frame);
            }
        }
    }
}

#[test]
fn a_single_damaged_octet_of_an_echo_reply_is_noticed() {
    let valid = echo_reply();
    for place in 14..50 {
        for octet in (0..=u8::MAX).filter(|octet| *octet != valid[place]) {
            let mut frame = valid.clone();
            frame[place] = octet;
            assert!(decode(&frame).is_err(), "octet {place} as {octet:#04x}");
        }
    }
}
