//! Devices and their facts in memory.

use crate::domain::address::MacAddr;
use crate::domain::counters::Counters;
use crate::domain::device::{Device, DeviceId, Version};
use crate::domain::fact::{FactKind, FactRow};
use crate::nib::memory::journal::{Journal, Single, Table};
use crate::nib::{NibError, Row};

#[derive(Debug, Default)]
pub(super) struct Devices {
    pub(super) rows: Table<DeviceId, Device>,
    pub(super) by_mac: Table<MacAddr, DeviceId>,
    pub(super) facts: Table<(DeviceId, FactKind, String), FactRow>,
    pub(super) counters: Table<DeviceId, Counters>,
    pub(super) highest: Single<u32>,
}

impl Journal for Devices {
    fn keep(&mut self) {
        self.journals().into_iter().for_each(Journal::keep);
    }

    fn take_back(&mut self) {
        self.journals().into_iter().for_each(Journal::take_back);
    }
}

impl Devices {
    fn journals(&mut self) -> [&mut dyn Journal; 5] {
        [&mut self.rows, &mut self.by_mac, &mut self.facts, &mut self.counters, &mut self.highest]
    }

    pub(super) fn insert(&mut self, device: &Device) -> Result<(), NibError> {
        if device.id.number() <= *self.highest {
            let found = self.rows.get(&device.id).map(|found| found.version);
            return Err(NibError::Conflict { row: Row::Device(device.id), expected: None, found });
        }
        self.put(device.clone(), None)?;
        self.highest.set(device.id.number());
        Ok(())
    }

    pub(super) fn update(&mut self, device: &Device) -> Result<(), NibError> {
        self.expect(device.id, device.version)?;
        self.put(Device { version: device.version.next(), ..device.clone() }, Some(device.version))
    }

    /// Changes what the row of this version says beside its MAC address.
    pub(super) fn amend(
        &mut self,
        id: DeviceId,
        version: Version,
        amend: impl FnOnce(&mut Device),
    ) -> Result<(), NibError> {
        let mut device = self.expect(id, version)?.clone();
        amend(&mut device);
        device.version = version.next();
        self.rows.put(id, device);
        Ok(())
    }

    /// Takes away the row of this version, with its facts and counters.
    pub(super) fn remove(&mut self, id: DeviceId, version: Version) -> Result<(), NibError> {
        let mac = self.expect(id, version)?.mac;
        mac.into_iter().for_each(|mac| self.by_mac.remove(&mac));
        let facts: Vec<_> = self.facts.keys().filter(|(device, ..)| *device == id).cloned().collect();
        facts.iter().for_each(|key| self.facts.remove(key));
        self.counters.remove(&id);
        self.rows.remove(&id);
        Ok(())
    }

    /// The row of this version.
    pub(super) fn expect(&self, id: DeviceId, version: Version) -> Result<&Device, NibError> {
        let row = Row::Device(id);
        match self.rows.get(&id) {
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
        let before = self.rows.get(&device.id).and_then(|before| before.mac);
        if before != device.mac {
            if let Some(mac) = before {
                self.by_mac.remove(&mac);
            }
            if let Some(mac) = device.mac {
                self.by_mac.put(mac, device.id);
            }
        }
        self.rows.put(device.id, device);
        Ok(())
    }

    pub(super) fn put_fact(&mut self, fact: &FactRow) -> Result<(), NibError> {
        if !self.rows.contains_key(&fact.device) {
            return Err(NibError::NotFound(Row::Device(fact.device)));
        }
        let key = (fact.device, fact.fact.kind(), fact.source.clone());
        let is_older = self.facts.get(&key).is_some_and(|stored| fact.observed_at < stored.observed_at);
        if !is_older {
            self.facts.put(key, fact.clone());
        }
        Ok(())
    }

    pub(super) fn put_counters(&mut self, counters: &Counters) -> Result<(), NibError> {
        if !self.rows.contains_key(&counters.device) {
            return Err(NibError::NotFound(Row::Device(counters.device)));
        }
        self.counters.put(counters.device, counters.clone());
        Ok(())
    }
}
