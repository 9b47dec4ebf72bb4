use super::*;
use crate::algorithms::discovery::delta::BATCH;
use crate::algorithms::report::items::root_of;
use crate::algorithms::report::items::tests::{bare, device, fact, now, reports};
use crate::domain::cycle::{Completeness, Trigger};
use crate::domain::device::{DeviceStatus, Version};
use crate::domain::fact::{Fact, SnmpSystem, SnmpUptime};

fn system(number: u32, second: i64, name: &str) -> FactRow {
    fact(number, second, Fact::SnmpSystem(SnmpSystem { sys_name: Some(name.to_owned()), ..SnmpSystem::default() }))
}

fn uptime(number: u32, second: i64, uptime_seconds: u64) -> FactRow {
    fact(number, second, Fact::SnmpUptime(SnmpUptime { uptime_seconds }))
}

fn cycle(new: u64) -> CycleReport {
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

#[test]
fn a_cycle_tells_what_is_new_changed_or_gone_and_the_root_of_all() {
    let known = bare([1, 2, 3, 4].map(device));
    let renamed = Device { hostname: None, ..device(2) };
    let missed = Device { missed_cycles: 1, ..device(3) };
    let lost = Device { status: DeviceStatus::Inactive, missed_cycles: 3, ..device(4) };
    let changes = [
        Change::RemoveDevice { id: device(1).id, version: Version::FIRST },
        Change::UpdateDevice(renamed.clone()),
        Change::UpdateDevice(missed.clone()),
        Change::UpdateDevice(lost.clone()),
        Change::InsertDevice(device(5)),
    ];
    let told = reports(of_cycle(&cycle(1), None, &known, &changes, now()).unwrap());
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
    let told = reports(of_cycle(&cycle(0), None, &known, &changes, now()).unwrap());
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
    let told = reports(of_cycle(&cycle(0), None, &known, &changes, now()).unwrap());
    let ids: Vec<u32> = told[0].devices.iter().map(|device| device.id.number()).collect();
    assert_eq!((ids, told[0].state_root), (vec![2], Some(root_of(&known).unwrap())));
}

#[test]
fn a_cycle_without_news_is_told_too() {
    let known = bare([device(1)]);
    let told = reports(of_cycle(&cycle(0), None, &known, &[], now()).unwrap());
    assert_eq!(told.len(), 1);
    assert!(told[0].devices.is_empty() && told[0].state_root == Some(root_of(&known).unwrap()));
}

#[test]
fn ten_thousand_devices_are_shared_among_items_that_fit() {
    let devices: Vec<Device> = (1..=10_000).map(device).collect();
    let changes: Vec<Change> = devices.iter().cloned().map(Change::InsertDevice).collect();
    let told = reports(of_cycle(&cycle(10_000), None, &[], &changes, now()).unwrap());
    assert!(told.len() > 10, "{}", told.len());
    let roots: Vec<_> = told.iter().map(|report| report.state_root).collect();
    assert_eq!(roots.iter().flatten().count(), 1);
    assert_eq!(roots.last().unwrap(), &Some(root_of(&bare(devices)).unwrap()));
    assert!(told.iter().flat_map(|report| &report.devices).map(|device| device.id.number()).eq(1..=10_000));
}

#[test]
fn what_is_full_leaves_before_the_cycle_is_decided_and_the_last_item_has_its_counts() {
    let (mut telling, mut items) = (CycleTelling::new(&cycle(0), None, now()).unwrap(), Vec::new());
    let (mut waiting, mut told) = (0, 0);
    for number in 1..=5_000 {
        let before = items.len();
        telling.device(None, &[Change::InsertDevice(device(number))], &mut items).unwrap();
        told += reports(items[before..].to_vec()).iter().map(|report| report.devices.len()).sum::<usize>();
        waiting = waiting.max(number as usize - told);
    }
    assert!((1..BATCH).contains(&waiting), "{waiting} devices were held at once");
    let before = items.len();
    telling.finish(&cycle(5_000), &mut items).unwrap();
    assert_eq!(items.len(), before + 1);
    let told = reports(items);
    let cycles: Vec<_> = told.iter().map(|report| report.cycle.as_ref().map(|cycle| cycle.counts.new)).collect();
    assert_eq!(cycles, [vec![None; before], vec![Some(5_000)]].concat());
}

#[test]
fn rows_that_are_no_more_are_told_last_however_many_they_are() {
    let (mut telling, mut items) = (CycleTelling::new(&cycle(0), None, now()).unwrap(), Vec::new());
    let gone = |number| Change::RemoveDevice { id: DeviceId::from_number(number), version: Version::FIRST };
    let changes: Vec<Change> = [Change::UpdateDevice(device(1))].into_iter().chain((2..20_000).map(gone)).collect();
    telling.device(Some(&bare([device(1)])[0]), &changes, &mut items).unwrap();
    telling.finish(&cycle(0), &mut items).unwrap();
    let told = reports(items);
    assert!(told.len() > 1 && told[0].devices.is_empty());
    assert!(told.iter().flat_map(|report| &report.removed).map(|id| id.number()).eq(2..20_000));
    assert_eq!(told.last().unwrap().state_root, Some(root_of(&bare([device(1)])).unwrap()));
}
