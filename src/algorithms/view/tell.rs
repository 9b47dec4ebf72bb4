//! The events of a view: what an item says that its log must know (discovery stages 7 to 13).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::absorb::{Context, Item, Sender, Tier, is_stale, policy_of};
use super::draft::Draft;
use crate::algorithms::discovery::delta::row::{differences, interface_change};
use crate::domain::controller::{ControllerId, ControllerName, Region, Role};
use crate::domain::device::{Device, DeviceId, DeviceStatus};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::fact::FactKind;
use crate::domain::stream::Sighting;
use crate::wire::report::{Anomaly, Summary};

/// The anomalies that a Regional Controller finds and the Global one tells its operators of.
pub(super) const ESCALATED: [EventType; 2] = [EventType::AnomalyCrossRegionDevice, EventType::AnomalyDiscoverySpike];

/// What is said of the item itself.
pub(super) fn of_item(item: &Item, sender: &Sender<'_>, context: &Context<'_>) -> Vec<NewEvent> {
    let mut events = Vec::new();
    // Of several items that belong together, only the last has a root.
    if item.state_root().is_some() && is_stale(item, context) {
        let payload = json!({ "seq": sender.seq, "runs": policy_of(item), "in_effect": context.policy_version });
        events.push(context.event(EventType::DiscoveryReportStalePolicy, sender.id.to_string(), payload));
    }
    events
}

/// What is said of the devices that it changes, of those who see them, and of the region.
pub(super) fn of_devices(draft: &Draft<'_>, item: &Item, sender: &Sender<'_>, context: &Context<'_>) -> Vec<NewEvent> {
    let mut events = Vec::new();
    let mut new = 0;
    for (before, device) in draft.both() {
        new += u32::from(before.is_none());
        let interfaces = of_interfaces(draft, device.id);
        events.extend(of_device(before, device, interfaces, context));
        if let Tier::Regional { region, .. } = context.tier {
            events.extend(of_owner(before, device, context));
            events.extend(of_region(before, device, region, context));
        }
    }
    match (context.tier, item) {
        (Tier::Regional { .. }, _) => {
            events.extend(of_pairs(draft, sender, context));
            events.extend(of_number(new, item, sender, context));
        }
        (Tier::Global { missing }, Item::Summary(summary)) => {
            events.extend(of_collisions(draft, context));
            events.extend(escalated(draft, summary, sender, context));
            events.extend(of_missing(summary, missing, sender, context));
            events.push(of_summary(summary, sender, context));
        }
        (Tier::Global { .. }, Item::Report(_)) => {}
    }
    events
}

/// What is said of the devices that nobody sees any more because their controller is silent.
pub(super) fn of_silence(draft: &Draft<'_>, context: &Context<'_>) -> Vec<NewEvent> {
    let told = |(before, device): (Option<&Device>, &Device)| {
        of_device(before, device, None, context).into_iter().chain(of_owner(before, device, context))
    };
    draft.changed().flat_map(told).collect()
}

/// Which interfaces of a device are others, when there is a table before and after.
fn of_interfaces(draft: &Draft<'_>, device: DeviceId) -> Option<Value> {
    draft.learnt_of(device).find(|row| row.fact.kind() == FactKind::SnmpInterfaces)?;
    let (Some(before), Some(after)) = draft.newest(device, FactKind::SnmpInterfaces) else { return None };
    if before.fact == after.fact { None } else { interface_change(&before.fact, &after.fact) }
}

fn of_device(
    before: Option<&Device>,
    device: &Device,
    interfaces: Option<Value>,
    context: &Context<'_>,
) -> Option<NewEvent> {
    let subject = device.id.to_string();
    let Some(before) = before else {
        let payload = json!({
            "mac": device.mac,
            "ip_addresses": device.addresses,
            "hostname": device.hostname,
            "vendor": device.vendor,
            "device_type": device.device_type,
            "status": device.status,
            "region": device.region,
            "local_controller": device.local_controller,
        });
        return Some(context.event(EventType::DeviceDiscovered, subject, payload));
    };
    if device.status == DeviceStatus::Inactive && before.status != DeviceStatus::Inactive {
        let payload = json!({
            "mac": device.mac,
            "ip_addresses": device.addresses,
            "missed_cycles": device.missed_cycles,
            "last_seen": device.last_seen,
            "local_controller": device.local_controller,
        });
        return Some(context.event(EventType::DeviceInactive, subject, payload));
    }
    let mut changes = differences(before, device);
    changes.extend(interfaces.map(|change| ("interfaces".to_owned(), change)));
    if let Tier::Regional { .. } = context.tier {
        // Who has it is an event of its own.
        changes.remove("local_controller");
    }
    (!changes.is_empty()).then(|| context.event(EventType::DeviceUpdated, subject, json!({ "changes": changes })))
}

fn of_owner(before: Option<&Device>, device: &Device, context: &Context<'_>) -> Option<NewEvent> {
    let from = before?.local_controller.as_ref()?;
    let to = device.local_controller.as_ref().filter(|to| *to != from)?;
    let payload = json!({ "mac": device.mac, "from": from, "to": to, "last_seen": device.last_seen });
    Some(context.event(EventType::DeviceLcReassigned, device.id.to_string(), payload))
}

fn of_region(before: Option<&Device>, device: &Device, own: &Region, context: &Context<'_>) -> Option<NewEvent> {
    let told = device.region.as_ref().filter(|told| *told != own)?;
    if before.is_some_and(|before| before.region.as_ref() == Some(told)) {
        return None;
    }
    let payload = json!({
        "mac": device.mac,
        "told": told,
        "region": own,
        "local_controller": device.local_controller,
    });
    Some(context.event(EventType::AnomalyCrossRegionDevice, device.id.to_string(), payload))
}

/// Several see one device: told with what each saw, when another one joins them.
fn of_pairs(draft: &Draft<'_>, sender: &Sender<'_>, context: &Context<'_>) -> Vec<NewEvent> {
    let was_told = |device: DeviceId| {
        let mut before = draft.before.sightings.values().filter(|seen| seen.device == device);
        before.any(|seen| seen.reporter == *sender.id)
    };
    let mut events = Vec::new();
    let here: BTreeSet<DeviceId> = newly_told(draft, sender).map(|seen| seen.device).collect();
    for device in here {
        let others = draft.told_of(device).any(|seen| seen.reporter != *sender.id);
        if others && !was_told(device) {
            let observations: Vec<Value> = draft.told_of(device).map(observation).collect();
            let mac = draft.devices.get(&device).and_then(|device| device.mac);
            let payload = json!({ "mac": mac, "observations": observations });
            events.push(context.event(EventType::DeviceMultiLc, device.to_string(), payload));
        }
    }
    events
}

/// What the sender told of devices that it had not told of.
fn newly_told<'d>(draft: &'d Draft<'_>, sender: &'d Sender<'_>) -> impl Iterator<Item = &'d Sighting> {
    draft.told_by(sender.id).filter(|seen| {
        let before = draft.before.sightings.get(&(seen.reporter.clone(), seen.reported));
        before.is_none_or(|before| before.device != seen.device)
    })
}

fn observation(seen: &Sighting) -> Value {
    json!({
        "controller": seen.reporter,
        "device": seen.reported,
        "last_seen": seen.last_seen,
        "is_active": seen.is_active,
    })
}

/// Many new devices at once: told with the last item of a cycle, whose count covers all of them.
fn of_number(new: u32, item: &Item, sender: &Sender<'_>, context: &Context<'_>) -> Option<NewEvent> {
    let Item::Report(report) = item else { return None };
    let cycle = report.cycle.as_ref().filter(|_| report.state_root.is_some())?;
    let new = new.max(cycle.counts.new);
    (new > context.spike_threshold).then(|| {
        let payload = json!({ "new": new, "threshold": context.spike_threshold, "trigger": cycle.trigger });
        context.event(EventType::AnomalyDiscoverySpike, sender.id.to_string(), payload)
    })
}

/// One hardware address that is there in several regions: told when a region joins, so once until it
/// ends.
fn of_collisions(draft: &Draft<'_>, context: &Context<'_>) -> Vec<NewEvent> {
    let mut events = Vec::new();
    for device in draft.devices.values() {
        let Some(mac) = device.mac else { continue };
        let before = draft.before.sightings.values().filter(|seen| seen.device == device.id);
        let regions = |told: &mut dyn Iterator<Item = &Sighting>| -> BTreeSet<Region> {
            told.filter(|seen| seen.is_active)
                .filter_map(|seen| draft.before.regions.get(&seen.reporter).cloned())
                .collect()
        };
        let after = regions(&mut draft.told_of(device.id));
        if after.len() > 1 && !after.is_subset(&regions(&mut before.into_iter())) {
            let observations: Vec<Value> = draft.told_of(device.id).map(observation).collect();
            let payload = json!({ "mac": mac, "regions": after, "observations": observations });
            events.push(context.event(EventType::AnomalyGlobalMacCollision, device.id.to_string(), payload));
        }
    }
    events
}

/// What a Regional Controller found, as it stands in the log of the Global one. A device is called as
/// it is called here.
fn escalated(draft: &Draft<'_>, summary: &Summary, sender: &Sender<'_>, context: &Context<'_>) -> Vec<NewEvent> {
    let known = summary.anomalies.iter().filter(|anomaly| ESCALATED.contains(&anomaly.event));
    let here = |anomaly: &Anomaly| {
        let there: DeviceId = anomaly.subject.parse().ok()?;
        Some(draft.sightings.get(&(sender.id.clone(), there))?.device.to_string())
    };
    known
        .map(|anomaly| {
            let subject = here(anomaly).unwrap_or_else(|| anomaly.subject.chars().take(128).collect());
            let payload = json!({ "told_by": sender.id, "region": summary.region, "particulars": anomaly.payload });
            context.event(anomaly.event, subject, payload)
        })
        .collect()
}

/// Local Controllers that are missing and were not before (stage 13).
fn of_missing(
    summary: &Summary,
    known: &BTreeSet<ControllerId>,
    sender: &Sender<'_>,
    context: &Context<'_>,
) -> Vec<NewEvent> {
    let missing = summary.lcs.iter().flat_map(|lcs| &lcs.missing);
    let of_region = |name: &ControllerId| {
        name.as_str().parse::<ControllerName>().is_ok_and(|name| name.fits(Role::Local, Some(&summary.region)))
    };
    let payload = json!({ "told_by": sender.id, "region": summary.region });
    missing
        .filter(|name| !known.contains(*name) && of_region(name))
        .map(|name| context.event(EventType::DiscoveryLcMissing, name.to_string(), payload.clone()))
        .collect()
}

fn of_summary(summary: &Summary, sender: &Sender<'_>, context: &Context<'_>) -> NewEvent {
    let payload = json!({
        "told_by": sender.id,
        "seq": sender.seq,
        "totals": summary.totals,
        "devices": summary.devices.len(),
        "removed": summary.removed.len(),
        "anomalies": summary.anomalies.len(),
        "lcs": summary.lcs,
    });
    context.event(EventType::GlobalDiscoveryCycleUpdated, summary.region.to_string(), payload)
}
