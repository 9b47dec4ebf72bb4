//! A view in plain maps, and controllers below it that see what they are told to see.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::absorb::{Absorbed, Context, Incoming, Item, Tier, absorb};
use super::draft::{FactKey, Rows, fact_key};
use crate::algorithms::discovery::delta::KnownDevice;
use crate::algorithms::report::cycle::of_cycle;
use crate::algorithms::report::facts::digest;
use crate::algorithms::report::items::{root_of, snapshot};
use crate::algorithms::report::root::{Trace, trace};
use crate::domain::address::MacAddr;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::cycle::{Completeness, CycleReport, DeltaCounts, Trigger};
use crate::domain::device::{Device, DeviceId, DeviceStatus, DeviceType, Version};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::fact::{Fact, FactRow, SnmpSystem, SnmpUptime};
use crate::domain::key::PublicKey;
use crate::domain::number::{PolicyVersion, Serial, StreamSeq};
use crate::domain::protocol::Protocol;
use crate::domain::registry::{ControllerRow, SignedDocument, Standing};
use crate::domain::stream::{Sighting, StreamChange};
use crate::domain::time::Timestamp;
use crate::domain::token::TokenId;
use crate::wire::report::{Report, Summary};

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

pub fn id(text: &str) -> ControllerId {
    text.parse().unwrap()
}

pub fn region(text: &str) -> Region {
    text.parse().unwrap()
}

pub fn mac(number: u8) -> MacAddr {
    MacAddr::new([2, 0, 0, 0, 0, number])
}

pub fn child(name: &str, role: Role, zone: &str) -> ControllerRow {
    ControllerRow {
        id: id(name),
        role,
        region: region(zone),
        public_key: PublicKey::from_bytes([7; 32]),
        serial: Serial::from_number(2),
        certificate: SignedDocument::from_text(String::new()),
        delegation: None,
        expires_at: at(1_000_000),
        next: None,
        standing: Standing::Active,
        standing_reason: None,
        validated_by: id("parent"),
        validated_at: at(0),
        token: TokenId::new([1; 12]),
        metadata: BTreeMap::new(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    }
}

/// A view: what its store would have, and what it did.
pub struct View {
    pub own: ControllerId,
    pub region: Option<Region>,
    pub rows: Rows,
    pub received: BTreeMap<ControllerId, StreamSeq>,
    pub children: BTreeMap<ControllerId, ControllerRow>,
    pub events: Vec<NewEvent>,
    pub outbox: Vec<Item>,
    pub now: Timestamp,
    pub policy_version: Option<PolicyVersion>,
    pub missing: BTreeSet<ControllerId>,
    pub is_summary_due: bool,
}

impl View {
    pub fn new(own: &str, zone: Option<&str>, children: impl IntoIterator<Item = ControllerRow>) -> Self {
        let children: BTreeMap<_, _> = children.into_iter().map(|row| (row.id.clone(), row)).collect();
        let regions = children.values().map(|row| (row.id.clone(), row.region.clone())).collect();
        Self {
            own: id(own),
            region: zone.map(region),
            rows: Rows { regions, ..Rows::default() },
            received: BTreeMap::new(),
            children,
            events: Vec::new(),
            outbox: Vec::new(),
            now: at(0),
            policy_version: None,
            missing: BTreeSet::new(),
            is_summary_due: false,
        }
    }

    pub fn regional(children: &[&str]) -> Self {
        Self::new(
            "regional_cntl_zoneA_1",
            Some("zone-A"),
            children.iter().map(|name| child(name, Role::Local, "zone-A")),
        )
    }

    pub fn with_context<T>(&self, work: impl FnOnce(&Context<'_>) -> T) -> T {
        let none = BTreeSet::new();
        let tier = match &self.region {
            Some(region) => {
                Tier::Regional { region, reported: &none, missing: &self.missing, is_summary_due: self.is_summary_due }
            }
            None => Tier::Global { missing: &self.missing },
        };
        let (now, policy_version) = (self.now, self.policy_version);
        work(&Context { now, own: &self.own, tier, policy_version, spike_threshold: 50 })
    }

    /// Absorbs an item and commits what comes of it.
    pub fn take(&mut self, from: &str, seq: u64, item: &Item) -> Absorbed {
        let from = id(from);
        let mut rows = self.rows.clone();
        let versions = |id| rows.facts.values().filter(|row| row.device == id).collect();
        let traces = |_| rows.devices.values().map(|device| trace(device, &versions(device.id)).unwrap()).collect();
        rows.census = item.state_root().map(traces);
        for device in rows.devices.values() {
            *rows.totals.entry(device.status).or_default() += 1;
        }
        let incoming = Incoming {
            from: &from,
            row: self.children.get(&from),
            received: self.received.get(&from).copied().unwrap_or_default(),
            seq: StreamSeq::from_number(seq),
            item,
        };
        let absorbed = self.with_context(|context| absorb(&incoming, &rows, context)).unwrap();
        absorbed.changes.iter().for_each(|change| self.apply(change));
        absorbed
    }

    /// What a store does, and refuses.
    pub fn apply(&mut self, change: &Change) {
        match change {
            Change::InsertDevice(device) => {
                assert_eq!((device.id, device.version), (self.rows.next, Version::FIRST));
                self.rows.next = DeviceId::from_number(device.id.number() + 1);
                self.put(device.clone());
            }
            Change::UpdateDevice(device) => {
                assert_eq!(self.rows.devices[&device.id].version, device.version);
                self.put(Device { version: device.version.next(), ..device.clone() });
            }
            Change::PutFact(row) => {
                assert!(self.rows.devices.contains_key(&row.device));
                let before = self.rows.facts.insert(fact_key(row), row.clone());
                // A store would not take an older one.
                assert!(before.is_none_or(|before| before.observed_at <= row.observed_at), "{row:?}");
            }
            Change::PutSighting(seen) => {
                assert!(self.rows.devices.contains_key(&seen.device));
                self.rows.sightings.insert((seen.reporter.clone(), seen.reported), seen.clone());
            }
            Change::DropSighting { reporter, reported } => {
                self.rows.sightings.remove(&(reporter.clone(), *reported));
            }
            Change::Append(event) => self.events.push(event.clone()),
            Change::Stream(StreamChange::Receive { from, after, seq, .. }) => {
                assert_eq!(self.received.get(from).copied().unwrap_or_default(), *after);
                assert!(seq > after);
                self.received.insert(from.clone(), *seq);
            }
            Change::Stream(StreamChange::Enqueue { body, .. }) => {
                self.outbox.push(Item::Summary(serde_json::from_str(body).unwrap()));
            }
            other => panic!("{other:?}"),
        }
    }

    fn put(&mut self, device: Device) {
        assert!(device.addresses.is_sorted_by(|one, next| one < next));
        let twin = |other: &Device| other.mac.is_some() && other.mac == device.mac && other.id != device.id;
        assert!(!self.rows.devices.values().any(twin), "{device:?}");
        self.rows.devices.insert(device.id, device);
    }

    pub fn device(&self, number: u8) -> &Device {
        self.rows.devices.values().find(|device| device.mac == Some(mac(number))).unwrap()
    }

    /// The types of the events since the last call.
    pub fn told(&mut self) -> Vec<EventType> {
        std::mem::take(&mut self.events).into_iter().map(|event| event.event_type).collect()
    }

    /// What is known here of a child's devices.
    pub fn traces(&self, from: &str) -> Vec<Trace> {
        let of = self.rows.sightings.values().filter(|seen| seen.reporter.as_str() == from);
        let mac = |seen: &Sighting| self.rows.devices[&seen.device].mac;
        of.map(|seen| (seen.reported, mac(seen), seen.is_active, digest(&seen.facts).unwrap())).collect()
    }
}

/// A Local Controller: what it has, and what it wrote to its stream.
pub struct Local {
    pub name: &'static str,
    pub devices: BTreeMap<DeviceId, Device>,
    pub facts: BTreeMap<FactKey, FactRow>,
    /// Whether its devices have agents, whose names change now and then.
    pub has_agents: bool,
    pub items: BTreeMap<u64, Item>,
    pub last: u64,
}

impl Local {
    pub fn new(name: &'static str) -> Self {
        let (devices, facts, items) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { name, devices, facts, has_agents: false, items, last: 0 }
    }

    pub fn with_agents(name: &'static str) -> Self {
        Self { has_agents: true, ..Self::new(name) }
    }

    /// All devices with their facts.
    pub fn known(&self) -> Vec<KnownDevice> {
        let facts = |id| self.facts.values().filter(|row| row.device == id).cloned().collect();
        let known = |device: &Device| KnownDevice { device: device.clone(), facts: facts(device.id) };
        self.devices.values().map(known).collect()
    }

    /// Writes what the agents of these devices say, where it changed.
    fn learn(&mut self, seen: &[u8], now: Timestamp, changes: &mut Vec<Change>) {
        for device in self.devices.values().filter(|_| self.has_agents) {
            let Some(number) = seen.iter().find(|number| device.mac == Some(mac(**number))) else { continue };
            let seconds = u64::try_from(now.as_millis() / 1_000).unwrap();
            let name = format!("host-{number} of {} in {}", self.name, seconds / 7);
            let system = SnmpSystem { sys_name: Some(name), ..SnmpSystem::default() };
            for fact in [Fact::SnmpSystem(system), Fact::SnmpUptime(SnmpUptime { uptime_seconds: seconds })] {
                let row = FactRow {
                    device: device.id,
                    fact,
                    source: format!("10.0.1.{number}"),
                    protocol: Some(Protocol::Snmp),
                    observed_at: now,
                    observer: None,
                };
                let key = fact_key(&row);
                if self.facts.get(&key).is_none_or(|before| before.fact != row.fact) {
                    changes.push(Change::PutFact(row.clone()));
                    self.facts.insert(key, row);
                }
            }
        }
    }

    /// A cycle that sees these devices and no others, at a time.
    pub fn cycle(&mut self, seen: &[u8], now: Timestamp) {
        let before = self.known();
        let mut changes = Vec::new();
        for device in self.devices.values_mut() {
            let is_seen = seen.iter().any(|number| device.mac == Some(mac(*number)));
            let status = if is_seen { DeviceStatus::Active } else { DeviceStatus::Inactive };
            let last_seen = if is_seen { now } else { device.last_seen };
            let is_other = status != device.status;
            *device = Device { status, last_seen, ..device.clone() };
            if is_other {
                changes.push(Change::UpdateDevice(device.clone()));
            }
        }
        for number in seen {
            if !self.devices.values().any(|device| device.mac == Some(mac(*number))) {
                let next = self.devices.len() + 1;
                let device = device(u32::try_from(next).unwrap(), *number, now);
                changes.push(Change::InsertDevice(device.clone()));
                self.devices.insert(device.id, device);
            }
        }
        self.learn(seen, now, &mut changes);
        let new = before.len().abs_diff(self.devices.len()) as u64;
        let items = of_cycle(&cycle(new), None, &before, &changes, now).unwrap();
        for item in items {
            let Change::Stream(StreamChange::Enqueue { body, .. }) = item else { panic!("{item:?}") };
            self.write(Item::Report(serde_json::from_str(&body).unwrap()));
        }
    }

    /// Writes a snapshot in the place of all that waits.
    pub fn snapshot(&mut self) {
        let devices = self.known();
        let frame = Report { state_root: Some(root_of(&devices).unwrap()), ..Report::default() };
        self.items.clear();
        snapshot(&frame, &devices).unwrap().into_iter().for_each(|part| self.write(Item::Report(part)));
    }

    pub fn write(&mut self, item: Item) {
        self.last += 1;
        self.items.insert(self.last, item);
    }

    pub fn traces(&self) -> Vec<Trace> {
        let facts = |device: &Device| self.facts.values().filter(|row| row.device == device.id).collect();
        self.devices.values().map(|device| trace(device, &facts(device)).unwrap()).collect()
    }
}

pub fn device(id: u32, number: u8, now: Timestamp) -> Device {
    Device {
        id: DeviceId::from_number(id),
        mac: Some(mac(number)),
        addresses: vec![Ipv4Addr::new(10, 0, 1, number)],
        hostname: Some(format!("host-{number}")),
        vendor: None,
        device_type: DeviceType::Unknown,
        firmware: None,
        region: None,
        local_controller: None,
        status: DeviceStatus::Active,
        first_seen: now,
        last_seen: now,
        missed_cycles: 0,
        methods: vec![Protocol::Arp],
        rtt: Some(Duration::from_millis(1)),
        version: Version::FIRST,
    }
}

pub fn cycle(new: u64) -> CycleReport {
    CycleReport {
        trigger: Trigger::Scheduled,
        completeness: Completeness::Complete,
        started_at: at(0),
        duration_ms: 1.0,
        subnets: Vec::new(),
        targets: 1,
        protocols: BTreeMap::new(),
        address_resolution: None,
        rtt: None,
        hosts: 1,
        delta: DeltaCounts { new, ..DeltaCounts::default() },
        nib_commit_ms: None,
        too_long: None,
    }
}

pub fn summary_of(zone: &str, devices: &[KnownDevice]) -> Summary {
    super::summary::of_view(&region(zone), devices, None).unwrap()
}
