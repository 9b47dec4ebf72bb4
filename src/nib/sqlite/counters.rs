//! What interfaces counted, as SQL.

use rusqlite::{Connection, Error, Row, ffi, params};

use crate::domain::counters::{Counters, InterfaceCounters, Reading, Traffic, Width};
use crate::domain::device::DeviceId;
use crate::domain::fact::SnmpEngine;
use crate::domain::time::Timestamp;
use crate::nib::sqlite::SqliteReader;
use crate::nib::sqlite::check::{CheckReport, each};
use crate::nib::sqlite::rows::{BadCell, BadRow, bad, cell, device_key, parsed, parsed_or_none, shown};
use crate::nib::sqlite::write::{Refused, violates};
use crate::nib::{self, NibError};

const PUT_READINGS: &str =
    "INSERT INTO counter_readings (device, read_at, engine_id, engine_boots) VALUES (?1, ?2, ?3, ?4)";

const PUT_INTERFACE: &str = "INSERT INTO interface_counters (device, if_index, uptime, bits, in_octets, out_octets, \
     in_errors, out_errors, in_discards, out_discards, discontinuity, speed, since, elapsed, in_octets_passed, \
     out_octets_passed, in_errors_passed, out_errors_passed, in_discards_passed, out_discards_passed, reason) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)";

/// A query of interfaces, each with what is told of its device, for [`interface`].
macro_rules! select_counters {
    ($rest:literal) => {
        concat!(
            "SELECT device, read_at, engine_id, engine_boots, if_index, uptime, bits, in_octets, out_octets, ",
            "in_errors, out_errors, in_discards, out_discards, discontinuity, speed, since, elapsed, ",
            "in_octets_passed, out_octets_passed, in_errors_passed, out_errors_passed, in_discards_passed, ",
            "out_discards_passed, reason FROM counter_readings JOIN interface_counters USING (device) ",
            $rest
        )
    };
}

/// Replaces what is known of a device.
pub(super) fn put(connection: &Connection, counters: &Counters) -> Result<(), Refused> {
    let Counters { device, read_at, engine, interfaces } = counters;
    remove(connection, *device)?;
    let put = connection.prepare_cached(PUT_READINGS)?.execute(params![
        device.number(),
        read_at.as_millis(),
        engine.as_ref().map(|engine| engine.engine_id.to_string()),
        engine.as_ref().map(|engine| engine.boots)
    ]);
    match put {
        Ok(_) => {}
        Err(error) if violates(&error, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => {
            return Err(NibError::NotFound(nib::Row::Device(*device)).into());
        }
        Err(error) => return Err(error.into()),
    }
    let mut statement = connection.prepare_cached(PUT_INTERFACE)?;
    for InterfaceCounters { index, reading, traffic } in interfaces {
        statement.execute(params![
            device.number(),
            index,
            reading.uptime,
            reading.width.bits(),
            reading.in_octets.map(u64::cast_signed),
            reading.out_octets.map(u64::cast_signed),
            reading.in_errors,
            reading.out_errors,
            reading.in_discards,
            reading.out_discards,
            reading.discontinuity,
            reading.speed.map(u64::cast_signed),
            traffic.since.map(Timestamp::as_millis),
            traffic.elapsed,
            traffic.in_octets.map(u64::cast_signed),
            traffic.out_octets.map(u64::cast_signed),
            traffic.in_errors,
            traffic.out_errors,
            traffic.in_discards,
            traffic.out_discards,
            traffic.reason.map(|reason| reason.as_str())
        ])?;
    }
    Ok(())
}

/// Forgets what is known of a device; its interfaces go with the row that they refer to.
pub(super) fn remove(connection: &Connection, device: DeviceId) -> Result<(), Error> {
    connection.prepare_cached("DELETE FROM counter_readings WHERE device = ?1")?.execute([device.number()]).map(drop)
}

/// What the interfaces of some devices counted.
pub(super) fn read(reader: &SqliteReader, first: DeviceId, last: DeviceId) -> Result<Vec<Counters>, NibError> {
    let sql = select_counters!("WHERE device BETWEEN ?1 AND ?2 ORDER BY device, if_index");
    let mut all: Vec<Counters> = Vec::new();
    for (device, read_at, engine, interface) in reader.all(sql, [first.number(), last.number()], interface)? {
        match all.last_mut().filter(|known| known.device == device) {
            Some(known) => known.interfaces.push(interface),
            None => all.push(Counters { device, read_at, engine, interfaces: vec![interface] }),
        }
    }
    Ok(all)
}

type OfDevice = (DeviceId, Timestamp, Option<SnmpEngine>, InterfaceCounters);

fn interface(row: &Row<'_>) -> Result<OfDevice, BadRow> {
    let octets = |column| cell::<Option<i64>>(row, column).map(|stored| stored.map(i64::cast_unsigned));
    let read = || -> Result<OfDevice, BadCell> {
        let engine = match cell::<Option<u32>>(row, 3)? {
            Some(boots) => Some(SnmpEngine { engine_id: parsed(row, 2)?, boots }),
            None => None,
        };
        let reading = Reading {
            uptime: cell(row, 5)?,
            width: match cell(row, 6)? {
                32 => Width::Bits32,
                64 => Width::Bits64,
                other => return Err(bad(row, 6, format!("no counter has {other} bits"))),
            },
            in_octets: octets(7)?,
            out_octets: octets(8)?,
            in_errors: cell(row, 9)?,
            out_errors: cell(row, 10)?,
            in_discards: cell(row, 11)?,
            out_discards: cell(row, 12)?,
            discontinuity: cell(row, 13)?,
            speed: octets(14)?,
        };
        let traffic = Traffic {
            since: cell::<Option<i64>>(row, 15)?.map(Timestamp::from_millis),
            elapsed: cell(row, 16)?,
            in_octets: octets(17)?,
            out_octets: octets(18)?,
            in_errors: cell(row, 19)?,
            out_errors: cell(row, 20)?,
            in_discards: cell(row, 21)?,
            out_discards: cell(row, 22)?,
            reason: parsed_or_none(row, 23)?,
        };
        let interface = InterfaceCounters { index: cell(row, 4)?, reading, traffic };
        Ok((DeviceId::from_number(cell(row, 0)?), Timestamp::from_millis(cell(row, 1)?), engine, interface))
    };
    let key = || format!("{} {}", device_key(row, 0), shown(row, 4));
    read().map_err(|cell| BadRow { table: "interface_counters", key: key(), cell })
}

pub(super) fn check(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, select_counters!("ORDER BY device, if_index"), |row| {
        report.read(interface(row));
        Ok(())
    })?;
    let orphans: [(&'static str, &str, &str); 3] = [
        (
            "counter_readings",
            "SELECT device FROM counter_readings WHERE device NOT IN (SELECT number FROM devices)",
            "there is no such device",
        ),
        (
            "counter_readings",
            "SELECT device FROM counter_readings WHERE device NOT IN (SELECT device FROM interface_counters)",
            "it is of no interface",
        ),
        (
            "interface_counters",
            "SELECT DISTINCT device FROM interface_counters WHERE device NOT IN (SELECT device FROM counter_readings)",
            "it is not known when they were read",
        ),
    ];
    for (table, sql, detail) in orphans {
        each(connection, sql, |row| {
            report.add(table, Some(device_key(row, 0)), detail);
            Ok(())
        })?;
    }
    Ok(())
}
