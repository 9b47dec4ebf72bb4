//! What the tree alone costs: entries that are signed already, with it and without it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use pdsno::algorithms::audit::frontier::Frontier;
use pdsno::algorithms::audit::hash;
use pdsno::algorithms::audit::seal::LogSealer;
use pdsno::app::clock::SystemClock;
use pdsno::domain::digest::Digest;
use pdsno::domain::event::{EventSeq, NewEvent};
use pdsno::domain::key::Signature;
use pdsno::domain::log::{
    Draft, Edge, Growth, HeadKind, LogChange, Place, SealError, Sealer, Signed, Signer, StoredHead,
};
use pdsno::domain::number::Epoch;
use pdsno::domain::origin::Origin;
use pdsno::domain::time::Clock;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::{Change, NibStore};
use pdsno::wire::checkpoint::{Checkpoint, SignedCheckpoint};
use pdsno::wire::entry;
use pdsno::wire::note::{NoteSigner, SignatureType};
use pdsno::wire::signature::KeyPair;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::{COMMIT, COMMITS, NOW, PAIRS, Rates, event, origin, sealer};

const APPEND: &str =
    "INSERT INTO events (seq, event_type, actor, subject, timestamp, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
const ENTRY: &str =
    "INSERT INTO log_entries (seq, event_id, leaf, signature, payload, body) VALUES (?1, ?2, ?3, ?4, NULL, ?5)";

/// An event with its entry, signed.
struct Entry {
    event: NewEvent,
    draft: Draft,
    signature: Signature,
}

/// The entries of a log behind its first one, which tells that the file was made.
fn entries(key: &Arc<KeyPair>) -> anyhow::Result<Vec<Entry>> {
    let mut sealer = sealer(key)?;
    let first = Place { seq: EventSeq::FIRST, policy_version: None, epoch: Epoch::from_number(1) };
    // Its id is not given to another: the store makes the entry itself.
    sealer.draft(first, &event(0))?;
    let make = |number| {
        let event = event(number);
        let seq = EventSeq::from_number(u64::from(number) + 1);
        let place = Place { seq, policy_version: None, epoch: Epoch::from_number(1) };
        let draft = sealer.draft(place, &event)?;
        ensure!(draft.payload.is_none(), "an event of discovery fits into its entry");
        let signature = entry::sign(&draft.body, key);
        Ok(Entry { event, draft, signature })
    };
    (0..COMMIT * COMMITS).map(make).collect()
}

/// Hands out what was drafted and signed beforehand; hashing it is the tree's part.
#[derive(Debug)]
struct Ready {
    /// For the first entry.
    own: LogSealer,
    drafts: HashMap<u64, Draft>,
    signer: Arc<ReadySigner>,
}

#[derive(Debug)]
struct ReadySigner {
    own: Arc<dyn Signer>,
    signatures: HashMap<Vec<u8>, Signature>,
}

impl Ready {
    fn new(key: &Arc<KeyPair>, entries: &[Entry]) -> anyhow::Result<Self> {
        let own = sealer(key)?;
        let signatures = entries.iter().map(|entry| (entry.draft.body.clone(), entry.signature)).collect();
        let signer = Arc::new(ReadySigner { own: own.signer(), signatures });
        Ok(Self { own, drafts: (1..).zip(entries).map(|(seq, entry)| (seq, entry.draft.clone())).collect(), signer })
    }
}

impl Sealer for Ready {
    fn origin(&self) -> &Origin {
        self.own.origin()
    }

    fn draft(&mut self, place: Place, event: &NewEvent) -> Result<Draft, SealError> {
        self.drafts.remove(&place.seq.number()).map_or_else(|| self.own.draft(place, event), Ok)
    }

    fn signer(&self) -> Arc<dyn Signer> {
        Arc::clone(&self.signer) as Arc<dyn Signer>
    }

    fn append(&self, edge: &Edge, leaves: &[Digest]) -> Result<Growth, SealError> {
        self.own.append(edge, leaves)
    }
}

impl Signer for ReadySigner {
    fn sign(&self, body: &[u8]) -> Signed {
        match self.signatures.get(body) {
            Some(signature) => Signed { signature: *signature, leaf: hash::leaf(&entry::leaf(body, signature)) },
            None => self.own.sign(body),
        }
    }
}

/// Entries a second, signed beforehand, in commits of [`COMMIT`]: plainly inserted, and with the tree.
pub fn appending(key: &Arc<KeyPair>) -> anyhow::Result<Rates> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let entries = entries(key)?;
    let (mut plain, mut with) = (Vec::new(), Vec::new());
    let count = f64::from(COMMIT * COMMITS);
    for pair in 0..PAIRS {
        for with_tree in [pair % 2 == 0, pair % 2 == 1] {
            let path = folder.path().join(format!("{pair}{with_tree}"));
            if with_tree {
                with.push(count / with_the_tree(key, &entries, &path)?.as_secs_f64());
            } else {
                plain.push(count / plainly(&entries, &path)?.as_secs_f64());
            }
        }
    }
    Ok((plain, with))
}

/// Through the store, and in the end a signed head, as there is one every ten seconds.
fn with_the_tree(key: &Arc<KeyPair>, entries: &[Entry], path: &Path) -> anyhow::Result<Duration> {
    let mut nib = SqliteNib::open(path, OpenMode::Migrate { actor: "local_cntl_zoneA_1", at: NOW })?;
    nib.open_log(Box::new(Ready::new(key, entries)?))?;
    let changes: Vec<Change> = entries.iter().map(|entry| Change::Append(entry.event.clone())).collect();
    let reader = nib.reader()?;
    let clock = SystemClock::start();
    for commit in changes.chunks(usize::try_from(COMMIT)?) {
        nib.commit(commit)?;
    }
    let edge = reader.edge()?;
    let size = edge.size;
    let tree = Frontier::from_peaks(size, edge.peaks)?;
    let signer = NoteSigner::new(origin()?.as_str().parse()?, SignatureType::Ed25519, key);
    let note = SignedCheckpoint::sign(&Checkpoint::new(origin()?, tree.head()), &signer, NOW)?.to_string();
    let head = StoredHead { origin: origin()?, kind: HeadKind::Own, size, note, at: NOW };
    nib.commit(&[Change::Log(LogChange::PutHead { head, after: None })])?;
    let elapsed = clock.elapsed();
    ensure!(size == entries.len() as u64 + 1, "not every entry is in the tree");
    let last = reader.entries(EventSeq::from_number(size - 1), 1)?;
    let last = last.first().context("there is a last entry")?;
    ensure!(entries.last().is_some_and(|entry| entry.signature == last.sealed.signature), "another signature");
    Ok(elapsed)
}

/// The same rows in the same tables with the same triggers, by SQLite alone: no leaf is hashed, no node
/// of the tree kept, no edge moved, no head signed.
fn plainly(entries: &[Entry], path: &Path) -> anyhow::Result<Duration> {
    SqliteNib::open(path, OpenMode::Migrate { actor: "local_cntl_zoneA_1", at: NOW })?.close()?;
    let mut connection = Connection::open(path)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    for (pragma, value) in [("synchronous", "full"), ("foreign_keys", "on"), ("cache_size", "-16384")] {
        connection.pragma_update(None, pragma, value)?;
    }
    // The first event is an entry, too: entries begin at 0.
    connection.execute(ENTRY, params![0, "", [0_u8; 32], [0_u8; 64], [0_u8]])?;
    let clock = SystemClock::start();
    for (commit, entries) in (0_i64..).zip(entries.chunks(usize::try_from(COMMIT)?)) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let (mut append, mut insert) = (transaction.prepare_cached(APPEND)?, transaction.prepare_cached(ENTRY)?);
        for (seq, Entry { event, draft, signature }) in (commit * i64::from(COMMIT) + 1..).zip(entries) {
            let payload = event.payload.to_string();
            let (kind, at) = (event.event_type.as_str(), event.timestamp.as_millis());
            append.execute(params![seq, kind, event.actor, event.subject, at, payload])?;
            let id = draft.event_id.to_string();
            insert.execute(params![seq, id, [0_u8; 32], signature.as_bytes(), draft.body])?;
        }
        drop((append, insert));
        transaction.commit()?;
    }
    let elapsed = clock.elapsed();
    let count: i64 = connection.query_row("SELECT count(*) FROM log_entries", [], |row| row.get(0))?;
    ensure!(count == i64::try_from(entries.len())? + 1, "not every entry was inserted");
    Ok(elapsed)
}
