use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use pdsno::domain::address::MacAddr;
use pdsno::domain::secret::Community;
use pdsno::wire::arp;
use pdsno::wire::frame::{Incoming, decode};
use pdsno::wire::icmp::{self, Echo};
use pdsno::wire::ipv4::Heading;
use pdsno::wire::mib;
use pdsno::wire::oid::Oid;
use pdsno::wire::snmp::pdu::{Pdu, Value};
use pdsno::wire::snmp::{RequestId, decode_response, encode_get, encode_get_bulk};
use pdsno::wire::udp::{self, Datagram};
use pdsno::wire::usm::message::{Head, Protection, ScopedPdu, Sealed, encode};
use pdsno::wire::usm::security::SecurityParameters;
use proptest::prelude::*;

use super::*;
use crate::options::tests::{USERS, options};
use crate::version::Versions;

const SCANNER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 0xfa]);
const PORT: u16 = 40_000;

fn fleet(line: &str) -> Fleet {
    Fleet::new(Network::new(options(line)))
}

/// The frames that answer one, with their delays.
fn asked(fleet: &mut Fleet, frame: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    let mut replies = Vec::new();
    fleet.on_frame(Duration::ZERO, frame, &mut |delay, frame| replies.push((delay, frame.to_vec())));
    replies
}

fn heading(fleet: &Fleet, host: &Host) -> Heading {
    let destination = fleet.network.address(host.offsets[0]);
    Heading {
        source_mac: SCANNER,
        source: fleet.network.scanner,
        destination_mac: fleet.network.station(host),
        destination,
        identification: 1,
    }
}

fn who_has(fleet: &mut Fleet, address: Ipv4Addr) -> Vec<(Duration, Vec<u8>)> {
    let mut frame = Vec::new();
    arp::encode_request(&mut frame, SCANNER, fleet.network.scanner, address);
    asked(fleet, &frame)
}

fn ping(fleet: &mut Fleet, host: &Host) -> Vec<(Duration, Vec<u8>)> {
    let mut frame = Vec::new();
    let echo = Echo { identifier: 77, sequence: 1, payload: b"who is there" };
    icmp::encode_echo_request(&mut frame, &heading(fleet, host), &echo).unwrap();
    asked(fleet, &frame)
}

fn ask(fleet: &mut Fleet, host: &Host, message: &[u8]) -> Vec<(Duration, Vec<u8>)> {
    let mut frame = Vec::new();
    let datagram = Datagram { source_port: PORT, destination_port: 161, payload: message };
    udp::encode(&mut frame, &heading(fleet, host), &datagram).unwrap();
    asked(fleet, &frame)
}

/// The response in the only frame.
fn response(replies: &[(Duration, Vec<u8>)]) -> Pdu {
    let [(_, frame)] = replies else { panic!("{} replies", replies.len()) };
    let Ok(Incoming::Udp { source_port: 161, destination_port: PORT, payload, .. }) = decode(frame) else {
        panic!("{frame:?}")
    };
    decode_response(payload).unwrap().pdu
}

fn public() -> Community {
    Community::new("public").unwrap()
}

fn get(oids: &[Oid]) -> Vec<u8> {
    let mut message = Vec::new();
    encode_get(&mut message, &public(), RequestId::from_seed(4_711), oids);
    message
}

fn get_bulk(repetitions: u16, oids: &[Oid]) -> Vec<u8> {
    let mut message = Vec::new();
    encode_get_bulk(&mut message, &public(), RequestId::from_seed(4_712), 0, repetitions, oids);
    message
}

fn first_agent(fleet: &Fleet) -> Host {
    fleet.network.hosts.iter().find(|host| host.agent().is_some()).unwrap().clone()
}

#[test]
fn who_lives_answers_arp_and_icmp_after_the_delay() {
    let mut fleet = fleet("--prefix 10.1.0.0/23 --delay 3ms --arp-only 0.2");
    for address in fleet.network.options.prefix.hosts() {
        let replies = who_has(&mut fleet, address);
        let Some(place) = fleet.network.at(address) else {
            assert!(replies.is_empty(), "{address}");
            continue;
        };
        let host = fleet.network.hosts[place as usize].clone();
        let [(delay, frame)] = replies.as_slice() else { panic!("{address}: {replies:?}") };
        let Ok(Incoming::Arp(reply)) = decode(frame) else { panic!("{frame:?}") };
        assert_eq!((reply.sender, reply.sender_mac, *delay), (address, host.mac, Duration::from_millis(3)));
        let pinged = ping(&mut fleet, &host);
        assert_eq!(pinged.len(), usize::from(host.kind != Kind::ArpOnly));
        for (_, frame) in pinged {
            let Ok(Incoming::EchoReply { source, identifier: 77, sequence: 1, payload, .. }) = decode(&frame) else {
                panic!("{frame:?}")
            };
            assert_eq!((source, payload), (address, b"who is there".as_slice()));
        }
    }
    let counters = fleet.counters;
    // The scanner's question for its own address is an announcement.
    assert_eq!(counters.arp_requests + counters.arp_requests_for_nobody, 509);
    assert_eq!((counters.arp_replies, counters.other_frames), (fleet.network.hosts.len() as u64, 1));
}

#[test]
fn what_is_meant_for_another_station_is_left_alone() {
    let mut fleet = fleet("--prefix 10.1.0.0/24");
    let mut host = first_agent(&fleet);
    host.mac = SCANNER;
    assert!(ping(&mut fleet, &host).is_empty() && ask(&mut fleet, &host, &get(&[mib::SYS_DESCR])).is_empty());
    assert_eq!(fleet.counters.other_frames, 2);
}

#[test]
fn an_agent_tells_who_it_is() {
    let mut fleet = fleet("--prefix 10.1.0.0/24");
    let host = first_agent(&fleet);
    let message = get(&[mib::SYS_DESCR, mib::SYS_OBJECT_ID, mib::SYS_NAME, mib::SYS_SERVICES, mib::IF_DESCR]);
    let told = response(&ask(&mut fleet, &host, &message));
    let model = host.agent().unwrap().model();
    assert_eq!((told.request_id, told.error_status, told.varbinds.len()), (4_711, 0, 5));
    assert_eq!(told.varbinds[0].1, Value::OctetString(model.sys_descr.into()));
    assert_eq!(told.varbinds[1].1, Value::ObjectId(model.sys_object_id.to_vec().try_into().unwrap()));
    assert!(matches!(&told.varbinds[2].1, Value::OctetString(name) if name.starts_with(model.name.as_bytes())));
    assert_eq!(told.varbinds[3].1, Value::Integer(model.sys_services.into()));
    assert_eq!(told.varbinds[4].1, Value::NoSuchInstance);
}

#[test]
fn a_table_is_told_in_as_many_messages_as_it_needs() {
    let mut fleet = fleet("--prefix 10.1.0.0/24 --live 1 --snmp 1 --huge-table 40 --huge-share 0.5");
    let columns = [mib::IF_DESCR, mib::IF_PHYS_ADDRESS, mib::IF_OPER_STATUS];
    for host in fleet.network.hosts.clone() {
        let agent = host.agent().unwrap();
        let (mut macs, mut last) = (Vec::new(), columns.to_vec());
        'table: loop {
            let replies = ask(&mut fleet, &host, &get_bulk(50, &last));
            let length = replies[0].1.len() - 42;
            assert!(length <= agent.most_octets, "{length} of {}", agent.most_octets);
            let told = response(&replies);
            assert!(told.error_status == 0 && !told.varbinds.is_empty());
            for (place, (name, value)) in told.varbinds.into_iter().enumerate() {
                let column = place % 3;
                if !name.starts_with(&columns[column]) {
                    // Messages end anywhere in a row: other columns may have been told less.
                    if column == 1 { break 'table } else { continue }
                }
                if let (1, Value::OctetString(octets)) = (column, value) {
                    macs.push(MacAddr::new(octets.try_into().unwrap()));
                }
                last[column] = name;
            }
        }
        assert_eq!((macs.len(), macs[0]), (agent.rows as usize, host.mac));
        macs.sort();
        macs.dedup();
        assert_eq!(macs.len(), agent.rows as usize, "each interface has its own");
    }
}

#[test]
fn what_does_not_fit_is_too_big_and_a_bulk_tells_less() {
    let mut fleet = fleet("--prefix 10.1.0.0/24 --live 1 --snmp 1");
    for host in fleet.network.hosts.clone() {
        let told = response(&ask(&mut fleet, &host, &get(&vec![mib::SYS_DESCR; 30])));
        assert_eq!((told.error_status, told.error_index, told.varbinds.len()), (1, 0, 0));
        let told = response(&ask(&mut fleet, &host, &get_bulk(30, &[mib::ENTERPRISES, mib::IF_ENTRY])));
        assert!(told.error_status == 0 && told.varbinds.len() > 2);
    }
}

/// The same question in version 1.
fn as_version_1(mut message: Vec<u8>) -> Vec<u8> {
    let version = message.windows(3).position(|octets| octets == [0x02, 1, 1]).unwrap();
    message[version + 2] = 0;
    message
}

#[test]
fn version_1_has_errors_instead_of_exceptions() {
    let mut fleet = fleet("--prefix 10.1.0.0/24");
    let host = first_agent(&fleet);
    let told = |fleet: &mut Fleet, message: Vec<u8>| {
        let [(_, frame)] = ask(fleet, &host, &as_version_1(message)).try_into().unwrap();
        let Ok(Incoming::Udp { payload, .. }) = decode(&frame) else { panic!("{frame:?}") };
        let (_, message) = snmp_parser::parse_snmp_v1(payload).unwrap();
        let snmp_parser::SnmpPdu::Generic(pdu) = message.pdu else { panic!("{:?}", message.pdu) };
        (pdu.err.0, pdu.err_index, pdu.var.len())
    };
    assert_eq!(told(&mut fleet, get(&[mib::SYS_DESCR, mib::SYS_NAME])), (0, 0, 2));
    assert_eq!(told(&mut fleet, get(&[mib::SYS_DESCR, mib::IF_DESCR])), (2, 2, 2));
    assert_eq!(told(&mut fleet, get(&vec![mib::SYS_DESCR; 30])), (1, 0, 30));
    assert!(ask(&mut fleet, &host, &as_version_1(get_bulk(1, &[mib::IF_DESCR]))).is_empty(), "it has no such PDU");
}

/// The message by which an asker of SNMP v3 begins.
fn discovery() -> Vec<u8> {
    let head = Head { id: 4_713, max_size: 1_472, reportable: true, security: SecurityParameters::default() };
    let scoped = ScopedPdu { context_engine: Vec::new(), context_name: Vec::new(), pdu: Pdu::get(1, &[]) };
    let mut message = Vec::new();
    encode(&mut message, &head, &scoped, Protection::Plain);
    message
}

#[test]
fn an_agent_answers_in_its_versions_alone() {
    let mut fleet = fleet(&format!(
        "--prefix 10.1.0.0/24 --live 1 --snmp 1 --snmp-v1 0.3 --snmp-v3 0.3 --snmp-all 0.2 --snmp-users {USERS}"
    ));
    for host in fleet.network.hosts.clone() {
        let message = get(&[mib::SYS_DESCR]);
        let asked = [as_version_1(message.clone()), message, discovery()];
        let answered = asked.map(|message| ask(&mut fleet, &host, &message).len());
        let expected = match host.agent().unwrap().versions {
            Versions::V1 => [1, 0, 0],
            Versions::V3 => [0, 0, 1],
            Versions::ALL => [1, 1, 1],
            _ => [1, 1, 0],
        };
        assert_eq!(answered, expected, "{host:?}");
    }
}

#[test]
fn a_host_with_several_addresses_is_one_engine() {
    let line = "--prefix 10.1.0.0/24 --live 1 --snmp 1 --snmp-v3 1 --multi-address 0.3";
    let mut fleet = fleet(&format!("{line} --snmp-users {USERS}"));
    let mut engines = BTreeSet::new();
    for host in fleet.network.hosts.clone() {
        let at = |offset: &u32| Host { offsets: vec![*offset], ..host.clone() };
        let told: BTreeSet<Vec<u8>> = host
            .offsets
            .iter()
            .map(|offset| {
                let [(_, frame)] = ask(&mut fleet, &at(offset), &discovery()).try_into().unwrap();
                let Ok(Incoming::Udp { payload, .. }) = decode(&frame) else { panic!("{frame:?}") };
                Sealed::read(payload).unwrap().head().security.engine.clone()
            })
            .collect();
        assert_eq!(told.len(), 1, "{host:?}");
        engines.extend(told);
    }
    assert_eq!(engines.len(), fleet.network.hosts.len());
}

#[test]
fn another_community_and_nonsense_are_met_with_silence() {
    let mut fleet = fleet("--prefix 10.1.0.0/24 --community secret");
    let host = first_agent(&fleet);
    assert!(ask(&mut fleet, &host, &get(&[mib::SYS_DESCR])).is_empty());
    for cut in 0..get(&[mib::SYS_DESCR]).len() {
        assert!(ask(&mut fleet, &host, &get(&[mib::SYS_DESCR])[..cut]).is_empty());
    }
    assert_eq!(fleet.counters.snmp_requests_unanswered, fleet.counters.snmp_requests);
}

#[test]
fn who_has_no_agent_says_so_or_is_silent() {
    for (line, said) in [("--closed 1", 1), ("--closed 0", 0), ("--arp-only 1 --closed 1", 0)] {
        let mut fleet = fleet(&format!("--prefix 10.1.0.0/24 --snmp 0 {line}"));
        let host = fleet.network.hosts[0].clone();
        let replies = ask(&mut fleet, &host, &get(&[mib::SYS_DESCR]));
        assert_eq!(replies.len(), said, "{line}");
        for (_, frame) in replies {
            assert!(matches!(decode(&frame), Ok(Incoming::PortUnreachable { source_port: PORT, .. })), "{frame:?}");
        }
    }
}

#[test]
fn faulty_hosts_say_nothing_that_can_be_used_but_by_arp() {
    for fault in ["--wrong-id 1", "--foreign-source 1", "--malformed 1", "--truncated 1"] {
        let mut fleet = fleet(&format!("--prefix 10.1.0.0/24 {fault}"));
        let host = first_agent(&fleet);
        let address = fleet.network.address(host.offsets[0]);
        assert_eq!(answers(&host), ["arp"]);
        let [(_, frame)] = ping(&mut fleet, &host).try_into().unwrap();
        let good = |read: Result<Incoming<'_>, _>| matches!(read, Ok(Incoming::EchoReply { source, identifier: 77, .. }) if source == address);
        assert!(!good(decode(&frame)), "{fault}");
        let [(_, frame)] = ask(&mut fleet, &host, &get(&[mib::SYS_DESCR])).try_into().unwrap();
        let read = match decode(&frame) {
            Ok(Incoming::Udp { source, payload, .. }) if source == address => decode_response(payload).ok(),
            _ => None,
        };
        assert!(read.is_none_or(|response| response.pdu.request_id != 4_711), "{fault}");
        let replies = who_has(&mut fleet, address);
        assert!(matches!(decode(&replies.last().unwrap().1), Ok(Incoming::Arp(_))));
        let noisy = fault.starts_with("--m") || fault.starts_with("--t");
        assert_eq!(replies.len(), 1 + usize::from(noisy));
        assert_eq!(replies.first().map(|(_, frame)| decode(frame).is_err()), Some(noisy));
    }
}

#[test]
fn texts_that_are_no_utf8_are_told() {
    let mut fleet = fleet("--prefix 10.1.0.0/24 --non-utf8 1");
    let host = first_agent(&fleet);
    let told = response(&ask(&mut fleet, &host, &get(&[mib::SYS_NAME, mib::SYS_LOCATION])));
    for (_, value) in told.varbinds {
        assert!(matches!(value, Value::OctetString(octets) if String::from_utf8(octets.clone()).is_err()));
    }
}

#[test]
fn links_lose_delay_and_repeat_as_they_are_told() {
    let line = "--prefix 10.1.0.0/22 --live 1 --snmp 0 --delay 2ms --jitter 3ms --loss-in 0.1 --loss-out 0.2 --duplicates 0.3 --late 0.1";
    let run = || {
        let mut fleet = fleet(line);
        let mut heard = Vec::new();
        for _ in 0..20 {
            for address in fleet.network.options.prefix.hosts() {
                heard.push(who_has(&mut fleet, address));
            }
        }
        (heard, fleet.counters)
    };
    let (heard, counters) = run();
    assert_eq!((&heard, counters), (&run().0, run().1), "one seed, one run");
    let share = |part: u64, whole: u64| part as f64 / whole as f64;
    let sent = counters.arp_replies - counters.lost_replies;
    for (part, whole, expected) in [
        (counters.lost_requests, counters.arp_requests, 0.1),
        (counters.lost_replies, counters.arp_replies, 0.2),
        (counters.duplicates, sent, 0.3),
        (counters.late_replies, sent, 0.1),
    ] {
        assert!((share(part, whole) - expected).abs() < 0.02, "{part} of {whole} are not {expected}");
    }
    let delays: Vec<Duration> = heard.iter().filter_map(|replies| Some(replies.first()?.0)).collect();
    assert!(delays.iter().all(|delay| *delay >= Duration::from_millis(2)));
    assert_eq!(delays.iter().filter(|delay| **delay > Duration::from_millis(5)).count() as u64, counters.late_replies);
}

#[test]
fn a_host_behind_a_proxy_is_reached_by_its_hardware_address() {
    let mut fleet = fleet("--prefix 10.1.0.0/24 --live 1 --proxy-arp 0.5");
    let host = fleet.network.hosts.iter().find(|host| host.behind.is_some()).unwrap().clone();
    let address = fleet.network.address(host.offsets[0]);
    let [(_, frame)] = who_has(&mut fleet, address).try_into().unwrap();
    let Ok(Incoming::Arp(reply)) = decode(&frame) else { panic!("{frame:?}") };
    assert_eq!((reply.sender, reply.sender_mac), (address, fleet.network.station(&host)));
    assert_ne!(reply.sender_mac, host.mac);
    assert_eq!(ping(&mut fleet, &host).len(), 1);
}

proptest! {
    #[test]
    fn any_octets_are_answered_or_not(octets in prop::collection::vec(any::<u8>(), 0..200), at in 0_usize..120, with: u8) {
        let mut fleet = fleet(&format!("--prefix 10.1.0.0/26 --live 1 --snmp 1 --snmp-all 1 --snmp-users {USERS}"));
        let host = fleet.network.hosts[0].clone();
        asked(&mut fleet, &octets);
        ask(&mut fleet, &host, &octets);
        for message in [get(&[mib::SYS_DESCR, mib::IF_DESCR]), get_bulk(9, &[mib::IF_ENTRY]), discovery()] {
            let mut message = message;
            let at = at % message.len();
            message[at] = with;
            for (_, frame) in ask(&mut fleet, &host, &message) {
                prop_assert!(frame.len() <= 1_514);
            }
        }
    }
}
