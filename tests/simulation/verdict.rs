//! What must hold in the end, when nothing has gone wrong for a while.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use pdsno::actors::audit::Tiles;
use pdsno::algorithms::audit::examine::Outcome;
use pdsno::algorithms::audit::frontier::Frontier;
use pdsno::algorithms::report::facts::is_compared;
use pdsno::app::audit::{EventKey, export, proof_text, prove, verify_own, verify_paths};
use pdsno::app::failure::Failure;
use pdsno::domain::address::MacAddr;
use pdsno::domain::controller::{ControllerId, Role};
use pdsno::domain::device::DeviceStatus;
use pdsno::domain::event::{EventSeq, EventType};
use pdsno::domain::fact::{FactKind, FactRow};
use pdsno::domain::key::PublicKey;
use pdsno::domain::log::StoredEntry;
use pdsno::domain::origin::Origin;
use pdsno::nib::{EventQuery, NibReader};
use pdsno::wire::entry;

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
        keys_follow_each_other(machine)?;
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

/// A log goes from one key to the next and never back.
fn keys_follow_each_other(machine: &Machine) -> Result<(), String> {
    let number = machine.number;
    let keys = machine.keys.all();
    let mut used: Vec<PublicKey> = Vec::new();
    let mut from = EventSeq::FIRST;
    loop {
        let page = machine.reader.entries(from, 1_000).unwrap();
        let Some(last) = page.last() else { return Ok(()) };
        from = last.seq.next();
        for StoredEntry { seq, sealed } in page {
            let signs = |key: &&PublicKey| entry::is_signed(&sealed.body, &sealed.signature, key);
            let newest = used.last().filter(signs).is_some();
            let by = if newest { used.last() } else { keys.iter().find(signs) };
            let by = *by.ok_or_else(|| format!("node {number}: entry {seq} is signed by none of its keys"))?;
            if !newest && used.contains(&by) {
                return Err(format!("node {number}: entry {seq} is signed by a key that was given up"));
            }
            if !newest {
                used.push(by);
            }
        }
    }
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
        for child in below(machine.number) {
            what_is_told_is_known(machine, child)?;
        }
        what_is_known_was_observed(machine, world)?;
    }
    Ok(())
}

/// What is known of a device, by what it is about and who said it.
type Facts = BTreeMap<(MacAddr, FactKind, String), FactRow>;

/// The facts in which the tiers agree.
fn facts(reader: &dyn NibReader) -> Facts {
    let devices = reader.devices(None, None, 10_000).unwrap();
    let facts = devices.into_iter().flat_map(|device| {
        let rows = reader.facts(device.id, device.id).unwrap().into_iter();
        rows.filter_map(move |row| Some(((device.mac?, row.fact.kind(), row.source.clone()), row)))
    });
    facts.filter(|((_, kind, _), _)| is_compared(*kind)).collect()
}

/// Of every fact that a controller below has, there is a value.
fn what_is_told_is_known(machine: &Machine, child: &Machine) -> Result<(), String> {
    let known = facts(machine.reader.as_ref());
    match facts(child.reader.as_ref()).keys().find(|key| !known.contains_key(*key)) {
        None => Ok(()),
        Some(key) => Err(format!("node {} does not know {key:?} of node {}", machine.number, child.number)),
    }
}

/// Every value is the one that the controller has of which it is said that it observed it.
fn what_is_known_was_observed(machine: &Machine, world: &World) -> Result<(), String> {
    let number = machine.number;
    let observed: BTreeMap<ControllerId, Facts> = world
        .machines
        .iter()
        .filter(|machine| machine.place.role == Role::Local)
        .filter_map(|machine| Some((machine.name()?, facts(machine.reader.as_ref()))))
        .collect();
    for (key, row) in facts(machine.reader.as_ref()) {
        let by = row.observer.as_ref().and_then(|observer| observed.get(observer)?.get(&key));
        if by.map(|by| &by.fact) != Some(&row.fact) {
            return Err(format!("node {number} knows {row:?}\nand its observer {by:?}"));
        }
    }
    Ok(())
}

/// What an outsider is given now: of each log an export, and the proof of one event.
pub fn hand_over(world: &World, folder: &Path) -> Result<Vec<PathBuf>, String> {
    fs::create_dir(folder).unwrap();
    let mut handed = Vec::new();
    for machine in &world.machines {
        let (number, reader) = (machine.number, machine.reader.as_ref());
        let wrong = |what: &str, failure: Failure| format!("node {number}: {what}: {failure}");
        let (whole, one) = (folder.join(format!("export-{number}")), folder.join(format!("proof-{number}")));
        export(reader, 0, None, &whole).map_err(|failure| wrong("no export", failure))?;
        let proof = prove(reader, EventKey::Seq(EventSeq::FIRST)).map_err(|failure| wrong("no proof", failure))?;
        fs::write(&one, proof_text(&proof).unwrap()).unwrap();
        handed.extend([whole, one]);
    }
    Ok(handed)
}

/// All of it is verified by the key of the trust root alone, also when keys were renewed since.
pub fn is_verified(world: &World, handed: &[PathBuf]) -> Result<(), String> {
    let root = world.machines[0].keys.all()[0];
    for examination in verify_paths(handed, root).map_err(|failure| failure.to_string())? {
        if examination.outcome != Outcome::Verified {
            return Err(format!("what was handed over is not verified: {examination:?}"));
        }
    }
    Ok(())
}

/// The newest head of every log.
pub fn heads(world: &World) -> Vec<String> {
    let told = |machine: &Machine| {
        let edge = machine.reader.edge().unwrap();
        format!("{} {:?} {:?}", machine.number, edge.size, edge.peaks)
    };
    world.machines.iter().map(told).collect()
}
