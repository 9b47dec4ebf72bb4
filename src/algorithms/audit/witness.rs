//! The rules of a witness (C2SP tlog-witness): a controller that cosigns another's checkpoints, and
//! keeps what shows that the other has two histories.
//!
//! The caller stores the accepted checkpoint before it cosigns it, in the commit that checked that
//! the last one is still the last; otherwise two answers at once could sign two histories.

use crate::algorithms::audit::hash;
use crate::algorithms::audit::proof::{self, ProofRefused};
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::domain::tree::TreeHead;
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::note::{NoteSignature, NoteSigner, Unverified, VerifierKey};
use crate::wire::witness::AddCheckpoint;

/// What a witness knows of a log.
#[derive(Debug, Clone, Copy)]
pub struct KnownLog<'a> {
    /// Which log it is.
    pub origin: &'a Origin,
    /// The keys that may sign its checkpoints.
    pub keys: &'a [VerifierKey],
    /// The last checkpoint that the witness cosigned, if any.
    pub last: Option<&'a SignedCheckpoint>,
}

/// What a witness answers, with the HTTP status that the protocol gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// 200: store the checkpoint as the last one, then cosign it.
    Accept,
    /// 404: nobody said that this log is to be witnessed.
    UnknownOrigin,
    /// 403: no key of the log signed it, or a signature of one is wrong.
    BadSignature(Unverified),
    /// 400: it would not extend the tree that the log itself says the witness knows.
    Backwards {
        /// The size that the log believes the witness has cosigned last.
        old: u64,
        /// The size of the checkpoint.
        size: u64,
    },
    /// 409, with the size of the last cosigned checkpoint: the log is to prove from there.
    SizeConflict {
        /// That size; 0 for none.
        last: u64,
    },
    /// 409, with the size of the last cosigned checkpoint, which is the larger one. A copy that was
    /// under way for long looks the same; as the log's newest word it is a history cut off.
    Behind(Box<Fork>),
    /// 422: a proof where there is nothing to prove from.
    Unproven(ProofRefused),
    /// 409 for the same size, else 422: the log shows another history. Keep the evidence, trust the
    /// log no more.
    Inconsistent(Box<Fork>),
}

/// Two signed heads of one log that do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fork {
    /// The head that was cosigned.
    pub seen: SignedCheckpoint,
    /// The head that was shown afterwards.
    pub shown: SignedCheckpoint,
    /// Why they do not go together.
    pub why: Contradiction,
}

/// Why two heads do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// Both heads together prove it to everybody.
    #[error("two heads of one size have different roots")]
    SameSize,
    /// The log has to show the entries that are gone, and cannot.
    #[error("the later head has fewer entries")]
    Shrunk,
    /// The log has to prove that the one extends the other, and did not.
    #[error("the later head is not proven to extend the earlier one")]
    Unproven(#[source] ProofRefused),
}

/// Decides about a checkpoint that the log itself sent. `log` is what the witness knows of it;
/// `None` when it is not to be witnessed here.
///
/// A checkpoint that says again what the last one said is accepted: so a silent log is told from a
/// dead one.
pub fn consider(log: Option<KnownLog<'_>>, request: &AddCheckpoint) -> Answer {
    let AddCheckpoint { old, proof, checkpoint: shown } = request;
    let head = shown.head();
    let Some(KnownLog { keys, last, .. }) = log.filter(|log| *log.origin == shown.checkpoint().origin) else {
        return Answer::UnknownOrigin;
    };
    if let Err(unverified) = shown.verify(keys) {
        return Answer::BadSignature(unverified);
    }
    let before = last.map(SignedCheckpoint::head);
    let fork = |why| last.map(|seen| Box::new(Fork { seen: seen.clone(), shown: shown.clone(), why }));
    let contradiction = before.and_then(|before| {
        if head.size < before.size {
            fork(Contradiction::Shrunk).map(Answer::Behind)
        } else if head.size == before.size && head.root != before.root {
            fork(Contradiction::SameSize).map(Answer::Inconsistent)
        } else {
            None
        }
    });
    if let Some(answer) = contradiction {
        return answer;
    }
    // A witness that has seen nothing has seen the tree without entries.
    let before = before.unwrap_or(TreeHead { size: 0, root: hash::empty() });
    if *old > head.size {
        Answer::Backwards { old: *old, size: head.size }
    } else if *old != before.size {
        Answer::SizeConflict { last: before.size }
    } else {
        match proof::consistency(&before, &head, proof) {
            Ok(()) => Answer::Accept,
            Err(refused) => {
                fork(Contradiction::Unproven(refused)).map_or(Answer::Unproven(refused), Answer::Inconsistent)
            }
        }
    }
}

/// The cosignature of an accepted checkpoint.
pub fn cosign(accepted: &SignedCheckpoint, witness: &NoteSigner<'_>, now: Timestamp) -> NoteSignature {
    witness.sign(accepted.note().text(), now)
}

impl Fork {
    /// Whether the two heads alone prove to everybody that the log has two histories: signed by its
    /// keys, of one origin and one size, with different roots.
    pub fn is_proof(&self, keys: &[VerifierKey]) -> bool {
        let (seen, shown) = (self.seen.checkpoint(), self.shown.checkpoint());
        let signed = |head: &SignedCheckpoint| head.verify(keys).is_ok();
        seen.origin == shown.origin
            && seen.head.size == shown.head.size
            && seen.head.root != shown.head.root
            && signed(&self.seen)
            && signed(&self.shown)
    }
}

/// What a log does when a witness has cosigned another size than it thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Send the checkpoint again, with the proof from this size.
    ProveFrom(u64),
    /// The witness has seen entries that are no longer here: the log was cut off or an old copy was
    /// restored. Write nothing more.
    Truncated {
        /// The entries that are here.
        here: u64,
        /// The entries that the witness has seen.
        seen: u64,
    },
}

/// Decides about the size that a witness says it has cosigned last, for a log of `here` entries.
pub const fn after_conflict(here: u64, seen: u64) -> Conflict {
    if seen > here { Conflict::Truncated { here, seen } } else { Conflict::ProveFrom(seen) }
}

#[cfg(test)]
mod tests;
