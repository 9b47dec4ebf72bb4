//! One device that is told, and the row that it becomes (discovery stage 8).

use super::absorb::{Context, Sender, Tier};
use super::draft::Draft;
use super::facts;
use crate::algorithms::report::items::clipped;
use crate::algorithms::report::root::is_there;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::device::{self, Device, DeviceId, DeviceStatus, Version};
use crate::domain::stream::Sighting;
use crate::wire::report::{MOST_ADDRESSES, ReportedDevice};

/// Takes what one reporter tells of one device.
pub(super) fn tell(draft: &mut Draft<'_>, told: &ReportedDevice, sender: &Sender<'_>, context: &Context<'_>) {
    let key = (sender.id.clone(), told.id);
    let known = draft.sightings.get(&key).map(|seen| seen.device);
    // A reporter's clock may be ahead; nobody owns a device by a time that has not come.
    let last_seen = told.last_seen.min(context.now);
    let here = place(draft, told, known);
    let before = draft.sightings.get(&key).cloned();
    let facts = facts::take(draft, &told.facts, here, before.as_ref(), sender, context);
    let left = draft.see(Sighting {
        reporter: sender.id.clone(),
        reported: told.id,
        device: here,
        last_seen,
        is_active: is_there(told.status),
        told_by: sender.seq,
        facts,
    });
    let follows = draft.leading(here).is_some_and(|seen| seen.reporter == *sender.id && seen.reported == told.id);
    let before = draft.devices.get(&here).cloned();
    match before {
        Some(mut before) if !follows => {
            before.mac = before.mac.or(told.mac);
            before.first_seen = before.first_seen.min(told.first_seen);
            draft.put(before);
            settle(draft, here, context);
        }
        before => draft.put(row(here, told, before.as_ref(), sender, context)),
    }
    left.into_iter().for_each(|left| settle(draft, left, context));
}

/// Takes away what one reporter told of one device.
pub(super) fn forget(draft: &mut Draft<'_>, reported: DeviceId, sender: &Sender<'_>, context: &Context<'_>) {
    let left = draft.forget(&(sender.id.clone(), reported));
    left.into_iter().for_each(|left| settle(draft, left, context));
}

/// Takes all devices of a reporter for silent.
pub(super) fn lose(draft: &mut Draft<'_>, reporter: &ControllerId, context: &Context<'_>) {
    let lost: Vec<Sighting> = draft.told_by(reporter).filter(|seen| seen.is_active).cloned().collect();
    for seen in lost {
        let device = seen.device;
        draft.see(Sighting { is_active: false, ..seen });
        settle(draft, device, context);
    }
}

/// The row that a device belongs to: that with its hardware address, else the one that the same
/// reporter meant before, else a new one.
fn place(draft: &mut Draft<'_>, told: &ReportedDevice, known: Option<DeviceId>) -> DeviceId {
    let by_mac = told.mac.and_then(|mac| draft.by_mac(mac));
    // Who was known without a hardware address may tell one now. Who was known by another one is
    // another device, which got its number there.
    let before = known.filter(|id| draft.devices.get(id).is_some_and(|device| device.mac.is_none()));
    by_mac.or(before).unwrap_or_else(|| draft.number())
}

fn row(
    id: DeviceId,
    told: &ReportedDevice,
    before: Option<&Device>,
    sender: &Sender<'_>,
    context: &Context<'_>,
) -> Device {
    let mut addresses: Vec<_> = told.addresses.iter().take(MOST_ADDRESSES).copied().collect();
    addresses.sort_unstable();
    addresses.dedup();
    let region = |own: &Region| Some(told.region.as_ref().unwrap_or(own).clone());
    let (region, local_controller) = match context.tier {
        Tier::Regional { region: own, .. } => (region(own), Some(sender.id.clone())),
        Tier::Global { .. } => (sender.region.and_then(region), told.local_controller.clone()),
    };
    let mut methods = told.methods.clone();
    methods.sort_unstable();
    methods.dedup();
    Device {
        id,
        mac: told.mac.or(before.and_then(|before| before.mac)),
        addresses,
        hostname: told.hostname.as_deref().map(clipped),
        vendor: told.vendor.as_deref().map(clipped),
        device_type: told.device_type,
        firmware: told.firmware.as_deref().map(clipped),
        region,
        local_controller,
        status: told.status,
        first_seen: before.map_or(told.first_seen, |before| before.first_seen.min(told.first_seen)),
        last_seen: told.last_seen.min(context.now),
        missed_cycles: told.missed_cycles,
        methods,
        rtt: None,
        version: before.map_or(Version::FIRST, |before| before.version),
    }
}

/// Makes a row follow the sighting that leads now, after another one changed or went: nobody told its
/// names and addresses anew, so they stay. A device that nobody tells of any more is inactive.
fn settle(draft: &mut Draft<'_>, id: DeviceId, context: &Context<'_>) {
    let Some(mut device) = draft.devices.get(&id).cloned() else { return };
    match draft.leading(id) {
        None => device.status = device.status.after(device::Sighting::MissedTooOften),
        Some(lead) => {
            if is_there(device.status) != lead.is_active {
                device.status = if lead.is_active { DeviceStatus::Active } else { DeviceStatus::Inactive };
            }
            device.last_seen = lead.last_seen;
            if let Tier::Regional { .. } = context.tier {
                device.local_controller = Some(lead.reporter.clone());
            }
        }
    }
    draft.put(device);
}
