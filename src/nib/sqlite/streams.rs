//! What goes up and what came from below, as SQL.

use rusqlite::{Connection, Error, OptionalExtension, Row, ffi, params};

use crate::domain::controller::ControllerId;
use crate::domain::device::DeviceId;
use crate::domain::number::StreamSeq;
use crate::domain::stream::{OutboxItem, Sighting, Stream, StreamChange, StreamPosition};
use crate::domain::time::Timestamp;
use crate::nib::change::registry::taken;
use crate::nib::sqlite::SqliteReader;
use crate::nib::sqlite::check::{CheckReport, each};
use crate::nib::sqlite::read::rows_at_most;
use crate::nib::sqlite::rows::{BadCell, BadRow, cell, device_key, json, parsed, shown, unsigned};
use crate::nib::sqlite::values::{number, text_json};
use crate::nib::sqlite::write::{Refused, violates};
use crate::nib::{self, NibError, StreamReader};

const NEXT_ITEM: &str = "INSERT INTO streams (stream, last, acknowledged) VALUES (?1, 1, 0) \
     ON CONFLICT (stream) DO UPDATE SET last = last + 1 RETURNING last";

const LAST_ITEM: &str = "SELECT last FROM streams WHERE stream = ?1";

const ACKNOWLEDGE: &str = "UPDATE streams SET acknowledged = ?2 WHERE stream = ?1 AND acknowledged < ?2 AND last >= ?2";

const RECEIVE_FIRST: &str = "INSERT INTO received (controller_id, stream, seq, updated_at) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT DO NOTHING";

const RECEIVE: &str =
    "UPDATE received SET seq = ?3, updated_at = ?4 WHERE controller_id = ?1 AND stream = ?2 AND seq = ?5";

const PUT_SIGHTING: &str = "INSERT INTO sightings (reporter, reported, device, last_seen, is_active, told_by, \
     facts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (reporter, reported) DO UPDATE SET \
     device = excluded.device, last_seen = excluded.last_seen, is_active = excluded.is_active, \
     told_by = excluded.told_by, facts = excluded.facts";

macro_rules! select_sightings {
    ($rest:literal) => {
        concat!("SELECT reporter, reported, device, last_seen, is_active, told_by, facts FROM sightings ", $rest)
    };
}

macro_rules! select_received {
    ($rest:literal) => {
        concat!("SELECT controller_id, stream, seq FROM received ", $rest)
    };
}

/// Makes a change within a transaction that began at `now`.
pub(super) fn write(connection: &Connection, now: i64, change: &StreamChange) -> Result<(), Refused> {
    match change {
        StreamChange::Enqueue { stream, body, at } => {
            let seq: i64 = connection.prepare_cached(NEXT_ITEM)?.query_row([stream.as_str()], |row| row.get(0))?;
            connection
                .prepare_cached("INSERT INTO outbox (stream, seq, body, at) VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![stream.as_str(), seq, body, at.as_millis()])?;
        }
        StreamChange::Acknowledge { stream, up_to } => {
            let acknowledged = (stream.as_str(), number(up_to.number()));
            if connection.prepare_cached(ACKNOWLEDGE)?.execute(acknowledged)? == 1 {
                connection
                    .prepare_cached("DELETE FROM outbox WHERE stream = ?1 AND seq <= ?2")?
                    .execute(acknowledged)?;
            }
        }
        StreamChange::Discard { stream, last } => {
            let found: Option<i64> =
                connection.prepare_cached(LAST_ITEM)?.query_row([stream.as_str()], |row| row.get(0)).optional()?;
            if found.unwrap_or(0) != number(last.number()) {
                return Err(taken(nib::Row::Outbox(*stream), None).into());
            }
            connection.prepare_cached("DELETE FROM outbox WHERE stream = ?1")?.execute([stream.as_str()])?;
        }
        StreamChange::Receive { from, stream, after, seq } => {
            let (key, value) = ((from.as_str(), stream.as_str()), number(seq.number()));
            let changed = match number(after.number()) {
                0 => connection.prepare_cached(RECEIVE_FIRST)?.execute((key.0, key.1, value, now))?,
                after => connection.prepare_cached(RECEIVE)?.execute((key.0, key.1, value, now, after))?,
            };
            if changed != 1 {
                return Err(taken(nib::Row::Stream(from.clone(), *stream, *seq), None).into());
            }
        }
    }
    Ok(())
}

pub(super) fn put_sighting(connection: &Connection, sighting: &Sighting) -> Result<(), Refused> {
    let put = connection.prepare_cached(PUT_SIGHTING)?.execute(params![
        sighting.reporter.as_str(),
        sighting.reported.number(),
        sighting.device.number(),
        sighting.last_seen.as_millis(),
        sighting.is_active,
        number(sighting.told_by.number()),
        text_json(&sighting.facts)?
    ]);
    match put {
        Ok(_) => Ok(()),
        Err(error) if violates(&error, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => {
            Err(NibError::NotFound(nib::Row::Device(sighting.device)).into())
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn drop_sighting(
    connection: &Connection,
    reporter: &ControllerId,
    reported: DeviceId,
) -> Result<(), Refused> {
    connection
        .prepare_cached("DELETE FROM sightings WHERE reporter = ?1 AND reported = ?2")?
        .execute((reporter.as_str(), reported.number()))?;
    Ok(())
}

impl StreamReader for SqliteReader {
    fn outbox(&self, stream: Stream, after: StreamSeq, limit: usize) -> Result<Vec<OutboxItem>, NibError> {
        let sql = "SELECT seq, body, at, stream FROM outbox WHERE stream = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
        self.all(sql, (stream.as_str(), number(after.number()), rows_at_most(limit)), item)
    }

    fn position(&self, stream: Stream) -> Result<StreamPosition, NibError> {
        let sql = "SELECT last, acknowledged, stream FROM streams WHERE stream = ?1";
        Ok(self.one(sql, [stream.as_str()], position)?.unwrap_or_default())
    }

    fn received(&self, from: &ControllerId, stream: Stream) -> Result<StreamSeq, NibError> {
        let sql = select_received!("WHERE controller_id = ?1 AND stream = ?2");
        Ok(self.one(sql, (from.as_str(), stream.as_str()), received)?.unwrap_or_default())
    }

    fn sighting(&self, reporter: &ControllerId, reported: DeviceId) -> Result<Option<Sighting>, NibError> {
        let sql = select_sightings!("WHERE reporter = ?1 AND reported = ?2");
        self.one(sql, (reporter.as_str(), reported.number()), sighting)
    }

    fn sightings_of(&self, device: DeviceId) -> Result<Vec<Sighting>, NibError> {
        let sql = select_sightings!("WHERE device = ?1 ORDER BY reporter, reported");
        self.all(sql, [device.number()], sighting)
    }

    fn sightings_by(
        &self,
        reporter: &ControllerId,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Sighting>, NibError> {
        let after = after.map_or(-1, |id| i64::from(id.number()));
        let sql = select_sightings!("WHERE reporter = ?1 AND reported > ?2 ORDER BY reported LIMIT ?3");
        self.all(sql, (reporter.as_str(), after, rows_at_most(limit)), sighting)
    }
}

fn seq(row: &Row<'_>, column: usize) -> Result<StreamSeq, BadCell> {
    unsigned(row, column).map(StreamSeq::from_number)
}

fn item(row: &Row<'_>) -> Result<OutboxItem, BadRow> {
    let read = || Ok(OutboxItem { seq: seq(row, 0)?, body: cell(row, 1)?, at: Timestamp::from_millis(cell(row, 2)?) });
    read().map_err(|cell| BadRow { table: "outbox", key: item_key(row), cell })
}

fn item_key(row: &Row<'_>) -> String {
    format!("{} {}", shown(row, 3), shown(row, 0))
}

fn position(row: &Row<'_>) -> Result<StreamPosition, BadRow> {
    let read = || Ok(StreamPosition { last: seq(row, 0)?, acknowledged: seq(row, 1)? });
    read().map_err(|cell| BadRow { table: "streams", key: shown(row, 2), cell })
}

fn received(row: &Row<'_>) -> Result<StreamSeq, BadRow> {
    seq(row, 2).map_err(|cell| BadRow { table: "received", key: format!("{} {}", shown(row, 0), shown(row, 1)), cell })
}

fn sighting(row: &Row<'_>) -> Result<Sighting, BadRow> {
    let read = || {
        Ok(Sighting {
            reporter: parsed(row, 0)?,
            reported: DeviceId::from_number(cell(row, 1)?),
            device: DeviceId::from_number(cell(row, 2)?),
            last_seen: Timestamp::from_millis(cell(row, 3)?),
            is_active: cell(row, 4)?,
            told_by: seq(row, 5)?,
            facts: json(row, 6)?,
        })
    };
    read().map_err(|cell| BadRow { table: "sightings", key: sighting_key(row), cell })
}

fn sighting_key(row: &Row<'_>) -> String {
    format!("{} {}", shown(row, 0), device_key(row, 1))
}

/// Reads all that goes up.
pub(super) fn check_outbox(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, "SELECT last, acknowledged, stream FROM streams ORDER BY stream", |row| {
        report.read(position(row));
        if let Err(cell) = parsed::<Stream>(row, 2) {
            report.add("streams", Some(shown(row, 2)), cell);
        }
        Ok(())
    })?;
    let sql = "SELECT o.seq, o.body, o.at, o.stream, json_valid(o.body), \
         coalesce(o.seq > s.acknowledged AND o.seq <= s.last, 0) \
         FROM outbox AS o LEFT JOIN streams AS s ON s.stream = o.stream ORDER BY o.stream, o.seq";
    each(connection, sql, |row| {
        report.read(item(row));
        for (column, problem) in [(4, "its body is not JSON"), (5, "its number is not one that waits")] {
            if !row.get::<_, bool>(column)? {
                report.add("outbox", Some(item_key(row)), problem);
            }
        }
        Ok(())
    })
}

/// Reads all that came from below.
pub(super) fn check_received(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, select_received!("ORDER BY controller_id, stream"), |row| {
        report.read(received(row));
        let names = [parsed::<ControllerId>(row, 0).err(), parsed::<Stream>(row, 1).err()];
        for cell in names.into_iter().flatten() {
            report.add("received", Some(shown(row, 0)), cell);
        }
        Ok(())
    })
}

/// Reads what was told of devices, and finds each of them.
pub(super) fn check_sightings(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, select_sightings!("ORDER BY reporter, reported"), |row| {
        report.read(sighting(row));
        Ok(())
    })?;
    each(connection, select_sightings!("WHERE device NOT IN (SELECT number FROM devices)"), |row| {
        report.add("sightings", Some(sighting_key(row)), "there is no such device");
        Ok(())
    })
}
