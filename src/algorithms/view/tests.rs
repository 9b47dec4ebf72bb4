use std::collections::{BTreeMap, BTreeSet};

use super::absorb::{Absorbed, Item, Outcome, Rejection, give_up};
use super::model::{Local, View, at, child, device, id, mac, region, summary_of};
use crate::algorithms::discovery::delta::KnownDevice;
use crate::algorithms::report::facts::is_compared;
use crate::algorithms::report::items::told;
use crate::algorithms::report::root::is_there;
use crate::domain::address::MacAddr;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::device::{Device, DeviceId, DeviceStatus};
use crate::domain::event::EventType;
use crate::domain::fact::{Fact, FactKind, FactRow, Interface, SnmpSystem};
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::protocol::Protocol;
use crate::domain::registry::Standing;
use crate::domain::time::Timestamp;
use crate::wire::report::{Report, ReportedDevice, ReportedFact, Reporters, Summary, Wanted};
use proptest::prelude::*;

const A: &str = "local_cntl_zoneA_1";
const B: &str = "local_cntl_zoneA_2";
const C: &str = "local_cntl_zoneA_3";

fn seq(number: u64) -> StreamSeq {
    StreamSeq::from_number(number)
}

/// An item with one device, without a root.
fn of(device: ReportedDevice) -> Item {
    Item::Report(Report { devices: vec![device], ..Report::default() })
}

fn seen(id: u32, number: u8, now: i64) -> ReportedDevice {
    told(&device(id, number, at(now)))
}

fn gone(id: u32, number: u8, now: i64) -> ReportedDevice {
    ReportedDevice { status: DeviceStatus::Inactive, ..seen(id, number, now) }
}

fn view() -> View {
    View { now: at(1_000), ..View::regional(&[A, B, C]) }
}

#[test]
fn a_report_is_taken_once_and_a_gap_is_asked_for() {
    let mut view = view();
    let first = of(seen(1, 1, 10));
    let taken = view.take(A, 1, &first);
    assert_eq!((taken.ack, taken.request), (Some(seq(1)), None));
    let rows = view.rows.clone();
    let again = view.take(A, 1, &first);
    assert_eq!((again.ack, again.outcome, again.changes.len()), (Some(seq(1)), Outcome::Repeated, 0));
    let early = view.take(A, 3, &of(seen(2, 2, 10)));
    assert_eq!((early.ack, early.request), (None, Some(Wanted::From(seq(2)))));
    assert_eq!((early.outcome, early.changes.len(), view.rows == rows), (Outcome::Gap, 0, true));
    view.take(A, 2, &of(seen(3, 3, 10)));
    assert_eq!(view.take(A, 3, &of(seen(2, 2, 10))).ack, Some(seq(3)));
    assert_eq!(view.rows.devices.len(), 3);
}

#[test]
fn only_an_active_local_controller_of_the_region_may_report() {
    let mut view = view();
    view.children.get_mut(&id(B)).unwrap().standing = Standing::Revoked;
    view.children.insert(id("local_cntl_zoneB_1"), child("local_cntl_zoneB_1", Role::Local, "zone-B"));
    view.children.insert(id("regional_cntl_zoneA_2"), child("regional_cntl_zoneA_2", Role::Regional, "zone-A"));
    let report = of(seen(1, 1, 10));
    let summary = Item::Summary(summary_of("zone-A", &[]));
    for (from, item, rejection) in [
        ("nobody", &report, Rejection::UnknownSender),
        (B, &report, Rejection::SenderNotActive),
        ("local_cntl_zoneB_1", &report, Rejection::WrongRegion),
        ("regional_cntl_zoneA_2", &report, Rejection::WrongTier),
        (A, &summary, Rejection::WrongTier),
    ] {
        let Absorbed { ack, request, outcome, changes } = view.take(from, 1, item);
        assert_eq!((ack, request, outcome), (None, None, Outcome::Rejected(rejection)));
        assert_eq!(changes.len(), 1);
        let event = view.events.pop().unwrap();
        assert_eq!((event.event_type, event.subject.as_str()), (EventType::DiscoveryReportRejected, from));
        assert_eq!(event.payload["reason"], rejection.as_str());
    }
    assert!(view.rows.devices.is_empty() && view.rows.sightings.is_empty() && view.received.is_empty());
}

#[test]
fn another_policy_is_told_and_the_report_taken() {
    let mut view = view();
    view.policy_version = Some(PolicyVersion::from_number(2));
    let mut local = Local::new(A);
    local.cycle(&[1], at(10));
    assert!(view.take(A, 1, &local.items[&1]).ack.is_some());
    assert_eq!(view.told(), [EventType::DiscoveryReportStalePolicy, EventType::DeviceDiscovered]);
}

#[test]
fn who_saw_a_device_last_has_it_and_both_are_told_once() {
    let mut view = view();
    view.take(A, 1, &of(seen(1, 1, 10)));
    assert_eq!(view.told(), [EventType::DeviceDiscovered]);
    view.take(B, 1, &of(ReportedDevice { hostname: Some("b".to_owned()), ..seen(7, 1, 20) }));
    let device = view.device(1);
    assert_eq!((device.local_controller.clone(), device.hostname.as_deref()), (Some(id(B)), Some("b")));
    assert_eq!(view.events.last().unwrap().payload["observations"].as_array().unwrap().len(), 2);
    assert_eq!(view.told(), [EventType::DeviceUpdated, EventType::DeviceLcReassigned, EventType::DeviceMultiLc]);
    // An older observation is kept, and changes nothing of the row.
    view.take(A, 2, &of(ReportedDevice { hostname: Some("a".to_owned()), ..seen(1, 1, 15) }));
    assert_eq!(view.told(), []);
    assert_eq!(view.device(1).hostname.as_deref(), Some("b"));
    view.take(A, 3, &of(seen(1, 1, 30)));
    assert_eq!(view.told(), [EventType::DeviceUpdated, EventType::DeviceLcReassigned]);
    assert_eq!(view.rows.devices.len(), 1);
    // Where it is gone, it belongs to the one where it still is.
    view.take(A, 4, &of(gone(1, 1, 40)));
    assert_eq!((view.device(1).status, view.device(1).local_controller.clone()), (DeviceStatus::Active, Some(id(B))));
    assert_eq!(view.told(), [EventType::DeviceLcReassigned]);
    view.take(B, 2, &of(gone(7, 1, 41)));
    assert_eq!(view.device(1).status, DeviceStatus::Inactive);
    assert_eq!(view.told(), [EventType::DeviceInactive]);
}

#[test]
fn a_device_that_nobody_has_any_more_is_inactive() {
    let mut view = view();
    view.take(A, 1, &of(seen(1, 1, 10)));
    view.take(B, 1, &of(seen(1, 1, 5)));
    let removed = |id| Item::Report(Report { removed: vec![DeviceId::from_number(id)], ..Report::default() });
    view.take(A, 2, &removed(1));
    assert_eq!((view.device(1).status, view.device(1).local_controller.clone()), (DeviceStatus::Active, Some(id(B))));
    view.take(B, 2, &removed(1));
    assert_eq!((view.device(1).status, view.rows.sightings.len()), (DeviceStatus::Inactive, 0));
    // Unknown ids are nothing.
    assert!(view.take(B, 3, &removed(9)).ack.is_some());
}

#[test]
fn devices_without_a_hardware_address_belong_to_their_reporter_until_they_tell_one() {
    let mut view = view();
    let nameless = |id| ReportedDevice { mac: None, ..seen(id, 9, 10) };
    view.take(A, 1, &of(nameless(1)));
    view.take(B, 1, &of(nameless(1)));
    assert_eq!(view.rows.devices.len(), 2);
    view.take(A, 2, &of(nameless(1)));
    assert_eq!(view.rows.devices.len(), 2);
    // It tells its address: the same device, with it.
    view.take(A, 3, &of(seen(1, 9, 20)));
    assert_eq!((view.rows.devices.len(), view.device(9).id), (2, DeviceId::from_number(1)));
    // The other one turns out to be the same.
    view.take(B, 2, &of(seen(1, 9, 30)));
    assert_eq!(view.device(9).local_controller, Some(id(B)));
    assert_eq!(view.rows.devices[&DeviceId::from_number(2)].status, DeviceStatus::Inactive);
}

#[test]
fn a_clock_that_is_ahead_owns_nothing_for_ever() {
    let mut view = view();
    view.take(A, 1, &of(seen(1, 1, 999_999)));
    assert_eq!(view.device(1).last_seen, at(1_000));
    view.now = at(2_000);
    view.take(B, 1, &of(seen(1, 1, 1_500)));
    assert_eq!(view.device(1).local_controller, Some(id(B)));
}

#[test]
fn a_device_of_another_region_is_told_once() {
    let mut view = view();
    let stranger = ReportedDevice { region: Some(region("zone-B")), ..seen(1, 1, 10) };
    view.take(A, 1, &of(stranger.clone()));
    assert_eq!(view.told(), [EventType::DeviceDiscovered, EventType::AnomalyCrossRegionDevice]);
    view.take(A, 2, &of(stranger));
    assert_eq!(view.told(), []);
    let Item::Summary(summary) = &view.outbox[0] else { panic!() };
    assert_eq!(summary.anomalies[0].event, EventType::AnomalyCrossRegionDevice);
}

#[test]
fn many_new_devices_at_once_are_a_spike() {
    let mut view = view();
    let mut local = Local::new(A);
    local.cycle(&(1..=50).collect::<Vec<_>>(), at(10));
    local.cycle(&(1..=101).collect::<Vec<_>>(), at(20));
    view.take(A, 1, &local.items[&1]);
    assert!(!view.told().contains(&EventType::AnomalyDiscoverySpike));
    view.take(A, 2, &local.items[&2]);
    assert!(view.told().contains(&EventType::AnomalyDiscoverySpike));
}

#[test]
fn a_root_that_does_not_agree_asks_for_a_snapshot_and_the_snapshot_mends() {
    let mut view = view();
    let mut local = Local::new(A);
    local.cycle(&[1, 2], at(10));
    local.items.clear();
    local.cycle(&[1, 2, 3], at(20));
    local.items = BTreeMap::from([(1, local.items.remove(&2).unwrap())]);
    local.last = 1;
    let taken = view.take(A, 1, &local.items[&1]);
    assert_eq!((taken.ack, taken.request), (Some(seq(1)), Some(Wanted::Snapshot)));
    local.snapshot();
    let mended = view.take(A, 2, &local.items[&2]);
    assert_eq!((mended.request, view.traces(A)), (None, local.traces()));
    assert!(view.told().contains(&EventType::ViewResynchronised));
}

#[test]
fn a_snapshot_may_jump_and_drops_what_it_does_not_tell() {
    let mut view = view();
    view.take(A, 1, &of(seen(9, 9, 10)));
    let mut local = Local::new(A);
    local.cycle(&[1, 2], at(20));
    local.last = 40;
    local.snapshot();
    assert_eq!(view.take(A, 41, &local.items[&41]).ack, Some(seq(41)));
    assert_eq!(view.traces(A), local.traces());
    assert_eq!(view.device(9).status, DeviceStatus::Inactive);
    assert_eq!(view.received[&id(A)], seq(41));
}

#[test]
fn a_summary_tells_news_and_nothing_else() {
    let mut view = view();
    let mut local = Local::new(A);
    local.cycle(&[1, 2], at(10));
    local.cycle(&[1, 2], at(20));
    local.cycle(&[1], at(30));
    for (seq, item) in local.items.clone() {
        view.take(A, seq, &item);
    }
    assert_eq!(view.outbox.len(), 2);
    let Item::Summary(last) = &view.outbox[1] else { panic!() };
    assert_eq!((last.devices.len(), last.devices[0].mac), (1, Some(mac(2))));
    assert_eq!(last.totals, BTreeMap::from([(DeviceStatus::Active, 1), (DeviceStatus::Inactive, 1)]));
    assert_eq!(last.lcs.as_ref().unwrap().reported, [id(A)]);
    let known = |device: &Device| KnownDevice { device: device.clone(), facts: Vec::new() };
    let devices: Vec<KnownDevice> = view.rows.devices.values().map(known).collect();
    assert_eq!(last.state_root, summary_of("zone-A", &devices).state_root);
    view.is_summary_due = true;
    local.cycle(&[1], at(40));
    view.take(A, 4, &local.items[&4]);
    assert_eq!(view.outbox.len(), 3);
}

#[test]
fn the_devices_of_a_silent_controller_are_given_up_where_nobody_else_sees_them() {
    let mut view = view();
    let mut local = Local::new(A);
    local.cycle(&[1, 2], at(10));
    view.take(A, 1, &local.items[&1]);
    view.take(B, 1, &of(seen(1, 1, 5)));
    view.told();
    view.outbox.clear();
    let changes = view.with_context(|context| give_up(&id(A), &view.rows, context)).unwrap();
    changes.iter().for_each(|change| view.apply(change));
    assert_eq!((view.device(1).status, view.device(1).local_controller.clone()), (DeviceStatus::Active, Some(id(B))));
    assert_eq!(view.device(2).status, DeviceStatus::Inactive);
    assert_eq!(view.told(), [EventType::DeviceLcReassigned, EventType::DeviceInactive]);
    assert_eq!(view.outbox.len(), 1);
    // It is back: its root does not agree, and its snapshot tells all again.
    local.cycle(&[1, 2], at(900));
    assert_eq!(view.take(A, 2, &local.items[&2]).request, Some(Wanted::Snapshot));
    local.snapshot();
    view.take(A, 3, &local.items[&3]);
    assert_eq!((view.traces(A), view.device(2).status), (local.traces(), DeviceStatus::Active));
}

/// What an agent at an address says its name is.
fn agent(source: &str, name: &str, second: i64) -> ReportedFact {
    let system = SnmpSystem { sys_name: Some(name.to_owned()), ..SnmpSystem::default() };
    ReportedFact {
        fact: Fact::SnmpSystem(system),
        source: source.to_owned(),
        protocol: Some(Protocol::Snmp),
        observed_at: at(second),
        observer: None,
    }
}

fn with_facts(device: ReportedDevice, facts: Vec<ReportedFact>) -> Item {
    of(ReportedDevice { facts, ..device })
}

/// What is kept: source, name, when, by whom.
fn names(view: &View) -> Vec<(String, String, i64, String)> {
    let kept = kept(view).into_iter();
    kept.map(|((_, _, source), (fact, at, by))| {
        let Fact::SnmpSystem(system) = fact else { panic!("{fact:?}") };
        (source, system.sys_name.unwrap(), at.as_millis() / 1_000, by.unwrap().to_string())
    })
    .collect()
}

fn name(source: &str, name: &str, second: i64, by: &str) -> (String, String, i64, String) {
    (source.to_owned(), name.to_owned(), second, by.to_owned())
}

#[test]
fn the_newest_observation_of_a_source_is_kept_whoever_has_the_device() {
    let mut view = view();
    view.take(A, 1, &with_facts(seen(1, 1, 10), vec![agent("x", "a", 10), agent("y", "a", 10)]));
    // B sees the device later, and heard its agent sooner.
    view.take(B, 1, &with_facts(seen(7, 1, 20), vec![agent("x", "b", 5), agent("z", "b", 20)]));
    assert_eq!(view.device(1).local_controller, Some(id(B)));
    let kept = [name("x", "a", 10, A), name("y", "a", 10, A), name("z", "b", 20, B)];
    assert_eq!(names(&view), kept);
    // Nothing is told again, and nothing is erased.
    view.take(A, 2, &of(seen(1, 1, 30)));
    view.take(B, 2, &of(gone(7, 1, 40)));
    assert_eq!(names(&view), kept);
    let gone = Item::Report(Report { removed: vec![DeviceId::from_number(1)], ..Report::default() });
    view.take(A, 3, &gone);
    assert_eq!(names(&view), kept);
}

#[test]
fn the_same_observation_twice_changes_nothing() {
    let mut view = view();
    let item = with_facts(seen(1, 1, 10), vec![agent("x", "a", 10)]);
    view.take(A, 1, &item);
    let rows = view.rows.clone();
    let again = view.take(A, 2, &item);
    assert!(!again.changes.iter().any(|change| matches!(change, Change::PutFact(_))), "{:?}", again.changes);
    assert_eq!((&view.rows.facts, view.rows.devices.len()), (&rows.facts, 1));
}

#[test]
fn an_observation_of_a_time_that_has_not_come_does_not_stay_for_ever() {
    let mut view = view();
    view.take(A, 1, &with_facts(seen(1, 1, 10), vec![agent("x", "a", 999_999)]));
    assert_eq!(names(&view), [name("x", "a", 1_000, A)]);
    view.now = at(2_000);
    view.take(B, 1, &with_facts(seen(1, 1, 10), vec![agent("x", "b", 1_500)]));
    assert_eq!(names(&view), [name("x", "b", 1_500, B)]);
    view.take(B, 2, &with_facts(seen(1, 1, 10), vec![agent("x", "c", 5_000)]));
    view.now = at(1_000);
    // The clock here was set back; what B says of its own observation is followed all the same.
    view.take(B, 3, &with_facts(seen(1, 1, 10), vec![agent("x", "d", 5_001)]));
    assert_eq!(names(&view), [name("x", "d", 2_000, B)]);
}

#[test]
fn an_interface_table_that_changed_is_told_with_what_changed_and_passed_on() {
    let mut view = view();
    let table = |names: &[&str], second| ReportedFact {
        fact: Fact::SnmpInterfaces((1..).zip(names).map(|(index, name)| interface(index, name)).collect()),
        ..agent("x", "", second)
    };
    view.take(A, 1, &with_facts(seen(1, 1, 10), vec![table(&["eth0"], 10)]));
    view.told();
    view.outbox.clear();
    view.take(A, 2, &with_facts(seen(1, 1, 20), vec![table(&["eth0", "eth1"], 20)]));
    let change = &view.events[0].payload["changes"]["interfaces"];
    assert_eq!((view.events.len(), &change["added"]), (1, &serde_json::json!(["eth1"])));
    let [Item::Summary(told)] = view.outbox.as_slice() else { panic!("{:?}", view.outbox) };
    let fact = &told.devices[0].facts[0];
    assert_eq!((fact.observer.clone(), fact.observed_at), (Some(id(A)), at(20)));
    // Two that differ in nothing are not told as different.
    view.take(A, 3, &with_facts(seen(1, 1, 30), vec![table(&["eth0", "eth1"], 30)]));
    assert_eq!(view.events.len(), 1);
}

fn interface(index: u32, name: &str) -> Interface {
    Interface { index, name: Some(name.to_owned()), ..Interface::default() }
}

#[test]
fn a_region_speaks_for_its_own_local_controllers() {
    let mut view = global();
    let (a, b) = ("regional_cntl_zoneA_1", "regional_cntl_zoneB_1");
    let by = |observer: &str, second| ReportedFact { observer: Some(id(observer)), ..agent("x", observer, second) };
    let told = |zone: &str, fact| {
        let device = ReportedDevice { facts: vec![fact], ..seen(1, 1, 10) };
        summary(zone, vec![device])
    };
    view.take(a, 1, &told("zone-A", by(A, 10)));
    assert_eq!(names(&view), [name("x", A, 10, A)]);
    // The region found another one of its own to be right; of another region the newer one counts.
    view.take(a, 2, &told("zone-A", by(B, 10)));
    assert_eq!(names(&view), [name("x", B, 10, B)]);
    view.take(b, 1, &told("zone-B", by("local_cntl_zoneB_1", 9)));
    assert_eq!(names(&view), [name("x", B, 10, B)]);
    // Nobody speaks for those of another region.
    view.take(b, 2, &told("zone-B", by(A, 11)));
    assert_eq!(names(&view), [name("x", A, 11, b)]);
}

#[test]
fn facts_that_were_lost_are_missed_and_told_anew() {
    let mut view = view();
    let mut local = Local::with_agents(A);
    local.cycle(&[1, 2], at(10));
    view.take(A, 1, &local.items[&1]);
    local.cycle(&[1, 2], at(20));
    let Item::Report(told) = &local.items[&2] else { panic!() };
    assert_eq!(told.devices.iter().map(|device| device.facts.len()).collect::<Vec<_>>(), [2, 2]);
    // The devices are as they were; only what the agents say is lost.
    let without = Item::Report(Report { devices: Vec::new(), ..told.clone() });
    assert_eq!(view.take(A, 2, &without).request, Some(Wanted::Snapshot));
    local.snapshot();
    assert_eq!(view.take(A, 3, &local.items[&3]).request, None);
    assert_eq!((kept(&view), view.traces(A)), (newest(std::slice::from_ref(&local)), local.traces()));
    // In the next cycle the agents say the same, and have only been up for longer: nothing is told.
    local.cycle(&[1, 2], at(26));
    let before = local.items[&4].devices().len();
    local.cycle(&[1, 2], at(27));
    assert_eq!((before, local.items[&5].devices().len()), (2, 0));
}

fn global() -> View {
    let regional = [("regional_cntl_zoneA_1", "zone-A"), ("regional_cntl_zoneB_1", "zone-B")];
    let children = regional.map(|(name, zone)| child(name, Role::Regional, zone));
    View { now: at(1_000), ..View::new("global_cntl_1", None, children) }
}

fn summary(zone: &str, devices: Vec<ReportedDevice>) -> Item {
    Item::Summary(Summary { state_root: None, devices, ..summary_of(zone, &[]) })
}

#[test]
fn one_address_in_two_regions_is_told_until_it_ends_once() {
    let mut view = global();
    let (a, b) = ("regional_cntl_zoneA_1", "regional_cntl_zoneB_1");
    view.take(a, 1, &summary("zone-A", vec![seen(1, 1, 10)]));
    assert_eq!(view.told(), [EventType::DeviceDiscovered, EventType::GlobalDiscoveryCycleUpdated]);
    view.take(b, 1, &summary("zone-B", vec![seen(4, 1, 20)]));
    assert!(view.told().contains(&EventType::AnomalyGlobalMacCollision));
    assert_eq!(view.device(1).region, Some(region("zone-B")));
    view.take(b, 2, &summary("zone-B", vec![seen(4, 1, 30)]));
    view.take(a, 2, &summary("zone-A", vec![gone(1, 1, 10)]));
    assert!(!view.told().contains(&EventType::AnomalyGlobalMacCollision));
    view.take(a, 3, &summary("zone-A", vec![seen(1, 1, 40)]));
    assert!(view.told().contains(&EventType::AnomalyGlobalMacCollision));
    assert!(!view.events.iter().any(|event| event.event_type == EventType::DeviceMultiLc));
}

#[test]
fn missing_controllers_and_anomalies_are_told_to_operators_once() {
    let mut view = global();
    let missing = [id(A), id("local_cntl_zoneB_1")].to_vec();
    let frame = summary_of("zone-A", &[]);
    let lcs = Some(Reporters { reported: Vec::new(), missing });
    let item = Item::Summary(Summary { lcs, ..frame });
    view.take("regional_cntl_zoneA_1", 1, &item);
    let told: Vec<_> = view.events.iter().map(|event| (event.event_type, event.subject.as_str())).collect();
    // Whom the region cannot have is not told.
    assert_eq!(told, [(EventType::DiscoveryLcMissing, A), (EventType::GlobalDiscoveryCycleUpdated, "zone-A")]);
    view.told();
    view.missing = BTreeSet::from([id(A)]);
    view.take("regional_cntl_zoneA_1", 2, &item);
    assert_eq!(view.told(), [EventType::GlobalDiscoveryCycleUpdated]);
    let wrong = Item::Summary(summary_of("zone-B", &[]));
    let refused = view.take("regional_cntl_zoneA_1", 3, &wrong);
    assert_eq!(refused.outcome, Outcome::Rejected(Rejection::WrongRegion));
}

/// What happens to a controller and to what it sends.
#[derive(Debug, Clone)]
enum Step {
    /// It sees these devices.
    Cycle(usize, Vec<u8>),
    /// Its item of this number, counted from the last one backwards, arrives: again, or too early.
    Arrive(usize, u64),
    /// The item that is next arrives.
    Next(usize),
    /// Its outbox is full: a snapshot takes its place.
    Overflow(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0_usize..3;
    let step = prop_oneof![
        2 => (who.clone(), proptest::collection::btree_set(1_u8..9, 0..6))
            .prop_map(|(who, seen)| Step::Cycle(who, seen.into_iter().collect())),
        3 => (who.clone(), 0_u64..6).prop_map(|(who, back)| Step::Arrive(who, back)),
        3 => who.clone().prop_map(Step::Next),
        1 => who.prop_map(Step::Overflow),
    ];
    proptest::collection::vec(step, 0..60)
}

/// Delivers one item, and has a snapshot written when one is asked for.
fn deliver(view: &mut View, local: &mut Local, seq: u64) {
    let Some(item) = local.items.get(&seq).cloned() else { return };
    let absorbed = view.take(local.name, seq, &item);
    if absorbed.request == Some(Wanted::Snapshot) {
        local.snapshot();
    }
}

/// Delivers what is next, or asks for a snapshot where it is no more.
fn deliver_next(view: &mut View, local: &mut Local) -> bool {
    let received = view.received.get(&id(local.name)).map_or(0, |seq| seq.number());
    if received >= local.last {
        return false;
    }
    match local.items.range(received + 1..).next().map(|(seq, item)| (*seq, item.snapshot().is_some())) {
        Some((seq, is_snapshot)) if seq == received + 1 || is_snapshot => deliver(view, local, seq),
        _ => local.snapshot(),
    }
    true
}

fn converge(view: &mut View, locals: &mut [Local]) -> Result<(), TestCaseError> {
    for local in locals.iter_mut() {
        // Bounded: a view that never agrees must not pass for one that does.
        for _ in 0..200 {
            if !deliver_next(view, local) {
                break;
            }
        }
        prop_assert_eq!(view.received.get(&id(local.name)).map_or(0, |seq| seq.number()), local.last);
        prop_assert_eq!(view.traces(local.name), local.traces());
    }
    let mut union: BTreeMap<MacAddr, bool> = BTreeMap::new();
    for device in locals.iter().flat_map(|local| local.devices.values()) {
        *union.entry(device.mac.unwrap()).or_default() |= is_there(device.status);
    }
    let known =
        view.rows.devices.values().filter(|device| {
            view.rows.sightings.values().any(|seen| seen.device == device.id) || is_there(device.status)
        });
    let known: BTreeMap<MacAddr, bool> = known.map(|one| (one.mac.unwrap(), is_there(one.status))).collect();
    prop_assert_eq!(known, union);
    for device in view.rows.devices.values().filter(|device| is_there(device.status)) {
        let owner = device.local_controller.as_ref().unwrap();
        let has = |local: &Local| {
            let own = local.devices.values().find(|one| one.mac == device.mac);
            local.name == owner.as_str() && own.is_some_and(|own| is_there(own.status))
        };
        prop_assert!(locals.iter().any(has), "{} has no {:?}", owner, device.mac);
    }
    prop_assert_eq!(kept(view), newest(locals));
    Ok(())
}

type Kept = BTreeMap<(MacAddr, FactKind, String), (Fact, Timestamp, Option<ControllerId>)>;

/// The facts of a view in which it agrees with those below.
fn kept(view: &View) -> Kept {
    let compared = view.rows.facts.values().filter(|row| is_compared(row.fact.kind()));
    let kept = |row: &FactRow| {
        let mac = view.rows.devices[&row.device].mac.unwrap();
        let value = (row.fact.clone(), row.observed_at, row.observer.clone());
        ((mac, row.fact.kind(), row.source.clone()), value)
    };
    compared.map(kept).collect()
}

/// Of what the controllers below have observed, the newest.
fn newest(locals: &[Local]) -> Kept {
    let mut newest = Kept::new();
    for local in locals {
        for row in local.facts.values().filter(|row| is_compared(row.fact.kind())) {
            let mac = local.devices[&row.device].mac.unwrap();
            let value = (row.fact.clone(), row.observed_at, Some(id(local.name)));
            let best = newest.entry((mac, row.fact.kind(), row.source.clone())).or_insert_with(|| value.clone());
            if best.1 < value.1 {
                *best = value;
            }
        }
    }
    newest
}

/// What a region tells arrives at the Global Controller, which has the same in the end.
fn tell_global(view: &View) -> Result<(), TestCaseError> {
    let mut above = View { now: view.now, ..global() };
    for (seq, item) in (1..).zip(&view.outbox) {
        let absorbed = above.take("regional_cntl_zoneA_1", seq, item);
        prop_assert_eq!((absorbed.ack, absorbed.request), (Some(StreamSeq::from_number(seq)), None));
    }
    let rows = |view: &View| -> BTreeMap<_, _> {
        let devices = view.rows.devices.values();
        devices.map(|one| (one.mac, (one.status, one.addresses.clone(), one.local_controller.clone()))).collect()
    };
    prop_assert_eq!(rows(&above), rows(view));
    prop_assert_eq!(kept(&above), kept(view));
    Ok(())
}

proptest! {
    #[test]
    fn whatever_is_lost_repeated_or_late_the_view_has_what_they_have(steps in steps()) {
        let mut view = View { now: at(1_000), ..View::regional(&[A, B, C]) };
        let mut locals = [A, B, C].map(Local::with_agents);
        for (time, step) in (10..).zip(steps) {
            match step {
                Step::Cycle(who, seen) => locals[who].cycle(&seen, at(time)),
                Step::Arrive(who, back) => {
                    let seq = locals[who].last.saturating_sub(back);
                    deliver(&mut view, &mut locals[who], seq);
                }
                Step::Next(who) => drop(deliver_next(&mut view, &mut locals[who])),
                Step::Overflow(who) => locals[who].snapshot(),
            }
        }
        converge(&mut view, &mut locals)?;
        tell_global(&view)?;
    }

    #[test]
    fn a_snapshot_mends_any_wrong_view(
        right in proptest::collection::btree_set(1_u8..9, 0..6),
        wrong in proptest::collection::vec((1_u32..9, 1_u8..12, any::<bool>()), 0..12),
        lost in proptest::collection::vec(0_usize..8, 0..4),
    ) {
        let mut view = View { now: at(1_000), ..View::regional(&[A, B, C]) };
        let mut locals = [A, B, C].map(Local::with_agents);
        locals[0].cycle(&right.into_iter().collect::<Vec<_>>(), at(10));
        locals[1].cycle(&[1, 2, 3], at(20));
        converge(&mut view, &mut locals)?;
        // Sightings that the controller never told, and some that it told are lost.
        for (reported, number, is_there) in wrong {
            let status = if is_there { DeviceStatus::Active } else { DeviceStatus::Inactive };
            let made_up = ReportedDevice { status, ..seen(reported, number, 15) };
            let next = view.received.get(&id(A)).map_or(1, |seq| seq.number() + 1);
            view.take(A, next, &of(made_up));
        }
        for place in lost {
            let told = view.rows.sightings.keys().filter(|(by, _)| *by == id(A)).nth(place).cloned();
            let removed = told.into_iter().map(|(_, reported)| reported).collect();
            let next = view.received.get(&id(A)).map_or(1, |seq| seq.number() + 1);
            view.take(A, next, &Item::Report(Report { removed, ..Report::default() }));
        }
        locals[0].last = view.received.get(&id(A)).map_or(0, |seq| seq.number());
        locals[0].snapshot();
        converge(&mut view, &mut locals)?;
    }
}
