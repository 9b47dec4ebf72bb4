//! What is read for an item.

use std::collections::BTreeSet;

use crate::algorithms::report::root::{Trace, trace};
use crate::algorithms::view::absorb::Item;
use crate::algorithms::view::draft::{Rows, fact_key};
use crate::domain::controller::{ControllerId, Role};
use crate::domain::device::DeviceId;
use crate::domain::fact::FactVersions;
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::registry::ControllerRow;
use crate::domain::stream::Sighting;
use crate::nib::{NibError, NibReader};
use crate::wire::report::SnapshotPart;

/// Rows are read in pages.
const PAGE: usize = 1_000;

/// What the decision about an item needs of the NIB.
#[derive(Debug)]
pub(super) struct Loaded {
    pub row: Option<ControllerRow>,
    pub received: StreamSeq,
    pub policy_version: Option<PolicyVersion>,
    pub rows: Rows,
}

/// Reads it. Of an item that will not be applied, nothing but its sender and how far its stream is.
pub(super) fn load(
    reader: &dyn NibReader,
    role: Role,
    from: &ControllerId,
    seq: StreamSeq,
    item: &Item,
) -> Result<Loaded, NibError> {
    let row = reader.controller(from)?;
    let received = reader.received(from, item.stream())?;
    let policy_version = reader.policy()?.map(|policy| policy.version);
    let jumps = item.snapshot().is_some_and(SnapshotPart::is_first);
    let is_next = seq == received.next() || (seq > received && jumps);
    let rows = if row.is_some() && is_next { rows(reader, role, from, item)? } else { Rows::default() };
    Ok(Loaded { row, received, policy_version, rows })
}

/// Everything that a controller told, to be given up.
pub(super) fn load_all(reader: &dyn NibReader, from: &ControllerId) -> Result<Rows, NibError> {
    let mut rows = Rows { next: reader.next_device()?, totals: reader.count_devices()?, ..Rows::default() };
    let told = told_by(reader, from)?;
    told.iter().try_for_each(|seen| whole(reader, seen.device, &mut rows))?;
    rows.census = Some(census(reader)?);
    Ok(rows)
}

fn rows(reader: &dyn NibReader, role: Role, from: &ControllerId, item: &Item) -> Result<Rows, NibError> {
    let mut rows = Rows { next: reader.next_device()?, totals: reader.count_devices()?, ..Rows::default() };
    let mut touched = BTreeSet::new();
    let mut learnt = BTreeSet::new();
    for told in item.devices() {
        let seen = reader.sighting(from, told.id)?.map(|seen| seen.device);
        let known = told.mac.map(|mac| reader.device_by_mac(mac)).transpose()?.flatten().map(|device| device.id);
        let devices = || seen.into_iter().chain(known);
        touched.extend(devices());
        learnt.extend(devices().filter(|_| !told.facts.is_empty()));
    }
    for device in learnt {
        rows.facts.extend(reader.facts(device, device)?.into_iter().map(|row| (fact_key(&row), row)));
    }
    for gone in item.removed() {
        touched.extend(reader.sighting(from, *gone)?.map(|seen| seen.device));
    }
    if item.concerns_all() {
        let ends = item.snapshot().is_some_and(SnapshotPart::is_last);
        for seen in told_by(reader, from)? {
            if ends {
                touched.insert(seen.device);
            } else if !touched.contains(&seen.device) {
                rows.devices.extend(reader.device(seen.device)?.map(|device| (device.id, device)));
            }
            rows.sightings.insert((seen.reporter.clone(), seen.reported), seen);
        }
    }
    touched.into_iter().try_for_each(|device| whole(reader, device, &mut rows))?;
    match role {
        Role::Global => {
            let reporters: BTreeSet<ControllerId> = rows.sightings.keys().map(|(by, _)| by.clone()).collect();
            for reporter in reporters.into_iter().chain([from.clone()]) {
                rows.regions.extend(reader.controller(&reporter)?.map(|row| (row.id, row.region)));
            }
        }
        _ if item.state_root().is_some() => rows.census = Some(census(reader)?),
        _ => {}
    }
    Ok(rows)
}

/// A device with everybody who told of it.
fn whole(reader: &dyn NibReader, id: DeviceId, rows: &mut Rows) -> Result<(), NibError> {
    rows.devices.extend(reader.device(id)?.map(|device| (device.id, device)));
    let seen = reader.sightings_of(id)?;
    rows.sightings.extend(seen.into_iter().map(|seen| ((seen.reporter.clone(), seen.reported), seen)));
    Ok(())
}

fn told_by(reader: &dyn NibReader, from: &ControllerId) -> Result<Vec<Sighting>, NibError> {
    let mut told: Vec<Sighting> = Vec::new();
    loop {
        let page = reader.sightings_by(from, told.last().map(|seen| seen.reported), PAGE)?;
        if page.is_empty() {
            return Ok(told);
        }
        told.extend(page);
    }
}

fn census(reader: &dyn NibReader) -> Result<Vec<Trace>, NibError> {
    let mut all: Vec<Trace> = Vec::new();
    loop {
        let page = reader.devices(None, all.last().map(|trace| trace.0), PAGE)?;
        if page.is_empty() {
            return Ok(all);
        }
        let ends = page.first().zip(page.last());
        let facts = ends.map(|(first, last)| reader.fact_versions(first.id, last.id)).transpose()?.unwrap_or_default();
        let none = FactVersions::default();
        let traces = page.iter().map(|device| trace(device, facts.get(&device.id).unwrap_or(&none)));
        let traces: Result<Vec<Trace>, _> = traces.collect();
        all.extend(traces.map_err(|error| NibError::Invalid { detail: error.to_string() })?);
    }
}
