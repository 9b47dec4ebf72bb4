//! What a witness writes and answers: the rules of [`witness`] as one commit.

use std::time::Duration;

use serde_json::{Value, json};

use crate::algorithms::audit::witness::{self, Answer, Fork, KnownLog};
use crate::domain::certificate::Certificate;
use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::log::{Evidence, HeadKind, LogChange, StoredHead};
use crate::domain::message::BootId;
use crate::domain::number::MessageSeq;
use crate::domain::origin::Origin;
use crate::domain::registry::{ControllerRow, RegistryChange, Standing};
use crate::domain::time::Timestamp;
use crate::wire::anchor::{CosignatureLine, TreeSize, WitnessAnswer};
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::envelope::Header;
use crate::wire::note::{NoteSigner, VerifierKey};
use crate::wire::witness::AddCheckpoint;

/// How long a log below may show no head: two reminders may be lost.
pub const LAG: Duration = Duration::from_secs(25 * 60);

/// What the witness knows of a log.
#[derive(Debug, Clone)]
pub struct Witnessed {
    /// The log.
    pub origin: Origin,
    /// Whose it is.
    pub controller: ControllerId,
    /// The keys that may sign its heads.
    pub keys: Vec<VerifierKey>,
    /// The last head that was cosigned, as it is stored.
    pub last: Option<StoredHead>,
    /// The row of a controller below; a Global Controller has none here.
    pub row: Option<ControllerRow>,
    /// Whether `ANCHOR_LAG` was told since the last head came.
    pub lag_told: bool,
    /// Whether evidence against it is kept already.
    pub is_accused: bool,
}

/// Who witnesses, and when.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// The witness.
    pub id: &'a ControllerId,
    /// What it cosigns with.
    pub signer: &'a NoteSigner<'a>,
    /// Now.
    pub now: Timestamp,
}

/// What a witness does about a head: one commit, then the answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The rows and events.
    pub changes: Vec<Change>,
    /// What the log is told; nothing about a copy that came late.
    pub answer: Option<WitnessAnswer>,
    /// Who was suspended: its messages are taken no more.
    pub suspended: Option<ControllerId>,
    /// What the message was, for the next one.
    pub heard: Heard,
}

/// What a message was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// One that says nothing about the order of others.
    Nothing,
    /// A head that was cosigned.
    Head,
    /// A smaller head than one before, answered with a conflict.
    Conflict,
}

/// What is remembered of the messages of one log: lost at a restart, and then a smaller head is asked
/// about once more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Course {
    newest: Option<(BootId, MessageSeq)>,
    conflict_at: Option<Timestamp>,
}

/// What a smaller head means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Smaller {
    /// A copy of an older message that was under way for long.
    Late,
    /// Nobody knows yet.
    Unclear,
    /// The log's newest word, and it knows what it has shown before.
    Insisted,
}

impl Course {
    /// Notes what became of a message.
    pub fn note(&mut self, header: &Header, heard: Heard, now: Timestamp) {
        match heard {
            Heard::Nothing => return,
            Heard::Head => self.conflict_at = None,
            Heard::Conflict => self.conflict_at = self.conflict_at.or(Some(now)),
        }
        let this = (header.boot_id, header.seq);
        // Messages of an earlier run than the newest do not pass the gate.
        let is_newer = self.newest.is_none_or(|(boot, seq)| boot != this.0 || seq < this.1);
        if is_newer {
            self.newest = Some(this);
        }
    }

    fn smaller(&self, header: &Header, request: &AddCheckpoint, last: u64) -> Smaller {
        if request.old == last {
            // It could not name the size if it did not know that it was cosigned.
            return Smaller::Insisted;
        }
        if self.newest.is_some_and(|(boot, seq)| boot == header.boot_id && header.seq <= seq) {
            return Smaller::Late;
        }
        // Made after the conflict was answered, whatever the two clocks differ by.
        let answered = self.conflict_at.map(|at| at.saturating_add(Certificate::SKEW));
        if answered.is_some_and(|answered| header.timestamp > answered) { Smaller::Insisted } else { Smaller::Unclear }
    }
}

impl Witnessed {
    /// What kind of log it is.
    pub const fn kind(&self) -> HeadKind {
        if self.row.is_some() { HeadKind::Child } else { HeadKind::Above }
    }
}

/// Decides about a head. `log` is `None` when the sender's log is not witnessed here.
pub fn decide(
    log: Option<&Witnessed>,
    course: &Course,
    header: &Header,
    request: &AddCheckpoint,
    desk: &Desk<'_>,
) -> Decision {
    let seen = log.and_then(|log| log.last.as_ref()).map(|head| SignedCheckpoint::parse(head.note.as_bytes()));
    // A stored note that cannot be read is a damaged store: nothing is cosigned over it.
    let Ok(seen) = seen.transpose() else { return told(WitnessAnswer::Unproven, Heard::Nothing) };
    let known = log.map(|log| KnownLog { origin: &log.origin, keys: &log.keys, last: seen.as_ref() });
    match (witness::consider(known, request), log) {
        (Answer::Accept, Some(log)) => accept(log, request, desk),
        (Answer::Behind(fork), Some(log)) => {
            let last = fork.seen.head().size;
            match course.smaller(header, request, last) {
                Smaller::Late => Decision { changes: Vec::new(), answer: None, suspended: None, heard: Heard::Nothing },
                Smaller::Unclear => told(WitnessAnswer::SizeConflict { last: TreeSize(last) }, Heard::Conflict),
                Smaller::Insisted => accuse(log, request, &fork, desk),
            }
        }
        (Answer::Inconsistent(fork), Some(log)) => accuse(log, request, &fork, desk),
        (Answer::BadSignature(_), _) => told(WitnessAnswer::BadSignature, Heard::Nothing),
        (Answer::Backwards { .. }, _) => told(WitnessAnswer::Backwards, Heard::Nothing),
        (Answer::SizeConflict { last }, _) => {
            told(WitnessAnswer::SizeConflict { last: TreeSize(last) }, Heard::Nothing)
        }
        (Answer::Unproven(_), _) => told(WitnessAnswer::Unproven, Heard::Nothing),
        (Answer::UnknownOrigin, _) | (_, None) => told(WitnessAnswer::UnknownOrigin, Heard::Nothing),
    }
}

const fn told(answer: WitnessAnswer, heard: Heard) -> Decision {
    Decision { changes: Vec::new(), answer: Some(answer), suspended: None, heard }
}

fn accept(log: &Witnessed, request: &AddCheckpoint, desk: &Desk<'_>) -> Decision {
    let shown = &request.checkpoint;
    let head = shown.head();
    let after = log.last.as_ref().map(|last| last.size);
    let stored = StoredHead {
        origin: log.origin.clone(),
        kind: log.kind(),
        size: head.size,
        note: shown.to_string(),
        at: desk.now,
    };
    let mut changes = vec![Change::Log(LogChange::PutHead { head: stored, after })];
    // That nothing is new is seen from the time of the row alone, or every log would grow for ever.
    if after != Some(head.size) || log.lag_told {
        let event_type = match log.kind() {
            HeadKind::Above => EventType::AboveCheckpoint,
            HeadKind::Own | HeadKind::Child => EventType::ChildCheckpoint,
        };
        let payload = json!({
            "origin": log.origin,
            "size": TreeSize(head.size),
            "root": head.root,
            "previous": after.map(TreeSize),
            "checkpoint": shown.to_string(),
        });
        changes.push(event(event_type, log, payload, desk));
    }
    let cosignature = CosignatureLine(witness::cosign(shown, desk.signer, desk.now));
    Decision { changes, answer: Some(WitnessAnswer::Cosigned { cosignature }), suspended: None, heard: Heard::Head }
}

/// Keeps the evidence, and lets a controller below speak no more: all in one commit.
fn accuse(log: &Witnessed, request: &AddCheckpoint, fork: &Fork, desk: &Desk<'_>) -> Decision {
    let decision = told(WitnessAnswer::Inconsistent, Heard::Nothing);
    if log.row.is_none() && log.is_accused {
        // Told once; a Global Controller cannot be suspended from below.
        return decision;
    }
    let why = fork.why.to_string();
    let evidence = Evidence {
        origin: log.origin.clone(),
        seen: fork.seen.to_string(),
        shown: request.to_string(),
        why: why.clone(),
        at: desk.now,
    };
    let payload = json!({
        "reason": "LOG_FORK",
        "origin": log.origin,
        "why": why,
        "is_proof": fork.is_proof(&log.keys),
        "seen": { "size": TreeSize(fork.seen.head().size), "root": fork.seen.head().root },
        "shown": { "size": TreeSize(fork.shown.head().size), "root": fork.shown.head().root },
    });
    let mut changes = vec![
        Change::Log(LogChange::PutEvidence(evidence)),
        event(EventType::LogFork, log, payload.clone(), desk),
        event(EventType::SecurityAlert, log, payload, desk),
    ];
    let mut suspended = None;
    if let Some(row) = &log.row {
        let reason = format!("its log showed two histories: {why}");
        let payload = json!({ "reason": "LOG_FORK", "detail": reason, "serial": row.serial });
        let row = ControllerRow { standing: Standing::Suspended, standing_reason: Some(reason), ..row.clone() };
        suspended = Some(row.id.clone());
        changes.push(Change::Registry(RegistryChange::UpdateController(Box::new(row))));
        changes.push(event(EventType::ControllerSuspended, log, payload, desk));
    }
    Decision { changes, suspended, ..decision }
}

/// What is written about a log that has shown no head for too long: once, until one comes.
pub fn lag(log: &Witnessed, since: Timestamp, desk: &Desk<'_>) -> Option<Change> {
    if log.lag_told || desk.now.since(since) < LAG {
        return None;
    }
    let last = log.last.as_ref().map(|head| TreeSize(head.size));
    Some(event(EventType::AnchorLag, log, json!({ "origin": log.origin, "last": last, "since": since }), desk))
}

fn event(event_type: EventType, log: &Witnessed, payload: Value, desk: &Desk<'_>) -> Change {
    let (actor, subject) = (desk.id.to_string(), log.controller.to_string());
    Change::Append(NewEvent { event_type, actor, subject, timestamp: desk.now, payload })
}

#[cfg(test)]
mod tests;
