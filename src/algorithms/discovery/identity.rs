//! What a device is recognised by when its hardware address cannot be seen: what its SNMP agent
//! tells.

use std::collections::{BTreeMap, BTreeSet};

use crate::algorithms::discovery::observation::SnmpAnswer;
use crate::domain::address::MacAddr;
use crate::domain::engine::EngineId;
use crate::domain::fact::Interface;

/// What an agent told about who it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The name of its engine.
    pub engine: Option<EngineId>,
    /// The hardware addresses that are its own: those of its interface table without virtual ones.
    pub stations: BTreeSet<MacAddr>,
}

/// Addresses that several routers answer by in turn: VRRP (RFC 9568 section 7.3), HSRP (RFC 2281
/// section 5.1) and its second version.
const VIRTUAL: [&[u8]; 3] = [&[0, 0, 0x5e, 0, 1], &[0, 0, 0x0c, 0x07, 0xac], &[0, 0, 0x0c, 0x9f]];

impl Identity {
    /// What this answer tells.
    pub fn of_answer(answer: &SnmpAnswer) -> Self {
        let engine = answer.engine.as_ref().map(|engine| engine.engine_id.clone());
        Self::new(engine, answer.interfaces.as_deref().unwrap_or_default())
    }

    /// From an engine's name and an interface table.
    pub fn new(engine: Option<EngineId>, interfaces: &[Interface]) -> Self {
        let stations = interfaces.iter().filter_map(|interface| interface.mac).filter(|mac| !is_virtual(*mac));
        Self { engine, stations: stations.collect() }
    }

    /// Whether it tells nothing.
    pub fn is_empty(&self) -> bool {
        self.engine.is_none() && self.stations.is_empty()
    }

    /// The addresses that a manufacturer gave to one device in the world.
    pub fn universal(&self) -> impl Iterator<Item = MacAddr> + '_ {
        self.stations.iter().filter(|mac| !mac.is_locally_administered()).copied()
    }

    /// Whether both cannot be of one device.
    pub fn contradicts(&self, other: &Self) -> bool {
        let engines = matches!((&self.engine, &other.engine), (Some(one), Some(another)) if one != another);
        engines || self.stations_differ(other)
    }

    /// Whether both are certainly of one device: a manufacturer's address in common, or an engine id
    /// that nothing contradicts and that is not among the `copied` ones.
    pub fn agrees(&self, other: &Self, copied: &BTreeSet<EngineId>) -> bool {
        let engine = self.engine.as_ref().filter(|engine| !copied.contains(*engine));
        let same_engine = engine.is_some() && engine == other.engine.as_ref() && !self.stations_differ(other);
        same_engine || self.universal().any(|mac| other.stations.contains(&mac))
    }

    fn stations_differ(&self, other: &Self) -> bool {
        !self.stations.is_empty() && !other.stations.is_empty() && self.stations.is_disjoint(&other.stations)
    }
}

fn is_virtual(mac: MacAddr) -> bool {
    VIRTUAL.iter().any(|prefix| mac.octets().starts_with(prefix))
}

/// Sorts things into groups that are one device each, by what their agents tell; those that tell
/// nothing are each alone. Neither the groups nor their order depend on the order of the things,
/// but for the numbers that stand for them: places in `identities`, ascending, by their first.
pub fn groups(identities: &[Identity]) -> Vec<Vec<usize>> {
    let mut joined = Joined((0..identities.len()).collect());
    let mut owners: BTreeMap<MacAddr, usize> = BTreeMap::new();
    for (place, identity) in identities.iter().enumerate() {
        for mac in identity.universal() {
            let owner = *owners.entry(mac).or_insert(place);
            joined.join(owner, place);
        }
    }
    let copied = copied(identities);
    let mut engines: BTreeMap<&EngineId, usize> = BTreeMap::new();
    for (place, identity) in identities.iter().enumerate() {
        let Some(engine) = identity.engine.as_ref().filter(|engine| !copied.contains(*engine)) else { continue };
        let first = *engines.entry(engine).or_insert(place);
        joined.join(first, place);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for place in 0..identities.len() {
        groups.entry(joined.first(place)).or_default().push(place);
    }
    groups.into_values().collect()
}

/// The engine ids of several devices, by their tables: ids are copied with disk images, and then tell
/// nothing.
pub fn copied<'i>(identities: impl IntoIterator<Item = &'i Identity>) -> BTreeSet<EngineId> {
    let mut engines: BTreeMap<&EngineId, Vec<&BTreeSet<MacAddr>>> = BTreeMap::new();
    for identity in identities {
        if let Some(engine) = identity.engine.as_ref().filter(|_| !identity.stations.is_empty()) {
            engines.entry(engine).or_default().push(&identity.stations);
        }
    }
    engines.into_iter().filter(|(_, tables)| !are_one(tables)).map(|(engine, _)| engine.clone()).collect()
}

/// Whether tables have so much in common that they can be of one device.
fn are_one(tables: &[&BTreeSet<MacAddr>]) -> bool {
    let mut joined = Joined((0..tables.len()).collect());
    let mut owners: BTreeMap<MacAddr, usize> = BTreeMap::new();
    for (place, table) in tables.iter().enumerate() {
        for mac in *table {
            let owner = *owners.entry(*mac).or_insert(place);
            joined.join(owner, place);
        }
    }
    (0..tables.len()).all(|place| joined.first(place) == 0)
}

/// Disjoint sets, each named by its lowest member.
struct Joined(Vec<usize>);

impl Joined {
    fn first(&self, place: usize) -> usize {
        let mut first = place;
        while let Some(next) = self.0.get(first).copied().filter(|next| *next != first) {
            first = next;
        }
        first
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        if let Some(entry) = self.0.get_mut(one.max(other)) {
            *entry = one.min(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(engine: &str, macs: &[[u8; 2]]) -> Identity {
        let interface = |[kind, number]: &[u8; 2]| Interface {
            mac: Some(MacAddr::new([*kind, 0x1b, 0x54, 0, 0, *number])),
            ..Interface::default()
        };
        let engine = (!engine.is_empty()).then(|| engine.repeat(5).parse().unwrap());
        Identity::new(engine, &macs.iter().map(interface).collect::<Vec<_>>())
    }

    #[test]
    fn one_address_of_a_manufacturer_is_enough_and_one_that_was_made_up_is_not() {
        let of = |macs: &[[u8; 2]]| identity("", macs);
        assert_eq!(groups(&[of(&[[0, 1], [0, 2]]), of(&[[0, 3]]), of(&[[0, 2], [0, 9]])]), [vec![0, 2], vec![1]]);
        assert_eq!(groups(&[of(&[[2, 1]]), of(&[[2, 1]])]), [[0], [1]]);
        assert_eq!(groups(&[of(&[]), of(&[])]), [[0], [1]]);
    }

    #[test]
    fn an_engine_id_joins_unless_tables_contradict_it() {
        assert_eq!(
            groups(&[identity("80", &[]), identity("80", &[[2, 1]]), identity("81", &[])]),
            [vec![0, 1], vec![2]]
        );
        assert_eq!(groups(&[identity("80", &[[2, 1]]), identity("80", &[[2, 1], [2, 2]])]), [[0, 1]]);
        let cloned = [identity("80", &[[2, 1]]), identity("80", &[[2, 2]]), identity("80", &[])];
        assert_eq!(groups(&cloned), [[0], [1], [2]], "a copied id tells nothing");
    }

    #[test]
    fn virtual_addresses_are_nobodys() {
        for octets in [[0, 0, 0x5e, 0, 1, 7], [0, 0, 0x0c, 0x07, 0xac, 1], [0, 0, 0x0c, 0x9f, 0xf0, 1]] {
            let interface = Interface { mac: Some(MacAddr::new(octets)), ..Interface::default() };
            assert!(Identity::new(None, &[interface]).is_empty());
        }
    }
}
