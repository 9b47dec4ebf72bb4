use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::algorithms::report::root::is_there;
use crate::domain::address::MacAddr;
use crate::domain::cycle::{Completeness, Trigger};
use crate::domain::device::{DeviceStatus, DeviceType, Version};
use crate::domain::fact::{Fact, Interface, SnmpSystem, SnmpUptime};
use crate::domain::protocol::Protocol;
use proptest::prelude::*;

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
fn bare(devices: impl IntoIterator<Item = Device>) -> Vec<KnownDevice> {
    devices.into_iter().map(|device| KnownDevice { device, facts: Vec::new() }).collect()
}

fn fact(number: u32, second: i64, fact: Fact) -> FactRow {
    FactRow {
        device: DeviceId::from_number(number),
        fact,
        source: "10.0.0.1".to_owned(),
        protocol: Some(Protocol::Snmp),
        observed_at: Timestamp::from_millis(second * 1_000),
        observer: None,
    }
}

fn system(number: u32, second: i64, name: &str) -> FactRow {
    fact(number, second, Fact::SnmpSystem(SnmpSystem { sys_name: Some(name.to_owned()), ..SnmpSystem::default() }))
}

fn uptime(number: u32, second: i64, uptime_seconds: u64) -> FactRow {
    fact(number, second, Fact::SnmpUptime(SnmpUptime { uptime_seconds }))
}

pub fn cycle(new: u64) -> CycleReport {
    CycleReport {
        trigger: Trigger::Scheduled,
        completeness: Completeness::Complete,
        started_at: Timestamp::from_millis(900),
        duration_ms: 99.6,
        subnets: Vec::new(),
        targets: 254,
        protocols: BTreeMap::new(),
        address_resolution: None,
        rtt: None,
        hosts: new,
        delta: DeltaCounts { new, ..DeltaCounts::default() },
        nib_commit_ms: None,
        too_long: None,
    }
}

/// What a commit would write to the stream of reports.
fn reports(changes: Vec<Change>) -> Vec<Report> {
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

fn now() -> Timestamp {
    Timestamp::from_millis(5_000)
}

#[test]
fn a_cycle_tells_what_is_new_changed_or_gone_and_the_root_of_all() {
    let known = bare([1, 2, 3, 4].map(device));
    let renamed = Device { hostname: None, ..device(2) };
    let missed = Device { missed_cycles: 1, ..device(3) };
    let lost = Device { status: DeviceStatus::Inactive, missed_cycles: 3, ..device(4) };
    let touched = Change::TouchDevice {
        id: device(1).id,
        version: Version::FIRST,
        last_seen: now(),
        methods: Vec::new(),
        rtt: Some(Duration::from_millis(1)),
    };
    let changes = [
        touched,
        Change::UpdateDevice(renamed.clone()),
        Change::UpdateDevice(missed.clone()),
        Change::UpdateDevice(lost.clone()),
        Change::InsertDevice(device(5)),
    ];
    let told = reports(of_cycle(&cycle(1), None, &known, &changes, vec![device(1).id], now()).unwrap());
    let [report] = told.as_slice() else { panic!("{told:?}") };
    let ids: Vec<u32> = report.devices.iter().map(|device| device.id.number()).collect();
    assert_eq!((ids, &report.removed), (vec![2, 4, 5], &vec![device(1).id]));
    assert_eq!(report.state_root, Some(root_of(&bare([renamed, missed, lost, device(5)])).unwrap()));
    let cycle = report.cycle.as_ref().unwrap();
    assert_eq!((cycle.duration_ms, cycle.counts.new), (100, 1));
}

fn touch(number: u32) -> Change {
    let (id, version, rtt) = (device(number).id, Version::FIRST, None);
    Change::TouchDevice { id, version, last_seen: now(), methods: vec![Protocol::Snmp], rtt }
}

#[test]
fn facts_that_changed_are_told_with_their_device_and_those_that_always_change_by_the_way() {
    let facts = [system(1, 1, "old"), uptime(1, 1, 100)];
    let known = [1, 2, 3].map(|number| {
        let of = |row: &FactRow| FactRow { device: DeviceId::from_number(number), ..row.clone() };
        KnownDevice { device: device(number), facts: facts.iter().map(of).collect() }
    });
    let silent = fact(3, 5, Fact::SilentAddresses([([10, 0, 0, 9].into(), 1)].into()));
    let changes = [
        touch(1),
        Change::PutFact(system(1, 5, "new")),
        Change::PutFact(uptime(1, 5, 104)),
        touch(2),
        Change::PutFact(uptime(2, 5, 104)),
        touch(3),
        Change::PutFact(uptime(3, 5, 104)),
        Change::PutFact(silent),
    ];
    let told = reports(of_cycle(&cycle(0), None, &known, &changes, Vec::new(), now()).unwrap());
    let [Report { devices, state_root, .. }] = told.as_slice() else { panic!("{told:?}") };
    let [one] = devices.as_slice() else { panic!("{devices:?}") };
    let kinds: Vec<_> = one.facts.iter().map(|fact| fact.fact.kind().as_str()).collect();
    assert_eq!((one.id.number(), kinds, one.last_seen), (1, vec!["snmp_system", "snmp_uptime"], now()));
    let mut after = known.to_vec();
    after[0].facts[0] = system(1, 5, "new");
    assert_eq!(*state_root, Some(root_of(&after).unwrap()));
    assert_ne!(*state_root, Some(root_of(&known).unwrap()));
    // An agent that started anew is told, and what is older than what is known is not.
    let changes = [touch(2), Change::PutFact(uptime(2, 500, 3)), touch(3), Change::PutFact(system(3, 0, "older"))];
    let told = reports(of_cycle(&cycle(0), None, &known, &changes, Vec::new(), now()).unwrap());
    let ids: Vec<u32> = told[0].devices.iter().map(|device| device.id.number()).collect();
    assert_eq!((ids, told[0].state_root), (vec![2], Some(root_of(&known).unwrap())));
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
fn a_cycle_without_news_is_told_too() {
    let known = bare([device(1)]);
    let told = reports(of_cycle(&cycle(0), None, &known, &[], Vec::new(), now()).unwrap());
    assert_eq!(told.len(), 1);
    assert!(told[0].devices.is_empty() && told[0].state_root == Some(root_of(&known).unwrap()));
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
fn ten_thousand_devices_are_shared_among_items_that_fit() {
    let devices: Vec<Device> = (1..=10_000).map(device).collect();
    let changes: Vec<Change> = devices.iter().cloned().map(Change::InsertDevice).collect();
    let told = reports(of_cycle(&cycle(10_000), None, &[], &changes, Vec::new(), now()).unwrap());
    assert!(told.len() > 10, "{}", told.len());
    let roots: Vec<_> = told.iter().map(|report| report.state_root).collect();
    assert_eq!(roots.iter().flatten().count(), 1);
    assert_eq!(roots.last().unwrap(), &Some(root_of(&bare(devices)).unwrap()));
    assert!(told.iter().flat_map(|report| &report.devices).map(|device| device.id.number()).eq(1..=10_000));
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
