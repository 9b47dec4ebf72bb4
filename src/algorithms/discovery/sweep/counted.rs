//! What interfaces counted: `ifXTable` and `ifTable` (RFC 2863), with `sysUpTime` in each answer.

use std::collections::BTreeMap;

use super::cells::number;
use super::table::{Columns, Index};
use crate::domain::counters::{Reading, Width};
use crate::domain::fact::Interface;
use crate::wire::mib;
use crate::wire::oid::Oid;
use crate::wire::snmp::Value;
use crate::wire::snmp::pdu::Pdu;

/// Rows of [`WIDE`] asked for at once: eight columns of six rows are as many cells as a question for the
/// table of interfaces asks for.
pub(super) const WIDE_ROWS_AT_ONCE: u16 = 6;

/// A row of the counters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    /// `sysUpTime` of the answer that is being taken.
    clock: Option<u32>,
    /// The same of the answer that told the octets.
    uptime: Option<u32>,
    wide: Octets<u64>,
    narrow: Octets<u32>,
    high_speed: Option<u32>,
    discontinuity: Option<u32>,
    errors: (Option<u32>, Option<u32>),
    discards: (Option<u32>, Option<u32>),
}

/// Received and sent.
type Octets<T> = (Option<T>, Option<T>);

impl Counted {
    /// Notes the time of the answer that tells what comes now.
    pub fn at(&mut self, clock: Option<u32>) {
        self.clock = clock;
    }

    fn octets<T>(&mut self, octets: Option<T>) -> Option<T> {
        self.uptime = self.clock;
        octets
    }

    /// Whether its octets are counted with 64 bits.
    fn is_wide(&self) -> bool {
        self.wide.0.or(self.wide.1).is_some()
    }

    /// What it says about an interface, of which the other table told this.
    fn reading(&self, interface: Option<&Interface>) -> Reading {
        let (width, (in_octets, out_octets)) = match self.is_wide() {
            true => (Width::Bits64, self.wide),
            false => (Width::Bits32, (self.narrow.0.map(u64::from), self.narrow.1.map(u64::from))),
        };
        let told = interface.and_then(|interface| interface.speed).filter(|speed| (1..u32::MAX).contains(speed));
        let high = || self.high_speed.filter(|speed| *speed > 0).map(|speed| u64::from(speed) * 1_000_000);
        Reading {
            // An agent may tell of packets only.
            uptime: self.uptime.or(self.clock),
            width,
            in_octets,
            out_octets,
            in_errors: self.errors.0,
            out_errors: self.errors.1,
            in_discards: self.discards.0,
            out_discards: self.discards.1,
            discontinuity: self.discontinuity,
            speed: told.map(u64::from).or_else(high),
        }
    }
}

/// What is asked of every agent: the wide counters, and those of packets, which have 32 bits anyway.
pub(super) static WIDE: Columns<Counted> = &[
    (mib::IF_HC_IN_OCTETS, |row, value| row.wide.0 = row.octets(counter64(value))),
    (mib::IF_HC_OUT_OCTETS, |row, value| row.wide.1 = row.octets(counter64(value))),
    (mib::IF_HIGH_SPEED, |row, value| row.high_speed = number(value)),
    (mib::IF_COUNTER_DISCONTINUITY_TIME, |row, value| row.discontinuity = ticks(value)),
    (mib::IF_IN_DISCARDS, |row, value| row.discards.0 = counter32(value)),
    (mib::IF_IN_ERRORS, |row, value| row.errors.0 = counter32(value)),
    (mib::IF_OUT_DISCARDS, |row, value| row.discards.1 = counter32(value)),
    (mib::IF_OUT_ERRORS, |row, value| row.errors.1 = counter32(value)),
];

/// What is asked of agents that have no wide counters for some interface.
pub(super) static NARROW: Columns<Counted> = &[
    (mib::IF_IN_OCTETS, |row, value| row.narrow.0 = row.octets(counter32(value))),
    (mib::IF_OUT_OCTETS, |row, value| row.narrow.1 = row.octets(counter32(value))),
];

fn counter32(value: &Value) -> Option<u32> {
    match value {
        Value::Counter32(number) => Some(*number),
        _ => None,
    }
}

fn counter64(value: &Value) -> Option<u64> {
    match value {
        Value::Counter64(number) => Some(*number),
        _ => None,
    }
}

fn ticks(value: &Value) -> Option<u32> {
    match value {
        Value::TimeTicks(ticks) => Some(*ticks),
        _ => None,
    }
}

/// A question for the rows behind these names, and for the time: `sysUpTime` is its one non-repeater.
pub(super) fn question(id: u32, rows: u16, columns: Vec<Oid>) -> Pdu {
    let names: Vec<Oid> = std::iter::once(mib::SYS_UP_TIME_OBJECT).chain(columns).collect();
    Pdu::get_bulk(id, 1, rows, &names)
}

/// The time that an answer to [`question`] tells, and its rows.
pub(super) fn time_and_rows(varbinds: &[(Oid, Value)]) -> (Option<u32>, &[(Oid, Value)]) {
    match varbinds.split_first() {
        Some(((name, value), rows)) => (ticks(value).filter(|_| *name == mib::SYS_UP_TIME), rows),
        None => (None, varbinds),
    }
}

/// Whether one of the interfaces has no wide counters.
pub(super) fn lacks_wide(interfaces: &[Interface], wide: &BTreeMap<Index, Counted>) -> bool {
    interfaces.iter().any(|interface| !wide.get(&[interface.index][..]).is_some_and(Counted::is_wide))
}

/// The readings of all interfaces, ascending.
pub(super) fn readings(
    mut wide: BTreeMap<Index, Counted>,
    narrow: BTreeMap<Index, Counted>,
    interfaces: &[Interface],
) -> Vec<(u32, Reading)> {
    for (index, row) in narrow {
        let known = wide.entry(index).or_default();
        if !known.is_wide() {
            (known.narrow, known.uptime) = (row.narrow, row.uptime);
        }
    }
    let reading = |(index, row): (&Index, &Counted)| {
        let [index] = **index else { return None };
        let place = interfaces.binary_search_by_key(&index, |interface| interface.index).ok();
        Some((index, row.reading(place.and_then(|place| interfaces.get(place)))))
    };
    wide.iter().filter_map(reading).collect()
}
