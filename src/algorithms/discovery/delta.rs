//! What a cycle changes (discovery stage 4): known devices and seen devices in, changes out.

mod batch;
mod identify;
mod reading;
pub(in crate::algorithms::discovery) mod restart;
pub(in crate::algorithms) mod row;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::time::Duration;

use serde_json::json;

pub use self::batch::{BATCH, Batch};
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
    let mut changes = Vec::new();
    let counted = decide_each(known, next, seen, context, &mut |_, of_one| {
        changes.append(of_one);
        ControlFlow::Continue(())
    });
    // Nothing breaks it off.
    Delta { changes, counts: counted.continue_value().unwrap_or_default() }
}

/// Whom changes are about.
#[derive(Debug, Clone, Copy)]
pub enum About<'k> {
    /// A known device that answered.
    Seen(&'k KnownDevice),
    /// A known device that did not, or was not asked.
    Unseen(&'k KnownDevice),
    /// A device that is new, and gets this id.
    New(DeviceId),
    /// No device in particular.
    None,
}

impl<'k> About<'k> {
    /// The device as it was known.
    pub const fn known(self) -> Option<&'k KnownDevice> {
        match self {
            Self::Seen(known) | Self::Unseen(known) => Some(known),
            Self::New(_) | Self::None => None,
        }
    }

    /// The device, if it answered.
    pub const fn answered(self) -> Option<DeviceId> {
        match self {
            Self::Seen(known) => Some(known.device.id),
            Self::New(id) => Some(id),
            Self::Unseen(_) | Self::None => None,
        }
    }
}

/// Takes all changes of one device. What it leaves in the list is lost.
pub type Take<'t> = dyn FnMut(About<'_>, &mut Vec<Change>) -> ControlFlow<()> + 't;

/// As [`decide`], but hands the changes over device by device, ascending by id, instead of keeping them
/// all. Of a known device that does not change it tells, too; of one that becomes another's, only with
/// that one.
///
/// # Errors
/// [`ControlFlow::Break`] when the taker broke it off.
pub fn decide_each(
    known: &[KnownDevice],
    next: DeviceId,
    seen: &[DeviceObservation],
    context: &Context<'_>,
    take: &mut Take<'_>,
) -> ControlFlow<(), DeltaCounts> {
    let mut delta = Delta::default();
    let mut pass = |about: About<'_>, changes: &mut Vec<Change>| {
        let taken = take(about, changes);
        changes.clear();
        taken
    };
    let owners = owners(seen);
    let matched = identify(known, seen);
    for one in known.iter().filter(|one| !matched.retired.contains(&one.device.id)) {
        let merged = matched.merged.get(&one.device.id).map(Vec::as_slice).unwrap_or_default();
        let about = match matched.seen.get(&one.device.id) {
            Some(observation) => {
                row::seen(one, merged, observation, &owners, context, &mut delta);
                About::Seen(one)
            }
            None => {
                row::unseen(one, &owners, context, &mut delta);
                About::Unseen(one)
            }
        };
        pass(about, &mut delta.changes)?;
    }
    let mut newcomers = matched.newcomers;
    newcomers.sort_by_key(|one| (one.addresses.first().copied(), one.mac.is_none(), one.mac));
    for (number, observation) in (next.number()..).zip(&newcomers) {
        let id = DeviceId::from_number(number);
        row::new(id, observation, context, &mut delta);
        pass(About::New(id), &mut delta.changes)?;
    }
    for (address, macs) in disputed(&owners) {
        if !known_dispute(known, address, macs) {
            let payload = json!({ "macs": macs });
            delta.changes.push(context.event(EventType::AnomalyDuplicateAddress, address.to_string(), payload));
        }
    }
    pass(About::None, &mut delta.changes)?;
    ControlFlow::Continue(delta.counts)
}

/// A dispute is told once: it is known when all of its parties were already known to have the address.
fn known_dispute(known: &[KnownDevice], address: Ipv4Addr, macs: &BTreeSet<MacAddr>) -> bool {
    let had =
        |mac: &MacAddr| known.iter().any(|one| one.device.mac == Some(*mac) && one.device.addresses.contains(&address));
    macs.iter().all(had)
}

#[cfg(test)]
mod tests;
