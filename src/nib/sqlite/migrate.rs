//! Migrations: which a file has, and the pending ones in one transaction.
//!
//! The files, their checksums and the history table are refinery's. The transaction is ours:
//! refinery makes its table outside of it, knows nothing of our event, and panics at a history
//! that somebody edited.

use refinery::Migration;
use rusqlite::{Connection, Error, Transaction, TransactionBehavior, params};
use serde_json::json;

use crate::domain::event::{EventType, NewEvent};
use crate::domain::time::Timestamp;
use crate::nib::sqlite::write;

mod embedded {
    refinery::embed_migrations!("src/nib/sqlite/migrations");
}

const CREATE_HISTORY: &str = "CREATE TABLE IF NOT EXISTS refinery_schema_history \
     (version int4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))";

/// What opening did to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The schema before; `None` when the file was created.
    pub from: Option<i64>,
    /// The schema now.
    pub to: i64,
    /// The migrations, in their order: `V1__devices_facts_events`.
    pub applied: Vec<String>,
}

/// How a file's schema stands to the migrations of this program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has all of them.
    Current,
    /// It lacks some.
    Older(i64),
    /// It has one that this program does not know.
    Newer(i64),
    /// It has another one of the same number, or lacks one before its last.
    Divergent(String),
}

struct Applied {
    version: i64,
    name: String,
    checksum: String,
}

/// The migrations of this program, in their order.
pub(super) fn known() -> Vec<Migration> {
    let mut known = embedded::migrations::runner().get_migrations().clone();
    known.sort();
    known
}

/// The newest schema of some migrations.
pub(super) fn newest(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |last| i64::from(last.version()))
}

/// How the file stands to `known`.
pub(super) fn standing(connection: &Connection, known: &[Migration]) -> Result<Standing, Error> {
    Ok(compare(&applied(connection)?, known))
}

fn applied(connection: &Connection) -> Result<Vec<Applied>, Error> {
    connection
        .prepare("SELECT version, name, checksum FROM refinery_schema_history ORDER BY version")?
        .query_map([], |row| Ok(Applied { version: row.get(0)?, name: row.get(1)?, checksum: row.get(2)? }))?
        .collect()
}

fn compare(applied: &[Applied], known: &[Migration]) -> Standing {
    let version = applied.last().map_or(0, |last| last.version);
    if version > newest(known) {
        return Standing::Newer(version);
    }
    let is_same = |(applied, known): &(&Applied, &Migration)| {
        applied.version == i64::from(known.version())
            && applied.name == known.name()
            && applied.checksum == known.checksum().to_string()
    };
    if let Some((applied, _)) = applied.iter().zip(known).find(|pair| !is_same(pair)) {
        return Standing::Divergent(format!("V{}__{}", applied.version, applied.name));
    }
    if applied.len() < known.len() { Standing::Older(version) } else { Standing::Current }
}

/// Applies what is pending and says so in the event log, all in one transaction. A file without a
/// history gets all migrations.
pub(super) fn migrate(
    connection: &Connection,
    known: &[Migration],
    actor: &str,
    at: Timestamp,
    subject: &str,
) -> Result<Option<Migrated>, Error> {
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    transaction.execute_batch(CREATE_HISTORY)?;
    let from = applied(&transaction)?.last().map(|last| last.version);
    let mut migrated = Migrated { from, to: newest(known), applied: Vec::new() };
    for migration in known.iter().filter(|migration| Some(i64::from(migration.version())) > from) {
        transaction.execute_batch(migration.sql().unwrap_or_default())?;
        transaction.execute(
            "INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (?1, ?2, ?3, ?4)",
            params![migration.version(), migration.name(), at.to_string(), migration.checksum().to_string()],
        )?;
        migrated.applied.push(migration.to_string());
    }
    if migrated.applied.is_empty() {
        return Ok(None);
    }
    write::append(&transaction, &event(&migrated, actor, at, subject))?;
    transaction.commit()?;
    Ok(Some(migrated))
}

fn event(migrated: &Migrated, actor: &str, at: Timestamp, subject: &str) -> NewEvent {
    NewEvent {
        event_type: EventType::NibMigrated,
        actor: actor.to_owned(),
        subject: subject.to_owned(),
        timestamp: at,
        payload: json!({ "from": migrated.from, "to": migrated.to, "applied": migrated.applied }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_250);

    /// The first migration, and more.
    fn with(more: &[(&str, &str)]) -> Vec<Migration> {
        let more = more.iter().map(|(name, sql)| Migration::unapplied(name, sql).unwrap());
        known().into_iter().take(1).chain(more).collect()
    }

    fn run(connection: &Connection, migrations: &[Migration]) -> Result<Option<Migrated>, Error> {
        migrate(connection, migrations, "standalone", NOW, "nib.sqlite")
    }

    fn objects(connection: &Connection) -> Vec<String> {
        let mut statement = connection.prepare("SELECT name FROM sqlite_schema ORDER BY name").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn events(connection: &Connection) -> Vec<String> {
        let mut statement = connection.prepare("SELECT payload FROM events ORDER BY seq").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn pending_migrations_are_applied_once_and_told_in_an_event() {
        let connection = Connection::open_in_memory().unwrap();
        let first = run(&connection, &with(&[])).unwrap().unwrap();
        assert_eq!((first.from, first.to), (None, 1));
        assert_eq!(first.applied, ["V1__devices_facts_events"]);
        assert_eq!(run(&connection, &with(&[])).unwrap(), None);

        let longer = with(&[("V2__sites", "CREATE TABLE sites (name TEXT)"), ("V3__racks", "CREATE TABLE racks (n)")]);
        assert_eq!(standing(&connection, &longer).unwrap(), Standing::Older(1));
        let second = run(&connection, &longer).unwrap().unwrap();
        assert_eq!((second.from, second.to), (Some(1), 3));
        assert_eq!(second.applied, ["V2__sites", "V3__racks"]);
        assert_eq!(standing(&connection, &longer).unwrap(), Standing::Current);
        assert_eq!(
            events(&connection),
            [
                r#"{"applied":["V1__devices_facts_events"],"from":null,"to":1}"#,
                r#"{"applied":["V2__sites","V3__racks"],"from":1,"to":3}"#,
            ]
        );
    }

    #[test]
    fn a_migration_that_fails_takes_back_those_before_it() {
        let connection = Connection::open_in_memory().unwrap();
        run(&connection, &with(&[])).unwrap();
        let before = objects(&connection);
        let broken = with(&[("V2__sites", "CREATE TABLE sites (name TEXT)"), ("V3__broken", "CREATE TABLE sites (n)")]);
        assert!(run(&connection, &broken).unwrap_err().to_string().contains("sites"));
        assert!(connection.is_autocommit());
        assert_eq!(objects(&connection), before);
        assert_eq!(standing(&connection, &with(&[])).unwrap(), Standing::Current);
        assert_eq!(events(&connection).len(), 1);

        let mended = with(&[("V2__sites", "CREATE TABLE sites (name TEXT)"), ("V3__mended", "CREATE TABLE racks (n)")]);
        assert_eq!(run(&connection, &mended).unwrap().unwrap().applied, ["V2__sites", "V3__mended"]);
    }

    #[test]
    fn a_file_that_went_another_way_is_told_from_an_older_and_a_newer_one() {
        let connection = Connection::open_in_memory().unwrap();
        run(&connection, &with(&[("V2__sites", "CREATE TABLE sites (name TEXT)")])).unwrap();
        assert_eq!(standing(&connection, &with(&[])).unwrap(), Standing::Newer(2));
        for other in [
            ("V2__sites", "CREATE TABLE sites (name TEXT, floor INTEGER)"),
            ("V2__places", "CREATE TABLE sites (name TEXT)"),
        ] {
            assert_eq!(standing(&connection, &with(&[other])).unwrap(), Standing::Divergent("V2__sites".into()));
        }
        connection.execute("DELETE FROM refinery_schema_history WHERE version = 1", []).unwrap();
        let gap = standing(&connection, &with(&[("V2__sites", "CREATE TABLE sites (name TEXT)")])).unwrap();
        assert_eq!(gap, Standing::Divergent("V2__sites".into()));
    }

    #[test]
    fn refinery_itself_finds_nothing_left_to_do() {
        let mut connection = Connection::open_in_memory().unwrap();
        run(&connection, &known()).unwrap();
        let report = embedded::migrations::runner().set_grouped(true).run(&mut connection).unwrap();
        assert!(report.applied_migrations().is_empty());
    }
}
