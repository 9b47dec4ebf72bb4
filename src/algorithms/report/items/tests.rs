//! Items of devices that are made up; the tests of cycles use them, too.

use std::net::Ipv4Addr;

use super::*;
use crate::algorithms::report::root::is_there;
use crate::domain::address::MacAddr;
use crate::domain::device::{DeviceStatus, DeviceType, Version};
use crate::domain::fact::{Fact, Interface};
use crate::domain::protocol::Protocol;
use crate::wire::report::LARGEST_BODY;
use proptest::prelude::*;

/// The device of this number.
pub fn device(number: u32) -> Device {
    let [_, a, b, c] = number.to_be_bytes();
    Device {
        id: DeviceId::from_number(number),
        mac: Some(MacAddr::new([2, 0, 0, a, b, c])),
        addresses: vec![Ipv4Addr::new(10, a, b, c)],
        hostname: Some(format!("host-{number}")),
        vendor: None,
        device_type: DeviceType::Unknown,
        firmware: None,
        region: None,
        local_controller: None,
        status: DeviceStatus::Active,
        first_seen: Timestamp::from_millis(1_000),
        last_seen: Timestamp::from_millis(1_000),
        missed_cycles: 0,
        methods: vec![Protocol::Arp],
        rtt: None,
        version: Version::FIRST,
    }
}

/// Devices of which no facts are known.
pub fn bare(devices: impl IntoIterator<Item = Device>) -> Vec<KnownDevice> {
    devices.into_iter().map(|device| KnownDevice { device, facts: Vec::new() }).collect()
}

/// A fact of the device of this number, observed at this second.
pub fn fact(number: u32, second: i64, fact: Fact) -> FactRow {
    FactRow {
        device: DeviceId::from_number(number),
        fact,
        source: "10.0.0.1".to_owned(),
        protocol: Some(Protocol::Snmp),
        observed_at: Timestamp::from_millis(second * 1_000),
        observer: None,
    }
}

/// What a commit would write to the stream of reports.
pub fn reports(changes: Vec<Change>) -> Vec<Report> {
    let body = |change| match change {
        Change::Stream(StreamChange::Enqueue { stream: Stream::Reports, body, .. }) => body,
        other => panic!("{other:?}"),
    };
    let read = |body: String| {
        assert!(body.len() + 100 <= LARGEST_BODY, "{}", body.len());
        canonical::read(body.as_bytes(), "a report").unwrap()
    };
    changes.into_iter().map(body).map(read).collect()
}

/// When cycles end.
pub fn now() -> Timestamp {
    Timestamp::from_millis(5_000)
}

#[test]
fn a_device_with_more_facts_than_an_item_takes_is_told_in_several() {
    let table = |rows: u32| {
        let all = (0..rows).map(|index| Interface { index, name: Some("x".repeat(500)), ..Interface::default() });
        Fact::SnmpInterfaces(all.collect())
    };
    let with = |source: u32, rows| FactRow { source: format!("10.0.0.{source}"), ..fact(1, 1, table(rows)) };
    let facts: Vec<FactRow> = (1..=8).map(|source| with(source, 110)).chain([with(9, 10_000)]).collect();
    let known = [KnownDevice { device: device(1), facts: facts.clone() }, bare([device(2)]).remove(0)];
    let parts = snapshot(&Report::default(), &known).unwrap();
    assert!(parts.len() > 3, "{}", parts.len());
    let parts = reports(enqueue(&parts, now()).unwrap());
    let told: Vec<_> = parts.iter().flat_map(|part| &part.devices).filter(|told| told.id.number() == 1).collect();
    assert!(told.iter().all(|told| !told.facts.is_empty() && told.addresses == device(1).addresses));
    let told: Vec<_> = told.into_iter().flat_map(|told| &told.facts).collect();
    assert_eq!(told.len(), facts.len());
    assert_eq!(told.iter().filter(|fact| matches!(fact.fact, Fact::Withheld(_))).count(), 1);
    assert!(facts.iter().zip(told).all(|(row, told)| row.source == told.source));
}

#[test]
fn the_root_changes_with_who_is_there_and_not_with_when_or_how_it_was_seen() {
    let root = |device: Device| root_of(&bare([device])).unwrap();
    let same = Device { last_seen: now(), missed_cycles: 2, hostname: None, ..device(1) };
    assert_eq!(root(device(1)), root(same));
    assert_eq!(root(device(1)), root(Device { status: DeviceStatus::Quarantined, ..device(1) }));
    assert_ne!(root(device(1)), root(Device { status: DeviceStatus::Inactive, ..device(1) }));
    assert_ne!(root(device(1)), root(Device { mac: None, ..device(1) }));
    assert_ne!(root_of(&[]).unwrap(), root(device(1)));
    assert!(!is_there(DeviceStatus::Inactive) && is_there(DeviceStatus::Degraded));
}

#[test]
fn a_snapshot_numbers_its_parts_and_an_empty_one_has_one() {
    let frame = Report { state_root: Some(root_of(&[]).unwrap()), ..Report::default() };
    let empty = snapshot(&frame, &[]).unwrap();
    assert!(matches!(empty.as_slice(), [Report { snapshot: Some(part), .. }] if part.is_first() && part.is_last()));
    let devices = bare((1..=1_500).map(device));
    let parts: Vec<SnapshotPart> = snapshot(&frame, &devices).unwrap().iter().filter_map(|one| one.snapshot).collect();
    let total = u32::try_from(parts.len()).unwrap();
    assert!(total > 1);
    let expected: Vec<_> = (1..=total).map(|part| SnapshotPart::new(part, total).unwrap()).collect();
    assert_eq!(parts, expected);
}

#[test]
fn a_device_that_would_fill_a_message_is_told_in_part() {
    let addresses: Vec<Ipv4Addr> = (0..70_000_u32).map(|last| Ipv4Addr::from(0x0a00_0000 + last)).collect();
    let long = "ä".repeat(60_000);
    let big = Device { addresses, hostname: Some(long.clone()), firmware: Some(long), ..device(1) };
    let told = told(&big);
    assert_eq!((told.addresses.len(), told.addresses_omitted), (MOST_ADDRESSES, 70_000 - 1_024));
    assert_eq!(told.hostname.as_ref().map(String::len), Some(LONGEST_TEXT));
    let split = split(&Report::default(), vec![told.clone(), told], Vec::new()).unwrap();
    assert!(enqueue(&split, now()).unwrap().iter().all(|change| matches!(
        change,
        Change::Stream(StreamChange::Enqueue { body, .. }) if body.len() <= LARGEST_BODY
    )));
}

proptest! {
    #[test]
    fn nothing_is_lost_or_said_twice_by_sharing(lengths in proptest::collection::vec(0_usize..1_000, 0..250), gone in 0_u32..4_000) {
        let devices: Vec<ReportedDevice> = (1..)
            .zip(&lengths)
            .map(|(number, length)| told(&Device { hostname: Some("x".repeat(*length)), ..device(number) }))
            .collect();
        let removed: Vec<DeviceId> = (0..gone).map(|number| DeviceId::from_number(100_000 + number)).collect();
        let items = split(&Report::default(), devices.clone(), removed.clone()).unwrap();
        reports(enqueue(&items, now()).unwrap());
        prop_assert_eq!(items.iter().flat_map(|item| item.devices.clone()).collect::<Vec<_>>(), devices);
        prop_assert_eq!(items.iter().flat_map(|item| item.removed.clone()).collect::<Vec<_>>(), removed);
    }
}
