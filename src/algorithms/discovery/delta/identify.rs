//! Which known device is which that was seen.

use std::collections::{BTreeMap, BTreeSet};

use super::KnownDevice;
use crate::algorithms::discovery::identity::{Identity, copied};
use crate::algorithms::discovery::merge::{identity_of, join};
use crate::algorithms::discovery::observation::DeviceObservation;
use crate::domain::device::DeviceId;
use crate::domain::engine::EngineId;

/// What was seen, sorted by the rows that it is about.
#[derive(Debug, Default)]
pub(super) struct Matched<'k> {
    /// Of known devices.
    pub seen: BTreeMap<DeviceId, DeviceObservation>,
    /// Rows that turn out to be of another row's device, by that row.
    pub merged: BTreeMap<DeviceId, Vec<&'k KnownDevice>>,
    /// The same rows, by their own ids.
    pub retired: BTreeSet<DeviceId>,
    /// Of devices that nobody knew, in the order in which they were given.
    pub newcomers: Vec<DeviceObservation>,
}

/// A row with what its agent told about it.
struct Row<'k> {
    known: &'k KnownDevice,
    identity: Identity,
}

impl Row<'_> {
    fn id(&self) -> DeviceId {
        self.known.device.id
    }

    fn has_address_of(&self, observation: &DeviceObservation) -> bool {
        self.known.device.addresses.iter().any(|address| observation.addresses.contains(address))
    }
}

/// Finds the row of each observation: by hardware address, else by what the agent tells, else by address.
///
/// A row without a hardware address is provisional: when its device shows one, or turns out to be one
/// that is known already, its row is that device's. Of several rows the one with the hardware address
/// stays, else the lowest number; rows with different hardware addresses are different devices.
pub(super) fn identify<'k>(known: &'k [KnownDevice], seen: &[DeviceObservation]) -> Matched<'k> {
    let rows: Vec<Row<'k>> = known.iter().map(|known| Row { identity: known.identity(), known }).collect();
    let told: Vec<Identity> = seen.iter().map(identity_of).collect();
    let copied = copied(rows.iter().map(|row| &row.identity).chain(&told));
    let mut matched = Matched::default();
    let mut free: BTreeSet<DeviceId> = rows.iter().map(Row::id).collect();
    let is_keyed = |one: &&DeviceObservation| one.mac.is_some() || !identity_of(one).is_empty();
    let (keyed, unkeyed): (Vec<_>, Vec<_>) = seen.iter().partition(is_keyed);
    // Who shows a hardware address takes its row before anybody who only looks alike.
    let by_mac: BTreeMap<_, &Row<'k>> = rows.iter().filter_map(|row| Some((row.known.device.mac?, row))).collect();
    let own = |observation: &DeviceObservation| observation.mac.and_then(|mac| by_mac.get(&mac)).map(|row| row.id());
    for id in keyed.iter().filter_map(|observation| own(observation)) {
        free.remove(&id);
    }
    for observation in keyed {
        let alike = alike(observation, &rows, &free, &copied);
        let survivor = own(observation).or_else(|| {
            let with_mac = alike.iter().find(|row| row.known.device.mac.is_some());
            with_mac.or(alike.first()).map(|row| row.id())
        });
        let Some(survivor) = survivor else {
            matched.newcomers.push(observation.clone());
            continue;
        };
        free.remove(&survivor);
        matched.seen.insert(survivor, observation.clone());
        let others = alike.into_iter().filter(|row| row.id() != survivor && row.known.device.mac.is_none());
        for row in others {
            free.remove(&row.id());
            matched.retired.insert(row.id());
            matched.merged.entry(survivor).or_default().push(row.known);
        }
    }
    for observation in unkeyed {
        by_address(observation, &rows, &mut matched);
    }
    matched
}

/// The free rows that look like what was seen, ascending: the agent tells that they are, or the address
/// is the same and nothing tells that they are not.
fn alike<'r, 'k>(
    observation: &DeviceObservation,
    rows: &'r [Row<'k>],
    free: &BTreeSet<DeviceId>,
    copied: &BTreeSet<EngineId>,
) -> Vec<&'r Row<'k>> {
    let told = identity_of(observation);
    let on_link = observation.mac.is_some();
    let candidates =
        || rows.iter().filter(|row| free.contains(&row.id()) && !(on_link && row.known.device.mac.is_some()));
    let by_station = |row: &&Row<'_>| {
        let shown = row.known.device.mac.is_some_and(|mac| told.universal().any(|station| station == mac));
        let was_shown = observation.mac.is_some_and(|mac| row.identity.universal().any(|station| station == mac));
        shown || was_shown || told.universal().any(|mac| row.identity.stations.contains(&mac))
    };
    let by_address = |row: &&Row<'_>| {
        row.known.device.mac.is_none() && row.has_address_of(observation) && !told.contradicts(&row.identity)
    };
    let is_alike = |row: &&Row<'_>| by_station(row) || by_address(row) || told.agrees(&row.identity, copied);
    let mut found: Vec<&Row<'_>> = candidates().filter(is_alike).collect();
    found.sort_by_key(|row| row.id());
    found
}

/// Somebody answered of whom nothing but the address is known: it is who was last seen there.
fn by_address(observation: &DeviceObservation, rows: &[Row<'_>], matched: &mut Matched<'_>) {
    let survivor_of = |id: DeviceId| {
        let merged_into =
            |(into, rows): (&DeviceId, &Vec<&KnownDevice>)| rows.iter().any(|row| row.device.id == id).then_some(*into);
        matched.merged.iter().find_map(merged_into).unwrap_or(id)
    };
    let newest = rows
        .iter()
        .filter(|row| row.has_address_of(observation))
        .max_by_key(|row| (row.known.device.last_seen, std::cmp::Reverse(row.id())));
    match newest.map(|row| survivor_of(row.id())) {
        None => matched.newcomers.push(observation.clone()),
        Some(id) => match matched.seen.get_mut(&id) {
            Some(seen) => join(seen, observation.clone()),
            None => drop(matched.seen.insert(id, observation.clone())),
        },
    }
}
