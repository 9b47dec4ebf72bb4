//! Random histories of cycles, decided and committed, against a model that looks at the history only:
//! who answered where and when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use pdsno::algorithms::discovery::delta::{Context, Delta, KnownDevice, decide};
use pdsno::algorithms::discovery::merge::merge;
use pdsno::algorithms::discovery::observation::HostObservation;
use pdsno::algorithms::discovery::vendor::VendorTable;
use pdsno::domain::address::MacAddr;
use pdsno::domain::controller::ControllerId;
use pdsno::domain::device::{Device, DeviceStatus};
use pdsno::domain::event::{Event, EventType};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::subnet::AddressSet;
use pdsno::domain::time::Timestamp;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{EventQuery, NibReader, NibStore};
use proptest::prelude::*;

/// One cycle: who answered at which address, and whether silence means anything.
#[derive(Debug, Clone)]
struct Cycle {
    answers: BTreeSet<(u8, u8)>,
    asked: bool,
}

fn some_cycle() -> impl Strategy<Value = Cycle> {
    let answers = prop::collection::btree_set((1_u8..5, 1_u8..7), 0..8);
    (answers, prop::bool::weighted(0.8)).prop_map(|(answers, asked)| Cycle { answers, asked })
}

fn mac(number: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, number])
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 1, last)
}

fn at(cycle: usize) -> Timestamp {
    Timestamp::from_millis(1_000 * cycle as i64)
}

/// What is to be known after a history, by the rules as the documentation tells them.
struct Model<'a> {
    history: &'a [Cycle],
    limit: u32,
}

impl Model<'_> {
    fn was_seen(&self, device: u8, cycle: usize) -> bool {
        self.history[cycle].answers.iter().any(|(who, _)| *who == device)
    }

    fn last_seen(&self, device: u8) -> Option<usize> {
        (0..self.history.len()).rev().find(|cycle| self.was_seen(device, *cycle))
    }

    fn missed(&self, device: u8) -> Option<u32> {
        let since = self.last_seen(device)? + 1;
        let missed = self.history[since..].iter().filter(|cycle| cycle.asked).count() as u32;
        Some(missed.min(self.limit))
    }

    /// Whether the device has the address: nobody else answered for it later, and it has not been
    /// silent too often in cycles in which the device answered.
    fn has(&self, device: u8, address: u8) -> bool {
        let answered = |cycle: &usize| self.history[*cycle].answers.contains(&(device, address));
        let Some(last) = (0..self.history.len()).rev().find(answered) else { return false };
        let later = last + 1..self.history.len();
        let moved = later.clone().any(|cycle| self.history[cycle].answers.iter().any(|(_, at)| *at == address));
        let silent = later.filter(|cycle| self.history[*cycle].asked && self.was_seen(device, *cycle)).count();
        !moved && (silent as u32) < self.limit
    }

    fn addresses(&self, device: u8) -> Vec<Ipv4Addr> {
        (1..7).filter(|address| self.has(device, *address)).map(ip).collect()
    }

    fn before(&self, cycle: usize) -> Model<'_> {
        Model { history: &self.history[..cycle], limit: self.limit }
    }

    /// Addresses with several owners in a cycle, one of whom did not have it before.
    fn new_disputes(&self, cycle: usize) -> usize {
        let owners = |address| -> Vec<u8> {
            let answers = self.history[cycle].answers.iter();
            answers.filter(|(_, at)| *at == address).map(|(who, _)| *who).collect()
        };
        let is_new = |owners: &Vec<u8>, address| {
            owners.len() > 1 && !owners.iter().all(|who| self.before(cycle).has(*who, address))
        };
        (1..7).filter(|address| is_new(&owners(*address), *address)).count()
    }

    /// How often the device has become inactive.
    fn losses(&self, device: u8) -> usize {
        let inactive = |cycle| self.before(cycle).missed(device) == Some(self.limit);
        (1..=self.history.len()).filter(|cycle| inactive(*cycle) && !inactive(cycle - 1)).count()
    }

    /// The devices in the order in which they were first seen, and in one cycle by their lowest address.
    fn numbering(&self) -> Vec<MacAddr> {
        let first = |device: u8| {
            let cycle = (0..self.history.len()).find(|cycle| self.was_seen(device, *cycle))?;
            let lowest = self.history[cycle].answers.iter().find(|(who, _)| *who == device)?.1;
            Some((cycle, lowest, device))
        };
        let order: BTreeSet<_> = (1..5).filter_map(first).collect();
        order.into_iter().map(|(_, _, device)| mac(device)).collect()
    }
}

struct Nib {
    store: MemoryNib,
    reader: Box<dyn NibReader>,
    vendors: VendorTable,
}

impl Nib {
    fn new() -> Self {
        let store = MemoryNib::new();
        Self { reader: store.reader().unwrap(), store, vendors: VendorTable::builtin() }
    }

    fn devices(&self) -> Vec<Device> {
        self.reader.devices(None, None, 1_000).unwrap()
    }

    fn events(&self) -> Vec<Event> {
        self.reader.events(&EventQuery { limit: usize::MAX, ..EventQuery::default() }).unwrap()
    }

    fn count(&self, event_type: EventType) -> usize {
        self.events().iter().filter(|event| event.event_type == event_type).count()
    }

    fn decide(&self, cycle: &Cycle, limit: u32, now: Timestamp) -> Delta {
        let host = |(who, address): &(u8, u8)| HostObservation {
            address: ip(*address),
            mac: Some(mac(*who)),
            methods: vec![Protocol::Arp],
            rtt: None,
            snmp: None,
        };
        let known = self
            .devices()
            .into_iter()
            .map(|device| KnownDevice { facts: self.reader.facts(device.id, device.id).unwrap(), device });
        let asked = AddressSet::new(&["10.0.1.0/24".parse().unwrap()]).into();
        let context = Context {
            began: now,
            now,
            actor: &ControllerId::standalone(),
            region: None,
            local_controller: None,
            missed_cycles_before_inactive: limit,
            asked: if cycle.asked { std::slice::from_ref(&asked) } else { &[] },
            vendors: &self.vendors,
            readings: &BTreeMap::new(),
        };
        let seen = merge(cycle.answers.iter().map(host).collect());
        decide(&known.collect::<Vec<_>>(), self.reader.next_device().unwrap(), &seen, &context)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_nib_knows_what_the_history_tells(history in prop::collection::vec(some_cycle(), 1..16), limit in 1_u32..5) {
        let mut nib = Nib::new();
        let mut disputes = 0;
        for (number, cycle) in history.iter().enumerate() {
            let delta = nib.decide(cycle, limit, at(number));
            nib.store.commit(&delta.changes).unwrap();
            let model = Model { history: &history[..=number], limit };
            let devices = nib.devices();
            prop_assert_eq!(devices.iter().filter_map(|device| device.mac).collect::<Vec<_>>(), model.numbering());
            for device in &devices {
                let who = device.mac.unwrap().octets()[5];
                let missed = model.missed(who).unwrap();
                let status = if missed == limit { DeviceStatus::Inactive } else { DeviceStatus::Active };
                prop_assert_eq!((device.missed_cycles, device.status), (missed, status), "{} after {}", device.id, number);
                prop_assert_eq!(&device.addresses, &model.addresses(who), "{} after {}", device.id, number);
                prop_assert_eq!(device.last_seen, at(model.last_seen(who).unwrap()));
            }
            disputes += model.new_disputes(number);
            prop_assert_eq!(nib.count(EventType::AnomalyDuplicateAddress), disputes);
            prop_assert_eq!(nib.count(EventType::DeviceDiscovered), devices.len());
            let losses: usize = (1..5).map(|device| model.losses(device)).sum();
            prop_assert_eq!(nib.count(EventType::DeviceInactive), losses);
        }
    }

    /// Two decisions from the same reading cannot both be written: a device cannot be missed twice.
    #[test]
    fn a_decision_is_written_once(history in prop::collection::vec(some_cycle(), 1..8)) {
        let mut nib = Nib::new();
        for (number, cycle) in history.iter().enumerate() {
            let delta = nib.decide(cycle, 3, at(number));
            nib.store.commit(&delta.changes).unwrap();
            let (devices, events) = (nib.devices(), nib.events());
            if !delta.changes.is_empty() {
                prop_assert!(nib.store.commit(&delta.changes).is_err());
            }
            prop_assert_eq!((nib.devices(), nib.events()), (devices, events));
        }
    }

    /// The same answers again are touches, once addresses and devices that are silent have come to
    /// their end, and never an event.
    #[test]
    fn the_same_answers_again_are_no_event(history in prop::collection::vec(some_cycle(), 1..6), limit in 1_u32..4) {
        let mut nib = Nib::new();
        let same = Cycle { asked: true, ..history[history.len() - 1].clone() };
        let repeated = std::iter::repeat_n(&same, limit as usize);
        for (number, cycle) in history.iter().chain(repeated).enumerate() {
            let delta = nib.decide(cycle, limit, at(number));
            nib.store.commit(&delta.changes).unwrap();
        }
        let events = nib.events();
        let by_mac: BTreeMap<_, _> = nib.devices().into_iter().map(|device| (device.mac, device)).collect();
        let delta = nib.decide(&same, limit, at(99));
        nib.store.commit(&delta.changes).unwrap();
        prop_assert_eq!(nib.events(), events);
        for device in nib.devices() {
            let before = &by_mac[&device.mac];
            let touched = Device { last_seen: device.last_seen, version: device.version, ..before.clone() };
            prop_assert_eq!(device, touched);
        }
    }
}
