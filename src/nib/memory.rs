//! The reference model: the NIB as plain maps. Tests run on it, and what the other backends do is
//! compared with it.

mod log;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use crate::domain::address::MacAddr;
use crate::domain::device::{Device, DeviceId, DeviceStatus, Version};
use crate::domain::event::{Event, EventSeq, EventType};
use crate::domain::fact::{FactKind, FactRow};
use crate::domain::log::Sealer;
use crate::nib::memory::log::Log;
use crate::nib::seal::{self, InEffect};
use crate::nib::{Change, Committed, EventQuery, NibError, NibReader, NibStore, Row};

/// A NIB that is forgotten with the process.
#[derive(Debug, Default)]
pub struct MemoryNib {
    state: Arc<RwLock<State>>,
    sealer: Option<Box<dyn Sealer>>,
}

/// A reader of a [`MemoryNib`].
#[derive(Debug)]
pub struct MemoryReader {
    state: Arc<RwLock<State>>,
}

#[derive(Debug, Clone, Default)]
struct State {
    devices: BTreeMap<DeviceId, Device>,
    by_mac: BTreeMap<MacAddr, DeviceId>,
    facts: BTreeMap<(DeviceId, FactKind, String), FactRow>,
    events: Vec<Event>,
    highest_device: u32,
    log: Log,
}

impl State {
    fn next_event(&self) -> EventSeq {
        EventSeq::from_number(self.events.len() as u64)
    }

    /// What the entries of events say that are appended now.
    #[expect(clippy::unused_self, reason = "there is neither membership nor policy here yet")]
    fn in_effect(&self) -> InEffect {
        InEffect::default()
    }

    fn apply(&mut self, change: &Change) -> Result<(), NibError> {
        change.validate()?;
        match change {
            Change::InsertDevice(device) => self.insert(device),
            Change::UpdateDevice(device) => {
                self.expect(device.id, device.version)?;
                self.put(Device { version: device.version.next(), ..device.clone() }, Some(device.version))
            }
            Change::TouchDevice { id, version, last_seen, methods, rtt } => {
                let device = self.expect(*id, *version)?;
                device.last_seen = *last_seen;
                device.methods.clone_from(methods);
                device.rtt = *rtt;
                device.missed_cycles = 0;
                device.version = version.next();
                Ok(())
            }
            Change::PutFact(fact) => self.put_fact(fact),
            Change::Append(event) => {
                let seq = self.next_event();
                self.events.push(event.clone().at(seq));
                Ok(())
            }
            Change::Log(change) => self.log.apply(change),
            _ => Err(NibError::Invalid { detail: "the memory NIB cannot do this".to_owned() }),
        }
    }

    fn insert(&mut self, device: &Device) -> Result<(), NibError> {
        if device.id.number() <= self.highest_device {
            let found = self.devices.get(&device.id).map(|found| found.version);
            return Err(NibError::Conflict { row: Row::Device(device.id), expected: None, found });
        }
        self.put(device.clone(), None)?;
        self.highest_device = device.id.number();
        Ok(())
    }

    /// The row of this version.
    fn expect(&mut self, id: DeviceId, version: Version) -> Result<&mut Device, NibError> {
        let row = Row::Device(id);
        match self.devices.get_mut(&id) {
            None => Err(NibError::NotFound(row)),
            Some(device) if device.version == version => Ok(device),
            Some(device) => Err(NibError::Conflict { row, expected: Some(version), found: Some(device.version) }),
        }
    }

    fn put(&mut self, device: Device, expected: Option<Version>) -> Result<(), NibError> {
        if let Some(mac) = device.mac
            && self.by_mac.get(&mac).is_some_and(|owner| *owner != device.id)
        {
            return Err(NibError::Conflict { row: Row::Mac(mac), expected, found: None });
        }
        if let Some(mac) = self.devices.get(&device.id).and_then(|before| before.mac) {
            self.by_mac.remove(&mac);
        }
        if let Some(mac) = device.mac {
            self.by_mac.insert(mac, device.id);
        }
        self.devices.insert(device.id, device);
        Ok(())
    }

    fn put_fact(&mut self, fact: &FactRow) -> Result<(), NibError> {
        if !self.devices.contains_key(&fact.device) {
            return Err(NibError::NotFound(Row::Device(fact.device)));
        }
        let key = (fact.device, fact.fact.kind(), fact.source.clone());
        let is_older = self.facts.get(&key).is_some_and(|stored| fact.observed_at < stored.observed_at);
        if !is_older {
            self.facts.insert(key, fact.clone());
        }
        Ok(())
    }
}

impl MemoryNib {
    /// An empty NIB.
    pub fn new() -> Self {
        Self::default()
    }
}

impl NibStore for MemoryNib {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        // A panic elsewhere cannot leave a half-made state: it is replaced as a whole.
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let commit = |changes: &&[Change]| {
            let mut next = state.clone();
            changes.iter().try_for_each(|change| next.apply(change))?;
            let in_effect = next.in_effect();
            next.log.seal(self.sealer.as_deref_mut(), in_effect, seal::events(changes))?;
            *state = next;
            Ok(Committed { next_event: state.next_event() })
        };
        commits.iter().map(commit).collect()
    }

    fn open_log(&mut self, mut sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut log = state.log.clone();
        log.open(sealer.as_ref())?;
        log.seal(Some(sealer.as_mut()), state.in_effect(), log.backlog(&state.events).iter())?;
        state.log = log;
        self.sealer = Some(sealer);
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        Ok(Box::new(MemoryReader { state: Arc::clone(&self.state) }))
    }
}

impl MemoryReader {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

crate::nib::unwritten::unwritten!(MemoryReader);

impl NibReader for MemoryReader {
    fn device(&self, id: DeviceId) -> Result<Option<Device>, NibError> {
        Ok(self.state().devices.get(&id).cloned())
    }

    fn device_by_mac(&self, mac: MacAddr) -> Result<Option<Device>, NibError> {
        let state = self.state();
        Ok(state.by_mac.get(&mac).and_then(|id| state.devices.get(id)).cloned())
    }

    fn devices_by_address(&self, address: Ipv4Addr) -> Result<Vec<Device>, NibError> {
        Ok(self.state().devices.values().filter(|device| device.addresses.contains(&address)).cloned().collect())
    }

    fn devices(
        &self,
        status: Option<DeviceStatus>,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Device>, NibError> {
        let state = self.state();
        let wanted = |device: &&Device| {
            after.is_none_or(|after| device.id > after) && status.is_none_or(|status| device.status == status)
        };
        Ok(state.devices.values().filter(wanted).take(limit).cloned().collect())
    }

    fn facts(&self, first: DeviceId, last: DeviceId) -> Result<Vec<FactRow>, NibError> {
        Ok(self.state().facts.values().filter(|fact| (first..=last).contains(&fact.device)).cloned().collect())
    }

    fn count_devices(&self) -> Result<BTreeMap<DeviceStatus, u64>, NibError> {
        let mut counts = BTreeMap::new();
        for device in self.state().devices.values() {
            *counts.entry(device.status).or_default() += 1;
        }
        Ok(counts)
    }

    fn next_device(&self) -> Result<DeviceId, NibError> {
        Ok(DeviceId::from_number(self.state().highest_device.saturating_add(1)))
    }

    fn events(&self, query: &EventQuery) -> Result<Vec<Event>, NibError> {
        let state = self.state();
        let wanted = |event: &&Event| {
            event.seq >= query.from
                && (query.types.is_empty() || query.types.contains(&event.event_type))
                && query.subject.as_ref().is_none_or(|subject| event.subject == *subject)
                && query.since.is_none_or(|since| event.timestamp >= since)
        };
        Ok(state.events.iter().filter(wanted).take(query.limit).cloned().collect())
    }

    fn last_event(&self, event_type: EventType) -> Result<Option<Event>, NibError> {
        Ok(self.state().events.iter().rev().find(|event| event.event_type == event_type).cloned())
    }

    fn next_event(&self) -> Result<EventSeq, NibError> {
        Ok(self.state().next_event())
    }
}
