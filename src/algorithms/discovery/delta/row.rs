//! The changes of one device.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::reading::counters;
use super::restart::{Told, restarted};
use super::{Context, Delta, KnownDevice};
use crate::algorithms::discovery::classify::{Clues, Conclusion, conclude};
use crate::algorithms::discovery::merge::Owners;
use crate::algorithms::discovery::observation::{DeviceObservation, SnmpAnswer};
use crate::domain::address::MacAddr;
use crate::domain::change::Change;
use crate::domain::device::{Device, DeviceId, DeviceStatus, DeviceType, Sighting, Version};
use crate::domain::event::EventType;
use crate::domain::fact::{Fact, FactKind, FactRow, Interface, SnmpReachability, SnmpSystem};
use crate::domain::protocol::Protocol;

/// A device that the NIB does not have.
pub(super) fn new(id: DeviceId, observation: &DeviceObservation, context: &Context<'_>, delta: &mut Delta) {
    let conclusion = conclusion(observation.mac, system_of(observation), context);
    let device = Device {
        id,
        mac: observation.mac,
        addresses: observation.addresses.clone(),
        hostname: hostname(observation),
        vendor: conclusion.vendor.as_ref().map(|(vendor, _)| vendor.clone()),
        device_type: conclusion.device_type,
        firmware: conclusion.firmware.clone(),
        region: context.region.cloned(),
        local_controller: context.local_controller.cloned(),
        status: DeviceStatus::Active,
        first_seen: context.now,
        last_seen: context.now,
        missed_cycles: 0,
        methods: observation.methods.clone(),
        rtt: observation.rtt,
        version: Version::FIRST,
    };
    let payload = json!({
        "mac": observation.mac,
        "ip_addresses": device.addresses,
        "hostname": device.hostname,
        "vendor": device.vendor,
        "device_type": device.device_type,
        "methods": device.methods,
    });
    delta.changes.push(Change::InsertDevice(device));
    for row in fact_rows(id, observation, &conclusion, context) {
        delta.changes.push(Change::PutFact(row));
    }
    delta.changes.extend(counters(id, observation, context));
    delta.changes.push(context.event(EventType::DeviceDiscovered, id.to_string(), payload));
    delta.counts.new += 1;
}

/// A known device that answered. `merged` are rows that turned out to be of the same device.
pub(super) fn seen(
    row: &KnownDevice,
    merged: &[&KnownDevice],
    observation: &DeviceObservation,
    owners: &Owners,
    context: &Context<'_>,
    delta: &mut Delta,
) {
    let before = &row.device;
    let known = &united(row, merged);
    let known_system = match known.fact(FactKind::SnmpSystem).map(|row| &row.fact) {
        Some(Fact::SnmpSystem(system)) => Some(system),
        _ => None,
    };
    let system = system_of(observation).or(known_system);
    let mac = observation.mac.or(before.mac);
    let conclusion = conclusion(mac, system, context);
    let (addresses, silent) = addresses(known, observation, owners, context);
    let same = &known.device;
    let device = Device {
        mac,
        addresses,
        hostname: hostname(observation).or_else(|| same.hostname.clone()),
        vendor: conclusion.vendor.as_ref().map(|(vendor, _)| vendor.clone()).or_else(|| same.vendor.clone()),
        device_type: match conclusion.device_type {
            DeviceType::Unknown => same.device_type,
            known => known,
        },
        // It is read from the description alone: a new one that tells none takes the old one back.
        firmware: if system.is_some() { conclusion.firmware.clone() } else { same.firmware.clone() },
        region: context.region.cloned().or_else(|| before.region.clone()),
        local_controller: context.local_controller.cloned().or_else(|| before.local_controller.clone()),
        status: same.status.after(Sighting::Seen),
        first_seen: same.first_seen,
        last_seen: context.now,
        missed_cycles: 0,
        methods: methods(before, observation, context),
        rtt: observation.rtt,
        ..before.clone()
    };

    let mut differences = differences(before, &device);
    let mut rows = fact_rows(device.id, observation, &conclusion, context);
    rows.push(fact_row(device.id, Fact::SilentAddresses(silent), "sweep", None, context));
    rows.retain(|row| is_news(known, row));
    rows.iter_mut().for_each(|row| row.observed_at = known.time_of_news(row));
    tell_restart(known, observation, context, delta);
    retire(&device, merged, context, delta);
    let moved = known.facts.iter().filter(|fact| !row.facts.contains(fact)).cloned().map(Change::PutFact);
    if !merged.is_empty() {
        differences.insert("merged".to_owned(), json!(merged.iter().map(|one| one.device.id).collect::<Vec<_>>()));
    }
    let interfaces = known.fact(FactKind::SnmpInterfaces).map(|row| &row.fact);
    if let Some(change) = interfaces.and_then(|before| rows.iter().find_map(|row| interface_change(before, &row.fact)))
    {
        differences.insert("interfaces".to_owned(), change);
    }

    let counters = counters(device.id, observation, context);

    if differences.is_empty() {
        let Device { id, version, last_seen, methods, rtt, .. } = device;
        delta.changes.push(Change::TouchDevice { id, version, last_seen, methods, rtt });
        delta.changes.extend(rows.into_iter().map(Change::PutFact).chain(counters));
        delta.counts.unchanged += 1;
    } else {
        let subject = device.id.to_string();
        delta.changes.push(Change::UpdateDevice(device));
        delta.changes.extend(moved);
        delta.changes.extend(rows.into_iter().map(Change::PutFact).chain(counters));
        delta.changes.push(context.event(EventType::DeviceUpdated, subject, json!({ "changes": differences })));
        delta.counts.updated += 1;
    }
}

/// What a device answers by: what it answered now, and what it did before where silence means nothing.
fn methods(before: &Device, observation: &DeviceObservation, context: &Context<'_>) -> Vec<Protocol> {
    let mut methods = observation.methods.clone();
    if !observation.addresses.iter().any(|address| context.judges(before, *address)) {
        methods.extend(&before.methods);
        methods.sort_unstable();
        methods.dedup();
    }
    methods
}

/// An event when the agent has started since the newest facts that it told of itself.
fn tell_restart(known: &KnownDevice, observation: &DeviceObservation, context: &Context<'_>, delta: &mut Delta) {
    let Some((address, answer)) = answer_of(observation) else { return };
    let (mut before, uptime) = match known.fact(FactKind::SnmpUptime) {
        Some(FactRow { fact: Fact::SnmpUptime(uptime), observed_at, .. }) => (*observed_at, Some(*uptime)),
        _ => (context.now, None),
    };
    let engine = match known.fact(FactKind::SnmpEngine) {
        Some(FactRow { fact: Fact::SnmpEngine(engine), observed_at, .. }) => {
            before = before.max(*observed_at);
            Some(engine)
        }
        _ => None,
    };
    let before = Told { uptime, engine, at: before };
    let now = Told { uptime: answer.uptime, engine: answer.engine.as_ref(), at: context.now };
    if restarted(before, now) {
        let payload = json!({
            "address": address,
            "uptime_seconds": { "from": uptime.map(|it| it.uptime_seconds), "to": answer.uptime.map(|it| it.uptime_seconds) },
            "engine_boots": { "from": engine.map(|it| it.boots), "to": answer.engine.as_ref().map(|it| it.boots) },
        });
        delta.changes.push(context.event(EventType::AgentRestarted, known.device.id.to_string(), payload));
    }
}

/// A row with all that is known by the others, too: their addresses, the first sighting of any, what
/// people decided about any, and what their agents told where it told nothing newer itself.
fn united(row: &KnownDevice, merged: &[&KnownDevice]) -> KnownDevice {
    let mut united = row.clone();
    for KnownDevice { device: other, facts } in merged {
        let device = &mut united.device;
        device.addresses.extend(&other.addresses);
        device.first_seen = device.first_seen.min(other.first_seen);
        // No sighting lifts these two, and so no merge does.
        if matches!(other.status, DeviceStatus::Quarantined | DeviceStatus::Degraded)
            && device.status != DeviceStatus::Quarantined
        {
            device.status = other.status;
        }
        device.hostname = device.hostname.take().or_else(|| other.hostname.clone());
        device.vendor = device.vendor.take().or_else(|| other.vendor.clone());
        device.firmware = device.firmware.take().or_else(|| other.firmware.clone());
        if device.device_type == DeviceType::Unknown {
            device.device_type = other.device_type;
        }
        for fact in facts.iter().filter(|fact| fact.protocol.is_some()) {
            let same = |mine: &&mut FactRow| mine.fact.kind() == fact.fact.kind() && mine.source == fact.source;
            let moved = FactRow { device: row.device.id, ..fact.clone() };
            match united.facts.iter_mut().find(same) {
                Some(mine) if mine.observed_at < moved.observed_at => *mine = moved,
                Some(_) => {}
                None => united.facts.push(moved),
            }
        }
    }
    united.device.addresses.sort_unstable();
    united.device.addresses.dedup();
    united
}

/// Takes away the rows that are of this device.
fn retire(device: &Device, merged: &[&KnownDevice], context: &Context<'_>, delta: &mut Delta) {
    for KnownDevice { device: other, .. } in merged {
        delta.changes.push(Change::RemoveDevice { id: other.id, version: other.version });
        let payload = json!({
            "into": device.id,
            "mac": device.mac,
            "ip_addresses": other.addresses,
            "first_seen": other.first_seen,
        });
        delta.changes.push(context.event(EventType::DeviceMerged, other.id.to_string(), payload));
    }
}

/// A known device that did not answer.
pub(super) fn unseen(known: &KnownDevice, owners: &Owners, context: &Context<'_>, delta: &mut Delta) {
    let before = &known.device;
    let mut device = before.clone();
    device.addresses.retain(|address| !owners.contains_key(address));
    // A device that has lost its last address to another one is asked by every question.
    let judged = !context.asked.is_empty() && before.addresses.iter().all(|address| context.judges(before, *address));
    if judged && before.status != DeviceStatus::Inactive {
        let limit = context.missed_cycles_before_inactive;
        let missed_cycles = before.missed_cycles.saturating_add(1);
        let sighting = if missed_cycles >= limit { Sighting::MissedTooOften } else { Sighting::Missed };
        device.status = before.status.after(sighting);
        // A status that no silence changes would be written anew in every cycle: past the limit it is not counted on.
        if before.missed_cycles < limit || device.status != before.status {
            device.missed_cycles = missed_cycles;
        }
        if device.status == DeviceStatus::Inactive { delta.counts.inactive += 1 } else { delta.counts.missed += 1 }
    }
    if device == *before {
        return;
    }
    let differences = differences(before, &device);
    let subject = device.id.to_string();
    let became_inactive = device.status != before.status;
    let missed_cycles = device.missed_cycles;
    delta.changes.push(Change::UpdateDevice(device));
    if became_inactive {
        let payload = json!({
            "mac": before.mac,
            "ip_addresses": before.addresses,
            "missed_cycles": missed_cycles,
            "last_seen": before.last_seen,
        });
        delta.changes.push(context.event(EventType::DeviceInactive, subject, payload));
    } else if !differences.is_empty() {
        delta.changes.push(context.event(EventType::DeviceUpdated, subject, json!({ "changes": differences })));
    }
}

/// The addresses of a device that answered, and for how many cycles some of them have been silent.
fn addresses(
    known: &KnownDevice,
    observation: &DeviceObservation,
    owners: &Owners,
    context: &Context<'_>,
) -> (Vec<Ipv4Addr>, BTreeMap<Ipv4Addr, u32>) {
    let silent_before = match known.fact(FactKind::SilentAddresses).map(|row| &row.fact) {
        Some(Fact::SilentAddresses(silent)) => silent.clone(),
        _ => BTreeMap::new(),
    };
    let mut addresses = observation.addresses.clone();
    let mut silent = BTreeMap::new();
    for address in &known.device.addresses {
        let moved = owners.contains_key(address);
        if moved || observation.addresses.contains(address) {
            continue;
        }
        let before = silent_before.get(address).copied().unwrap_or(0);
        let cycles = before.saturating_add(u32::from(context.judges(&known.device, *address)));
        if cycles < context.missed_cycles_before_inactive {
            addresses.push(*address);
            if cycles > 0 {
                silent.insert(*address, cycles);
            }
        }
    }
    addresses.sort_unstable();
    (addresses, silent)
}

fn system_of(observation: &DeviceObservation) -> Option<&SnmpSystem> {
    answer_of(observation).map(|(_, answer)| &answer.system)
}

pub(super) fn answer_of(observation: &DeviceObservation) -> Option<(Ipv4Addr, &SnmpAnswer)> {
    observation.snmp.as_ref().and_then(|(address, said)| said.as_ref().ok().map(|answer| (*address, answer)))
}

fn hostname(observation: &DeviceObservation) -> Option<String> {
    system_of(observation).and_then(|system| system.sys_name.clone()).filter(|name| !name.trim().is_empty())
}

fn conclusion(mac: Option<MacAddr>, system: Option<&SnmpSystem>, context: &Context<'_>) -> Conclusion {
    let clues = Clues {
        mac,
        sys_object_id: system.and_then(|system| system.sys_object_id.as_deref()),
        sys_descr: system.and_then(|system| system.sys_descr.as_deref()),
        sys_services: system.and_then(|system| system.sys_services),
    };
    conclude(&clues, context.vendors)
}

fn fact_rows(
    id: DeviceId,
    observation: &DeviceObservation,
    conclusion: &Conclusion,
    context: &Context<'_>,
) -> Vec<FactRow> {
    let mut rows = Vec::new();
    if let Some((_, evidence)) = &conclusion.vendor {
        rows.push(fact_row(id, Fact::VendorEvidence(evidence.clone()), "conclusion", None, context));
    }
    if let Some(evidence) = &conclusion.type_evidence {
        rows.push(fact_row(id, Fact::TypeEvidence(evidence.clone()), "conclusion", None, context));
    }
    if let Some((address, said)) = &observation.snmp {
        let source = address.to_string();
        let mut put = |fact| rows.push(fact_row(id, fact, &source, Some(Protocol::Snmp), context));
        let reason = said.as_ref().map_or_else(|failure| Some(*failure), |answer| answer.shortfall);
        put(Fact::SnmpReachability(SnmpReachability { reachable: said.is_ok(), reason }));
        if let Ok(answer) = said {
            put(Fact::SnmpSystem(answer.system.clone()));
            answer.uptime.into_iter().for_each(|uptime| put(Fact::SnmpUptime(uptime)));
            answer.interfaces.iter().for_each(|table| put(Fact::SnmpInterfaces(table.clone())));
            answer.engine.iter().for_each(|engine| put(Fact::SnmpEngine(engine.clone())));
            answer.neighbours.iter().for_each(|table| put(Fact::Neighbours(table.clone())));
        }
    }
    rows
}

fn fact_row(device: DeviceId, fact: Fact, source: &str, protocol: Option<Protocol>, context: &Context<'_>) -> FactRow {
    FactRow { device, fact, source: source.to_owned(), protocol, observed_at: context.now, observer: None }
}

/// Whether a fact says something that the NIB does not have yet: it is written when it changes, not
/// each time that it is seen.
fn is_news(known: &KnownDevice, row: &FactRow) -> bool {
    match known.fact(row.fact.kind()) {
        // Who shows no rows keeps them to himself: no device has lost all of its interfaces.
        Some(_) if row.fact == Fact::SnmpInterfaces(Vec::new()) => false,
        Some(newest) => newest.fact != row.fact,
        None => row.fact != Fact::SilentAddresses(BTreeMap::new()),
    }
}

/// What differs in the columns that people watch, as `{column: {from, to}}`.
pub(in crate::algorithms) fn differences(before: &Device, after: &Device) -> Map<String, Value> {
    let mut found = Map::new();
    let mut note = |column: &str, from: Value, to: Value| {
        if from != to {
            found.insert(column.to_owned(), json!({ "from": from, "to": to }));
        }
    };
    note("mac", value(before.mac), value(after.mac));
    note("ip_addresses", value(&before.addresses), value(&after.addresses));
    note("hostname", value(&before.hostname), value(&after.hostname));
    note("vendor", value(&before.vendor), value(&after.vendor));
    note("device_type", value(before.device_type), value(after.device_type));
    note("firmware", value(&before.firmware), value(&after.firmware));
    note("status", value(before.status), value(after.status));
    note("region", value(&before.region), value(&after.region));
    note("local_controller", value(&before.local_controller), value(&after.local_controller));
    found
}

fn value(part: impl Serialize) -> Value {
    // Strings, lists of them and nothing: these always have a JSON form.
    serde_json::to_value(part).unwrap_or(Value::Null)
}

/// Which interfaces came, went or changed between two tables.
pub(in crate::algorithms) fn interface_change(before: &Fact, after: &Fact) -> Option<Value> {
    let (Fact::SnmpInterfaces(before), Fact::SnmpInterfaces(after)) = (before, after) else { return None };
    let find = |table: &[Interface], index| table.iter().find(|interface| interface.index == index).cloned();
    let name = |interface: &Interface| interface.name.clone().unwrap_or_else(|| interface.index.to_string());
    let without = |table: &[Interface], others: &[Interface]| -> Vec<String> {
        table.iter().filter(|interface| find(others, interface.index).is_none()).map(name).collect()
    };
    let changed: Vec<String> = after
        .iter()
        .filter(|interface| find(before, interface.index).is_some_and(|earlier| earlier != **interface))
        .map(name)
        .collect();
    Some(json!({ "added": without(after, before), "removed": without(before, after), "changed": changed }))
}
