//! One event, by its proof.

use super::{Examination, Grounds, Keys, Outcome, chain};
use crate::algorithms::audit::verify::{Particulars, Stored, Trust, one};
use crate::domain::digest::Digest;
use crate::domain::entry::{Entry, Payload};
use crate::domain::event::EventType;
use crate::domain::tree::TreeHead;
use crate::wire::entry;
use crate::wire::evidence::{ProofFile, Step};
use crate::wire::tlog_proof::TlogProof;

/// Verifies the proof of an event: each step by itself, and that each step above says the head of the one
/// below it.
pub fn examine_event(file: &ProofFile, grounds: &mut Grounds) -> Option<Examination> {
    grounds.learn(&file.chains);
    let first = file.steps.first()?;
    let mut findings = grounds.refused.clone();
    if !file.is_whole() {
        findings.push("the file is damaged: its digest is another one".to_owned());
    }
    let (mut checked, mut unchecked) = (Vec::new(), Vec::new());
    let mut below: Option<(&Step, TreeHead)> = None;
    for step in &file.steps {
        match examine_step(step, below, grounds) {
            Ok((head, said, missing)) => {
                checked.extend(said);
                unchecked.extend(missing);
                below = Some((step, head));
            }
            Err(why) => {
                findings.push(format!("{}: {why}", step.origin));
                break;
            }
        }
    }
    let seq = entry::decode(&first.entry.body.0).ok().map(|entry| entry.seq.number());
    let outcome = if findings.is_empty() { Outcome::Verified } else { Outcome::NotVerified(seq) };
    unchecked.push("every other entry of these logs, and what they mean together".to_owned());
    unchecked.push("whether a certificate was revoked".to_owned());
    unchecked.push("whether what the event tells is true of the network".to_owned());
    Some(Examination { origin: first.origin.clone(), outcome, findings, checked, unchecked })
}

type Said = (TreeHead, Vec<String>, Vec<String>);

fn examine_step(step: &Step, below: Option<(&Step, TreeHead)>, grounds: &Grounds) -> Result<Said, String> {
    let keys = Keys::new(grounds, &step.origin);
    let trust = Trust { log: &keys.log, witnesses: &keys.witnesses, signers: &grounds.keyring };
    let proof = TlogProof::parse(step.proof.as_bytes()).map_err(|error| chain(&error))?;
    let stored = Stored {
        body: &step.entry.body.0,
        signature: &step.entry.signature,
        leaf: None,
        tiles: None,
        payload: step.entry.payload.as_ref().map(|octets| octets.0.as_slice()),
    };
    let proven = one(&step.origin, &trust, &stored, &proof).map_err(|reason| chain(&reason))?;
    let entry = entry::decode(stored.body).map_err(|error| chain(&error))?;
    if let Some((lower, head)) = below
        && !extends(&entry, lower, head)
    {
        return Err(format!("entry {} does not take the head of {} in", entry.seq, lower.origin));
    }
    let mut checked = vec![format!(
        "{}: entry {} {} about {}: octets, signature, and its place under the head of {} entries that the log signed",
        step.origin, entry.seq, entry.event_type, entry.subject, proven.head.size
    )];
    if below.is_some() {
        checked.push(format!("{}: that entry takes the head of the log below it in", step.origin));
    }
    let mut unchecked = Vec::new();
    for (name, at) in &proven.cosigned {
        checked.push(format!("{}: that head was cosigned by {name} at {at}", step.origin));
    }
    if proven.cosigned.is_empty() {
        unchecked.push(format!(
            "{}: whether others were shown another history: nobody known cosigned the head",
            step.origin
        ));
    }
    if proven.particulars == Particulars::Missing {
        unchecked.push(format!("{}: the payload of entry {}, which was not shown", step.origin, entry.seq));
    }
    Ok((proven.head, checked, unchecked))
}

/// Whether this entry of a witness takes this head of the step below in.
pub fn extends(entry: &Entry, lower: &Step, head: TreeHead) -> bool {
    let Payload::Inside(payload) = &entry.payload else { return false };
    let read = |field: &str| payload.get(field).and_then(serde_json::Value::as_str);
    let root = read("root").and_then(|text| text.parse::<Digest>().ok());
    matches!(entry.event_type, EventType::ChildCheckpoint | EventType::AboveCheckpoint)
        && read("origin") == Some(lower.origin.as_str())
        && read("size") == Some(head.size.to_string().as_str())
        && root == Some(head.root)
}
