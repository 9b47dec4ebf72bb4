//! The event log's side of a transaction: entries, tiles, and the edge of the tree.

use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, Error, OptionalExtension, Transaction, TransactionBehavior, ffi, params};

use crate::domain::digest::Digest;
use crate::domain::event::{Event, NewEvent};
use crate::domain::log::{Draft, Edge, Growth, Sealer, Signed};
use crate::domain::number::{Epoch, PolicyVersion};
use crate::domain::origin::Origin;
use crate::nib::NibError;
use crate::nib::seal::{self, InEffect};
use crate::nib::sqlite::error::{Lost, nib_error};
use crate::nib::sqlite::rows::{self, select_events};
use crate::nib::sqlite::signing::{Desk, Signatures, Ticket};
use crate::nib::sqlite::write::Refused;

const INSERT_ENTRY: &str =
    "INSERT INTO log_entries (seq, event_id, leaf, signature, payload, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const INSERT_TILE: &str = "INSERT INTO log_tiles (level, idx, hash) VALUES (?1, ?2, ?3)";

/// The same payload may come again.
const INSERT_PAYLOAD: &str = "INSERT INTO payloads (digest, octets) SELECT ?1, ?2 \
     WHERE NOT EXISTS (SELECT 1 FROM payloads WHERE digest = ?1)";

const SELECT_EDGE: &str = "SELECT size, peaks FROM event_log";

const UPDATE_EDGE: &str = "UPDATE event_log SET size = ?1, peaks = ?2";

/// The log within one transaction.
pub(super) struct Sealing<'c> {
    connection: &'c Connection,
    sealer: Option<&'c mut (dyn Sealer + 'static)>,
    desk: &'c Desk,
    /// The tree before the transaction; `None` while the log is not open.
    edge: Option<Edge>,
    /// The leaves of the entries that are written down already.
    leaves: Vec<Digest>,
    /// The entries that are not.
    drafts: Vec<(Ticket, Arc<Draft>)>,
}

impl<'c> Sealing<'c> {
    /// Within a transaction that has begun.
    pub(super) fn begin(
        connection: &'c Connection,
        sealer: Option<&'c mut (dyn Sealer + 'static)>,
        desk: &'c Desk,
    ) -> Result<Self, Error> {
        Ok(Self { connection, sealer, desk, edge: edge(connection)?, leaves: Vec::new(), drafts: Vec::new() })
    }

    /// How many entries there are now, for [`Sealing::go_back`].
    pub(super) const fn place(&self) -> usize {
        self.drafts.len()
    }

    /// Takes back what a savepoint takes back.
    pub(super) fn go_back(&mut self, place: usize) {
        let gone = self.drafts.drain(place.min(self.drafts.len())..);
        if let Some((ticket, _)) = gone.into_iter().next() {
            self.desk.withdraw(ticket);
        }
    }

    /// Drafts the entries of the events that a commit appended, if the log is open.
    pub(super) fn draft<'e>(&mut self, events: impl Iterator<Item = &'e NewEvent>) -> Result<(), Refused> {
        let mut events = events.peekable();
        let Some(edge) = self.edge.as_ref().filter(|_| events.peek().is_some()) else { return Ok(()) };
        let sealer = self.sealer.as_deref_mut().ok_or_else(seal::locked)?;
        let in_effect = in_effect(self.connection)?;
        let next = edge.size.saturating_add((self.leaves.len() + self.drafts.len()) as u64);
        for (seq, event) in (next..).zip(events) {
            let draft = Arc::new(seal::draft(sealer, seq, in_effect, event)?);
            self.drafts.push((self.desk.put(&draft), draft));
        }
        Ok(())
    }

    /// Writes down the entries with their signatures, and keeps of them what the edge needs.
    pub(super) fn settle(&mut self, mut signatures: Signatures) -> Result<(), Error> {
        let (Some(sealer), Some(edge)) = (&self.sealer, &self.edge) else { return Ok(()) };
        if self.drafts.is_empty() {
            return Ok(());
        }
        let next = edge.size.saturating_add(self.leaves.len() as u64);
        let mut insert = self.connection.prepare_cached(INSERT_ENTRY)?;
        for (seq, (ticket, draft)) in (next..).zip(self.drafts.drain(..)) {
            let signed = signatures.remove(&ticket).unwrap_or_else(|| sealer.signer().sign(&draft.body));
            write(self.connection, &mut insert, seq, &draft, &signed)?;
            self.leaves.push(signed.leaf);
        }
        Ok(())
    }

    /// Writes down the last entries, and the edge, before COMMIT.
    pub(super) fn finish(mut self, signatures: Signatures) -> Result<(), Error> {
        self.settle(signatures)?;
        let (Some(sealer), Some(edge)) = (self.sealer, self.edge) else { return Ok(()) };
        if self.leaves.is_empty() {
            return Ok(());
        }
        let growth = sealer.append(&edge, &self.leaves).map_err(|error| corrupt(error.to_string()))?;
        put_growth(self.connection, &growth)
    }
}

/// Opens the log of a sealer in the file.
pub(super) fn open(connection: &Connection, sealer: &dyn Sealer) -> Result<(), NibError> {
    let failed = |error| nib_error(error, "to open the event log");
    let stored: Option<String> =
        connection.query_row("SELECT origin FROM event_log", [], |row| row.get(0)).optional().map_err(failed)?;
    match stored {
        None => connection
            .execute(
                "INSERT INTO event_log (only, origin, size, peaks) VALUES (1, ?1, 0, x'')",
                [sealer.origin().as_str()],
            )
            .map(drop)
            .map_err(failed),
        Some(stored) => {
            let corrupt = |error: &dyn std::error::Error| NibError::Corrupt { detail: format!("event_log: {error}") };
            seal::same_log(&stored.parse::<Origin>().map_err(|error| corrupt(&error))?, sealer)
        }
    }
}

/// Seals some of the events that are no entries yet, in a transaction; false when there were none.
pub(super) fn seal_backlog(connection: &Connection, sealer: &mut (dyn Sealer + 'static)) -> Result<bool, NibError> {
    const ATTEMPTED: &str = "to seal the events so far";
    let failed = |error| nib_error(error, ATTEMPTED);
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate).map_err(failed)?;
    let Some(edge) = edge(&transaction).map_err(failed)? else { return Ok(false) };
    let events = backlog(&transaction, edge.size)?;
    if events.is_empty() {
        return Ok(false);
    }
    let failed = |error| Lost::before_commit(error, ATTEMPTED).answer();
    let desk = Desk::new(Some(sealer.signer()));
    let (sealing, signatures) = desk.sign_beside(events.len(), || {
        let mut sealing = Sealing::begin(&transaction, Some(sealer), &desk)?;
        sealing.draft(events.iter()).map(|()| sealing)
    });
    let sealing = sealing.map_err(|refused| match refused {
        Refused::Change(error) => error,
        Refused::Store(error) => failed(error),
    })?;
    sealing.finish(signatures).map_err(failed)?;
    transaction.commit().map_err(|error| Lost::in_commit(error).answer())?;
    Ok(true)
}

fn backlog(connection: &Connection, from: u64) -> Result<Vec<NewEvent>, NibError> {
    let failed = |error| nib_error(error, "to read the events so far");
    let mut statement =
        connection.prepare_cached(select_events!("WHERE seq >= ?1 ORDER BY seq LIMIT ?2")).map_err(failed)?;
    let mut found = statement.query(params![number(from), i64::from(seal::BACKLOG)]).map_err(failed)?;
    let mut events = Vec::new();
    while let Some(row) = found.next().map_err(failed)? {
        let event = rows::event(row)?;
        let expected = from.saturating_add(events.len() as u64);
        if event.seq.number() != expected {
            return Err(NibError::Corrupt { detail: format!("events: {expected} is missing") });
        }
        events.push(Event::into_new(event));
    }
    Ok(events)
}

fn write(
    connection: &Connection,
    insert: &mut CachedStatement<'_>,
    seq: u64,
    draft: &Draft,
    signed: &Signed,
) -> Result<(), Error> {
    let Draft { event_id, body, payload } = draft;
    if let Some((digest, octets)) = payload {
        connection.prepare_cached(INSERT_PAYLOAD)?.execute(params![digest.as_bytes(), octets])?;
    }
    let digest = payload.as_ref().map(|(digest, _)| digest.as_bytes());
    let (leaf, signature) = (signed.leaf.as_bytes(), signed.signature.as_bytes());
    insert.execute(params![number(seq), event_id.to_string(), leaf, signature, digest, body]).map(drop)
}

fn put_growth(connection: &Connection, Growth { edge, tiles }: &Growth) -> Result<(), Error> {
    for tile in tiles {
        connection.prepare_cached(INSERT_TILE)?.execute(params![
            tile.level,
            number(tile.index),
            tile.hash.as_bytes()
        ])?;
    }
    let peaks: Vec<u8> = edge.peaks.iter().flat_map(|peak| *peak.as_bytes()).collect();
    connection.prepare_cached(UPDATE_EDGE)?.execute(params![number(edge.size), peaks]).map(drop)
}

/// The edge of the tree; `None` while the log is not open.
fn edge(connection: &Connection) -> Result<Option<Edge>, Error> {
    connection.prepare_cached(SELECT_EDGE)?.query_row([], |row| edge_of(row.get(0)?, row.get(1)?)).optional()
}

fn edge_of(size: i64, peaks: Vec<u8>) -> Result<Edge, Error> {
    match peaks.as_chunks() {
        (peaks, []) if size >= 0 => {
            let peaks = peaks.iter().copied().map(Digest::from_bytes).collect();
            Ok(Edge { size: size.unsigned_abs(), peaks })
        }
        _ => Err(corrupt("the edge of the event log is none".to_owned())),
    }
}

/// As SQLite says it of a page that is damaged.
fn corrupt(detail: String) -> Error {
    Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_CORRUPT), Some(detail))
}

/// What the entries of events say that are appended now.
fn in_effect(connection: &Connection) -> Result<InEffect, Error> {
    const IN_EFFECT: &str = "SELECT (SELECT max(version) FROM policies), (SELECT epoch FROM membership)";
    let (version, epoch): (Option<i64>, Option<i64>) =
        connection.prepare_cached(IN_EFFECT)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(InEffect {
        policy_version: version.map(|version| PolicyVersion::from_number(version.unsigned_abs())),
        epoch: epoch.map_or(InEffect::default().epoch, |epoch| Epoch::from_number(epoch.unsigned_abs())),
    })
}

/// No event has a position that SQLite cannot write down.
fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
