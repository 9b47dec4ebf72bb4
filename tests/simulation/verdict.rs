//! What must hold in the end, when nothing has gone wrong for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use pdsno::actors::audit::Tiles;
use pdsno::algorithms::audit::examine::Outcome;
use pdsno::algorithms::audit::frontier::Frontier;
use pdsno::app::audit::verify_own;
use pdsno::domain::address::MacAddr;
use pdsno::domain::controller::Role;
use pdsno::domain::device::DeviceStatus;
use pdsno::domain::event::EventType;
use pdsno::domain::origin::Origin;
use pdsno::nib::{EventQuery, NibReader};

use crate::node::Machine;
use crate::run::World;

type Active = BTreeMap<MacAddr, BTreeSet<Ipv4Addr>>;

/// The devices that a NIB has as active.
fn active(reader: &dyn NibReader) -> Active {
    let devices = reader.devices(Some(DeviceStatus::Active), None, 10_000).unwrap();
    devices.into_iter().filter_map(|device| Some((device.mac?, device.addresses.into_iter().collect()))).collect()
}

/// # Errors
/// The first thing that does not hold.
pub fn all_agree(world: &World) -> Result<(), String> {
    for machine in &world.machines {
        let number = machine.number;
        if machine.running.is_none() {
            return Err(format!("node {number} does not run"));
        }
        no_alarm(machine)?;
        the_log_holds(machine)?;
    }
    every_head_holds(world)?;
    the_policy_is_everywhere(world)?;
    the_views_agree(world)
}

/// Nobody was accused, for nobody lied.
fn no_alarm(machine: &Machine) -> Result<(), String> {
    let types =
        vec![EventType::LogFork, EventType::LogCorrupt, EventType::ControllerSuspended, EventType::ControllerLocked];
    let query = EventQuery { types, ..EventQuery::default() };
    match machine.reader.events(&query).unwrap().first() {
        None => Ok(()),
        Some(event) => Err(format!("node {}: {event:?}", machine.number)),
    }
}

fn the_log_holds(machine: &Machine) -> Result<(), String> {
    let number = machine.number;
    let examination = verify_own(machine.reader.as_ref()).map_err(|error| format!("node {number}: {error}"))?;
    if examination.outcome != Outcome::Verified {
        return Err(format!("node {number}: the log does not hold: {:?}", examination.findings));
    }
    let (sealed, events) = (machine.reader.edge().unwrap().size, machine.reader.next_event().unwrap().number());
    if sealed != events {
        return Err(format!("node {number}: {sealed} of {events} events are sealed"));
    }
    Ok(())
}

/// Every head that anybody ever stored is one of the log as it is.
fn every_head_holds(world: &World) -> Result<(), String> {
    let origins: BTreeMap<String, &Machine> = world
        .machines
        .iter()
        .filter_map(|machine| {
            let own = machine.reader.membership().unwrap()?;
            Some((Origin::new(&own.cluster, &own.id).to_string(), machine))
        })
        .collect();
    for (origin, size, root) in world.monitor.heads() {
        let machine = origins.get(&origin).ok_or_else(|| format!("a head of {origin}, which nobody has"))?;
        let tree = Frontier::read(&Tiles(machine.reader.as_ref()), size)
            .map_err(|error| format!("{origin} has no {size} entries, which a head says: {error}"))?;
        if tree.root().to_string() != root {
            return Err(format!("a head of {origin} with {size} entries is not one of its log"));
        }
    }
    Ok(())
}

fn the_policy_is_everywhere(world: &World) -> Result<(), String> {
    let version = |machine: &Machine| machine.reader.policy().unwrap().map(|policy| policy.version);
    let set = version(&world.machines[0]);
    for machine in &world.machines {
        let number = machine.number;
        if version(machine) != set {
            return Err(format!("node {number} runs policy {:?}, not {set:?}", version(machine)));
        }
        for row in machine.reader.controllers(None, 1_000).unwrap() {
            if row.policy_version != set {
                return Err(format!("node {number} has {} at policy {:?}, not {set:?}", row.id, row.policy_version));
            }
        }
    }
    Ok(())
}

fn the_views_agree(world: &World) -> Result<(), String> {
    let below = |above: usize| {
        let children = world.machines.iter().filter(move |machine| world.plan.above(machine.number) == Some(above));
        children.collect::<Vec<_>>()
    };
    for machine in world.machines.iter().filter(|machine| machine.place.role != Role::Local) {
        let mut wanted = Active::new();
        for child in below(machine.number) {
            for (mac, addresses) in active(child.reader.as_ref()) {
                wanted.entry(mac).or_default().extend(addresses);
            }
        }
        let found = active(machine.reader.as_ref());
        let keys = |view: &Active| view.keys().copied().collect::<Vec<_>>();
        if keys(&found) != keys(&wanted) {
            let number = machine.number;
            return Err(format!("node {number} sees {found:?}\nand those below it {wanted:?}"));
        }
    }
    Ok(())
}

/// The newest head of every log: two runs with the same have done the same.
///
/// # Errors
/// Never so far.
pub fn heads(world: &World) -> Result<Vec<String>, String> {
    let told = |machine: &Machine| {
        let edge = machine.reader.edge().unwrap();
        format!("{} {:?} {:?}", machine.number, edge.size, edge.peaks)
    };
    Ok(world.machines.iter().map(told).collect())
}
