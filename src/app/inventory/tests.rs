use super::*;
use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::cycle::{Completeness, DeltaCounts, Trigger};
use crate::domain::device::{DeviceType, Version};
use crate::domain::event::NewEvent;
use crate::domain::fact::{
    Evidence, Fact, FactKind, FactRow, Interface, SnmpFailure, SnmpReachability, SnmpSystem, SnmpUptime, Withheld,
};
use crate::domain::protocol::Protocol;
use crate::nib::NibStore;
use crate::nib::memory::MemoryNib;
use serde_json::json;
use std::collections::BTreeMap;

fn device(number: u32) -> Device {
    let [_, a, b, c] = number.to_be_bytes();
    Device {
        id: DeviceId::from_number(number),
        mac: Some(MacAddr::new([2, 0, 0, a, b, c])),
        addresses: vec![Ipv4Addr::new(10, a, b, c)],
        hostname: None,
        vendor: None,
        device_type: DeviceType::Unknown,
        firmware: None,
        region: Some("zone-A".parse().unwrap()),
        local_controller: None,
        status: DeviceStatus::Active,
        first_seen: at(0),
        last_seen: at(0),
        missed_cycles: 0,
        methods: vec![Protocol::Arp],
        rtt: Some(std::time::Duration::from_micros(1_500)),
        version: Version::FIRST,
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_000 * second)
}

fn fact(number: u32, source: &str, second: i64, fact: Fact) -> FactRow {
    let device = DeviceId::from_number(number);
    FactRow { device, fact, source: source.to_owned(), protocol: None, observed_at: at(second), observer: None }
}

fn named(name: &str) -> Fact {
    Fact::SnmpSystem(SnmpSystem { sys_name: Some(name.to_owned()), ..SnmpSystem::default() })
}

fn reachable(reason: Option<SnmpFailure>) -> Fact {
    Fact::SnmpReachability(SnmpReachability { reachable: reason.is_none(), reason })
}

fn nib(changes: Vec<Change>) -> Box<dyn NibReader> {
    let mut store = MemoryNib::new();
    store.commit(&changes).unwrap();
    store.reader().unwrap()
}

fn event(event_type: EventType, second: i64, payload: serde_json::Value) -> Change {
    let (actor, subject) = ("standalone".to_owned(), "10.0.1.0/24".to_owned());
    Change::Append(NewEvent { event_type, actor, subject, timestamp: at(second), payload })
}

#[test]
fn a_device_is_named_by_id_hardware_address_or_address() {
    let key = |text: &str| text.parse::<DeviceKey>();
    assert_eq!(key("nib-dev-000047"), Ok(DeviceKey::Id(DeviceId::from_number(47))));
    assert_eq!(key("10.0.1.7"), Ok(DeviceKey::Address([10, 0, 1, 7].into())));
    for text in ["00:1b:2f:3c:4d:5e", "00-1B-2F-3C-4D-5E", "001b.2f3c.4d5e"] {
        assert_eq!(key(text), Ok(DeviceKey::Mac(MacAddr::new([0, 0x1b, 0x2f, 0x3c, 0x4d, 0x5e]))), "{text}");
    }
    for text in ["", "47", "nib-dev-", "10.0.1", "10.0.1.7/24", "fe80::1", "core-1", " 10.0.1.7"] {
        let refusal = key(text).unwrap_err().to_string();
        assert!(refusal.contains(&format!("{text:?}")) && refusal.contains("nib-dev-000047"), "{refusal}");
    }
}

#[test]
fn of_two_sources_the_newer_one_is_shown() {
    let facts = [
        fact(1, "10.0.0.1", 30, named("new")),
        fact(1, "10.0.0.9", 20, named("old")),
        fact(1, "10.0.0.9", 40, reachable(None)),
        fact(1, "10.0.0.1", 30, reachable(Some(SnmpFailure::Timeout))),
    ];
    let snmp = DeviceView::new(device(1), &facts).snmp.unwrap();
    assert_eq!((snmp.sys_name.as_deref(), snmp.reachable, snmp.reason), (Some("new"), true, None));
}

#[test]
fn an_agent_that_is_silent_now_still_shows_what_it_told() {
    let interfaces = vec![Interface { index: 1, ..Interface::default() }];
    let facts = [
        fact(1, "10.0.0.1", 10, named("core-1")),
        fact(1, "10.0.0.1", 20, Fact::SnmpUptime(SnmpUptime { uptime_seconds: 42 })),
        fact(1, "10.0.0.1", 20, Fact::SnmpInterfaces(interfaces.clone())),
        fact(1, "10.0.0.1", 30, reachable(Some(SnmpFailure::PortUnreachable))),
    ];
    let snmp = DeviceView::new(device(1), &facts).snmp.unwrap();
    assert_eq!((snmp.reachable, snmp.reason), (false, Some(SnmpFailure::PortUnreachable)));
    let shown: Vec<Interface> = snmp.interfaces.into_iter().map(|shown| shown.interface).collect();
    assert_eq!((snmp.sys_name.as_deref(), shown), (Some("core-1"), interfaces));
    assert_eq!((snmp.uptime_seconds, snmp.read_at), (Some(42), Some(at(20))), "as old as it was told");
}

#[test]
fn an_agent_that_was_never_asked_is_null_and_not_silent() {
    let view = DeviceView::new(device(1), &[]);
    assert_eq!((view.snmp, view.vendor_evidence, view.type_evidence), (None, None, None));
}

#[test]
fn each_fact_is_shown_with_where_it_comes_from() {
    let table = Fact::SnmpInterfaces(vec![Interface { index: 1, ..Interface::default() }]);
    let digest = crate::domain::digest::Digest::from_bytes([1; 32]);
    let long = Withheld { kind: FactKind::SnmpInterfaces, octets: 70_000, digest };
    let observer: ControllerId = "local_cntl_zoneA_1".parse().unwrap();
    let withheld = FactRow { observer: Some(observer.clone()), ..fact(1, "10.0.0.1", 20, Fact::Withheld(long)) };
    let facts = [fact(1, "10.0.0.1", 10, reachable(None)), fact(1, "10.0.0.9", 10, table), withheld];
    let view = DeviceView::new(device(1), &facts);
    let shown = serde_json::to_value(&view.facts[2]).unwrap();
    let at = "1970-01-01T00:00:20.000Z";
    assert_eq!(
        shown,
        json!({
            "kind": "snmp_interfaces", "source": "10.0.0.1", "protocol": null, "observed_at": at,
            "observer": observer, "withheld_octets": 70_000
        })
    );
    assert_eq!((view.facts.len(), view.snmp.unwrap().interfaces), (3, Vec::new()), "an old table is not shown as new");
}

#[test]
fn evidence_is_shown_beside_its_own_conclusion() {
    let evidence = |from: &str| Evidence { conclusion: "x".into(), from: from.into(), value: "y".into() };
    let facts = [
        fact(1, "conclusion", 1, Fact::VendorEvidence(evidence("oui"))),
        fact(1, "conclusion", 1, Fact::TypeEvidence(evidence("sysServices"))),
    ];
    let view = DeviceView::new(device(1), &facts);
    assert_eq!(view.vendor_evidence, Some(evidence("oui")));
    assert_eq!(view.type_evidence, Some(evidence("sysServices")));
}

#[test]
fn the_json_form_has_every_key_and_readable_values() {
    let json = serde_json::to_value(DeviceView::new(device(7), &[])).unwrap();
    assert_eq!(json["device_id"], "nib-dev-000007");
    assert_eq!((&json["ip_addresses"], &json["methods"]), (&json!(["10.0.0.7"]), &json!(["arp"])));
    assert_eq!((&json["rtt_ms"], &json["first_seen"]), (&json!(1.5), &json!("1970-01-01T00:00:00.000Z")));
    assert_eq!((&json["region"], &json["snmp"], &json["hostname"]), (&json!("zone-A"), &json!(null), &json!(null)));
    assert_eq!(json.as_object().unwrap().len(), 20);
}

#[test]
fn more_devices_than_a_page_are_told_in_order_each_with_its_own_facts() {
    let mut changes: Vec<Change> = (1..=2_100).map(device).map(Change::InsertDevice).collect();
    for number in [1, 999, 1_000, 1_001, 2_100] {
        changes.push(Change::PutFact(fact(number, "a", 0, reachable(None))));
        changes.push(Change::PutFact(fact(number, "a", 0, named(&format!("host-{number}")))));
    }
    let views = devices(nib(changes).as_ref(), None, |_| true).unwrap();
    let ids = views.iter().filter_map(|view| view.device_id).map(DeviceId::number);
    assert!(ids.eq(1..=2_100));
    let told: Vec<_> = views
        .iter()
        .filter_map(|view| Some((view.device_id?.number(), view.snmp.as_ref()?.sys_name.clone()?)))
        .collect();
    assert_eq!(told, [1, 999, 1_000, 1_001, 2_100].map(|number| (number, format!("host-{number}"))));
}

#[test]
fn devices_of_one_status_or_that_pass_a_test_are_told() {
    let with = |number: u32, status| Change::InsertDevice(Device { status, ..device(number) });
    let reader = nib(vec![
        with(1, DeviceStatus::Active),
        with(2, DeviceStatus::Inactive),
        with(3, DeviceStatus::Active),
        Change::PutFact(fact(2, "a", 0, reachable(None))),
        Change::PutFact(fact(3, "a", 0, reachable(Some(SnmpFailure::Timeout)))),
    ]);
    let active = devices(reader.as_ref(), Some(DeviceStatus::Active), |_| true).unwrap();
    assert_eq!(
        active.iter().map(|view| view.snmp.as_ref().map(|snmp| snmp.reachable)).collect::<Vec<_>>(),
        [None, Some(false)]
    );
    let even = devices(reader.as_ref(), None, |device| device.id.number() % 2 == 0).unwrap();
    assert_eq!(even.len(), 1);
    assert!(even[0].snmp.as_ref().unwrap().reachable);
}

#[test]
fn a_disputed_address_finds_all_who_have_it_and_a_stranger_nobody() {
    let mut other = device(2);
    other.addresses.insert(0, device(1).addresses[0]);
    let facts = [fact(1, "a", 0, reachable(None)), fact(2, "a", 0, reachable(Some(SnmpFailure::Timeout)))];
    let mut changes = vec![Change::InsertDevice(device(1)), Change::InsertDevice(other)];
    changes.extend(facts.map(Change::PutFact));
    let reader = nib(changes);
    let found = |key: &str| find(reader.as_ref(), key.parse().unwrap()).unwrap();
    let agents: Vec<_> = found("10.0.0.1").iter().map(|view| view.snmp.as_ref().unwrap().reachable).collect();
    assert_eq!(agents, [true, false], "each with its own facts");
    assert_eq!(found("nib-dev-000002"), found("02:00:00:00:00:02"));
    for stranger in ["10.0.0.3", "nib-dev-000003", "02:00:00:00:00:03"] {
        assert_eq!(found(stranger), [], "{stranger}");
    }
}

fn report(targets: u64) -> serde_json::Value {
    let report = CycleReport {
        trigger: Trigger::Scheduled,
        completeness: Completeness::Complete,
        started_at: at(0),
        duration_ms: 1.0,
        subnets: Vec::new(),
        targets,
        protocols: BTreeMap::new(),
        address_resolution: None,
        rtt: None,
        hosts: 0,
        delta: DeltaCounts::default(),
        nib_commit_ms: None,
        too_long: None,
    };
    serde_json::to_value(report).unwrap()
}

#[test]
fn the_status_counts_devices_and_tells_the_last_start_and_cycle() {
    let folder = tempfile::tempdir().unwrap();
    let with = |number: u32, status| Change::InsertDevice(Device { status, ..device(number) });
    let changes = vec![
        with(1, DeviceStatus::Active),
        with(2, DeviceStatus::Inactive),
        with(3, DeviceStatus::Quarantined),
        with(4, DeviceStatus::Degraded),
        with(5, DeviceStatus::Active),
        event(EventType::ControllerStarted, 5, json!({})),
        event(EventType::DiscoveryCycleFailed, 6, report(1)),
        event(EventType::DiscoveryCycleCompleted, 7, report(2)),
        event(EventType::ControllerStarted, 8, json!({})),
        event(EventType::DiscoveryCycleFailed, 9, report(3)),
    ];
    let nib_path = folder.path().join("pdsno.db");
    let status_of = |changes| status(&nib_path, folder.path(), nib(changes).as_ref()).unwrap();
    let told = status_of(changes);
    assert_eq!(told.devices, DeviceCounts { total: 5, active: 2, inactive: 1, other: 2 });
    assert_eq!((told.events, told.started_at), (5, Some(at(8))));
    assert_eq!(told.last_cycle.map(|cycle| cycle.targets), Some(3));
    assert_eq!((told.running, told.pid), (false, None));
    let broken = event(EventType::DiscoveryCycleFailed, 10, json!({ "trigger": "scheduled", "error": "no link" }));
    let told = status_of(vec![event(EventType::DiscoveryCycleCompleted, 7, report(2)), broken]);
    assert_eq!(told.last_cycle.map(|cycle| cycle.targets), Some(2), "a cycle that could not begin hides none");
    let told = status_of(Vec::new());
    assert_eq!((told.devices, told.events), (DeviceCounts::default(), 0));
    assert!(told.last_cycle.is_none() && told.started_at.is_none());
    let _held = DataFolder::take(folder.path()).unwrap();
    assert!(status_of(Vec::new()).running);
}
