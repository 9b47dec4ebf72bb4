//! Questions as SQL: each is one statement, so each sees one moment of the NIB.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, Params, Row, params_from_iter};

use crate::domain::address::MacAddr;
use crate::domain::counters::Counters;
use crate::domain::device::{Device, DeviceId, DeviceStatus};
use crate::domain::event::{Event, EventSeq, EventType};
use crate::domain::fact::{FactRow, FactVersions};
use crate::nib::sqlite::counters;
use crate::nib::sqlite::error::nib_error;
use crate::nib::sqlite::open::{self, OpenError};
use crate::nib::sqlite::rows::{self, BadRow, select_devices, select_events, select_facts};
use crate::nib::{EventQuery, NibError, NibReader};

/// A read-only connection to a NIB file, beside a running controller or alone.
#[derive(Debug)]
pub struct SqliteReader {
    connection: Connection,
    /// The file, when nobody had it open: it is read without locks, and as long as that is so.
    at_rest: Option<PathBuf>,
}

impl SqliteReader {
    /// Opens the NIB at `path`. Nothing is created, neither the file nor anything beside it.
    ///
    /// # Errors
    /// [`OpenError`]; also for a NIB that has yet to be migrated.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let reading = open::for_reading(path)?;
        let at_rest = reading.at_rest.then(|| path.to_owned());
        Ok(Self { connection: reading.connection, at_rest })
    }

    /// A further connection of a process that has the file open for writing.
    pub(super) fn beside_writer(path: &Path) -> Result<Self, rusqlite::Error> {
        Ok(Self { connection: open::beside_others(path)?, at_rest: None })
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, BadRow>,
    ) -> Result<Vec<T>, NibError> {
        let unavailable = |error| nib_error(error, "to read");
        let mut found = Vec::new();
        let mut statement = self.connection.prepare_cached(sql).map_err(unavailable)?;
        let mut rows = statement.query(params).map_err(unavailable)?;
        while let Some(row) = rows.next().map_err(unavailable)? {
            found.push(read(row)?);
        }
        if self.at_rest.as_deref().is_some_and(open::is_in_use) {
            // What was read without locks may have changed under the statement.
            return Err(NibError::Unavailable { attempted: "for a controller has just opened it", source: None });
        }
        Ok(found)
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl Fn(&Row<'_>) -> Result<T, BadRow>,
    ) -> Result<Option<T>, NibError> {
        self.all(sql, params, read).map(|mut found| found.pop())
    }

    fn number<T: FromSql>(&self, table: &'static str, sql: &str) -> Result<T, NibError> {
        let read = |row: &Row<'_>| rows::cell(row, 0).map_err(|cell| BadRow { table, key: "row".to_owned(), cell });
        self.one(sql, [], read)?.ok_or_else(|| NibError::Corrupt { detail: format!("{table} is empty") })
    }
}

impl NibReader for SqliteReader {
    fn device(&self, id: DeviceId) -> Result<Option<Device>, NibError> {
        self.one(select_devices!("WHERE number = ?1"), [id.number()], rows::device)
    }

    fn device_by_mac(&self, mac: MacAddr) -> Result<Option<Device>, NibError> {
        self.one(select_devices!("WHERE mac = ?1"), [mac.to_string()], rows::device)
    }

    /// Reads every row: questions by address are rare, an index would be paid for at every write.
    fn devices_by_address(&self, address: Ipv4Addr) -> Result<Vec<Device>, NibError> {
        let quoted = format!("\"{address}\"");
        self.all(select_devices!("WHERE instr(addresses, ?1) > 0 ORDER BY number"), [quoted], rows::device)
    }

    fn devices(
        &self,
        status: Option<DeviceStatus>,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Device>, NibError> {
        let (after, limit) = (after.map_or(0, DeviceId::number), rows_at_most(limit));
        match status {
            None => {
                self.all(select_devices!("WHERE number > ?1 ORDER BY number LIMIT ?2"), (after, limit), rows::device)
            }
            Some(status) => self.all(
                select_devices!("WHERE number > ?1 AND status = ?2 ORDER BY number LIMIT ?3"),
                (after, status.as_str(), limit),
                rows::device,
            ),
        }
    }

    fn facts(&self, first: DeviceId, last: DeviceId) -> Result<Vec<FactRow>, NibError> {
        let range = [first.number(), last.number()];
        let mut facts = self.all(select_facts!("WHERE device BETWEEN ?1 AND ?2"), range, rows::fact)?;
        // SQLite would sort kinds by their names.
        facts.sort_unstable_by(|one, other| {
            (one.device, one.fact.kind(), &one.source).cmp(&(other.device, other.fact.kind(), &other.source))
        });
        Ok(facts)
    }

    fn fact_versions(&self, first: DeviceId, last: DeviceId) -> Result<BTreeMap<DeviceId, FactVersions>, NibError> {
        let sql = "SELECT device, kind, source, observed_at FROM device_facts WHERE device BETWEEN ?1 AND ?2";
        let mut versions: BTreeMap<DeviceId, FactVersions> = BTreeMap::new();
        for (device, kind, source, at) in self.all(sql, [first.number(), last.number()], rows::fact_version)? {
            versions.entry(device).or_default().put(kind, source, at);
        }
        Ok(versions)
    }

    fn counters(&self, first: DeviceId, last: DeviceId) -> Result<Vec<Counters>, NibError> {
        counters::read(self, first, last)
    }

    fn count_devices(&self) -> Result<BTreeMap<DeviceStatus, u64>, NibError> {
        let read = |row: &Row<'_>| {
            let count = || Ok((rows::parsed(row, 0)?, rows::unsigned(row, 1)?));
            count().map_err(|cell| BadRow { table: "devices", key: "by status".to_owned(), cell })
        };
        Ok(self.all("SELECT status, count(*) FROM devices GROUP BY status", [], read)?.into_iter().collect())
    }

    fn next_device(&self) -> Result<DeviceId, NibError> {
        self.number("counters", "SELECT next_device FROM counters").map(DeviceId::from_number)
    }

    fn events(&self, query: &EventQuery) -> Result<Vec<Event>, NibError> {
        // No event has a position that SQLite cannot write down.
        let Ok(from) = i64::try_from(query.from.number()) else { return Ok(Vec::new()) };
        let mut sql = select_events!("WHERE seq >= ?").to_owned();
        let mut params = vec![Value::Integer(from)];
        if !query.types.is_empty() {
            let names: Vec<&str> = query.types.iter().map(|event_type| event_type.as_str()).collect();
            sql += &format!(" AND event_type IN ('{}')", names.join("', '"));
        }
        if let Some(subject) = &query.subject {
            sql += " AND subject = ?";
            params.push(Value::Text(subject.clone()));
        }
        if let Some(since) = query.since {
            sql += " AND timestamp >= ?";
            params.push(Value::Integer(since.as_millis()));
        }
        sql += " ORDER BY seq LIMIT ?";
        params.push(Value::Integer(rows_at_most(query.limit)));
        self.all(&sql, params_from_iter(params), rows::event)
    }

    fn last_event(&self, event_type: EventType) -> Result<Option<Event>, NibError> {
        self.one(select_events!("WHERE event_type = ?1 ORDER BY seq DESC LIMIT 1"), [event_type.as_str()], rows::event)
    }

    fn next_event(&self) -> Result<EventSeq, NibError> {
        let next: i64 = self.number("events", "SELECT coalesce(max(seq) + 1, 0) FROM events")?;
        Ok(EventSeq::from_number(next.unsigned_abs()))
    }
}

pub(super) fn rows_at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
