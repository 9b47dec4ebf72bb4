//! What a cycle changes (discovery stage 4): known devices and seen devices in, changes out.

mod restart;
pub(in crate::algorithms) mod row;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::Ipv4Addr;

use serde_json::json;

use crate::algorithms::discovery::merge::{disputed, owners};
use crate::algorithms::discovery::observation::DeviceObservation;
use crate::algorithms::discovery::vendor::VendorTable;
use crate::domain::address::MacAddr;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::cycle::DeltaCounts;
use crate::domain::device::{Device, DeviceId};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::fact::{FactKind, FactRow};
use crate::domain::subnet::AddressSet;
use crate::domain::time::Timestamp;

/// A device as the NIB has it.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownDevice {
    /// The row.
    pub device: Device,
    /// Its facts.
    pub facts: Vec<FactRow>,
}

impl KnownDevice {
    /// The newest fact of a kind, whoever said it.
    pub fn fact(&self, kind: FactKind) -> Option<&FactRow> {
        self.facts.iter().filter(|row| row.fact.kind() == kind).max_by_key(|row| row.observed_at)
    }
}

/// What the decision needs to know besides the devices.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// When the cycle ended.
    pub now: Timestamp,
    /// Who decides, for the events.
    pub actor: &'a ControllerId,
    /// The controller's zone.
    pub region: Option<&'a Region>,
    /// The controller's name, when it has been given one.
    pub local_controller: Option<&'a ControllerId>,
    /// Policy: cycles in a row that a device may miss.
    pub missed_cycles_before_inactive: u32,
    /// The addresses whose silence means something: those that were asked on a link that worked.
    pub asked: &'a [AddressSet],
    /// Who owns which prefix of hardware addresses.
    pub vendors: &'a VendorTable,
}

impl Context<'_> {
    fn was_asked(&self, address: Ipv4Addr) -> bool {
        self.asked.iter().any(|set| set.contains(address))
    }

    fn event(&self, event_type: EventType, subject: String, payload: serde_json::Value) -> Change {
        Change::Append(NewEvent { event_type, actor: self.actor.to_string(), subject, timestamp: self.now, payload })
    }
}

/// What a cycle changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    /// To be committed together.
    pub changes: Vec<Change>,
    /// How many devices, by what became of them.
    pub counts: DeltaCounts,
}

/// Compares what was seen with what is known.
///
/// * A device is its hardware address. New ones get numbers from `next` on, in the order of their
///   addresses.
/// * Silence is believed slowly. A device that was asked and did not answer counts a missed cycle,
///   and is inactive once it has as many as policy says; so does an address of a device that
///   answered at another one. Who was not asked is not judged.
/// * An address that now answers with another hardware address has moved at once.
/// * What one protocol did not tell this time does not erase what another cycle learnt.
pub fn decide(
    known: &[KnownDevice],
    next: DeviceId,
    seen: &BTreeMap<MacAddr, DeviceObservation>,
    context: &Context<'_>,
) -> Delta {
    let mut delta = Delta::default();
    let owners = owners(seen);
    let mut known_macs = HashSet::with_capacity(known.len());
    for one in known {
        let Some(mac) = one.device.mac else { continue };
        known_macs.insert(mac);
        match seen.get(&mac) {
            Some(observation) => row::seen(one, observation, &owners, context, &mut delta),
            None => row::unseen(one, &owners, context, &mut delta),
        }
    }
    let mut newcomers: Vec<&DeviceObservation> =
        seen.values().filter(|observation| !known_macs.contains(&observation.mac)).collect();
    newcomers.sort_by_key(|observation| observation.addresses.first().copied());
    for (number, observation) in (next.number()..).zip(newcomers) {
        row::new(DeviceId::from_number(number), observation, context, &mut delta);
    }
    for (address, macs) in disputed(&owners) {
        if !known_dispute(known, address, macs) {
            let payload = json!({ "macs": macs });
            delta.changes.push(context.event(EventType::AnomalyDuplicateAddress, address.to_string(), payload));
        }
    }
    delta
}

/// A dispute is told once: it is known when all of its parties were already known to have the address.
fn known_dispute(known: &[KnownDevice], address: Ipv4Addr, macs: &BTreeSet<MacAddr>) -> bool {
    let had =
        |mac: &MacAddr| known.iter().any(|one| one.device.mac == Some(*mac) && one.device.addresses.contains(&address));
    macs.iter().all(had)
}

#[cfg(test)]
mod tests;
