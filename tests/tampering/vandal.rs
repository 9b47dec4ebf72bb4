//! What somebody does to the files of a controller that is stopped.

use std::path::Path;
use std::sync::Arc;

use pdsno::actors::audit::Tiles;
use pdsno::actors::membership::keys::KeyStore as _;
use pdsno::algorithms::audit::frontier::Frontier;
use pdsno::algorithms::audit::seal::LogSealer;
use pdsno::app::entropy::SystemEntropy;
use pdsno::app::keys::KeyFiles;
use pdsno::domain::change::Change;
use pdsno::domain::event::{EventType, NewEvent};
use pdsno::domain::log::{Edge, HeadKind, LogChange, StoredHead};
use pdsno::domain::origin::Origin;
use pdsno::domain::time::Timestamp;
use pdsno::nib::NibStore;
use pdsno::nib::sqlite::{OpenMode, SqliteNib, SqliteReader};
use pdsno::wire::checkpoint::{Checkpoint, SignedCheckpoint};
use pdsno::wire::note::{NoteSigner, SignatureType};
use rusqlite::{Connection, params};
use serde_json::json;

/// Edits a NIB file as somebody does who drops the triggers first, and puts them back.
pub fn edit(path: &Path, act: impl FnOnce(&Connection)) {
    let sql = Connection::open(path).unwrap();
    sql.pragma_update(None, "foreign_keys", false).unwrap();
    let mut triggers = sql.prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").unwrap();
    let triggers: Vec<(String, String)> =
        triggers.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
    for (name, _) in &triggers {
        sql.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    act(&sql);
    for (_, trigger) in &triggers {
        sql.execute_batch(trigger).unwrap();
    }
}

/// Makes one change of one row.
pub fn alter(path: &Path, statement: &str) {
    edit(path, |sql| assert_eq!(sql.execute(statement, []).unwrap(), 1, "{statement}"));
}

/// Flips one bit of a column, text or octets; the place is counted in bits, and goes round.
pub fn flip(path: &Path, table: &str, column: &str, row: &str, bit: usize) {
    edit(path, |sql| {
        let (octets, is_text): (Vec<u8>, bool) = sql
            .query_row(
                &format!("SELECT CAST({column} AS BLOB), typeof({column}) = 'text' FROM {table} WHERE {row}"),
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .unwrap();
        let (mut flipped, bit) = (octets.clone(), bit % (octets.len() * 8));
        flipped[bit / 8] ^= 1 << (bit % 8);
        let value = if is_text { "CAST(?1 AS TEXT)" } else { "?1" };
        let changed = sql.execute(&format!("UPDATE {table} SET {column} = {value} WHERE {row}"), [&flipped]).unwrap();
        assert!(changed == 1 && flipped != octets);
    });
}

/// Cuts a log off, so that everything in the file fits what is left.
pub fn cut_off(path: &Path, size: u64) {
    let left = Edge::from(Frontier::read(&Tiles(&SqliteReader::open(path).unwrap()), size).unwrap());
    let peaks: Vec<u8> = left.peaks.iter().flat_map(|peak| *peak.as_bytes()).collect();
    let size = i64::try_from(size).unwrap();
    edit(path, |sql| {
        for statement in [
            "DELETE FROM log_entries WHERE seq >= ?1",
            "DELETE FROM events WHERE seq >= ?1",
            "DELETE FROM log_tiles WHERE level = 1 AND (idx + 1) * 256 > ?1",
            "DELETE FROM heads WHERE kind = 'own' AND size > ?1",
        ] {
            sql.execute(statement, [size]).unwrap();
        }
        sql.execute("UPDATE event_log SET size = ?1, peaks = ?2", params![size, peaks]).unwrap();
    });
}

/// Goes on with a log by the key in its folder: other events, and a signed head over them. Returns how many
/// entries it has then.
pub fn forge(folder: &Path, events: usize, now: Timestamp) -> u64 {
    let mut store = SqliteNib::open(&folder.join("pdsno.db"), OpenMode::Current).unwrap();
    let own = store.reader().unwrap().membership().unwrap().unwrap();
    let key = Arc::new(KeyFiles::new(folder, Arc::new(SystemEntropy)).load(&own.key_file).unwrap().unwrap());
    let origin = Origin::new(&own.cluster, &own.id);
    store.open_log(Box::new(LogSealer::new(origin.clone(), Arc::clone(&key), Arc::new(SystemEntropy)))).unwrap();
    let event = |number: usize| NewEvent {
        event_type: EventType::ConfigReloaded,
        actor: own.id.to_string(),
        subject: own.id.to_string(),
        timestamp: now,
        payload: json!({ "needs_restart": [], "number": number }),
    };
    store.commit(&(0..events).map(|number| Change::Append(event(number))).collect::<Vec<_>>()).unwrap();
    let reader = store.reader().unwrap();
    let edge = reader.edge().unwrap();
    let tree = Frontier::try_from(&edge).unwrap().head();
    let signer = NoteSigner::new(origin.as_str().parse().unwrap(), SignatureType::Ed25519, &key);
    let note = SignedCheckpoint::sign(&Checkpoint::new(origin.clone(), tree), &signer, now).unwrap();
    let after = reader.head(&origin).unwrap().map(|head| head.size);
    let head = StoredHead { origin, kind: HeadKind::Own, size: edge.size, note: note.to_string(), at: now };
    store.commit(&[Change::Log(LogChange::PutHead { head, after })]).unwrap();
    edge.size
}

/// The rows of tables, as text, for who wants to know whether they stay.
pub fn rows(path: &Path, questions: &[&str]) -> Vec<String> {
    let sql = Connection::open(path).unwrap();
    let mut told = Vec::new();
    for question in questions {
        let mut statement = sql.prepare(question).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<_> = (0..columns).map(|column| row.get_ref(column).unwrap()).collect();
            told.push(format!("{question}: {cells:?}"));
        }
    }
    told
}

/// Counts the rows that are written from now on; at this one, far more is written than a cache holds.
pub fn lay_traps(path: &Path, row: u64) {
    let sql = Connection::open(path).unwrap();
    let mut tables = sql
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name")
        .unwrap();
    let tables: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    sql.execute_batch("BEGIN; CREATE TABLE trap_rows (one); CREATE TABLE trap_weight (octets)").unwrap();
    for table in tables {
        for (number, moment) in ["BEFORE", "AFTER"].iter().enumerate() {
            for verb in ["INSERT", "UPDATE", "DELETE"] {
                let trap = format!(
                    "CREATE TRIGGER trap_{table}_{verb}_{number} {moment} {verb} ON {table} BEGIN \
                     INSERT INTO trap_rows VALUES (1); \
                     INSERT INTO trap_weight SELECT zeroblob(64 << 20) WHERE (SELECT count(*) FROM trap_rows) = {row}; \
                     END"
                );
                sql.execute_batch(&trap).unwrap();
            }
        }
    }
    sql.execute_batch("COMMIT").unwrap();
}

pub fn remove_traps(path: &Path) {
    let sql = Connection::open(path).unwrap();
    let mut traps = sql
        .prepare("SELECT type, name FROM sqlite_schema WHERE name LIKE 'trap\\_%' ESCAPE '\\' ORDER BY type DESC")
        .unwrap();
    let traps: Vec<(String, String)> =
        traps.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap();
    for (kind, name) in traps {
        sql.execute_batch(&format!("DROP {kind} {name}")).unwrap();
    }
}
