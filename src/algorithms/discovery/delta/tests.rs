use super::*;
use crate::algorithms::discovery::merge::merge;
use crate::algorithms::discovery::observation::{HostObservation, SnmpAnswer};
use crate::domain::device::{DeviceStatus, DeviceType, Version};
use crate::domain::fact::{Fact, Interface, SnmpEngine, SnmpFailure, SnmpReachability, SnmpSystem, SnmpUptime};
use crate::domain::protocol::Protocol;
use crate::domain::subnet::AddressSet;
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);

fn mac(number: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, number])
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, last)
}

fn ips(last: &[u8]) -> Vec<Ipv4Addr> {
    last.iter().map(|last| ip(*last)).collect()
}

fn id(number: u8) -> DeviceId {
    DeviceId::from_number(u32::from(number))
}

/// The device of this number, as the NIB has it after it was seen at its own address.
fn known(number: u8) -> KnownDevice {
    let device = Device {
        id: id(number),
        mac: Some(mac(number)),
        addresses: ips(&[number]),
        hostname: None,
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
    };
    KnownDevice { device, facts: Vec::new() }
}

/// The device of this number, as it answers at these addresses.
fn answering(number: u8, at: &[u8]) -> DeviceObservation {
    DeviceObservation {
        mac: Some(mac(number)),
        addresses: ips(at),
        methods: vec![Protocol::Arp],
        rtt: None,
        snmp: None,
    }
}

fn told(number: u8, answer: SnmpAnswer) -> DeviceObservation {
    DeviceObservation { snmp: Some((ip(number), Ok(answer))), ..answering(number, &[number]) }
}

fn silent_agent(number: u8, reason: SnmpFailure) -> DeviceObservation {
    DeviceObservation { snmp: Some((ip(number), Err(reason))), ..answering(number, &[number]) }
}

fn system(name: &str, description: &str) -> SnmpSystem {
    SnmpSystem { sys_name: Some(name.into()), sys_descr: Some(description.into()), ..SnmpSystem::default() }
}

/// A controller with its policy and what it knows: cycles are decided and applied one after another.
struct Scene {
    now: Timestamp,
    actor: ControllerId,
    region: Option<Region>,
    limit: u32,
    asked: Vec<Asked>,
    vendors: VendorTable,
    known: Vec<KnownDevice>,
    readings: BTreeMap<DeviceId, Readings>,
}

impl Scene {
    fn of(known: impl IntoIterator<Item = KnownDevice>) -> Self {
        Self {
            now: Timestamp::from_millis(1_000),
            actor: ControllerId::standalone(),
            region: None,
            limit: 3,
            asked: vec![AddressSet::new(&["10.0.1.0/24".parse().unwrap()]).into()],
            vendors: VendorTable::builtin(),
            known: known.into_iter().collect(),
            readings: BTreeMap::new(),
        }
    }

    fn decide(&self, seen: &[DeviceObservation]) -> Delta {
        let next = self.known.iter().map(|one| one.device.id.number() + 1).max().unwrap_or(1);
        let context = Context {
            began: self.now,
            now: self.now,
            actor: &self.actor,
            region: self.region.as_ref(),
            local_controller: None,
            missed_cycles_before_inactive: self.limit,
            asked: &self.asked,
            vendors: &self.vendors,
            readings: &self.readings,
        };
        decide(&self.known, DeviceId::from_number(next), seen, &context)
    }

    /// Decides a cycle an hour later, and writes it down.
    fn cycle(&mut self, seen: &[DeviceObservation]) -> Delta {
        self.now = self.now.saturating_add(HOUR);
        let delta = self.decide(seen);
        for change in &delta.changes {
            self.apply(change);
        }
        delta
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::InsertDevice(device) => {
                self.known.push(KnownDevice { device: device.clone(), facts: Vec::new() });
            }
            Change::UpdateDevice(device) => {
                let one = self.one(device.id);
                assert_eq!(device.version, one.device.version, "computed from the row that was read");
                one.device = Device { version: device.version.next(), ..device.clone() };
            }
            Change::TouchDevice { id, version, last_seen, methods, rtt } => {
                let device = &mut self.one(*id).device;
                assert_eq!(*version, device.version, "computed from the row that was read");
                device.version = version.next();
                (device.last_seen, device.missed_cycles) = (*last_seen, 0);
                (device.methods, device.rtt) = (methods.clone(), *rtt);
            }
            Change::PutFact(row) => {
                let facts = &mut self.one(row.device).facts;
                let same = |have: &FactRow| (have.fact.kind(), &have.source) == (row.fact.kind(), &row.source);
                // As the NIB does: of two values the newer one stays.
                if !facts.iter().any(|have| same(have) && have.observed_at > row.observed_at) {
                    facts.retain(|have| !same(have));
                    facts.push(row.clone());
                }
            }
            Change::RemoveDevice { id, version } => {
                assert_eq!(self.one(*id).device.version, *version, "computed from the row that was read");
                self.known.retain(|one| one.device.id != *id);
                self.readings.remove(id);
            }
            Change::PutCounters(counters) => {
                assert!(self.known.iter().any(|one| one.device.id == counters.device), "its device is written before");
                self.readings.insert(counters.device, counters.clone().into());
            }
            _ => {}
        }
    }

    fn one(&mut self, id: DeviceId) -> &mut KnownDevice {
        self.known.iter_mut().find(|one| one.device.id == id).unwrap()
    }

    fn device(&mut self, number: u8) -> &Device {
        &self.one(id(number)).device
    }
}

fn events(delta: &Delta) -> Vec<(EventType, &str, &Value)> {
    let event = |change| match change {
        &Change::Append(NewEvent { event_type, ref subject, ref payload, .. }) => {
            Some((event_type, subject.as_str(), payload))
        }
        _ => None,
    };
    delta.changes.iter().filter_map(event).collect()
}

fn facts(delta: &Delta) -> Vec<FactKind> {
    let kind = |change: &Change| match change {
        Change::PutFact(row) => Some(row.fact.kind()),
        _ => None,
    };
    delta.changes.iter().filter_map(kind).collect()
}

/// The one event of the cycle, which is this device's update: what it says has changed.
fn update(delta: &Delta, number: u8) -> Value {
    let [(event_type, subject, payload)] = events(delta)[..] else { panic!("{delta:?}") };
    assert_eq!((event_type, subject), (EventType::DeviceUpdated, id(number).to_string().as_str()));
    payload["changes"].clone()
}

mod newcomers {
    use super::*;

    #[test]
    fn a_new_device_is_a_row_with_its_facts_and_one_event() {
        let mut scene = Scene::of([known(1)]);
        scene.region = Some("zone-A".parse().unwrap());
        let mut observation = told(2, SnmpAnswer { system: system("core-2", "x"), ..SnmpAnswer::default() });
        observation.mac = Some("00:1b:2f:00:00:02".parse().unwrap());
        observation.rtt = Some(Duration::from_millis(2));
        let delta = scene.cycle(&[answering(1, &[1]), observation]);
        assert_eq!(delta.counts, DeltaCounts { new: 1, updated: 1, ..DeltaCounts::default() });
        let device = scene.device(2);
        assert_eq!((device.hostname.as_deref(), device.vendor.as_deref()), (Some("core-2"), Some("NETGEAR")));
        assert_eq!((device.addresses.clone(), device.status), (ips(&[2]), DeviceStatus::Active));
        assert_eq!(device.region.as_ref().map(Region::as_str), Some("zone-A"));
        assert_eq!(
            (device.first_seen, device.last_seen, device.missed_cycles),
            (device.last_seen, device.first_seen, 0)
        );
        assert_eq!(facts(&delta), [FactKind::VendorEvidence, FactKind::SnmpReachability, FactKind::SnmpSystem]);
        let (event_type, subject, payload) = *events(&delta).last().unwrap();
        assert_eq!((event_type, subject), (EventType::DeviceDiscovered, "nib-dev-000002"));
        assert_eq!(payload["mac"], "00:1b:2f:00:00:02");
        assert_eq!((&payload["ip_addresses"][0], &payload["hostname"]), (&"10.0.1.2".into(), &"core-2".into()));
    }

    #[test]
    fn newcomers_are_numbered_in_the_order_of_their_addresses() {
        let mut scene = Scene::of([known(7)]);
        scene.cycle(&[answering(1, &[30]), answering(2, &[20, 40]), answering(3, &[10]), answering(7, &[7])]);
        let order: Vec<_> = (8..=10).map(|number| scene.device(number).addresses[0]).collect();
        assert_eq!(order, ips(&[10, 20, 30]));
    }

    #[test]
    fn two_newcomers_that_dispute_an_address_are_numbered_by_their_hardware_addresses() {
        let mut scene = Scene::of([]);
        scene.cycle(&[answering(9, &[5]), answering(4, &[5])]);
        assert_eq!((scene.device(1).mac, scene.device(2).mac), (Some(mac(4)), Some(mac(9))));
    }
}

mod sightings {
    use super::*;

    #[test]
    fn a_device_that_is_as_it_was_is_touched_and_no_event_tells_of_it() {
        let scene = Scene::of([known(1)]);
        let mut observation = answering(1, &[1]);
        (observation.methods, observation.rtt) = (Protocol::ALL.to_vec(), Some(Duration::from_millis(3)));
        let delta = scene.decide(&[observation]);
        let touch = Change::TouchDevice {
            id: id(1),
            version: Version::FIRST,
            last_seen: scene.now,
            methods: Protocol::ALL.to_vec(),
            rtt: Some(Duration::from_millis(3)),
        };
        assert_eq!(delta.changes, [touch]);
        assert_eq!(delta.counts, DeltaCounts { unchanged: 1, ..DeltaCounts::default() });
    }

    #[test]
    fn every_watched_column_that_changes_is_told_with_its_old_and_new_value() {
        type Before = fn(&mut Device);
        let cases: [(&str, Before, Value, Value); 7] = [
            (
                "ip_addresses",
                |device| device.addresses = ips(&[1, 9]),
                ["10.0.1.1", "10.0.1.9"].into(),
                ["10.0.1.1"].into(),
            ),
            ("hostname", |device| device.hostname = Some("old".into()), "old".into(), "new".into()),
            ("vendor", |device| device.vendor = Some("Acme".into()), "Acme".into(), "Cisco".into()),
            ("device_type", |device| device.device_type = DeviceType::Printer, "printer".into(), "router".into()),
            ("firmware", |device| device.firmware = Some("1.0".into()), "1.0".into(), "IOS 15.2(4)M6".into()),
            ("status", |device| device.status = DeviceStatus::Unreachable, "unreachable".into(), "active".into()),
            ("region", |device| device.region = Some("zone-B".parse().unwrap()), "zone-B".into(), "zone-A".into()),
        ];
        let answer = SnmpAnswer {
            system: SnmpSystem {
                sys_object_id: Some("1.3.6.1.4.1.9.1.1208".into()),
                sys_services: Some(6),
                ..system("new", "Cisco IOS Software, C2900 Software (C2900-UNIVERSALK9-M), Version 15.2(4)M6")
            },
            ..SnmpAnswer::default()
        };
        let mut scene = Scene::of([known(1)]);
        scene.limit = 1;
        scene.region = Some("zone-A".parse().unwrap());
        scene.cycle(&[told(1, answer.clone())]);
        let settled = scene.known[0].clone();
        assert_eq!(settled.device.device_type, DeviceType::Router, "{settled:?}");
        for (column, before, from, to) in cases {
            scene.known = vec![settled.clone()];
            before(&mut scene.known[0].device);
            let delta = scene.decide(&[told(1, answer.clone())]);
            assert_eq!(update(&delta, 1), json!({ column: { "from": from, "to": to } }));
            assert_eq!(delta.counts, DeltaCounts { updated: 1, ..DeltaCounts::default() });
        }
    }

    #[test]
    fn a_description_that_names_no_software_takes_the_old_name_back() {
        let answer = |descr: &str| SnmpAnswer { system: system("core-1", descr), ..SnmpAnswer::default() };
        let mut scene = Scene::of([known(1)]);
        scene.cycle(&[told(1, answer("Cisco IOS Software, C2900 Software, Version 15.2(4)M6"))]);
        assert_eq!(scene.known[0].device.firmware.as_deref(), Some("IOS 15.2(4)M6"));
        scene.cycle(&[answering(1, &[1])]);
        assert_eq!(scene.known[0].device.firmware.as_deref(), Some("IOS 15.2(4)M6"), "silence takes nothing");
        scene.cycle(&[told(1, answer("a box"))]);
        assert_eq!(scene.known[0].device.firmware, None);
    }

    #[test]
    fn the_controller_that_owns_a_device_is_watched_too() {
        let mut scene = Scene::of([known(1)]);
        let owner: ControllerId = "local_cntl_zoneA_5".parse().unwrap();
        let context = Context {
            began: scene.now,
            now: scene.now,
            actor: &owner,
            region: None,
            local_controller: Some(&owner),
            missed_cycles_before_inactive: 3,
            asked: &scene.asked,
            vendors: &scene.vendors,
            readings: &scene.readings,
        };
        let delta = decide(&scene.known, id(2), &[answering(1, &[1])], &context);
        let change = json!({ "local_controller": { "from": null, "to": "local_cntl_zoneA_5" } });
        assert_eq!(update(&delta, 1), change);
        let Change::Append(event) = &delta.changes[1] else { panic!("{delta:?}") };
        assert_eq!(event.actor, "local_cntl_zoneA_5");
        scene.apply(&delta.changes[0]);
        assert_eq!(events(&scene.decide(&[answering(1, &[1])])), [], "a controller without a name takes nothing away");
    }

    #[test]
    fn a_device_that_returns_is_active_and_its_count_is_forgotten() {
        let mut gone = known(1);
        (gone.device.status, gone.device.missed_cycles) = (DeviceStatus::Inactive, 3);
        let mut scene = Scene::of([gone]);
        let delta = scene.cycle(&[answering(1, &[1])]);
        assert_eq!(update(&delta, 1), json!({ "status": { "from": "inactive", "to": "active" } }));
        let now = scene.now;
        let device = scene.device(1);
        assert_eq!((device.status, device.missed_cycles, device.last_seen), (DeviceStatus::Active, 0, now));
    }
}

mod silence {
    use super::*;

    #[test]
    fn a_device_is_inactive_after_exactly_as_many_cycles_as_policy_says() {
        for limit in 1..6 {
            let mut scene = Scene::of([known(1)]);
            scene.limit = limit;
            for missed in 1..limit {
                let delta = scene.cycle(&[]);
                assert_eq!(delta.counts, DeltaCounts { missed: 1, ..DeltaCounts::default() });
                assert_eq!(events(&delta), [], "silence is believed slowly");
                assert_eq!((scene.device(1).status, scene.device(1).missed_cycles), (DeviceStatus::Active, missed));
            }
            let delta = scene.cycle(&[]);
            assert_eq!(delta.counts, DeltaCounts { inactive: 1, ..DeltaCounts::default() });
            let payload = json!({
                "mac": mac(1),
                "ip_addresses": ["10.0.1.1"],
                "missed_cycles": limit,
                "last_seen": "1970-01-01T00:00:01.000Z",
            });
            assert_eq!(events(&delta), [(EventType::DeviceInactive, "nib-dev-000001", &payload)]);
            assert_eq!((scene.device(1).status, scene.device(1).missed_cycles), (DeviceStatus::Inactive, limit));
            assert_eq!(scene.cycle(&[]), Delta::default(), "it is told once");
        }
    }

    #[test]
    fn one_sighting_sets_the_count_back() {
        let mut scene = Scene::of([known(1)]);
        for seen in [false, false, true, false, false, true] {
            let answer = [answering(1, &[1])];
            scene.cycle(if seen { &answer } else { &[] });
            assert_eq!(scene.device(1).status, DeviceStatus::Active);
        }
        assert_eq!(scene.device(1).missed_cycles, 0);
    }

    #[test]
    fn a_limit_that_is_lowered_holds_at_once_and_the_count_stays_true() {
        let mut scene = Scene::of([known(1)]);
        scene.limit = 5;
        scene.cycle(&[]);
        scene.cycle(&[]);
        scene.limit = 1;
        scene.cycle(&[]);
        assert_eq!((scene.device(1).status, scene.device(1).missed_cycles), (DeviceStatus::Inactive, 3));
    }

    #[test]
    fn what_people_decided_stays_and_is_not_written_for_ever() {
        for status in [DeviceStatus::Quarantined, DeviceStatus::Degraded] {
            let mut device = known(1);
            device.device.status = status;
            let mut scene = Scene::of([device]);
            for missed in 1..=3 {
                assert_eq!(scene.cycle(&[]).counts, DeltaCounts { missed: 1, ..DeltaCounts::default() });
                assert_eq!((scene.device(1).status, scene.device(1).missed_cycles), (status, missed));
            }
            assert_eq!(scene.cycle(&[]).changes, []);
            scene.limit = 2;
            assert_eq!(scene.cycle(&[]).changes, [], "a lower limit makes no row worth writing");
            let delta = scene.cycle(&[answering(1, &[1])]);
            assert_eq!((events(&delta), delta.changes.len()), (vec![], 1));
            assert_eq!((scene.device(1).status, scene.device(1).missed_cycles), (status, 0));
        }
    }

    #[test]
    fn who_was_not_asked_at_every_address_is_not_judged() {
        let mut two = known(2);
        two.device.addresses.push(Ipv4Addr::new(10, 0, 2, 2));
        let elsewhere =
            KnownDevice { device: Device { addresses: vec![[10, 0, 2, 3].into()], ..known(3).device }, facts: vec![] };
        let mut scene = Scene::of([known(1), two, elsewhere]);
        assert_eq!(scene.cycle(&[]).counts, DeltaCounts { missed: 1, ..DeltaCounts::default() });
        assert_eq!([1, 2, 3].map(|number| scene.device(number).missed_cycles), [1, 0, 0]);
        scene.asked.push(AddressSet::new(&["10.0.2.0/24".parse().unwrap()]).into());
        scene.cycle(&[]);
        assert_eq!([1, 2, 3].map(|number| scene.device(number).missed_cycles), [2, 1, 1]);
    }

    #[test]
    fn when_nobody_was_asked_nobody_is_judged() {
        let mut without_address = known(2);
        without_address.device.addresses.clear();
        let mut scene = Scene::of([known(1), without_address]);
        scene.asked.clear();
        assert_eq!(scene.cycle(&[]), Delta::default());
    }

    #[test]
    fn where_silence_means_nothing_a_device_still_answers_by_what_it_did() {
        let mut whole = answering(1, &[1]);
        whole.methods = vec![Protocol::Arp, Protocol::Snmp];
        let mut scene = Scene::of([known(1)]);
        scene.cycle(&[whole.clone()]);
        let half = DeviceObservation { methods: vec![Protocol::Arp, Protocol::Icmp], ..whole };
        let asked = std::mem::take(&mut scene.asked);
        scene.cycle(std::slice::from_ref(&half));
        assert_eq!(scene.device(1).methods, Protocol::ALL);
        scene.asked = asked;
        scene.cycle(std::slice::from_ref(&half));
        assert_eq!(scene.device(1).methods, half.methods);
    }

    #[test]
    fn a_device_without_a_hardware_address_is_missed_like_any_other() {
        let mut routed = known(1);
        routed.device.mac = None;
        let scene = Scene::of([routed]);
        assert_eq!(scene.decide(&[]).counts, DeltaCounts { missed: 1, ..DeltaCounts::default() });
    }

    #[test]
    fn who_is_known_by_arp_alone_is_not_judged_by_pings_nor_who_could_not_be_reached() {
        let by_ping = |unreached: &[u8]| Asked {
            by_arp: false,
            unreached: ips(unreached).into_iter().collect(),
            ..scene_asked()
        };
        let mut pings = known(2);
        pings.device.methods = vec![Protocol::Arp, Protocol::Icmp];
        let mut scene = Scene::of([known(1), pings]);
        let missed = |scene: &Scene| scene.decide(&[]).counts.missed;
        scene.asked = vec![by_ping(&[])];
        assert_eq!(missed(&scene), 1, "only the one that is known to answer pings");
        scene.asked = vec![by_ping(&[2])];
        assert_eq!(missed(&scene), 0);
    }

    fn scene_asked() -> Asked {
        AddressSet::new(&["10.0.1.0/24".parse().unwrap()]).into()
    }
}

mod addresses {
    use super::*;

    #[test]
    fn an_address_that_another_device_answers_for_has_moved_at_once() {
        let mut both = known(1);
        both.device.addresses = ips(&[1, 9]);
        let mut scene = Scene::of([both, known(2)]);
        let delta = scene.cycle(&[answering(1, &[1]), answering(2, &[2, 9])]);
        assert_eq!(delta.counts, DeltaCounts { updated: 2, ..DeltaCounts::default() });
        assert_eq!((scene.device(1).addresses.clone(), scene.device(2).addresses.clone()), (ips(&[1]), ips(&[2, 9])));
        assert!(events(&delta).iter().all(|(event_type, ..)| *event_type == EventType::DeviceUpdated));
    }

    #[test]
    fn a_silent_device_loses_the_address_to_a_newcomer_and_is_still_missed_slowly() {
        let mut scene = Scene::of([known(1)]);
        let delta = scene.cycle(&[answering(2, &[1])]);
        assert_eq!(delta.counts, DeltaCounts { new: 1, missed: 1, ..DeltaCounts::default() });
        let (event_type, subject, payload) = events(&delta)[0];
        assert_eq!((event_type, subject), (EventType::DeviceUpdated, "nib-dev-000001"));
        assert_eq!(payload["changes"], json!({ "ip_addresses": { "from": ["10.0.1.1"], "to": [] } }));
        scene.cycle(&[answering(2, &[1])]);
        scene.cycle(&[answering(2, &[1])]);
        assert_eq!((scene.device(1).status, scene.device(1).missed_cycles), (DeviceStatus::Inactive, 3));
    }

    #[test]
    fn an_address_that_falls_silent_is_kept_as_long_as_a_device_would_be() {
        let mut scene = Scene::of([known(1)]);
        scene.cycle(&[answering(1, &[1, 9])]);
        for silent in 1..3 {
            let delta = scene.cycle(&[answering(1, &[1])]);
            assert_eq!((events(&delta), facts(&delta)), (vec![], vec![FactKind::SilentAddresses]));
            let silence = Fact::SilentAddresses(BTreeMap::from([(ip(9), silent)]));
            assert_eq!(scene.known[0].fact(FactKind::SilentAddresses).unwrap().fact, silence);
        }
        let delta = scene.cycle(&[answering(1, &[1])]);
        let change = json!({ "ip_addresses": { "from": ["10.0.1.1", "10.0.1.9"], "to": ["10.0.1.1"] } });
        assert_eq!(update(&delta, 1), change);
        assert_eq!(
            scene.known[0].fact(FactKind::SilentAddresses).unwrap().fact,
            Fact::SilentAddresses(BTreeMap::new())
        );
        assert_eq!(facts(&scene.cycle(&[answering(1, &[1])])), []);
    }

    #[test]
    fn an_address_that_answers_again_begins_anew() {
        let mut scene = Scene::of([known(1)]);
        scene.cycle(&[answering(1, &[1, 9])]);
        for _ in 0..3 {
            scene.cycle(&[answering(1, &[1])]);
            scene.cycle(&[answering(1, &[1])]);
            scene.cycle(&[answering(1, &[1, 9])]);
        }
        assert_eq!(scene.device(1).addresses, ips(&[1, 9]));
    }

    #[test]
    fn an_address_that_was_not_asked_is_not_silent() {
        let mut wide = known(1);
        wide.device.addresses.push([10, 0, 2, 1].into());
        let mut scene = Scene::of([wide]);
        for _ in 0..5 {
            let delta = scene.cycle(&[answering(1, &[1])]);
            assert_eq!(delta.counts, DeltaCounts { unchanged: 1, ..DeltaCounts::default() });
        }
        assert_eq!(scene.device(1).addresses.len(), 2);
    }

    #[test]
    fn a_dispute_is_told_once_and_again_when_a_party_joins() {
        let mut scene = Scene::of([known(1), known(2)]);
        let disputes = |delta: &Delta| -> Vec<Value> {
            let told = events(delta).into_iter().filter(|(kind, ..)| *kind == EventType::AnomalyDuplicateAddress);
            told.map(|(_, subject, payload)| json!({ subject: payload["macs"] })).collect()
        };
        let both = [answering(1, &[1]), answering(2, &[1, 2])];
        assert_eq!(disputes(&scene.cycle(&both)), [json!({ "10.0.1.1": [mac(1), mac(2)] })]);
        assert_eq!(disputes(&scene.cycle(&both)), [] as [Value; 0]);
        assert_eq!(scene.device(1).addresses, ips(&[1]), "both keep it");
        let three = [both[0].clone(), both[1].clone(), answering(3, &[1])];
        assert_eq!(disputes(&scene.cycle(&three)), [json!({ "10.0.1.1": [mac(1), mac(2), mac(3)] })]);
        assert_eq!(disputes(&scene.cycle(&three)), [] as [Value; 0]);
    }
}

mod snmp {
    use super::*;

    fn answer() -> SnmpAnswer {
        let system = SnmpSystem { sys_services: Some(72), ..system("web-1", "Linux web-1 6.1.0") };
        SnmpAnswer {
            system,
            uptime: Some(SnmpUptime { uptime_seconds: 60 }),
            interfaces: Some(vec![interface(1, "lo", true), interface(2, "eth0", true)]),
            ..SnmpAnswer::default()
        }
    }

    fn interface(index: u32, name: &str, oper_up: bool) -> Interface {
        Interface { index, name: Some(name.into()), oper_up: Some(oper_up), ..Interface::default() }
    }

    fn after_an_answer() -> Scene {
        let mut scene = Scene::of([known(1)]);
        scene.cycle(&[told(1, answer())]);
        scene
    }

    #[test]
    fn an_agent_that_falls_silent_takes_nothing_away_that_it_told() {
        let mut scene = after_an_answer();
        let before = scene.device(1).clone();
        assert_eq!((before.hostname.as_deref(), before.device_type), (Some("web-1"), DeviceType::Server));
        let delta = scene.cycle(&[silent_agent(1, SnmpFailure::Timeout)]);
        assert_eq!((events(&delta), facts(&delta)), (vec![], vec![FactKind::SnmpReachability]));
        let after = scene.device(1).clone();
        let told = |device: &Device| {
            (device.hostname.clone(), device.vendor.clone(), device.device_type, device.firmware.clone())
        };
        assert_eq!(told(&after), told(&before));
        let silent = SnmpReachability { reachable: false, reason: Some(SnmpFailure::Timeout) };
        assert_eq!(scene.known[0].fact(FactKind::SnmpReachability).unwrap().fact, Fact::SnmpReachability(silent));
        assert_eq!(scene.known[0].fact(FactKind::SnmpSystem).unwrap().fact, Fact::SnmpSystem(answer().system));
        assert!(scene.known[0].fact(FactKind::SnmpInterfaces).is_some());
    }

    #[test]
    fn an_agent_that_was_not_asked_is_not_called_silent() {
        let mut scene = after_an_answer();
        let delta = scene.cycle(&[answering(1, &[1])]);
        assert_eq!((events(&delta), facts(&delta)), (vec![], vec![]));
    }

    #[test]
    fn an_agent_that_started_again_is_an_event() {
        let mut scene = after_an_answer();
        let at = |uptime_seconds, boots| SnmpAnswer {
            uptime: Some(SnmpUptime { uptime_seconds }),
            engine: Some(SnmpEngine { engine_id: "80001f8804".parse().unwrap(), boots }),
            ..answer()
        };
        let mut told_at = |uptime, boots| events(&scene.cycle(&[told(1, at(uptime, boots))])).len();
        // An uptime that grows, one that fell back under the same count (a wrap), a new count.
        assert_eq!([told_at(600, 3), told_at(5, 3), told_at(300, 4)], [0, 0, 1]);
        // Of an agent without an engine of SNMP v3 there is the uptime alone.
        let without_engine = |uptime| SnmpAnswer { uptime: Some(SnmpUptime { uptime_seconds: uptime }), ..answer() };
        let delta = scene.cycle(&[told(1, without_engine(7))]);
        let Some(Change::Append(event)) = delta.changes.iter().find(|change| matches!(change, Change::Append(_)))
        else {
            panic!("{delta:?}")
        };
        assert_eq!(event.event_type, EventType::AgentRestarted);
        assert_eq!(event.payload["uptime_seconds"], serde_json::json!({ "from": 300, "to": 7 }));
    }

    #[test]
    fn facts_are_written_when_they_change_and_only_then() {
        let mut scene = after_an_answer();
        assert_eq!(facts(&scene.cycle(&[told(1, answer())])), []);
        let later = SnmpAnswer { uptime: Some(SnmpUptime { uptime_seconds: 3_660 }), ..answer() };
        let delta = scene.cycle(&[told(1, later.clone())]);
        assert_eq!((events(&delta), facts(&delta)), (vec![], vec![FactKind::SnmpUptime]));
        let moved =
            SnmpAnswer { system: SnmpSystem { sys_location: Some("rack 4".into()), ..later.system.clone() }, ..later };
        assert_eq!(facts(&scene.cycle(&[told(1, moved.clone())])), [FactKind::SnmpSystem]);
        // The same words from another address are no news.
        let elsewhere = DeviceObservation { snmp: Some((ip(9), Ok(moved))), ..answering(1, &[1]) };
        assert_eq!(facts(&scene.cycle(&[elsewhere])), []);
    }

    #[test]
    fn a_table_without_rows_or_a_name_without_letters_takes_no_name_away() {
        let mut scene = after_an_answer();
        let nameless = SnmpAnswer { system: system("  ", "Linux web-1 6.1.0"), interfaces: None, ..answer() };
        scene.cycle(&[told(1, nameless)]);
        assert_eq!(scene.device(1).hostname.as_deref(), Some("web-1"));
        assert!(scene.known[0].fact(FactKind::SnmpInterfaces).is_some());
    }

    #[test]
    fn interfaces_that_come_go_and_change_are_named() {
        let mut scene = after_an_answer();
        let table = vec![interface(2, "eth0", false), Interface { name: None, ..interface(3, "", true) }];
        let delta = scene.cycle(&[told(1, SnmpAnswer { interfaces: Some(table.clone()), ..answer() })]);
        let change = json!({ "interfaces": { "added": ["3"], "removed": ["lo"], "changed": ["eth0"] } });
        assert_eq!(update(&delta, 1), change);
        assert_eq!(facts(&delta), [FactKind::SnmpInterfaces]);
        let delta = scene.cycle(&[told(1, SnmpAnswer { interfaces: Some(table), ..answer() })]);
        assert_eq!((events(&delta), facts(&delta)), (vec![], vec![]));
    }

    #[test]
    fn what_is_told_after_the_clock_was_set_back_is_kept_and_told_once() {
        let mut scene = after_an_answer();
        scene.now = scene.now.saturating_sub(5 * HOUR);
        for oper_up in [false, true] {
            let table = vec![interface(1, "lo", true), interface(2, "eth0", oper_up)];
            let now = SnmpAnswer {
                interfaces: Some(table.clone()),
                uptime: Some(SnmpUptime { uptime_seconds: 900 + u64::from(oper_up) }),
                ..answer()
            };
            // From another address, too: the newest is what counts.
            let from = |last| DeviceObservation { snmp: Some((ip(last), Ok(now.clone()))), ..answering(1, &[1]) };
            let delta = scene.cycle(&[from(1 + u8::from(oper_up))]);
            let change = json!({ "interfaces": { "added": [], "removed": [], "changed": ["eth0"] } });
            assert_eq!(update(&delta, 1), change);
            for (kind, fact) in [
                (FactKind::SnmpInterfaces, Fact::SnmpInterfaces(table)),
                (FactKind::SnmpUptime, Fact::SnmpUptime(now.uptime.unwrap())),
            ] {
                assert_eq!(scene.known[0].fact(kind).map(|row| &row.fact), Some(&fact));
            }
            let delta = scene.cycle(&[from(1)]);
            assert_eq!((events(&delta), facts(&delta)), (vec![], vec![]));
        }
    }

    #[test]
    fn the_first_table_that_a_device_tells_is_no_change_of_its_interfaces() {
        let mut scene = Scene::of([known(1)]);
        scene.cycle(&[told(1, SnmpAnswer { interfaces: None, ..answer() })]);
        let delta = scene.cycle(&[told(1, answer())]);
        assert_eq!((events(&delta), facts(&delta)), (vec![], vec![FactKind::SnmpInterfaces]));
    }

    #[test]
    fn a_count_that_was_spoilt_does_not_end_the_program() {
        let mut spoilt = known(1);
        spoilt.device.addresses = ips(&[1, 9]);
        let fact = Fact::SilentAddresses(BTreeMap::from([(ip(9), u32::MAX)]));
        let (source, observed_at) = ("sweep".to_owned(), Timestamp::from_millis(0));
        spoilt.facts.push(FactRow { device: id(1), fact, source, protocol: None, observed_at, observer: None });
        let mut scene = Scene::of([spoilt]);
        scene.cycle(&[answering(1, &[1])]);
        assert_eq!(scene.device(1).addresses, ips(&[1]));
    }
}

mod properties {
    use super::*;

    /// One address in one cycle: who answers for it, and whether an agent does.
    fn hosts() -> impl Strategy<Value = Vec<HostObservation>> {
        let snmp = prop_oneof![
            Just(None),
            Just(Some(Err(SnmpFailure::Timeout))),
            "[ab]".prop_map(|name| Some(Ok(SnmpAnswer { system: system(&name, "x"), ..SnmpAnswer::default() }))),
        ];
        let host = (1_u8..5, 1_u8..9, snmp).prop_map(|(owner, address, snmp)| HostObservation {
            address: ip(address),
            mac: Some(mac(owner)),
            methods: vec![Protocol::Arp],
            rtt: Some(Duration::from_millis(u64::from(address))),
            snmp,
        });
        prop::collection::vec(host, 0..10).prop_map(|mut hosts| {
            hosts.sort_by_key(|host| (host.mac, host.address));
            hosts.dedup_by_key(|host| (host.mac, host.address));
            hosts
        })
    }

    fn seen(hosts: Vec<HostObservation>) -> Vec<DeviceObservation> {
        merge(hosts)
    }

    proptest! {
        #[test]
        fn the_order_in_which_hosts_answer_decides_nothing(
            history in prop::collection::vec(hosts(), 0..4),
            (one, other) in hosts().prop_flat_map(|hosts| (Just(hosts.clone()), Just(hosts).prop_shuffle())),
        ) {
            let mut scene = Scene::of([]);
            for hosts in history {
                scene.cycle(&seen(hosts));
            }
            prop_assert_eq!(scene.decide(&seen(one)), scene.decide(&seen(other)));
        }

        #[test]
        fn what_was_just_seen_is_no_news(history in prop::collection::vec(hosts(), 1..5)) {
            let mut scene = Scene::of([]);
            let mut last = Vec::new();
            for hosts in history {
                last = seen(hosts);
                scene.cycle(&last);
            }
            // Addresses that are silent meanwhile come to their end; then nothing is left to tell.
            for _ in 0..scene.limit {
                scene.cycle(&last);
            }
            let delta = scene.decide(&last);
            prop_assert_eq!(delta.counts, DeltaCounts { unchanged: last.len() as u64, ..DeltaCounts::default() });
            let touches = delta.changes.iter().all(|change| matches!(change, Change::TouchDevice { .. }));
            prop_assert!(touches, "{:?}", delta);
        }

        #[test]
        fn silence_is_counted_cycle_by_cycle(answers in prop::collection::vec(any::<bool>(), 1..30), limit in 1_u32..6) {
            let mut scene = Scene::of([known(1)]);
            scene.limit = limit;
            let mut missed = 0;
            for seen in answers {
                let was_inactive = missed == limit;
                missed = if seen { 0 } else { limit.min(missed + 1) };
                let answer = [answering(1, &[1])];
                let delta = scene.cycle(if seen { &answer } else { &[] });
                let became_inactive = missed == limit && !was_inactive;
                prop_assert_eq!(delta.counts.inactive, u64::from(became_inactive));
                prop_assert_eq!(delta.counts.missed, u64::from(!seen && missed < limit));
                let status = if missed == limit { DeviceStatus::Inactive } else { DeviceStatus::Active };
                prop_assert_eq!((scene.device(1).status, scene.device(1).missed_cycles), (status, missed));
            }
        }
    }
}

mod identity {
    use super::*;

    /// A host behind a router.
    fn routed(at: &[u8], answer: Option<SnmpAnswer>) -> DeviceObservation {
        let snmp = answer.map(|answer| (ip(at[0]), Ok(answer)));
        DeviceObservation { mac: None, addresses: ips(at), methods: vec![Protocol::Icmp], rtt: None, snmp }
    }

    fn agent(engine: Option<&str>, stations: &[u8]) -> SnmpAnswer {
        let interface =
            |number: &u8| Interface { index: u32::from(*number), mac: Some(station(*number)), ..Interface::default() };
        SnmpAnswer {
            system: system("core-1", "x"),
            engine: engine.map(|digits| SnmpEngine { engine_id: digits.repeat(3).parse().unwrap(), boots: 1 }),
            interfaces: Some(stations.iter().map(interface).collect()),
            ..SnmpAnswer::default()
        }
    }

    /// An address of a manufacturer.
    fn station(number: u8) -> MacAddr {
        MacAddr::new([0, 0x1b, 0x54, 0, 0, number])
    }

    /// Somebody on link who shows this address.
    fn on_link(number: u8, at: &[u8]) -> DeviceObservation {
        DeviceObservation { mac: Some(station(number)), ..answering(number, at) }
    }

    fn rows(scene: &Scene) -> Vec<(u32, Option<MacAddr>, Vec<Ipv4Addr>)> {
        let row = |one: &KnownDevice| (one.device.id.number(), one.device.mac, one.device.addresses.clone());
        scene.known.iter().map(row).collect()
    }

    #[test]
    fn an_address_is_a_device_until_more_is_known() {
        let mut scene = Scene::of([]);
        scene.cycle(&[routed(&[7], None)]);
        scene.cycle(&[routed(&[7], None)]);
        assert_eq!(rows(&scene), [(1, None, ips(&[7]))]);
        let delta = scene.cycle(&[on_link(7, &[7])]);
        assert_eq!(rows(&scene), [(1, Some(station(7)), ips(&[7]))]);
        assert_eq!(update(&delta, 1)["mac"], json!({ "from": null, "to": station(7) }));
    }

    #[test]
    fn an_address_of_a_device_that_is_known_becomes_that_devices() {
        let mut scene = Scene::of([]);
        scene.cycle(&[on_link(1, &[1])]);
        scene.cycle(&[on_link(1, &[1]), routed(&[7], None)]);
        scene.one(id(2)).device.status = DeviceStatus::Quarantined;
        scene.one(id(2)).device.first_seen = Timestamp::from_millis(5);
        let delta = scene.cycle(&[on_link(1, &[1, 7])]);
        assert_eq!(rows(&scene), [(1, Some(station(1)), ips(&[1, 7]))]);
        let merged = events(&delta).into_iter().find(|(kind, ..)| *kind == EventType::DeviceMerged).unwrap();
        assert_eq!((merged.1, &merged.2["into"]), ("nib-dev-000002", &json!("nib-dev-000001")));
        let device = scene.device(1);
        assert_eq!((device.status, device.first_seen), (DeviceStatus::Quarantined, Timestamp::from_millis(5)));
        scene.cycle(&[routed(&[8], None)]);
        assert_eq!(rows(&scene).last().map(|row| row.0), Some(2), "the store counts numbers, this scene does not");
    }

    #[test]
    fn facts_go_with_the_device() {
        let mut scene = Scene::of([]);
        scene.cycle(&[routed(&[7], Some(agent(None, &[])))]);
        scene.cycle(&[on_link(1, &[1])]);
        let delta = scene.cycle(&[on_link(1, &[1, 7])]);
        assert!(facts(&delta).contains(&FactKind::SnmpSystem), "{delta:?}");
        let survivor = &scene.known[0];
        assert_eq!((scene.known.len(), survivor.device.hostname.as_deref()), (1, Some("core-1")));
        assert!(survivor.facts.iter().all(|row| row.device == survivor.device.id));
    }

    #[test]
    fn a_router_keeps_its_row_at_any_of_its_addresses_and_when_its_agent_is_silent() {
        let mut scene = Scene::of([]);
        scene.cycle(&[routed(&[1, 2], Some(agent(Some("8000"), &[1, 2])))]);
        scene.cycle(&[routed(&[1], None), routed(&[2], None)]);
        scene.cycle(&[routed(&[3], Some(agent(Some("8000"), &[1, 2])))]);
        assert_eq!(rows(&scene), [(1, None, ips(&[1, 2, 3]))]);
        scene.cycle(&[on_link(2, &[9])]);
        assert_eq!(rows(&scene), [(1, Some(station(2)), ips(&[1, 2, 3, 9]))]);
    }

    #[test]
    fn another_device_at_an_address_is_another_device() {
        let mut scene = Scene::of([]);
        scene.cycle(&[routed(&[7], Some(agent(Some("8000"), &[1])))]);
        scene.cycle(&[routed(&[7], Some(agent(Some("8001"), &[2])))]);
        assert_eq!(rows(&scene), [(1, None, ips(&[])), (2, None, ips(&[7]))]);
    }

    #[test]
    fn an_agent_that_keeps_its_table_to_itself_is_not_taken_for_another_with_its_engine() {
        let mut scene = Scene::of([]);
        scene.cycle(&merge(vec![alone(1, agent(Some("8000"), &[1])), alone(2, agent(Some("8000"), &[2]))]));
        for _ in 0..3 {
            scene.cycle(&merge(vec![alone(2, agent(Some("8000"), &[]))]));
            assert_eq!(rows(&scene), [(1, None, ips(&[1])), (2, None, ips(&[2]))]);
        }
    }

    fn alone(at: u8, answer: SnmpAnswer) -> HostObservation {
        HostObservation { address: ip(at), mac: None, methods: vec![Protocol::Icmp], rtt: None, snmp: Some(Ok(answer)) }
    }

    #[test]
    fn rows_with_two_hardware_addresses_are_never_merged() {
        let mut scene = Scene::of([]);
        let both = agent(Some("8000"), &[1, 2]);
        scene.cycle(&[on_link(1, &[1]), on_link(2, &[2])]);
        scene.cycle(&[routed(&[7], Some(both))]);
        assert_eq!(rows(&scene).len(), 2);
        assert_eq!(scene.device(1).addresses, ips(&[1, 7]));
    }

    /// What one device is known by in a history: the numbers of its addresses, engine and stations.
    fn seen() -> impl Strategy<Value = Vec<HostObservation>> {
        let snmp = prop_oneof![
            Just(None),
            (prop::option::of(1_u8..3), prop::collection::vec(1_u8..4, 0..2)).prop_map(|(engine, stations)| {
                Some(Ok(agent(engine.map(|number| format!("800{number}")).as_deref(), &stations)))
            }),
        ];
        let host = (1_u8..7, prop::option::of(1_u8..4), snmp).prop_map(|(address, mac, snmp)| HostObservation {
            address: ip(address),
            mac: mac.map(station),
            methods: vec![Protocol::Icmp],
            rtt: None,
            snmp,
        });
        prop::collection::btree_map(1_u8..7, host, 0..6)
            .prop_map(|hosts| hosts.into_iter().map(|(at, host)| HostObservation { address: ip(at), ..host }).collect())
    }

    proptest! {
        #[test]
        fn the_order_of_what_was_seen_decides_nothing(
            history in prop::collection::vec(seen(), 0..4),
            (one, other) in seen().prop_flat_map(|hosts| (Just(hosts.clone()), Just(hosts).prop_shuffle())),
        ) {
            let mut scene = Scene::of([]);
            history.into_iter().for_each(|hosts| drop(scene.cycle(&merge(hosts))));
            prop_assert_eq!(scene.decide(&merge(one)), scene.decide(&merge(other)));
        }

        #[test]
        fn no_device_is_lost_and_each_address_that_answered_has_one(history in prop::collection::vec(seen(), 1..5)) {
            let mut scene = Scene::of([]);
            for hosts in history {
                let before: BTreeSet<DeviceId> = scene.known.iter().map(|one| one.device.id).collect();
                let delta = scene.cycle(&merge(hosts.clone()));
                let after: BTreeSet<DeviceId> = scene.known.iter().map(|one| one.device.id).collect();
                let told: BTreeSet<DeviceId> = events(&delta)
                    .into_iter()
                    .filter(|(kind, ..)| *kind == EventType::DeviceMerged)
                    .map(|(_, subject, _)| subject.parse().unwrap())
                    .collect();
                prop_assert_eq!(before.difference(&after).copied().collect::<BTreeSet<_>>(), told);
                for host in &hosts {
                    let has = |one: &&KnownDevice| one.device.addresses.contains(&host.address);
                    let owners: Vec<&KnownDevice> = scene.known.iter().filter(has).collect();
                    prop_assert_eq!(owners.len(), 1, "{:?}: {:?}", host, rows(&scene));
                    prop_assert!(host.mac.is_none() || owners[0].device.mac == host.mac);
                }
                let macs: Vec<MacAddr> = scene.known.iter().filter_map(|one| one.device.mac).collect();
                prop_assert_eq!(macs.iter().collect::<BTreeSet<_>>().len(), macs.len());
            }
        }

        /// What a cycle learns can undo what kept two rows apart: a device shows another table, and the
        /// engine id that its old one had shown to be copied is nobody else's any more. So the same may
        /// have to be seen some times, and then it changes nothing.
        #[test]
        fn merges_come_to_an_end(history in prop::collection::vec(seen(), 0..4), last in seen()) {
            let mut scene = Scene::of([]);
            history.into_iter().for_each(|hosts| drop(scene.cycle(&merge(hosts))));
            let last = merge(last);
            (0..4).for_each(|_| drop(scene.cycle(&last)));
            let again = scene.cycle(&last);
            prop_assert_eq!(again.counts.new, 0);
            let removed = again.changes.iter().any(|change| matches!(change, Change::RemoveDevice { .. }));
            prop_assert!(!removed, "{:?}", again);
        }
    }
}

mod counters {
    use super::*;
    use crate::algorithms::discovery::observation::CountersAnswer;
    use crate::domain::counters::{Counters, NoTraffic, Reading, Width};
    use crate::domain::fact::SnmpUptime;

    /// An agent that has been up for so many hours, and whose interfaces have counted this.
    fn counting(hours: u32, octets: &[(u32, u64)]) -> DeviceObservation {
        let reading = |octets| Reading {
            uptime: Some(hours * 360_000),
            width: Width::Bits64,
            in_octets: Some(octets),
            ..Reading::default()
        };
        let interfaces = octets.iter().map(|(index, octets)| (*index, reading(*octets))).collect();
        let uptime = Some(SnmpUptime { uptime_seconds: u64::from(hours) * 3_600 });
        let counters = Some(CountersAnswer { at: Duration::from_secs(2), interfaces });
        told(1, SnmpAnswer { uptime, counters, ..SnmpAnswer::default() })
    }

    fn counted(delta: &Delta) -> Option<&Counters> {
        let mut all = delta.changes.iter().filter_map(|change| match change {
            Change::PutCounters(counters) => Some(counters),
            _ => None,
        });
        let first = all.next();
        assert_eq!(all.next(), None);
        first
    }

    #[test]
    fn counters_are_written_beside_a_device_and_are_no_news_of_it() {
        let mut scene = Scene::of([]);
        let delta = scene.cycle(&[counting(10, &[(1, 100), (2, 200)])]);
        let first = counted(&delta).unwrap();
        assert_eq!(first.read_at, scene.now.saturating_add(Duration::from_secs(2)));
        assert!(first.interfaces.iter().all(|one| one.traffic.reason == Some(NoTraffic::FirstReading)));
        let since = first.read_at;
        let delta = scene.cycle(&[counting(11, &[(1, 150), (3, 300)])]);
        let [one, three] = counted(&delta).unwrap().interfaces[..] else { panic!("{delta:?}") };
        assert_eq!(
            (one.traffic.in_octets, one.traffic.since, one.traffic.elapsed),
            (Some(50), Some(since), Some(360_000))
        );
        assert_eq!(three.traffic.reason, Some(NoTraffic::FirstReading));
        assert_eq!((events(&delta), facts(&delta), delta.counts.unchanged), (vec![], vec![FactKind::SnmpUptime], 1));
    }

    #[test]
    fn an_agent_that_started_anew_is_told_and_its_counters_begin_again() {
        let mut scene = Scene::of([known(1)]);
        scene.cycle(&[counting(10, &[(1, 100)])]);
        let delta = scene.cycle(&[counting(0, &[(1, 7)])]);
        assert_eq!(counted(&delta).unwrap().interfaces[0].traffic.reason, Some(NoTraffic::AgentRestarted));
        assert_eq!(events(&delta)[0].0, EventType::AgentRestarted);
        let delta = scene.cycle(&[counting(1, &[(1, 9)])]);
        assert_eq!(counted(&delta).unwrap().interfaces[0].traffic.in_octets, Some(2));
    }

    #[test]
    fn who_tells_no_counters_keeps_those_that_are_known() {
        let mut scene = Scene::of([known(1)]);
        scene.cycle(&[counting(10, &[(1, 100)])]);
        for silent in [answering(1, &[1]), told(1, SnmpAnswer::default()), counting(11, &[])] {
            assert_eq!(counted(&scene.cycle(&[silent])), None);
        }
        let delta = scene.cycle(&[counting(14, &[(1, 500)])]);
        assert_eq!(counted(&delta).unwrap().interfaces[0].traffic.in_octets, Some(400), "of four hours");
    }

    #[test]
    fn a_batch_is_as_long_as_its_rows_are_many() {
        let scene = Scene::of([]);
        let table: Vec<(u32, u64)> = (1..=400).map(|index| (index, 1)).collect();
        let seen = (1..=5).map(|number| DeviceObservation {
            mac: Some(mac(number)),
            addresses: ips(&[number]),
            ..counting(10, &table)
        });
        let context = Context {
            began: scene.now,
            now: scene.now,
            actor: &scene.actor,
            region: None,
            local_controller: None,
            missed_cycles_before_inactive: 3,
            asked: &scene.asked,
            vendors: &scene.vendors,
            readings: &scene.readings,
        };
        let (mut batches, mut batch) = (Vec::new(), Batch::default());
        let counted = |changes: &[Change]| changes.iter().filter(|one| matches!(one, Change::PutCounters(_))).count();
        let flow = decide_each(&[], id(1), &seen.collect::<Vec<_>>(), &context, &mut |_, changes| {
            batch.take(changes);
            if batch.is_full() {
                batches.push(counted(batch.changes()));
                batch.clear();
            }
            ControlFlow::Continue(())
        });
        batches.push(counted(batch.changes()));
        assert!(flow.is_continue());
        assert_eq!(batches, [3, 2]);
    }
}
