//! What can be said of one entry and of one head by themselves, and of an entry with its proof.

use crate::algorithms::audit::verify::{Reason, Signers, Stored, Trust};
use crate::algorithms::audit::{hash, proof};
use crate::domain::digest::Digest;
use crate::domain::entry::{Entry, Payload};
use crate::domain::key::PublicKey;
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::domain::tree::TreeHead;
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::entry;
use crate::wire::note::{KeyName, Unverified};
use crate::wire::signature::sha256;
use crate::wire::tlog_proof::TlogProof;

/// Whether the particulars of an entry were there to be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Particulars {
    /// They are in the entry.
    Inside,
    /// They are beside the log, and are those that the entry says.
    Compared,
    /// They are beside the log, and were not there to be compared.
    Missing,
}

/// What the proof of one entry proves: that it is in the tree of this head, which its log signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The head.
    pub head: TreeHead,
    /// Which known witnesses cosigned it, and when.
    pub cosigned: Vec<(KeyName, Timestamp)>,
    /// Whether its particulars were checked.
    pub particulars: Particulars,
}

/// Verifies one entry by its proof: the entry by itself, its place under the head, and the head.
///
/// # Errors
/// The first [`Reason`] why that is not proven.
pub fn one<S: Signers>(
    origin: &Origin,
    trust: &Trust<'_, S>,
    stored: &Stored<'_>,
    proof: &TlogProof,
) -> Result<Proven, Reason> {
    let Sound { leaf, particulars, .. } = entry(origin, proof.index, stored, trust.signers)?;
    let cosigned = head(origin, trust, &proof.checkpoint)?;
    let head = proof.checkpoint.head();
    proof::inclusion(&leaf, proof.index, &proof.path, &head)
        .map_err(|source| Reason::Inclusion { size: head.size, source })?;
    Ok(Proven { head, cosigned, particulars })
}

/// An entry that is right by itself.
pub(super) struct Sound {
    /// What it says.
    pub entry: Entry,
    /// Its leaf hash.
    pub leaf: Digest,
    /// The key that signed it.
    pub key: PublicKey,
    /// Whether its particulars were checked.
    pub particulars: Particulars,
}

/// Checks an entry by itself, at its place in its log.
pub(super) fn entry<S: Signers>(
    origin: &Origin,
    place: u64,
    stored: &Stored<'_>,
    signers: &S,
) -> Result<Sound, Reason> {
    let entry = entry::decode(stored.body).map_err(Reason::Body)?;
    if entry.origin != *origin {
        return Err(Reason::OtherLog(entry.origin));
    }
    if entry.seq.number() != place {
        return Err(Reason::OtherPlace(entry.seq.number()));
    }
    let leaf = hash::leaf(&entry::leaf(stored.body, stored.signature));
    if stored.leaf.is_some_and(|stored| stored != leaf) {
        return Err(Reason::Leaf);
    }
    let keys = signers.keys(&entry);
    if keys.is_empty() {
        return Err(Reason::UnknownActor(entry.actor));
    }
    // The newest first: most entries are its.
    let key = keys.iter().rfind(|key| entry::is_signed(stored.body, stored.signature, key));
    let Some(key) = key.copied() else { return Err(Reason::Signature(entry.actor)) };
    let particulars = match (&entry.payload, stored.payload) {
        (Payload::Inside(_), _) => Particulars::Inside,
        (Payload::Beside(_), None) => Particulars::Missing,
        (Payload::Beside(digest), Some(octets)) if sha256(octets) == *digest => Particulars::Compared,
        (Payload::Beside(_), Some(_)) => return Err(Reason::Payload),
    };
    Ok(Sound { entry, leaf, key, particulars })
}

/// Checks the signatures of a head, and returns who cosigned it and when.
pub(super) fn head<S>(
    origin: &Origin,
    trust: &Trust<'_, S>,
    signed: &SignedCheckpoint,
) -> Result<Vec<(KeyName, Timestamp)>, Reason> {
    let (size, whose) = (signed.head().size, &signed.checkpoint().origin);
    if whose != origin {
        return Err(Reason::HeadOrigin { size, origin: whose.clone() });
    }
    signed.verify(trust.log).map_err(|source| Reason::HeadSignature { size, source })?;
    match signed.verify(trust.witnesses) {
        Ok(verified) => Ok(verified.iter().filter_map(|by| Some((by.key.name().clone(), by.time?))).collect()),
        Err(Unverified::NoKnownKey) => Ok(Vec::new()),
        Err(source) => Err(Reason::Cosignature { size, source }),
    }
}
