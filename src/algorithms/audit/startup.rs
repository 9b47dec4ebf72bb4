//! The check of the own log at the start: whether what is stored is what was sealed.
//!
//! ```text
//!   Verifier, or without keys the hashes alone ◄── entry, its tiles, its event ── store, in pages
//!                                        └──► edge ──► Sound, or the first bad entry
//! ```
//!
//! The store keeps an event twice: as its entry, which is signed, and as the row that is asked for. So
//! the two are compared, too.

use std::ops::Range;

use serde_json::Value;

use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::hash;
use crate::algorithms::audit::verify::{Reason, Report, Signers, Stored, Trust, Verifier};
use crate::domain::entry::{Entry, EventId, Payload};
use crate::domain::event::{Event, EventSeq};
use crate::domain::key::PublicKey;
use crate::domain::log::{Edge, StoredEntry};
use crate::domain::origin::Origin;
use crate::domain::tree::TileHash;
use crate::wire::canonical;
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::entry::{self, EntryError};
use crate::wire::signature::sha256;

/// The keys of a log that one controller alone writes: any of them may have signed any entry, since the
/// entries from before it had its name have another actor.
#[derive(Debug, Clone, Copy)]
pub struct OwnKeys<'a>(pub &'a [PublicKey]);

impl Signers for OwnKeys<'_> {
    fn keys(&self, _entry: &Entry) -> &[PublicKey] {
        self.0
    }
}

/// An entry as the store keeps it, with all that is kept beside it.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    /// The entry.
    pub entry: &'a StoredEntry,
    /// The stored hashes of the tiles that it completes.
    pub tiles: &'a [TileHash],
    /// The event at its place.
    pub event: Option<&'a Event>,
}

/// The first entry that is wrong, and why.
#[derive(Debug, thiserror::Error)]
#[error("entry {seq} of the event log")]
pub struct Fault {
    /// The entry; the one after the last where entries are missing.
    pub seq: EventSeq,
    /// Why.
    #[source]
    pub reason: FaultReason,
}

/// Why an entry is wrong.
#[derive(Debug, thiserror::Error)]
pub enum FaultReason {
    /// What an outsider would find.
    #[error(transparent)]
    Log(#[from] Reason),
    /// Its body cannot be read.
    #[error(transparent)]
    Body(#[from] EntryError),
    /// It is not in the store.
    #[error("it is missing; the next one is {0}")]
    Missing(EventSeq),
    /// It is stored under another id than its own.
    #[error("it is stored as event {stored}, and says that it is {own}")]
    Id {
        /// The id in the store.
        stored: EventId,
        /// The id in its body.
        own: EventId,
    },
    /// There is an entry and no event.
    #[error("its event is missing")]
    NoEvent,
    /// The event is not what was signed.
    #[error("its event has another {0}")]
    Event(&'static str),
    /// The payload that is kept beside it is not the one of its body.
    #[error("the payload beside it is another one, or none")]
    Payload,
    /// The edge of the tree, with which it would go on, is not that of the entries.
    #[error("the stored edge of the tree has {stored} entries, and not the hashes of the {found} that are there")]
    Edge {
        /// The entries of the edge.
        stored: u64,
        /// The entries that are there.
        found: u64,
    },
    /// The store cannot read it.
    #[error("{0}")]
    Unreadable(String),
}

/// What was checked of a log in which nothing is wrong. What it does not list was not checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sound {
    /// The entries: their bodies, places, signatures and hashes, their tiles, and that their events say
    /// the same.
    pub entries: Range<u64>,
    /// The entries below this one are under a head that the log signed; `None` without such a head.
    pub covered: Option<u64>,
    /// How many payloads beside the log were compared with their digests.
    pub payloads: u64,
}

/// A check under way, with keys.
#[derive(Debug)]
pub struct Startup<'a, S> {
    verifier: Verifier<'a, S>,
    /// What only the store's own copy shows.
    fault: Option<Fault>,
    tree: Frontier,
}

impl<'a, S: Signers> Startup<'a, S> {
    /// Begins with the tree before the first entry that will come, and the heads that the log signed
    /// from there on.
    pub fn new(origin: Origin, trust: Trust<'a, S>, before: Frontier, heads: &[SignedCheckpoint]) -> Self {
        Self { verifier: Verifier::new(origin, trust, before.clone(), heads), fault: None, tree: before }
    }

    /// Checks the next entry, and returns whether it is right. After a wrong one nothing more is checked.
    pub fn push(&mut self, kept: &Kept<'_>) -> bool {
        let StoredEntry { seq, sealed } = kept.entry;
        let expected = EventSeq::from_number(self.tree.size());
        if self.fault.is_none() && *seq != expected {
            self.fault = Some(Fault { seq: expected, reason: FaultReason::Missing(*seq) });
        }
        if self.fault.is_some() {
            return false;
        }
        let entry = self.verifier.push(&Stored {
            body: &sealed.body,
            signature: &sealed.signature,
            leaf: Some(sealed.leaf),
            tiles: Some(kept.tiles),
            payload: sealed.payload.as_ref().map(|(_, octets)| octets.as_slice()),
        });
        // What the verifier refuses it tells at the end.
        let Some(entry) = entry else { return false };
        self.tree.push(sealed.leaf);
        self.fault = compare(kept, &entry).err().map(|reason| Fault { seq: *seq, reason });
        self.fault.is_none()
    }

    /// Ends, with the edge that the store would go on with.
    ///
    /// # Errors
    /// The first [`Fault`].
    pub fn finish(self, edge: &Edge) -> Result<Sound, Fault> {
        let (sound, tree) = self.conclude()?;
        fits(edge, tree).map(|()| sound)
    }

    /// Ends where nothing more can be read, and returns the first fault of all.
    pub fn give_up(self, unread: Fault) -> Fault {
        match self.conclude() {
            Err(first) if first.seq < unread.seq => first,
            _ => unread,
        }
    }

    fn conclude(self) -> Result<(Sound, Frontier), Fault> {
        let Report { entries, covered, payloads, findings, .. } = self.verifier.finish(&[]);
        let place = |seq: Option<u64>| EventSeq::from_number(seq.unwrap_or(entries.start));
        let found =
            findings.into_iter().map(|finding| Fault { seq: place(finding.seq), reason: finding.reason.into() });
        match self.fault.into_iter().chain(found).min_by_key(|fault| fault.seq) {
            Some(first) => Err(first),
            None => Ok((Sound { entries, covered, payloads }, self.tree)),
        }
    }
}

/// The same without keys: whether hashes, places and events fit each other.
#[derive(Debug, Default)]
pub struct Hashes {
    tree: Frontier,
}

impl Hashes {
    /// Checks the next entry.
    ///
    /// # Errors
    /// [`Fault`] when it is wrong; what follows it then proves nothing.
    pub fn push(&mut self, kept: &Kept<'_>) -> Result<(), Fault> {
        let seq = EventSeq::from_number(self.tree.size());
        self.check(kept).map_err(|reason| Fault { seq, reason })
    }

    fn check(&mut self, kept: &Kept<'_>) -> Result<(), FaultReason> {
        let StoredEntry { seq, sealed } = kept.entry;
        if seq.number() != self.tree.size() {
            return Err(FaultReason::Missing(*seq));
        }
        let own = entry::decode(&sealed.body).map_err(Reason::Body)?;
        if own.seq != *seq {
            return Err(Reason::OtherPlace(own.seq.number()).into());
        }
        if hash::leaf(&entry::leaf(&sealed.body, &sealed.signature)) != sealed.leaf {
            return Err(Reason::Leaf.into());
        }
        let tiles = self.tree.push(sealed.leaf);
        if tiles.len() != kept.tiles.len() {
            return Err(Reason::TileCount { wanted: tiles.len(), found: kept.tiles.len() }.into());
        }
        if let Some((tile, _)) = tiles.iter().zip(kept.tiles).find(|(tile, stored)| tile != stored) {
            return Err(Reason::Tile { level: tile.level, index: tile.index }.into());
        }
        compare(kept, &own)?;
        match &sealed.payload {
            Some((digest, octets)) if sha256(octets) != *digest => Err(Reason::Payload.into()),
            _ => Ok(()),
        }
    }

    /// Ends, with the edge that the store would go on with, and returns how many entries there are.
    ///
    /// # Errors
    /// [`Fault`].
    pub fn finish(self, edge: &Edge) -> Result<u64, Fault> {
        let size = self.tree.size();
        fits(edge, self.tree).map(|()| size)
    }
}

/// Whether what is kept beside an entry is what the entry says.
fn compare(kept: &Kept<'_>, own: &Entry) -> Result<(), FaultReason> {
    let sealed = &kept.entry.sealed;
    if sealed.event_id != own.event_id {
        return Err(FaultReason::Id { stored: sealed.event_id, own: own.event_id });
    }
    match (&own.payload, &sealed.payload) {
        (Payload::Inside(_), None) => {}
        (Payload::Beside(own), Some((stored, _))) if own == stored => {}
        _ => return Err(FaultReason::Payload),
    }
    let event = kept.event.filter(|event| event.seq == own.seq).ok_or(FaultReason::NoEvent)?;
    let same = [
        ("type", event.event_type == own.event_type),
        ("actor", event.actor == own.actor),
        ("subject", event.subject == own.subject),
        ("timestamp", event.timestamp == own.timestamp),
        ("payload", is_same(&event.payload, &own.payload)?),
    ];
    match same.into_iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(FaultReason::Event(what)),
        None => Ok(()),
    }
}

/// Whether an event's particulars are those of its entry: of one canonical form.
fn is_same(particulars: &Value, own: &Payload) -> Result<bool, EntryError> {
    if matches!(own, Payload::Inside(own) if own == particulars) {
        return Ok(true);
    }
    let (stored, _) = entry::payload(particulars.clone())?;
    match (&stored, own) {
        (Payload::Inside(one), Payload::Inside(other)) => Ok(canonical::to_bytes(one)? == canonical::to_bytes(other)?),
        (Payload::Beside(one), Payload::Beside(other)) => Ok(one == other),
        _ => Ok(false),
    }
}

fn fits(edge: &Edge, tree: Frontier) -> Result<(), Fault> {
    let found = tree.size();
    if *edge == Edge::from(tree) {
        return Ok(());
    }
    let seq = EventSeq::from_number(edge.size.min(found));
    Err(Fault { seq, reason: FaultReason::Edge { stored: edge.size, found } })
}
