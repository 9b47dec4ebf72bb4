//! Questions about logs as SQL, and what is written of others' logs.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::domain::digest::Digest;
use crate::domain::entry::EventId;
use crate::domain::event::EventSeq;
use crate::domain::key::Signature;
use crate::domain::log::{Edge, Evidence, LogChange, SealedEvent, StoredEntry, StoredHead};
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::nib::sqlite::read::{SqliteReader, rows_at_most};
use crate::nib::sqlite::rows::{BadCell, BadRow, bad, cell, parsed, shown, unsigned};
use crate::nib::sqlite::write::Refused;
use crate::nib::{LogReader, NibError, seal};

/// A query of whole entries, for [`entry`].
macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT seq, event_id, leaf, signature, payload, octets, body ",
            "FROM log_entries LEFT JOIN payloads ON digest = payload ",
            $rest
        )
    };
}

/// A query of whole heads, for [`head`].
macro_rules! select_heads {
    ($rest:literal) => {
        concat!("SELECT origin, size, kind, note, stored_at FROM heads ", $rest)
    };
}

/// A query of all evidence, for [`evidence`].
macro_rules! select_evidence {
    ($rest:literal) => {
        concat!("SELECT number, origin, seen, shown, why, stored_at FROM evidence ", $rest)
    };
}
pub(super) use {select_entries, select_evidence, select_heads};

impl LogReader for SqliteReader {
    fn edge(&self) -> Result<Edge, NibError> {
        Ok(self.one("SELECT size, peaks FROM event_log", [], edge)?.unwrap_or_default())
    }

    fn entries(&self, from: EventSeq, limit: usize) -> Result<Vec<StoredEntry>, NibError> {
        let Ok(from) = i64::try_from(from.number()) else { return Ok(Vec::new()) };
        self.all(select_entries!("WHERE seq >= ?1 ORDER BY seq LIMIT ?2"), (from, rows_at_most(limit)), entry)
    }

    fn entry(&self, id: EventId) -> Result<Option<StoredEntry>, NibError> {
        self.one(select_entries!("WHERE event_id = ?1"), [id.to_string()], entry)
    }

    fn tile_hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Digest>, NibError> {
        let (Ok(first), limit) = (i64::try_from(first), rows_at_most(count)) else { return Ok(Vec::new()) };
        // A run without gaps, or what there is of it.
        let end = first.saturating_add(limit);
        let hash = |table: &'static str| {
            move |row: &Row<'_>| {
                cell(row, 1).map(Digest::from_bytes).map_err(|cell| BadRow { table, key: shown(row, 0), cell })
            }
        };
        match level {
            0 => self.all(
                "SELECT seq, leaf FROM log_entries WHERE seq >= ?1 AND seq < ?2 ORDER BY seq",
                (first, end),
                hash("log_entries"),
            ),
            level => self.all(
                "SELECT idx, hash FROM log_tiles WHERE level = ?1 AND idx >= ?2 AND idx < ?3 ORDER BY idx",
                (level, first, end),
                hash("log_tiles"),
            ),
        }
    }

    fn head(&self, origin: &Origin) -> Result<Option<StoredHead>, NibError> {
        self.one(select_heads!("WHERE origin = ?1 ORDER BY size DESC LIMIT 1"), [origin.as_str()], head)
    }

    fn heads(&self, origin: &Origin, after: u64, limit: usize) -> Result<Vec<StoredHead>, NibError> {
        let Ok(after) = i64::try_from(after) else { return Ok(Vec::new()) };
        self.all(
            select_heads!("WHERE origin = ?1 AND size > ?2 ORDER BY size LIMIT ?3"),
            (origin.as_str(), after, rows_at_most(limit)),
            head,
        )
    }

    fn origins(&self) -> Result<Vec<Origin>, NibError> {
        let read = |row: &Row<'_>| parsed(row, 0).map_err(|cell| BadRow { table: "heads", key: shown(row, 0), cell });
        self.all("SELECT DISTINCT origin FROM heads ORDER BY origin", [], read)
    }

    fn evidence(&self) -> Result<Vec<Evidence>, NibError> {
        self.all(select_evidence!("ORDER BY number"), [], evidence)
    }
}

/// Writes what is known of logs.
pub(super) fn write(connection: &Connection, change: &LogChange) -> Result<(), Refused> {
    match change {
        LogChange::PutHead { head, after } => put_head(connection, head, *after),
        LogChange::PutEvidence(Evidence { origin, seen, shown, why, at }) => {
            let insert = "INSERT INTO evidence (number, origin, seen, shown, why, stored_at) \
                 SELECT coalesce(max(number) + 1, 0), ?1, ?2, ?3, ?4, ?5 FROM evidence";
            let params = params![origin.as_str(), seen, shown, why, at.as_millis()];
            connection.prepare_cached(insert)?.execute(params)?;
            Ok(())
        }
    }
}

fn put_head(connection: &Connection, head: &StoredHead, after: Option<u64>) -> Result<(), Refused> {
    let newest: Option<i64> = connection
        .prepare_cached("SELECT max(size) FROM heads WHERE origin = ?1")?
        .query_row([head.origin.as_str()], |row| row.get(0))
        .optional()?
        .flatten();
    seal::follows(head, after, newest.map(i64::unsigned_abs))?;
    let Ok(size) = i64::try_from(head.size) else {
        return Err(NibError::Invalid { detail: format!("a log of {} entries", head.size) }.into());
    };
    let put = "INSERT INTO heads (origin, size, kind, note, stored_at) VALUES (?1, ?2, ?3, ?4, ?5) \
         ON CONFLICT (origin, size) DO UPDATE SET kind = excluded.kind, note = excluded.note, \
         stored_at = excluded.stored_at";
    let params = params![head.origin.as_str(), size, head.kind.as_str(), head.note, head.at.as_millis()];
    connection.prepare_cached(put)?.execute(params)?;
    Ok(())
}

fn edge(row: &Row<'_>) -> Result<Edge, BadRow> {
    let read = || {
        let peaks: Vec<u8> = cell(row, 1)?;
        match peaks.as_chunks() {
            (peaks, []) => {
                Ok(Edge { size: unsigned(row, 0)?, peaks: peaks.iter().copied().map(Digest::from_bytes).collect() })
            }
            _ => Err(bad(row, 1, "not whole hashes")),
        }
    };
    read().map_err(|cell| BadRow { table: "event_log", key: "row".to_owned(), cell })
}

/// The entry of a row.
pub(super) fn entry(row: &Row<'_>) -> Result<StoredEntry, BadRow> {
    let read = || {
        let sealed = SealedEvent {
            event_id: parsed(row, 1)?,
            leaf: Digest::from_bytes(cell(row, 2)?),
            signature: Signature::from_bytes(cell(row, 3)?),
            payload: payload(row)?,
            body: cell(row, 6)?,
        };
        Ok(StoredEntry { seq: EventSeq::from_number(unsigned(row, 0)?), sealed })
    };
    read().map_err(|cell| BadRow { table: "log_entries", key: shown(row, 0), cell })
}

fn payload(row: &Row<'_>) -> Result<Option<(Digest, Vec<u8>)>, BadCell> {
    match (cell::<Option<[u8; 32]>>(row, 4)?, cell(row, 5)?) {
        (None, _) => Ok(None),
        (Some(digest), Some(octets)) => Ok(Some((Digest::from_bytes(digest), octets))),
        (Some(_), None) => Err(bad(row, 4, "there is no such payload")),
    }
}

/// The head of a row.
pub(super) fn head(row: &Row<'_>) -> Result<StoredHead, BadRow> {
    let read = || {
        Ok(StoredHead {
            origin: parsed(row, 0)?,
            size: unsigned(row, 1)?,
            kind: parsed(row, 2)?,
            note: cell(row, 3)?,
            at: Timestamp::from_millis(cell(row, 4)?),
        })
    };
    read().map_err(|cell| BadRow { table: "heads", key: format!("{} {}", shown(row, 0), shown(row, 1)), cell })
}

/// The evidence of a row.
pub(super) fn evidence(row: &Row<'_>) -> Result<Evidence, BadRow> {
    let read = || {
        Ok(Evidence {
            origin: parsed(row, 1)?,
            seen: cell(row, 2)?,
            shown: cell(row, 3)?,
            why: cell(row, 4)?,
            at: Timestamp::from_millis(cell(row, 5)?),
        })
    };
    read().map_err(|cell| BadRow { table: "evidence", key: shown(row, 0), cell })
}
