//! The event log as a store keeps it.
//!
//! A log opens when its controller gets a name, since entries carry the log's origin. Events from
//! before are sealed then, in their order; afterwards each event is sealed in the commit that appends
//! it.

use std::fmt;
use std::sync::Arc;

use crate::domain::digest::Digest;
use crate::domain::entry::EventId;
use crate::domain::event::{EventSeq, NewEvent};
use crate::domain::key::Signature;
use crate::domain::names::named;
use crate::domain::number::{Epoch, PolicyVersion};
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::domain::tree::TileHash;

/// The right edge of the log's tree, opaque to the store: `algorithms::audit::frontier` makes and
/// reads it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Edge {
    /// The entries so far.
    pub size: u64,
    /// The roots of the complete subtrees, the largest first.
    pub peaks: Vec<Digest>,
}

/// What holds where an event is appended.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Its position.
    pub seq: EventSeq,
    /// The policy in effect.
    pub policy_version: Option<PolicyVersion>,
    /// The term in effect.
    pub epoch: Epoch,
}

/// An entry that is yet to be signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Its identity.
    pub event_id: EventId,
    /// The exact bytes that are to be signed.
    pub body: Vec<u8>,
    /// The payload, when it is too long for the body: its digest is in the body.
    pub payload: Option<(Digest, Vec<u8>)>,
}

/// What a body gets by being signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// The controller's signature over it.
    pub signature: Signature,
    /// The leaf hash.
    pub leaf: Digest,
}

/// An event as an entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedEvent {
    /// Its identity.
    pub event_id: EventId,
    /// The exact bytes that were signed.
    pub body: Vec<u8>,
    /// The controller's signature over them.
    pub signature: Signature,
    /// The leaf hash.
    pub leaf: Digest,
    /// The payload, when it is too long for the body: its digest is in the body.
    pub payload: Option<(Digest, Vec<u8>)>,
}

impl SealedEvent {
    /// A draft that was signed.
    pub fn new(draft: Draft, Signed { signature, leaf }: Signed) -> Self {
        let Draft { event_id, body, payload } = draft;
        Self { event_id, body, signature, leaf, payload }
    }
}

/// What some entries do to the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Growth {
    /// The tree after them.
    pub edge: Edge,
    /// The further hashes to be stored.
    pub tiles: Vec<TileHash>,
}

/// An event that has no entry; nothing of its commit is written.
#[derive(Debug, thiserror::Error)]
#[error("the event cannot be sealed: {detail}")]
pub struct SealError {
    /// Why.
    pub detail: String,
}

/// What makes entries of events: the controller's key, behind traits, since a store knows no
/// signatures. An entry is drafted when its place is known, signed whenever there is time, and becomes
/// part of the tree in its turn.
pub trait Sealer: fmt::Debug + Send {
    /// The log that it writes.
    fn origin(&self) -> &Origin;

    /// The entry of an event at a place, but for its signature.
    ///
    /// # Errors
    /// [`SealError`] for an event that no log takes, or when there is no randomness.
    fn draft(&mut self, place: Place, event: &NewEvent) -> Result<Draft, SealError>;

    /// Who signs the drafts.
    fn signer(&self) -> Arc<dyn Signer>;

    /// The tree with these leaves behind those that it has.
    ///
    /// # Errors
    /// [`SealError`] when the edge is that of no tree.
    fn append(&self, edge: &Edge, leaves: &[Digest]) -> Result<Growth, SealError>;
}

/// Signs bodies, in any order and on any thread: this is what sealing costs.
pub trait Signer: fmt::Debug + Send + Sync {
    /// The signature over a body, and the leaf hash of both.
    fn sign(&self, body: &[u8]) -> Signed;
}

/// An entry as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its position.
    pub seq: EventSeq,
    /// The entry.
    pub sealed: SealedEvent,
}

/// Whose head it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HeadKind {
    /// Of this controller's own log.
    Own,
    /// Of a controller below, checked and cosigned here.
    Child,
    /// Of the Global Controller, checked and cosigned by those below it.
    Above,
}

named!(HeadKind, HeadKindError, "kind of head", Own => "own", Child => "child", Above => "above");

/// A signed head as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredHead {
    /// The log.
    pub origin: Origin,
    /// Whose it is.
    pub kind: HeadKind,
    /// The entries of its tree.
    pub size: u64,
    /// The signed note (C2SP tlog-checkpoint), with the cosignatures that came.
    pub note: String,
    /// When it was stored.
    pub at: Timestamp,
}

/// Two signed heads that do not go together, or one and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The log.
    pub origin: Origin,
    /// The head that was seen first.
    pub seen: String,
    /// The head that was shown later, with its proof if there was one.
    pub shown: String,
    /// Why they do not go together.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// A change of what is known of logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogChange {
    /// The newest head of a log, if the newest stored one still has the size `after` (`None`: there
    /// is none). The same size again replaces the note: cosignatures came, or it was said again.
    PutHead {
        /// The head.
        head: StoredHead,
        /// The size of the newest one that was read.
        after: Option<u64>,
    },
    /// Evidence against a log.
    PutEvidence(Evidence),
}
