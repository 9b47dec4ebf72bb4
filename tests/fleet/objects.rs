//! The objects of an agent, in the order in which they are walked: LLDP-MIB (IEEE Std 802.1AB), the
//! system group (RFC 3418), ifTable and ifXTable (RFC 2863), Cisco's cdpCacheTable, and the engine of
//! those that speak SNMP v3 (RFC 3411).

use std::io::Write;
use std::time::Duration;

use pdsno::domain::address::MacAddr;

use crate::ber;
use crate::engine::Starts;
use crate::fault::Fault;
use crate::model::Model;
use crate::network::{Agent, Host, Network};

const COUNTER32: u8 = 0x41;
const GAUGE32: u8 = 0x42;
const TIME_TICKS: u8 = 0x43;
const COUNTER64: u8 = 0x46;

/// Objects whose names begin alike: a column each, and in each column the same rows.
#[derive(Debug, PartialEq, Eq)]
struct Table {
    of: Of,
    prefix: &'static [u32],
    columns: &'static [u32],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    LldpLocal,
    LldpPorts,
    LldpRemote,
    System,
    IfNumber,
    Interfaces,
    InterfacesMore,
    CdpCache,
    Engine,
}

/// All of them, ascending. Objects that are no table's have one row, which is named 0.
static TABLES: [Table; 9] = [
    Table { of: Of::LldpLocal, prefix: &[1, 0, 8802, 1, 1, 2, 1, 3], columns: &[1, 2, 3, 4] },
    Table { of: Of::LldpPorts, prefix: &[1, 0, 8802, 1, 1, 2, 1, 3, 7, 1], columns: &[2, 3, 4] },
    Table { of: Of::LldpRemote, prefix: &[1, 0, 8802, 1, 1, 2, 1, 4, 1, 1], columns: &[4, 5, 6, 7, 8, 9, 10, 11, 12] },
    Table { of: Of::System, prefix: &[1, 3, 6, 1, 2, 1, 1], columns: &[1, 2, 3, 4, 5, 6, 7] },
    Table { of: Of::IfNumber, prefix: &[1, 3, 6, 1, 2, 1, 2], columns: &[1] },
    Table {
        of: Of::Interfaces,
        prefix: &[1, 3, 6, 1, 2, 1, 2, 2, 1],
        columns: &[1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 16, 19, 20],
    },
    Table { of: Of::InterfacesMore, prefix: &[1, 3, 6, 1, 2, 1, 31, 1, 1, 1], columns: &[1, 6, 10, 15, 18, 19] },
    Table { of: Of::CdpCache, prefix: &[1, 3, 6, 1, 4, 1, 9, 9, 23, 1, 2, 1, 1], columns: &[3, 4, 5, 6, 7, 8] },
    Table { of: Of::Engine, prefix: &[1, 3, 6, 1, 6, 3, 10, 2, 1], columns: &[1, 2, 3, 4] },
];

/// One object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Object {
    table: &'static Table,
    column: u32,
    row: u32,
}

/// What there is under a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Object(Object),
    NoSuchObject,
    NoSuchInstance,
}

/// The arcs that name a row.
struct Key([u32; 3], usize);

impl Key {
    fn arcs(&self) -> &[u32] {
        &self.0[..self.1]
    }
}

/// A link to a host that speaks LLDP, too: a row of an interface at each end.
#[derive(Debug, Clone, Copy)]
pub struct Neighbour<'n> {
    pub local_row: u32,
    pub host: &'n Host,
    pub agent: &'n Agent,
    pub remote_row: u32,
}

/// An agent as it is asked.
#[derive(Debug, Clone, Copy)]
pub struct View<'n> {
    pub network: &'n Network,
    pub host: &'n Host,
    pub agent: &'n Agent,
    /// How long the fleet has been running.
    pub now: Duration,
    /// What it has done since.
    pub starts: Starts,
}

impl<'n> View<'n> {
    /// What has this name.
    pub fn get(&self, name: &[u32]) -> Found {
        for table in &TABLES {
            let Some([column, key @ ..]) = name.strip_prefix(table.prefix) else { continue };
            if !table.columns.contains(column) || self.rows(table) == 0 {
                continue;
            }
            let row = self.rows_up_to(table, key).checked_sub(1);
            return match row.filter(|row| self.key(table, *row).arcs() == key) {
                Some(row) => Found::Object(Object { table, column: *column, row }),
                None => Found::NoSuchInstance,
            };
        }
        Found::NoSuchObject
    }

    /// What comes after this name.
    pub fn next(&self, name: &[u32]) -> Option<Object> {
        TABLES.iter().find_map(|table| self.next_of(table, name))
    }

    /// What comes after an object.
    pub fn after(&self, object: &Object) -> Option<Object> {
        // Most steps of a walk, without looking through all tables.
        if object.row + 1 < self.rows(object.table) {
            return Some(Object { row: object.row + 1, ..*object });
        }
        let (mut name, mut length) = ([0; ber::MOST_ARCS], 0);
        let key = self.key(object.table, object.row);
        for arc in object.table.prefix.iter().chain([&object.column]).chain(key.arcs()) {
            name[length] = *arc;
            length += 1;
        }
        self.next(&name[..length])
    }

    fn next_of(&self, table: &'static Table, name: &[u32]) -> Option<Object> {
        let rows = self.rows(table);
        if rows == 0 {
            return None;
        }
        let object = |column: &u32, row| Some(Object { table, column: *column, row });
        let (asked, key) = match name.strip_prefix(table.prefix) {
            Some([asked, key @ ..]) => (*asked, key),
            Some([]) => return object(table.columns.first()?, 0),
            None if name < table.prefix => return object(table.columns.first()?, 0),
            None => return None,
        };
        for column in table.columns.iter().filter(|column| **column >= asked) {
            let row = if *column == asked { self.rows_up_to(table, key) } else { 0 };
            if row < rows {
                return object(column, row);
            }
            if table.of == Of::Interfaces && self.host.faults.has(Fault::Looping) {
                return object(column, 0);
            }
        }
        None
    }

    fn rows(&self, table: &Table) -> u32 {
        let when = |is: bool, rows| if is { rows } else { 0 };
        match table.of {
            Of::System | Of::IfNumber => 1,
            Of::Engine => when(self.agent.engine.is_some(), 1),
            Of::Interfaces | Of::InterfacesMore => self.agent.rows,
            Of::LldpLocal => when(self.agent.lldp, 1),
            Of::LldpPorts => when(self.agent.lldp, self.agent.rows),
            Of::LldpRemote => when(self.agent.lldp, self.neighbours().count() as u32),
            Of::CdpCache => when(self.agent.lldp && self.agent.model().cdp, self.neighbours().count() as u32),
        }
    }

    /// How many rows have names up to this one.
    fn rows_up_to(&self, table: &Table, name: &[u32]) -> u32 {
        let (mut low, mut high) = (0, self.rows(table));
        while low < high {
            let middle = low + (high - low) / 2;
            if self.key(table, middle).arcs() <= name { low = middle + 1 } else { high = middle }
        }
        low
    }

    fn key(&self, table: &Table, row: u32) -> Key {
        match table.of {
            Of::LldpLocal | Of::System | Of::IfNumber | Of::Engine => Key([0, 0, 0], 1),
            Of::Interfaces | Of::InterfacesMore | Of::LldpPorts => Key([self.agent.model().first_index + row, 0, 0], 1),
            // lldpRemTimeMark, lldpRemLocalPortNum, lldpRemIndex.
            Of::LldpRemote => Key([0, self.neighbour_port(row), row + 1], 3),
            // cdpCacheIfIndex, cdpCacheDeviceIndex.
            Of::CdpCache => Key([self.neighbour_port(row), row + 1, 0], 2),
        }
    }

    fn neighbour_port(&self, row: u32) -> u32 {
        let local = self.neighbours().nth(row as usize).map_or(0, |neighbour| neighbour.local_row);
        self.agent.model().first_index + local
    }

    /// The hosts at the other ends of its links. The first interface leads to the one before it, the
    /// second to the one after; who has only one has both there.
    pub fn neighbours(&self) -> impl Iterator<Item = Neighbour<'n>> + use<'n> {
        let (network, second) = (self.network, |agent: &Agent| 1.min(agent.rows.saturating_sub(1)));
        let other = move |place: u32| {
            let host = &network.hosts[place as usize];
            host.agent().map(|agent| (host, agent))
        };
        let previous = self.agent.previous.and_then(other);
        let next = self.agent.next.and_then(other);
        let local_row = second(self.agent);
        let before = previous.map(|(host, agent)| Neighbour { local_row: 0, host, agent, remote_row: second(agent) });
        let after = next.map(|(host, agent)| Neighbour { local_row, host, agent, remote_row: 0 });
        before.into_iter().chain(after)
    }

    /// Appends the name of an object.
    pub fn write_name(&self, object: &Object, out: &mut Vec<u8>) {
        let key = self.key(object.table, object.row);
        ber::object_identifier(out, &[object.table.prefix, &[object.column], key.arcs()]);
    }

    /// Appends its value.
    pub fn write_value(&self, object: &Object, out: &mut Vec<u8>) {
        let Object { table, column, row } = object;
        match table.of {
            Of::System => self.write_system(*column, out),
            Of::IfNumber => ber::number(out, ber::INTEGER, self.agent.rows.into()),
            Of::Interfaces => self.write_interface(*column, *row, out),
            Of::InterfacesMore if *column == 6 || *column == 10 => ber::number(out, COUNTER64, self.octets(*row)),
            // They never began anew while the agent ran.
            Of::InterfacesMore if *column == 19 => ber::number(out, TIME_TICKS, 0),
            Of::InterfacesMore if *column == 15 => ber::number(out, GAUGE32, 1_000),
            Of::InterfacesMore if *column == 18 => ber::octets(out, b""),
            Of::InterfacesMore => self.text(out, |out| self.write_port_name(*row, out)),
            Of::LldpLocal => self.write_station(*column, out),
            // interfaceName(5) of LldpPortIdSubtype.
            Of::LldpPorts if *column == 2 => ber::number(out, ber::INTEGER, 5),
            Of::LldpPorts => self.text(out, |out| self.write_port_name(*row, out)),
            Of::LldpRemote => self.write_remote(*column, *row, out),
            Of::CdpCache => self.write_cdp(*column, *row, out),
            Of::Engine => self.write_engine(*column, out),
        }
    }

    fn text(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        ber::value(out, ber::OCTET_STRING, write);
    }

    fn write_system(&self, column: u32, out: &mut Vec<u8>) {
        let model = self.agent.model();
        match column {
            1 => ber::octets(out, model.sys_descr.as_bytes()),
            2 => ber::object_identifier(out, &[model.sys_object_id]),
            3 => ber::number(out, TIME_TICKS, self.up_time().into()),
            4 => ber::octets(out, b"noc@example.net"),
            5 => self.text(out, |out| self.write_sys_name(out)),
            6 => self.text(out, |out| self.write_location(out)),
            _ => ber::number(out, ber::INTEGER, model.sys_services.into()),
        }
    }

    /// How long ago it last started.
    fn up(&self) -> Duration {
        match self.starts.last {
            Some(last) => self.now.saturating_sub(last),
            None => Duration::from_secs(self.agent.uptime.into()) + self.now,
        }
    }

    /// In hundredths of a second; it begins again after 2^32 of them.
    fn up_time(&self) -> u32 {
        self.ticks() as u32
    }

    fn ticks(&self) -> u64 {
        (self.up().as_millis() / 10) as u64
    }

    /// snmpEngineTime: in seconds.
    pub fn engine_time(&self) -> u32 {
        self.up().as_secs() as u32
    }

    /// snmpEngineBoots.
    pub fn boots(&self) -> u32 {
        self.agent.engine.map_or(0, |engine| engine.boots) + self.starts.count
    }

    fn write_engine(&self, column: u32, out: &mut Vec<u8>) {
        match column {
            1 => ber::octets(out, self.host.engine_id(self.agent).as_bytes()),
            2 => ber::number(out, ber::INTEGER, self.boots().into()),
            3 => ber::number(out, ber::INTEGER, self.engine_time().into()),
            _ => ber::number(out, ber::INTEGER, self.agent.most_octets as i64),
        }
    }

    fn write_interface(&self, column: u32, row: u32, out: &mut Vec<u8>) {
        match column {
            1 => ber::number(out, ber::INTEGER, (self.agent.model().first_index + row).into()),
            2 => self.text(out, |out| self.write_port_name(row, out)),
            3 => ber::number(out, ber::INTEGER, 6),
            4 => ber::number(out, ber::INTEGER, 1_500),
            5 => ber::number(out, GAUGE32, 1_000_000_000),
            6 => ber::octets(out, &self.port_mac(row).octets()),
            7 => ber::number(out, ber::INTEGER, 1),
            8 => ber::number(out, ber::INTEGER, if self.is_up(row) { 1 } else { 2 }),
            // The counters of octets wrap within a minute or so.
            10 | 16 => ber::number(out, COUNTER32, self.octets(row) & i64::from(u32::MAX)),
            _ => ber::number(out, COUNTER32, i64::from(self.up_time() / 100_000)),
        }
    }

    /// What an interface has carried in each direction, at some 0.8 Gbit/s.
    fn octets(&self, row: u32) -> i64 {
        (self.ticks() * (1_000_003 + u64::from(row))) as i64
    }

    fn write_station(&self, column: u32, out: &mut Vec<u8>) {
        match column {
            // macAddress(4) of LldpChassisIdSubtype.
            1 => ber::number(out, ber::INTEGER, 4),
            2 => ber::octets(out, &self.host.mac.octets()),
            3 => self.text(out, |out| self.write_sys_name(out)),
            _ => ber::octets(out, self.agent.model().sys_descr.as_bytes()),
        }
    }

    fn write_remote(&self, column: u32, row: u32, out: &mut Vec<u8>) {
        let Some(neighbour) = self.neighbours().nth(row as usize) else { return };
        let there = self.at(&neighbour);
        match column {
            4..=5 => there.write_station(column - 3, out),
            6 => ber::number(out, ber::INTEGER, 5),
            7..=8 => there.text(out, |out| there.write_port_name(neighbour.remote_row, out)),
            9..=10 => there.write_station(column - 6, out),
            // bridge(2) and router(4) of LldpSystemCapabilitiesMap.
            _ => ber::octets(out, &[0x28]),
        }
    }

    fn write_cdp(&self, column: u32, row: u32, out: &mut Vec<u8>) {
        let Some(neighbour) = self.neighbours().nth(row as usize) else { return };
        let there = self.at(&neighbour);
        match column {
            // ip(1) of CiscoNetworkProtocol.
            3 => ber::number(out, ber::INTEGER, 1),
            4 => ber::octets(out, &self.network.address(neighbour.host.offsets[0]).octets()),
            5 => ber::octets(out, neighbour.agent.model().sys_descr.as_bytes()),
            6 => there.text(out, |out| there.write_sys_name(out)),
            7 => there.text(out, |out| there.write_port_name(neighbour.remote_row, out)),
            _ => ber::octets(out, neighbour.agent.model().name.as_bytes()),
        }
    }

    /// The same of a neighbour.
    pub fn at(&self, neighbour: &Neighbour<'n>) -> Self {
        Self { host: neighbour.host, agent: neighbour.agent, ..*self }
    }

    /// Appends sysName.
    pub fn write_sys_name(&self, out: &mut Vec<u8>) {
        let (address, model) = (self.network.address(self.host.offsets[0]), self.agent.model());
        let [_, _, high, low] = address.octets();
        append(out, format_args!("{}-{high}-{low}", model.name));
        self.spoil(out);
    }

    /// Appends sysLocation.
    pub fn write_location(&self, out: &mut Vec<u8>) {
        let offset = self.host.offsets[0];
        append(out, format_args!("Building {}, rack {}", offset >> 8, offset & 0xff));
        self.spoil(out);
    }

    /// Appends ifDescr and ifName.
    pub fn write_port_name(&self, row: u32, out: &mut Vec<u8>) {
        let Model { port, .. } = self.agent.model();
        append(out, format_args!("{port}{}", row + 1));
        self.spoil(out);
    }

    /// Appends an e with an acute accent as ISO 8859-1 has it: no UTF-8.
    fn spoil(&self, out: &mut Vec<u8>) {
        if self.host.faults.has(Fault::NonUtf8) {
            out.push(0xe9);
        }
    }

    /// The hardware address of an interface: the host's is that of the first.
    pub fn port_mac(&self, row: u32) -> MacAddr {
        let [_, _, high, low] = self.host.offsets[0].to_be_bytes();
        match row {
            0 => self.host.mac,
            // Locally administered, and nobody else's.
            _ => MacAddr::new([0x0a, (row >> 8) as u8, row as u8, self.agent.model, high, low]),
        }
    }

    /// Whether an interface works: the first does, of the others most.
    pub fn is_up(&self, row: u32) -> bool {
        row == 0 || !(self.host.offsets[0] + row).is_multiple_of(5)
    }
}

fn append(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes what is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::tests::{USERS, options};

    fn walk(view: &View<'_>) -> Vec<Vec<u32>> {
        let (mut names, mut last) = (Vec::new(), vec![0]);
        while let Some(object) = view.next(&last) {
            let key = view.key(object.table, object.row);
            let name = [object.table.prefix, &[object.column], key.arcs()].concat();
            assert!(name > last, "{last:?} {name:?}");
            assert_eq!(view.get(&name), Found::Object(object));
            assert_eq!(view.after(&object), view.next(&name));
            let (mut written, mut room) = (Vec::new(), [0; ber::MOST_ARCS]);
            view.write_name(&object, &mut written);
            assert_eq!(ber::arcs(&written[2..], &mut room), Some(name.as_slice()));
            view.write_value(&object, &mut written);
            let mut reader = ber::Reader(&written);
            assert!(reader.value().is_some() && reader.value().is_some() && reader.0.is_empty(), "{name:?}");
            names.push(name.clone());
            last = name;
        }
        names
    }

    fn views(network: &Network) -> Vec<View<'_>> {
        let agents = network.hosts.iter().filter_map(|host| Some((host, host.agent()?)));
        agents
            .map(|(host, agent)| View { network, host, agent, now: Duration::ZERO, starts: Starts::default() })
            .collect()
    }

    #[test]
    fn every_agent_is_walked_in_order_and_to_its_end() {
        let line = "--prefix 10.1.0.0/24 --live 0.5 --huge-table 300 --huge-share 0.1 --snmp-all 0.5 --snmp-users";
        let network = Network::new(options(&format!("{line} {USERS}")));
        for view in views(&network) {
            let neighbours = view.neighbours().count();
            let lldp = if view.agent.lldp { 4 + 3 * view.agent.rows as usize + 9 * neighbours } else { 0 };
            let cdp = if view.agent.lldp && view.agent.model().cdp { 6 * neighbours } else { 0 };
            let engine = if view.agent.engine.is_some() { 4 } else { 0 };
            assert_eq!(walk(&view).len(), 7 + 1 + 20 * view.agent.rows as usize + lldp + cdp + engine);
        }
    }

    #[test]
    fn tables_are_in_the_order_of_their_names() {
        assert!(TABLES.is_sorted_by(|one, next| one.prefix < next.prefix));
        assert!(TABLES.iter().all(|table| table.columns.is_sorted()));
    }

    #[test]
    fn names_of_nothing_are_told_apart() {
        let network = Network::new(options("--prefix 10.1.0.0/24 --live 1 --snmp 1 --lldp 0"));
        let view = views(&network)[0];
        assert_eq!(view.get(&[1, 3, 6, 1, 2, 1, 1, 9, 0]), Found::NoSuchObject);
        assert_eq!(view.get(&[1, 3, 6, 1, 2, 1, 1, 1, 1]), Found::NoSuchInstance);
        assert_eq!(view.get(&[1, 3, 6, 1, 2, 1, 1, 1]), Found::NoSuchInstance);
        assert_eq!(view.get(&[1, 0, 8802, 1, 1, 2, 1, 3, 1, 0]), Found::NoSuchObject, "it speaks no LLDP");
    }

    #[test]
    fn a_table_that_loops_begins_again_at_each_end_of_a_column() {
        let network = Network::new(options("--prefix 10.1.0.0/24 --live 1 --snmp 1 --looping 1"));
        for view in views(&network) {
            let model = view.agent.model();
            let last = [1, 3, 6, 1, 2, 1, 2, 2, 1, 2, model.first_index + view.agent.rows - 1];
            let again = view.next(&last).unwrap();
            assert_eq!((again.table.of, again.column, again.row), (Of::Interfaces, 2, 0));
        }
    }

    #[test]
    fn links_are_the_same_from_both_ends() {
        let network = Network::new(options("--prefix 10.1.0.0/22"));
        for view in views(&network) {
            for neighbour in view.neighbours() {
                let there = view.at(&neighbour);
                assert!(there.neighbours().any(|back| std::ptr::eq(back.host, view.host)
                    && back.local_row == neighbour.remote_row
                    && back.remote_row == neighbour.local_row));
            }
        }
    }
}
