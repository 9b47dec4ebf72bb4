//! The own log: its heads, and what witnesses say about them.

use std::sync::Arc;

use serde_json::json;

use super::view::{Tiles, frontier};
use crate::actors::identity::Own;
use crate::actors::nib::Nib;
use crate::actors::post::Delivered;
use crate::algorithms::audit::build::{self, BuildError};
use crate::algorithms::audit::own::{self, Next, Occasion, is_echo};
use crate::algorithms::audit::stored::Unread;
use crate::algorithms::audit::witness::{Conflict, after_conflict};
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::digest::Digest;
use crate::domain::event::{EventSeq, EventType, NewEvent};
use crate::domain::log::{HeadKind, LogChange, StoredHead};
use crate::domain::origin::Origin;
use crate::domain::registry::Standing;
use crate::domain::time::Timestamp;
use crate::domain::tree::TreeHead;
use crate::nib::{EventQuery, NibError, NibReader};
use crate::wire::anchor::{Checkpoint, CheckpointAnswer, CosignatureLine, Request, WitnessAnswer};
use crate::wire::checkpoint::{self, SignedCheckpoint};
use crate::wire::note::{KeyName, NoteSigner, SignatureType, VerifierKey};
use crate::wire::witness::AddCheckpoint;

/// How many rows are read at once.
const PAGE: usize = 256;

/// What became of the question for a head.
pub(super) enum Outcome {
    /// The newest head stays, and need not be shown to those who have it.
    Rest { head: Option<StoredHead>, witnesses: Vec<ControllerId> },
    /// This is the newest head, and it is to be shown.
    Show { head: StoredHead, witnesses: Vec<ControllerId> },
    /// What is here is not what was signed.
    Broken(String),
}

struct View {
    here: TreeHead,
    last: Option<StoredHead>,
    signed: Option<TreeHead>,
    proof: Vec<Digest>,
    has_news: bool,
    witnesses: Vec<ControllerId>,
}

/// Makes a head when there is a reason to, and stores it.
pub(super) async fn make(nib: Nib, own: Arc<Own>, occasion: Occasion, now: Timestamp) -> Result<Outcome, NibError> {
    let seen = Arc::clone(&own);
    nib.decide(
        move |reader| look(reader, &seen),
        |view| {
            let next = own::next(view.here, view.signed, &view.proof, view.has_news, occasion);
            let (head, witnesses) = (view.last, view.witnesses);
            match (next, head) {
                (Ok(Next::Rest), head) | (Ok(Next::Repeat), head @ None) => {
                    (Vec::new(), Outcome::Rest { head, witnesses })
                }
                (Ok(Next::Repeat), Some(head)) => (Vec::new(), Outcome::Show { head, witnesses }),
                (Ok(Next::Sign(tree)), last) => match signed(&own, tree, now) {
                    Ok(head) => {
                        let after = last.map(|last| last.size);
                        let change = LogChange::PutHead { head: head.clone(), after };
                        (vec![Change::Log(change)], Outcome::Show { head, witnesses })
                    }
                    Err(error) => (Vec::new(), Outcome::Broken(error.to_string())),
                },
                (Err(broken), _) => {
                    (vec![corrupt(&own, &broken.to_string(), now)], Outcome::Broken(broken.to_string()))
                }
            }
        },
    )
    .await
}

fn look(reader: &dyn NibReader, own: &Own) -> Result<View, NibError> {
    let here = frontier(reader.edge()?)?.head();
    let last = reader.head(&own.origin())?;
    let signed = last.as_ref().map(tree).transpose()?;
    let from = signed.map_or(0, |head| head.size);
    Ok(View {
        here,
        signed,
        proof: if from <= here.size { prove(reader, from, here.size)? } else { Vec::new() },
        has_news: last.is_none() || has_news(reader, from)?,
        witnesses: witnesses(reader, own)?,
        last,
    })
}

/// Whether anything but echoes was appended from here on.
fn has_news(reader: &dyn NibReader, from: u64) -> Result<bool, NibError> {
    let mut query = EventQuery { from: EventSeq::from_number(from), limit: PAGE, ..EventQuery::default() };
    loop {
        let page = reader.events(&query)?;
        if page.iter().any(|event| !is_echo(event.event_type)) {
            return Ok(true);
        }
        match page.last() {
            Some(last) if page.len() == PAGE => query.from = last.seq.next(),
            _ => return Ok(false),
        }
    }
}

/// Who witnesses the own log: the parent, and for the Global Controller those below it.
fn witnesses(reader: &dyn NibReader, own: &Own) -> Result<Vec<ControllerId>, NibError> {
    if own.role != Role::Global {
        return Ok(own.parent.iter().cloned().collect());
    }
    let mut found = Vec::new();
    let mut after: Option<ControllerId> = None;
    loop {
        let page = reader.controllers(after.as_ref(), PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id.clone());
        let active = page.into_iter().filter(|row| row.role == Role::Regional && row.standing == Standing::Active);
        found.extend(active.map(|row| row.id));
    }
}

/// The proof between two trees; where the store lacks a hash it proves nothing, and is refused so.
fn prove(reader: &dyn NibReader, old: u64, new: u64) -> Result<Vec<Digest>, NibError> {
    match build::consistency(&Tiles(reader), old, new) {
        Ok(proof) => Ok(proof),
        Err(BuildError::Unread(Unread::Store(error))) => Err(error),
        Err(_) => Ok(Vec::new()),
    }
}

fn tree(head: &StoredHead) -> Result<TreeHead, NibError> {
    read(head).map(|signed| signed.head())
}

fn read(head: &StoredHead) -> Result<SignedCheckpoint, NibError> {
    SignedCheckpoint::parse(head.note.as_bytes()).map_err(|error| NibError::Corrupt {
        detail: format!("a stored head of {} cannot be read: {error}", head.origin),
    })
}

fn signed(own: &Own, tree: TreeHead, now: Timestamp) -> Result<StoredHead, HeadError> {
    let origin = own.origin();
    let signer = NoteSigner::new(name(&origin)?, SignatureType::Ed25519, &own.key);
    let note = SignedCheckpoint::sign(&checkpoint::Checkpoint::new(origin.clone(), tree), &signer, now)?;
    Ok(StoredHead { origin, kind: HeadKind::Own, size: tree.size, note: note.to_string(), at: now })
}

/// Why a head has no text.
#[derive(Debug, thiserror::Error)]
pub(super) enum HeadError {
    #[error(transparent)]
    Name(#[from] crate::wire::note::KeyNameError),
    #[error(transparent)]
    Checkpoint(#[from] checkpoint::CheckpointError),
}

/// A log's origin is the name of its keys.
pub(super) fn name(origin: &Origin) -> Result<KeyName, crate::wire::note::KeyNameError> {
    origin.as_str().parse()
}

fn corrupt(own: &Own, why: &str, now: Timestamp) -> Change {
    Change::Append(NewEvent {
        event_type: EventType::LogCorrupt,
        actor: own.id.to_string(),
        subject: own.origin().to_string(),
        timestamp: now,
        payload: json!({ "detail": why }),
    })
}

/// The messages that show a head to these witnesses, each proven from the size that it has.
pub(super) async fn requests(
    nib: &Nib,
    head: &StoredHead,
    olds: Vec<(ControllerId, u64)>,
) -> Result<Vec<(ControllerId, Checkpoint)>, NibError> {
    let (checkpoint, size) = (read(head)?, head.size);
    nib.ask(move |reader| {
        let request = |(witness, old): (ControllerId, u64)| {
            let proof = prove(reader, old, size)?;
            let request = AddCheckpoint { old, proof, checkpoint: checkpoint.clone() };
            Ok((witness, Checkpoint { request: Request(request) }))
        };
        olds.into_iter().map(request).collect()
    })
    .await
}

/// What became of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Answered {
    /// The witness has this size.
    Cosigned { size: u64 },
    /// The witness wants the proof from this size to this head.
    ProveFrom { size: u64, head: StoredHead },
    /// The witness has seen what is not here.
    Broken { why: String, confession: Option<Box<Checkpoint>> },
    /// Nothing follows from it.
    Ignored,
}

/// What a log that signs nothing more still does about an answer: it writes nothing, but a witness that has
/// seen another history is shown what is here, each of them. They keep the evidence.
fn last_words((_, answered): (Vec<Change>, Answered)) -> (Vec<Change>, Answered) {
    let shows = match &answered {
        Answered::ProveFrom { .. } => true,
        Answered::Broken { confession, .. } => confession.is_some(),
        Answered::Cosigned { .. } | Answered::Ignored => false,
    };
    (Vec::new(), if shows { answered } else { Answered::Ignored })
}

/// Stores a cosignature, or finds out what a refusal means. `proven_from` is the size that the last
/// request to this witness was proven from.
pub(super) async fn take_answer(
    nib: Nib,
    own: Arc<Own>,
    message: Delivered<CheckpointAnswer>,
    proven_from: Option<u64>,
    is_halted: bool,
    now: Timestamp,
) -> Result<Answered, NibError> {
    let Delivered { header, body, key, .. } = message;
    let seen = Arc::clone(&own);
    let from = header.sender_id;
    let look = {
        let from = from.clone();
        move |reader: &dyn NibReader| {
            let is_witness = witnesses(reader, &seen)?.contains(&from);
            Ok((is_witness, reader.head(&seen.origin())?, reader.edge()?.size))
        }
    };
    let decide = |(is_witness, head, here): (bool, Option<StoredHead>, u64)| {
        let ignored = (Vec::new(), Answered::Ignored);
        let Some(head) = head.filter(|_| is_witness && body.origin == own.origin()) else { return ignored };
        match &body.answer {
            WitnessAnswer::Cosigned { cosignature } => {
                let witness = name(&Origin::new(&own.cluster, &from));
                let witness = witness.map(|name| VerifierKey::new(name, SignatureType::CosignatureV1, key));
                let Ok(witness) = witness else { return ignored };
                cosigned(head, body.size.0, cosignature, &witness).unwrap_or(ignored)
            }
            WitnessAnswer::SizeConflict { last } => match after_conflict(here, last.0) {
                Conflict::ProveFrom(size) if size <= head.size && proven_from != Some(size) => {
                    (Vec::new(), Answered::ProveFrom { size, head })
                }
                Conflict::ProveFrom(_) => ignored,
                Conflict::Truncated { here, seen } => {
                    let why = format!(
                        "the log has {here} entries, and {from} has seen {seen}: it was cut off, or an old copy was restored"
                    );
                    let request = read(&head).ok().map(|checkpoint| {
                        let request = AddCheckpoint { old: seen, proof: Vec::new(), checkpoint };
                        Box::new(Checkpoint { request: Request(request) })
                    });
                    (vec![corrupt(&own, &why, now)], Answered::Broken { why, confession: request })
                }
            },
            WitnessAnswer::Inconsistent => {
                let why = format!("{from} has seen another history of this log");
                (vec![corrupt(&own, &why, now)], Answered::Broken { why, confession: None })
            }
            WitnessAnswer::UnknownOrigin
            | WitnessAnswer::BadSignature
            | WitnessAnswer::Backwards
            | WitnessAnswer::Unproven => ignored,
        }
    };
    nib.decide(look, |seen| if is_halted { last_words(decide(seen)) } else { decide(seen) }).await
}

/// Adds a cosignature to the newest head, if it is of that head, right, and not there yet.
fn cosigned(
    head: StoredHead,
    size: u64,
    CosignatureLine(line): &CosignatureLine,
    witness: &VerifierKey,
) -> Option<(Vec<Change>, Answered)> {
    let mut note = read(&head).ok()?;
    let answered = Answered::Cosigned { size };
    if size != head.size {
        // An older head: that the witness has it is worth knowing, and its signature comes too late.
        return (size < head.size).then_some((Vec::new(), answered));
    }
    let has = |line: &crate::wire::note::NoteSignature| line.name() == witness.name() && line.id() == witness.id();
    let is_there = note.note().signatures().iter().any(has);
    note.add(line.clone()).ok()?;
    note.verify(std::slice::from_ref(witness)).ok()?;
    if is_there {
        return Some((Vec::new(), answered));
    }
    let after = Some(head.size);
    let head = StoredHead { note: note.to_string(), ..head };
    Some((vec![Change::Log(LogChange::PutHead { head, after })], answered))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change() -> Vec<Change> {
        vec![Change::Append(NewEvent {
            event_type: EventType::LogCorrupt,
            actor: "global_cntl_1".to_owned(),
            subject: "pdsno/lab/global_cntl_1".to_owned(),
            timestamp: Timestamp::from_millis(0),
            payload: json!({}),
        })]
    }

    fn head() -> StoredHead {
        let (origin, note) = ("pdsno/lab/global_cntl_1".parse().unwrap(), String::new());
        StoredHead { origin, kind: HeadKind::Own, size: 7, note, at: Timestamp::from_millis(0) }
    }

    #[test]
    fn a_log_that_is_halted_writes_nothing_and_still_proves_what_it_has() {
        let told = last_words((change(), Answered::ProveFrom { size: 5, head: head() }));
        assert_eq!(told, (Vec::new(), Answered::ProveFrom { size: 5, head: head() }));
    }

    #[test]
    fn a_log_that_is_halted_has_nothing_to_do_with_other_answers() {
        for answered in [
            Answered::Cosigned { size: 7 },
            Answered::Broken { why: "another history".to_owned(), confession: None },
            Answered::Ignored,
        ] {
            assert_eq!(last_words((change(), answered)), (Vec::new(), Answered::Ignored));
        }
    }
}
