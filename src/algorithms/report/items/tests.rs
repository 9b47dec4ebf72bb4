use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;
use crate::algorithms::report::root::is_there;
use crate::domain::address::MacAddr;
use crate::domain::cycle::{Completeness, Trigger};
use crate::domain::device::{DeviceStatus, DeviceType, Version};
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
    let known = [device(1), device(2), device(3), device(4)];
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
    assert_eq!(report.state_root, Some(root_of(&[renamed, missed, lost, device(5)]).unwrap()));
    let cycle = report.cycle.as_ref().unwrap();
    assert_eq!((cycle.duration_ms, cycle.counts.new), (100, 1));
}

#[test]
fn a_cycle_without_news_is_told_too() {
    let known = [device(1)];
    let told = reports(of_cycle(&cycle(0), None, &known, &[], Vec::new(), now()).unwrap());
    assert_eq!(told.len(), 1);
    assert!(told[0].devices.is_empty() && told[0].state_root == Some(root_of(&known).unwrap()));
}

#[test]
fn the_root_changes_with_who_is_there_and_not_with_when_or_how_it_was_seen() {
    let root = |device: Device| root_of(&[device]).unwrap();
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
    let told = reports(of_cycle(&cycle(10_000), None, [], &changes, Vec::new(), now()).unwrap());
    assert!(told.len() > 10, "{}", told.len());
    let roots: Vec<_> = told.iter().map(|report| report.state_root).collect();
    assert_eq!(roots.iter().flatten().count(), 1);
    assert_eq!(roots.last().unwrap(), &Some(root_of(&devices).unwrap()));
    assert!(told.iter().flat_map(|report| &report.devices).map(|device| device.id.number()).eq(1..=10_000));
}

#[test]
fn a_snapshot_numbers_its_parts_and_an_empty_one_has_one() {
    let frame = Report { state_root: Some(root_of(&[]).unwrap()), ..Report::default() };
    let empty = snapshot(&frame, &[]).unwrap();
    assert!(matches!(empty.as_slice(), [Report { snapshot: Some(part), .. }] if part.is_first() && part.is_last()));
    let devices: Vec<Device> = (1..=1_500).map(device).collect();
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
