//! What a cycle changes (discovery stage 4): known devices and seen devices in, changes out.

mod identify;
mod reading;
pub(in crate::algorithms::discovery) mod restart;
pub(in crate::algorithms) mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::json;

use self::identify::identify;
use crate::algorithms::discovery::identity::Identity;
use crate::algorithms::discovery::merge::{disputed, owners};
use crate::algorithms::discovery::observation::{Asked, DeviceObservation};
use crate::algorithms::discovery::vendor::VendorTable;
use crate::domain::address::MacAddr;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::counters::Readings;
use crate::domain::cycle::DeltaCounts;
use crate::domain::device::{Device, DeviceId};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::fact::{Fact, FactKind, FactRow};
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

    /// When a fact that is news was observed: after what it follows, also where the clock was set back in
    /// between. Of two values the newer one stays, so the NIB would refuse it until the clock has caught
    /// up, and each cycle until then would tell of the same change.
    fn time_of_news(&self, news: &FactRow) -> Timestamp {
        let after = |newest: &FactRow| newest.observed_at.saturating_add(Duration::from_millis(1));
        self.fact(news.fact.kind()).map(after).max(Some(news.observed_at)).unwrap_or(news.observed_at)
    }

    /// What its agent told about who it is, when it last told it.
    pub fn identity(&self) -> Identity {
        let engine = match self.fact(FactKind::SnmpEngine).map(|row| &row.fact) {
            Some(Fact::SnmpEngine(engine)) => Some(engine.engine_id.clone()),
            _ => None,
        };
        let interfaces = match self.fact(FactKind::SnmpInterfaces).map(|row| &row.fact) {
            Some(Fact::SnmpInterfaces(interfaces)) => interfaces.as_slice(),
            _ => &[],
        };
        Identity::new(engine, interfaces)
    }
}

/// What the decision needs to know besides the devices.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// When the cycle began.
    pub began: Timestamp,
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
    /// The addresses whose silence means something: those that were asked on a way that worked.
    pub asked: &'a [Asked],
    /// Who owns which prefix of hardware addresses.
    pub vendors: &'a VendorTable,
    /// What was last read of the counters of devices.
    pub readings: &'a BTreeMap<DeviceId, Readings>,
}

impl Context<'_> {
    /// Whether silence of this address says something about the device.
    fn judges(&self, device: &Device, address: Ipv4Addr) -> bool {
        self.asked.iter().any(|asked| asked.judges(address, &device.methods))
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
/// * A device is its hardware address, else what its agent tells, else its address (`identify`).
///   New ones get numbers from `next` on, in the order of their addresses. Rows that turn out to be
///   of one device become one.
/// * Silence is believed slowly. A device that was asked and did not answer counts a missed cycle,
///   and is inactive once it has as many as policy says; so does an address of a device that
///   answered at another one. Who was not asked is not judged.
/// * An address that now answers with another hardware address has moved at once.
/// * What one protocol did not tell this time does not erase what another cycle learnt.
pub fn decide(known: &[KnownDevice], next: DeviceId, seen: &[DeviceObservation], context: &Context<'_>) -> Delta {
    let mut delta = Delta::default();
    // Nothing breaks it off.
    let _whole = compare(known, next, seen, context, &mut delta, &mut |_| ControlFlow::Continue(()));
    delta
}

/// Rows whose changes [`decide_in_batches`] hands over at once, about: some hundred kilobytes.
pub const BATCH: usize = 1_000;

/// As [`decide`], but hands the changes over in batches instead of keeping them all. The changes of a
/// device are in one batch.
///
/// # Errors
/// [`ControlFlow::Break`] when the taker broke it off.
pub fn decide_in_batches(
    known: &[KnownDevice],
    next: DeviceId,
    seen: &[DeviceObservation],
    context: &Context<'_>,
    take: &mut dyn FnMut(&[Change]) -> ControlFlow<()>,
) -> ControlFlow<(), DeltaCounts> {
    let mut delta = Delta::default();
    let (mut weighed, mut weight) = (0, 0);
    compare(known, next, seen, context, &mut delta, &mut |changes| {
        weight += changes.iter().skip(weighed).map(rows).sum::<usize>();
        weighed = changes.len();
        if weight < BATCH {
            return ControlFlow::Continue(());
        }
        let taken = take(changes);
        changes.clear();
        (weighed, weight) = (0, 0);
        taken
    })?;
    take(&delta.changes)?;
    ControlFlow::Continue(delta.counts)
}

/// How many rows a change writes, about.
fn rows(change: &Change) -> usize {
    match change {
        Change::PutCounters(counters) => 1 + counters.interfaces.len(),
        _ => 1,
    }
}

/// Compares, and lets `pass` look at the changes after each device.
fn compare(
    known: &[KnownDevice],
    next: DeviceId,
    seen: &[DeviceObservation],
    context: &Context<'_>,
    delta: &mut Delta,
    pass: &mut dyn FnMut(&mut Vec<Change>) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let owners = owners(seen);
    let matched = identify(known, seen);
    for one in known.iter().filter(|one| !matched.retired.contains(&one.device.id)) {
        let merged = matched.merged.get(&one.device.id).map(Vec::as_slice).unwrap_or_default();
        match matched.seen.get(&one.device.id) {
            Some(observation) => row::seen(one, merged, observation, &owners, context, delta),
            None => row::unseen(one, &owners, context, delta),
        }
        pass(&mut delta.changes)?;
    }
    let mut newcomers = matched.newcomers;
    newcomers.sort_by_key(|one| (one.addresses.first().copied(), one.mac.is_none(), one.mac));
    for (number, observation) in (next.number()..).zip(&newcomers) {
        row::new(DeviceId::from_number(number), observation, context, delta);
        pass(&mut delta.changes)?;
    }
    for (address, macs) in disputed(&owners) {
        if !known_dispute(known, address, macs) {
            let payload = json!({ "macs": macs });
            delta.changes.push(context.event(EventType::AnomalyDuplicateAddress, address.to_string(), payload));
        }
    }
    ControlFlow::Continue(())
}

/// A dispute is told once: it is known when all of its parties were already known to have the address.
fn known_dispute(known: &[KnownDevice], address: Ipv4Addr, macs: &BTreeSet<MacAddr>) -> bool {
    let had =
        |mac: &MacAddr| known.iter().any(|one| one.device.mac == Some(*mac) && one.device.addresses.contains(&address));
    macs.iter().all(had)
}

#[cfg(test)]
mod tests;
