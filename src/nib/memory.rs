//! The reference model: the NIB as plain maps. Tests run on it, and what the other backends do is
//! compared with it.

mod devices;
mod journal;
mod log;
mod policies;
mod registry;
mod streams;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use serde_json::{Map, Value};

use crate::domain::address::MacAddr;
use crate::domain::counters::Counters;
use crate::domain::device::{Device, DeviceId, DeviceStatus};
use crate::domain::event::{Event, EventSeq, EventType, NewEvent};
use crate::domain::fact::{FactKind, FactRow, FactVersions};
use crate::domain::log::Sealer;
use crate::domain::number::Epoch;
use crate::nib::change::told_of;
use crate::nib::memory::devices::Devices;
use crate::nib::memory::journal::{Journal, List};
use crate::nib::memory::log::Log;
use crate::nib::memory::policies::Policies;
use crate::nib::memory::registry::Registry;
use crate::nib::memory::streams::Streams;
use crate::nib::seal::{self, InEffect};
use crate::nib::{Change, Committed, EventQuery, NibError, NibReader, NibStore, Row, Source};

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

#[derive(Debug, Default)]
struct State {
    devices: Devices,
    events: List<Event>,
    registry: Registry,
    streams: Streams,
    policies: Policies,
    log: Log,
    /// Whether nobody will ask what an event said.
    is_for_rows: bool,
}

impl Journal for State {
    fn keep(&mut self) {
        self.journals().into_iter().for_each(Journal::keep);
    }

    fn take_back(&mut self) {
        self.journals().into_iter().for_each(Journal::take_back);
    }
}

impl State {
    fn journals(&mut self) -> [&mut dyn Journal; 6] {
        [&mut self.devices, &mut self.events, &mut self.registry, &mut self.streams, &mut self.policies, &mut self.log]
    }

    fn next_event(&self) -> EventSeq {
        EventSeq::from_number(self.events.len() as u64)
    }

    /// What the entries of events say that are appended now.
    fn in_effect(&self) -> InEffect {
        let policy_version = self.policies.last_key_value().map(|(version, _)| *version);
        let epoch = self.registry.membership.as_ref().map_or(Epoch::from_number(1), |own| own.epoch);
        InEffect { policy_version, epoch }
    }

    fn apply(&mut self, change: &Change) -> Result<(), NibError> {
        change.validate()?;
        match change {
            Change::InsertDevice(device) => self.devices.insert(device),
            Change::UpdateDevice(device) => self.devices.update(device),
            Change::TouchDevice { id, version, last_seen, methods, rtt } => {
                self.devices.amend(*id, *version, |device| {
                    device.last_seen = *last_seen;
                    device.methods.clone_from(methods);
                    device.rtt = *rtt;
                    device.missed_cycles = 0;
                })
            }
            Change::RemoveDevice { id, version } => {
                self.devices.expect(*id, *version)?;
                if self.streams.tells_of(*id) { Err(told_of(*id)) } else { self.devices.remove(*id, *version) }
            }
            Change::PutFact(fact) => self.devices.put_fact(fact),
            Change::PutCounters(counters) => self.devices.put_counters(counters),
            Change::Append(event) => {
                let seq = self.next_event();
                let NewEvent { event_type, ref actor, ref subject, timestamp, ref payload } = *event;
                let payload = if self.is_for_rows { Value::Object(Map::new()) } else { payload.clone() };
                let (actor, subject) = (actor.clone(), subject.clone());
                self.events.push(Event { seq, event_type, actor, subject, timestamp, payload });
                Ok(())
            }
            Change::Registry(change) => self.registry.apply(change),
            Change::Stream(change) => self.streams.apply(change),
            Change::PutSighting(sighting) if !self.devices.rows.contains_key(&sighting.device) => {
                Err(NibError::NotFound(Row::Device(sighting.device)))
            }
            Change::PutSighting(sighting) => {
                self.streams.put_sighting(sighting);
                Ok(())
            }
            Change::DropSighting { reporter, reported } => {
                self.streams.drop_sighting(&(reporter.clone(), *reported));
                Ok(())
            }
            Change::PutPolicy(policy) => policies::put(&mut self.policies, policy),
            Change::Log(change) => self.log.apply(change),
        }
    }
}

/// A commit under way: what it did is taken back when it goes out of scope without having been kept.
struct Attempt<'s>(&'s mut State);

impl Attempt<'_> {
    fn make(mut self, changes: &[Change], sealer: Option<&mut (dyn Sealer + 'static)>) -> Result<Committed, NibError> {
        self.take(changes, sealer)?;
        Ok(self.keep())
    }

    /// Some of its changes, or all.
    fn take(&mut self, changes: &[Change], sealer: Option<&mut (dyn Sealer + 'static)>) -> Result<(), NibError> {
        changes.iter().try_for_each(|change| self.0.apply(change))?;
        let in_effect = self.0.in_effect();
        self.0.log.seal(sealer, in_effect, seal::events(changes))
    }

    fn keep(self) -> Committed {
        self.0.keep();
        Committed { next_event: self.0.next_event() }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.take_back();
    }
}

impl MemoryNib {
    /// An empty NIB.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty NIB for somebody who reads no events: it keeps that they were, not what they said, which
    /// is the most of what a first cycle writes.
    pub fn for_rows() -> Self {
        let state = State { is_for_rows: true, ..State::default() };
        Self { state: Arc::new(RwLock::new(state)), sealer: None }
    }

    /// The same NIB as a process finds it that starts after this one: its log is yet to be opened.
    #[must_use]
    pub fn reopened(&self) -> Self {
        Self { state: Arc::clone(&self.state), sealer: None }
    }
}

impl NibStore for MemoryNib {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        // A panic cannot leave a half-made state: it is taken back on the way.
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let sealer = &mut self.sealer;
        let commit = |changes: &&[Change]| Attempt(&mut state).make(changes, sealer.as_deref_mut());
        commits.iter().map(commit).collect()
    }

    fn commit_from(&mut self, source: Source) -> Result<Committed, NibError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let mut attempt = Attempt(&mut state);
        source.run(&mut |changes| attempt.take(changes, self.sealer.as_deref_mut()))?;
        Ok(attempt.keep())
    }

    fn open_log(&mut self, mut sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let attempt = Attempt(&mut state);
        attempt.0.log.open(sealer.as_ref())?;
        let (in_effect, backlog) = (attempt.0.in_effect(), attempt.0.log.backlog(&attempt.0.events));
        attempt.0.log.seal(Some(sealer.as_mut()), in_effect, backlog.iter())?;
        attempt.0.keep();
        drop(attempt);
        drop(state);
        self.sealer = Some(sealer);
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        Ok(Box::new(MemoryReader { state: Arc::clone(&self.state) }))
    }
}

/// Where a page begins.
fn after<K>(key: Option<K>) -> Bound<K> {
    key.map_or(Bound::Unbounded, Bound::Excluded)
}

impl MemoryReader {
    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NibReader for MemoryReader {
    fn device(&self, id: DeviceId) -> Result<Option<Device>, NibError> {
        Ok(self.state().devices.rows.get(&id).cloned())
    }

    fn device_by_mac(&self, mac: MacAddr) -> Result<Option<Device>, NibError> {
        let Devices { by_mac, rows, .. } = &self.state().devices;
        Ok(by_mac.get(&mac).and_then(|id| rows.get(id)).cloned())
    }

    fn devices_by_address(&self, address: Ipv4Addr) -> Result<Vec<Device>, NibError> {
        Ok(self.state().devices.rows.values().filter(|device| device.addresses.contains(&address)).cloned().collect())
    }

    fn devices(
        &self,
        status: Option<DeviceStatus>,
        after_id: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Device>, NibError> {
        let state = self.state();
        let later = state.devices.rows.range((after(after_id), Bound::Unbounded)).map(|(_, device)| device);
        let wanted = later.filter(|device| status.is_none_or(|status| device.status == status));
        Ok(wanted.take(limit).cloned().collect())
    }

    fn facts(&self, first: DeviceId, last: DeviceId) -> Result<Vec<FactRow>, NibError> {
        let state = self.state();
        let from = (first, FactKind::SnmpReachability, String::new());
        let facts = state.devices.facts.range(from..).map(|(_, fact)| fact);
        Ok(facts.take_while(|fact| fact.device <= last).cloned().collect())
    }

    fn fact_versions(&self, first: DeviceId, last: DeviceId) -> Result<BTreeMap<DeviceId, FactVersions>, NibError> {
        let mut versions: BTreeMap<DeviceId, FactVersions> = BTreeMap::new();
        for row in self.facts(first, last)? {
            versions.entry(row.device).or_default().put(row.fact.kind(), row.source, row.observed_at);
        }
        Ok(versions)
    }

    fn counters(&self, first: DeviceId, last: DeviceId) -> Result<Vec<Counters>, NibError> {
        let state = self.state();
        let later = state.devices.counters.range(first..).map(|(_, counters)| counters);
        Ok(later.take_while(|counters| counters.device <= last).cloned().collect())
    }

    fn count_devices(&self) -> Result<BTreeMap<DeviceStatus, u64>, NibError> {
        let mut counts = BTreeMap::new();
        for device in self.state().devices.rows.values() {
            *counts.entry(device.status).or_default() += 1;
        }
        Ok(counts)
    }

    fn next_device(&self) -> Result<DeviceId, NibError> {
        Ok(DeviceId::from_number(self.state().devices.highest.saturating_add(1)))
    }

    fn events(&self, query: &EventQuery) -> Result<Vec<Event>, NibError> {
        let state = self.state();
        let wanted = |event: &&Event| {
            (query.types.is_empty() || query.types.contains(&event.event_type))
                && query.subject.as_ref().is_none_or(|subject| event.subject == *subject)
                && query.since.is_none_or(|since| event.timestamp >= since)
        };
        let from = usize::try_from(query.from.number()).unwrap_or(usize::MAX);
        Ok(state.events.iter().skip(from).filter(wanted).take(query.limit).cloned().collect())
    }

    fn last_event(&self, event_type: EventType) -> Result<Option<Event>, NibError> {
        Ok(self.state().events.iter().rev().find(|event| event.event_type == event_type).cloned())
    }

    fn next_event(&self) -> Result<EventSeq, NibError> {
        Ok(self.state().next_event())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn a_nib_for_rows_keeps_that_there_was_an_event_and_not_what_it_said() {
        let event = Change::Append(NewEvent {
            event_type: EventType::ControllerStarted,
            actor: "standalone".to_owned(),
            subject: "it".to_owned(),
            timestamp: Timestamp::from_millis(0),
            payload: serde_json::json!({ "much": "text" }),
        });
        let said = |mut nib: MemoryNib| {
            nib.commit(std::slice::from_ref(&event)).unwrap();
            let reader = nib.reader().unwrap();
            assert_eq!(reader.next_event().unwrap(), EventSeq::from_number(1));
            reader.events(&EventQuery::default()).unwrap().remove(0).payload
        };
        assert_eq!(said(MemoryNib::for_rows()), serde_json::json!({}));
        assert_eq!(said(MemoryNib::new()), serde_json::json!({ "much": "text" }));
    }
}
