//! Rows as domain values.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use rusqlite::Row;
use rusqlite::types::{FromSql, ValueRef};
use serde::de::DeserializeOwned;

use crate::domain::device::{Device, DeviceId, Version};
use crate::domain::event::{Event, EventSeq};
use crate::domain::fact::{Fact, FactKind, FactRow, Withheld};
use crate::domain::time::Timestamp;
use crate::nib::NibError;

/// A query of whole devices, for [`device`].
macro_rules! select_devices {
    ($rest:literal) => {
        concat!(
            "SELECT number, mac, addresses, hostname, vendor, device_type, firmware, region, local_controller, ",
            "status, first_seen, last_seen, missed_cycles, methods, rtt_ns, version FROM devices ",
            $rest
        )
    };
}

/// A query of whole facts, for [`fact`].
macro_rules! select_facts {
    ($rest:literal) => {
        concat!(
            "SELECT device, kind, source, value, protocol, observed_at, observer, withheld FROM device_facts ",
            $rest
        )
    };
}

/// A query of whole events, for [`event`].
macro_rules! select_events {
    ($rest:literal) => {
        concat!("SELECT seq, event_type, actor, subject, timestamp, payload FROM events ", $rest)
    };
}
pub(super) use {select_devices, select_events, select_facts};

/// A row that no version of pdsno has written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{table} {key}: {cell}")]
pub(super) struct BadRow {
    pub(super) table: &'static str,
    pub(super) key: String,
    pub(super) cell: BadCell,
}

/// A value that its column cannot have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{column}: {detail}")]
pub(super) struct BadCell {
    column: String,
    detail: String,
}

impl From<BadRow> for NibError {
    fn from(bad: BadRow) -> Self {
        Self::Corrupt { detail: bad.to_string() }
    }
}

/// The device of a row.
pub(super) fn device(row: &Row<'_>) -> Result<Device, BadRow> {
    let read = || {
        let device = Device {
            id: DeviceId::from_number(cell(row, 0)?),
            mac: parsed_or_none(row, 1)?,
            addresses: json(row, 2)?,
            hostname: cell(row, 3)?,
            vendor: cell(row, 4)?,
            device_type: parsed(row, 5)?,
            firmware: cell(row, 6)?,
            region: parsed_or_none(row, 7)?,
            local_controller: parsed_or_none(row, 8)?,
            status: parsed(row, 9)?,
            first_seen: Timestamp::from_millis(cell(row, 10)?),
            last_seen: Timestamp::from_millis(cell(row, 11)?),
            missed_cycles: cell(row, 12)?,
            methods: json(row, 13)?,
            rtt: unsigned_or_none(row, 14)?.map(Duration::from_nanos),
            version: Version::from_number(cell(row, 15)?),
        };
        match device.addresses.is_sorted_by(|one, next| one < next) {
            true => Ok(device),
            false => Err(bad(row, 2, "the addresses are not ascending and distinct")),
        }
    };
    read().map_err(|cell| BadRow { table: "devices", key: device_key(row, 0), cell })
}

/// The fact of a row.
pub(super) fn fact(row: &Row<'_>) -> Result<FactRow, BadRow> {
    let read = || {
        let fact = match parsed(row, 1)? {
            kind if cell(row, 7)? => {
                let (octets, digest) = json(row, 3)?;
                Fact::Withheld(Withheld { kind, octets, digest })
            }
            FactKind::SnmpReachability => Fact::SnmpReachability(json(row, 3)?),
            FactKind::SnmpSystem => Fact::SnmpSystem(json(row, 3)?),
            FactKind::SnmpUptime => Fact::SnmpUptime(json(row, 3)?),
            FactKind::SnmpInterfaces => Fact::SnmpInterfaces(json(row, 3)?),
            FactKind::SnmpEngine => Fact::SnmpEngine(json(row, 3)?),
            FactKind::Neighbours => Fact::Neighbours(json(row, 3)?),
            FactKind::TypeEvidence => Fact::TypeEvidence(json(row, 3)?),
            FactKind::VendorEvidence => Fact::VendorEvidence(json(row, 3)?),
            FactKind::SilentAddresses => Fact::SilentAddresses(json(row, 3)?),
        };
        Ok(FactRow {
            device: DeviceId::from_number(cell(row, 0)?),
            fact,
            source: cell(row, 2)?,
            protocol: parsed_or_none(row, 4)?,
            observed_at: Timestamp::from_millis(cell(row, 5)?),
            observer: parsed_or_none(row, 6)?,
        })
    };
    read().map_err(|cell| BadRow { table: "device_facts", key: fact_key(row), cell })
}

/// Which value of which fact it is: the device, the key, and the time.
pub(super) fn fact_version(row: &Row<'_>) -> Result<(DeviceId, FactKind, String, Timestamp), BadRow> {
    let read = || {
        let (device, kind, source) = (DeviceId::from_number(cell(row, 0)?), parsed(row, 1)?, cell(row, 2)?);
        Ok((device, kind, source, Timestamp::from_millis(cell(row, 3)?)))
    };
    read().map_err(|cell| BadRow { table: "device_facts", key: fact_key(row), cell })
}

/// The event of a row.
pub(super) fn event(row: &Row<'_>) -> Result<Event, BadRow> {
    let read = || {
        let event = Event {
            seq: EventSeq::from_number(unsigned(row, 0)?),
            event_type: parsed(row, 1)?,
            actor: cell(row, 2)?,
            subject: cell(row, 3)?,
            timestamp: Timestamp::from_millis(cell(row, 4)?),
            payload: json(row, 5)?,
        };
        match event.payload.is_object() {
            true => Ok(event),
            false => Err(bad(row, 5, "the payload is not an object")),
        }
    };
    read().map_err(|cell| BadRow { table: "events", key: shown(row, 0), cell })
}

/// The key of a fact's row, of which nothing is trusted.
pub(super) fn fact_key(row: &Row<'_>) -> String {
    format!("{} {} {:?}", device_key(row, 0), shown(row, 1), shown(row, 2))
}

/// A device's number, of which nothing is trusted, as its id if it is one.
pub(super) fn device_key(row: &Row<'_>, column: usize) -> String {
    row.get(column).map_or_else(|_| shown(row, column), |number| DeviceId::from_number(number).to_string())
}

pub(super) fn shown(row: &Row<'_>, column: usize) -> String {
    match row.get_ref(column) {
        Ok(ValueRef::Integer(number)) => number.to_string(),
        Ok(ValueRef::Real(number)) => number.to_string(),
        Ok(ValueRef::Text(text) | ValueRef::Blob(text)) => String::from_utf8_lossy(text).into_owned(),
        Ok(ValueRef::Null) | Err(_) => "NULL".to_owned(),
    }
}

pub(super) fn cell<T: FromSql>(row: &Row<'_>, column: usize) -> Result<T, BadCell> {
    row.get(column).map_err(|error| bad(row, column, error))
}

pub(super) fn unsigned(row: &Row<'_>, column: usize) -> Result<u64, BadCell> {
    let number: i64 = cell(row, column)?;
    u64::try_from(number).map_err(|error| bad(row, column, error))
}

pub(super) fn unsigned_or_none(row: &Row<'_>, column: usize) -> Result<Option<u64>, BadCell> {
    match row.get_ref(column) {
        Ok(ValueRef::Null) => Ok(None),
        _ => unsigned(row, column).map(Some),
    }
}

fn text<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r str, BadCell> {
    row.get_ref(column).map_err(|error| bad(row, column, error))?.as_str().map_err(|error| bad(row, column, error))
}

pub(super) fn parsed<T: FromStr<Err: fmt::Display>>(row: &Row<'_>, column: usize) -> Result<T, BadCell> {
    text(row, column)?.parse().map_err(|error| bad(row, column, error))
}

pub(super) fn parsed_or_none<T: FromStr<Err: fmt::Display>>(
    row: &Row<'_>,
    column: usize,
) -> Result<Option<T>, BadCell> {
    match row.get_ref(column) {
        Ok(ValueRef::Null) => Ok(None),
        _ => parsed(row, column).map(Some),
    }
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, BadCell> {
    serde_json::from_str(text(row, column)?).map_err(|error| bad(row, column, error))
}

pub(super) fn bad(row: &Row<'_>, column: usize, detail: impl fmt::Display) -> BadCell {
    let column = row.as_ref().column_name(column).unwrap_or("?").to_owned();
    BadCell { column, detail: detail.to_string() }
}
