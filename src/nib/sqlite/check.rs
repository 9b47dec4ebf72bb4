//! Whether a NIB is what it should be: its pages, its schema, each of its rows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use rusqlite::{Connection, Error, Row};

use crate::nib::sqlite::log;
use crate::nib::sqlite::migrate::{self, Standing};
use crate::nib::sqlite::open::{self, OpenError};
use crate::nib::sqlite::registry::check as registry;
use crate::nib::sqlite::rows::{self, BadRow, select_devices, select_events, select_facts};
use crate::nib::sqlite::{counters, policies, streams};

/// How many problems are told one by one; the others are counted.
const TOLD: usize = 100;

/// What a check found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckReport {
    /// The schema, as the number of its last migration.
    pub schema: i64,
    /// Rows of `devices` that were read.
    pub devices: u64,
    /// Rows of `device_facts` that were read.
    pub facts: u64,
    /// Rows of `events` that were read.
    pub events: u64,
    /// Rows of the other tables that were read.
    pub others: u64,
    /// Rows of `log_entries` that were read.
    pub entries: u64,
    /// What is wrong, at most the first hundred.
    pub problems: Vec<Problem>,
    /// How many problems there are.
    pub problem_count: u64,
}

/// Something that is wrong with a NIB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The table, or `file`, `schema`.
    pub table: &'static str,
    /// The row: a device's id, an event's position; none for what concerns the whole.
    pub key: Option<String>,
    /// What is wrong.
    pub detail: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.key {
            Some(key) => write!(f, "{} {key}: {}", self.table, self.detail),
            None => write!(f, "{}: {}", self.table, self.detail),
        }
    }
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub const fn is_sound(&self) -> bool {
        self.problem_count == 0
    }

    /// Adds a problem.
    pub fn add(&mut self, table: &'static str, key: Option<String>, detail: impl fmt::Display) {
        self.problem_count += 1;
        if self.problems.len() < TOLD {
            self.problems.push(Problem { table, key, detail: detail.to_string() });
        }
    }

    /// Counts a row of another table than devices, facts and events; the value, if it has one.
    pub(super) fn read<T>(&mut self, row: Result<T, BadRow>) -> Option<T> {
        self.others += 1;
        row.map_err(|bad| self.add_row(bad)).ok()
    }

    pub(super) fn add_row(&mut self, bad: BadRow) {
        self.add(bad.table, Some(bad.key), bad.cell);
    }
}

/// Reads the whole NIB at `path`, as it is at one moment, also beside a running controller: pages
/// and indexes, the schema with its triggers, every row, references, and the event log from its
/// first position on.
///
/// # Errors
/// [`OpenError`] when it is not a NIB, or not one of this program's schema. Damage is a problem in
/// the report.
pub fn check(path: &Path) -> Result<CheckReport, OpenError> {
    let reading = open::identify(path)?;
    let connection = &reading.connection;
    let mut report = CheckReport { schema: migrate::newest(&migrate::known()), ..CheckReport::default() };
    connection.execute_batch("BEGIN").map_err(|error| open::refusal(path, "to check it", error))?;
    let parts: &[(&'static str, Part)] = &[
        ("file", check_file),
        ("schema", check_schema),
        ("devices", check_devices),
        ("device_facts", check_facts),
        ("interface_counters", counters::check),
        ("events", check_events),
        ("membership", registry::check_membership),
        ("bootstrap_tokens", registry::check_tokens),
        ("names", registry::check_names),
        ("controllers", registry::check_controllers),
        ("certificates", registry::check_certificates),
        ("blocklist", registry::check_blocklist),
        ("outbox", streams::check_outbox),
        ("received", streams::check_received),
        ("sightings", streams::check_sightings),
        ("policies", policies::check),
        ("log_entries", check_log),
    ];
    match open::standing(path, connection) {
        Ok(standing @ (Standing::Older(_) | Standing::Newer(_))) => open::current(path, standing)?,
        Ok(Standing::Divergent(migration)) => report.add("schema", None, format!("{migration} is not this pdsno's")),
        Ok(Standing::Current) => {}
        Err(OpenError::Corrupt { detail, .. }) => report.add("schema", None, detail),
        Err(error) => return Err(error),
    }
    for (table, part) in parts {
        // A damaged page ends one part, not the others.
        if let Err(error) = part(connection, &mut report) {
            report.add(table, None, error);
        }
    }
    Ok(report)
}

type Part = fn(&Connection, &mut CheckReport) -> Result<(), Error>;

fn check_file(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, "PRAGMA integrity_check", |row| {
        let line: String = row.get(0)?;
        if line != "ok" {
            report.add("file", None, line);
        }
        Ok(())
    })
}

/// Compares the schema with what the migrations make of an empty file: triggers and indexes too.
fn check_schema(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    let model = Connection::open_in_memory()?;
    for migration in migrate::known() {
        model.execute_batch(migration.sql().unwrap_or_default())?;
    }
    let (wanted, found) = (objects(&model)?, objects(connection)?);
    let names: BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
    for name in names {
        match (wanted.get(name), found.get(name)) {
            (Some(wanted), Some(found)) if wanted == found => {}
            (Some(_), Some(_)) => report.add("schema", Some(name.clone()), "it was altered"),
            (Some(_), None) => report.add("schema", Some(name.clone()), "it is missing"),
            (None, _) => report.add("schema", Some(name.clone()), "it is not of a NIB"),
        }
    }
    Ok(())
}

fn objects(connection: &Connection) -> Result<BTreeMap<String, Option<String>>, Error> {
    let sql = "SELECT type || ' ' || name, sql FROM sqlite_schema \
         WHERE tbl_name <> 'refinery_schema_history' AND name NOT LIKE 'sqlite_stat%'";
    connection.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
}

fn check_devices(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, select_devices!("ORDER BY number"), |row| {
        report.devices += 1;
        rows::device(row).map(drop).unwrap_or_else(|bad| report.add_row(bad));
        Ok(())
    })?;
    each(connection, "SELECT count(*) FROM counters", |row| match row.get(0)? {
        1 => Ok(()),
        rows => {
            report.add("counters", None, format!("it has {rows} rows instead of one"));
            Ok(())
        }
    })?;
    let unused = "SELECT number FROM devices WHERE number NOT BETWEEN 1 AND (SELECT next_device - 1 FROM counters)";
    each(connection, unused, |row| {
        report.add("devices", Some(rows::device_key(row, 0)), "its number is to be given away yet");
        Ok(())
    })
}

fn check_facts(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, select_facts!("ORDER BY device"), |row| {
        report.facts += 1;
        rows::fact(row).map(drop).unwrap_or_else(|bad| report.add_row(bad));
        Ok(())
    })?;
    // What `PRAGMA foreign_key_check` finds; that does not name the rows of a table without rowids.
    each(connection, select_facts!("WHERE device NOT IN (SELECT number FROM devices)"), |row| {
        report.add("device_facts", Some(rows::fact_key(row)), "there is no such device");
        Ok(())
    })
}

fn check_events(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    let mut expected = 0;
    each(connection, select_events!("ORDER BY seq"), |row| {
        report.events += 1;
        let seq: i64 = row.get(0)?;
        if seq != expected {
            report.add("events", Some(seq.to_string()), format!("it follows {}: positions have no gaps", expected - 1));
        }
        expected = seq.saturating_add(1);
        rows::event(row).map(drop).unwrap_or_else(|bad| report.add_row(bad));
        Ok(())
    })
}

/// The event log as far as it can be checked without hashing.
fn check_log(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    let mut expected = 0;
    each(connection, log::select_entries!("ORDER BY seq"), |row| {
        report.entries += 1;
        let seq: i64 = row.get(0)?;
        if seq != expected {
            report.add("log_entries", Some(expected.to_string()), format!("it is missing; the next one is {seq}"));
        }
        expected = seq.saturating_add(1);
        log::entry(row).map(drop).unwrap_or_else(|bad| report.add_row(bad));
        Ok(())
    })?;
    each(connection, "SELECT seq FROM log_entries WHERE seq NOT IN (SELECT seq FROM events)", |row| {
        report.add("log_entries", Some(rows::shown(row, 0)), "there is no such event");
        Ok(())
    })?;
    let sizes = "SELECT coalesce((SELECT size FROM event_log), 0), (SELECT count(*) FROM log_entries)";
    each(connection, sizes, |row| {
        let (stored, entries): (i64, i64) = (row.get(0)?, row.get(1)?);
        if stored != entries {
            report.add("event_log", None, format!("it has {entries} entries, and says {stored}"));
        }
        Ok(())
    })?;
    each(connection, log::select_heads!("ORDER BY origin, size"), |row| {
        log::head(row).map(drop).unwrap_or_else(|bad| report.add_row(bad));
        Ok(())
    })?;
    each(connection, log::select_evidence!("ORDER BY number"), |row| {
        log::evidence(row).map(drop).unwrap_or_else(|bad| report.add_row(bad));
        Ok(())
    })
}

pub(super) fn each(
    connection: &Connection,
    sql: &str,
    mut visit: impl FnMut(&Row<'_>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        visit(row)?;
    }
    Ok(())
}
