//! Making the proof of one event.

use std::path::PathBuf;

use anyhow::{Context as _, anyhow};

use super::{Author, author, chains, heads, signed, unusable, witnesses};
use crate::actors::audit::Tiles;
use crate::algorithms::audit::build;
use crate::algorithms::audit::examine::extends;
use crate::app::failure::Failure;
use crate::app::inventory::open;
use crate::domain::entry::EventId;
use crate::domain::event::{EventSeq, EventType};
use crate::domain::log::{StoredEntry, StoredHead};
use crate::nib::{EventQuery, NibReader};
use crate::wire::entry;
use crate::wire::evidence::{EntryLine, Octets, ProofFile, Step};
use crate::wire::statement::Chain;
use crate::wire::tlog_proof::TlogProof;

/// What names an event on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKey {
    /// Its identity.
    Id(EventId),
    /// Its position.
    Seq(EventSeq),
}

/// A text that cannot name an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} names no event; give its position or its id, as `pdsno audit list` shows them")]
pub struct EventKeyError {
    text: String,
}

impl std::str::FromStr for EventKey {
    type Err = EventKeyError;

    fn from_str(text: &str) -> Result<Self, EventKeyError> {
        let seq = text.parse().map(|number| Self::Seq(EventSeq::from_number(number))).ok();
        let id = || text.parse().map(Self::Id).ok();
        seq.or_else(id).ok_or_else(|| EventKeyError { text: text.to_owned() })
    }
}

/// The proof of an event, under the newest head that others cosigned, or without one the newest.
///
/// # Errors
/// [`Failure::Usage`] when there is no such event or no head covers it, [`Failure::Failed`] when the NIB
/// cannot be read.
pub fn prove(reader: &dyn NibReader, key: EventKey) -> Result<ProofFile, Failure> {
    let author = author(reader)?;
    let stored = match key {
        EventKey::Id(id) => reader.entry(id).map_err(unusable)?,
        EventKey::Seq(seq) => reader.entries(seq, 1).map_err(unusable)?.into_iter().next().filter(|row| row.seq == seq),
    };
    let stored =
        stored.ok_or_else(|| Failure::Usage(anyhow!("there is no such event in the log {}", author.origin)))?;
    let (step, chains) = step(reader, &author, stored)?;
    ProofFile::new(vec![step], chains).map_err(Failure::failed)
}

/// A proof with one step more: that this controller took the head of the last step into its own log. Run on
/// the folder of the controller above, and again on the one above that.
///
/// # Errors
/// As [`prove`]; [`Failure::Usage`] when this controller has not taken that head into its log.
pub fn extend(reader: &dyn NibReader, proof: ProofFile) -> Result<ProofFile, Failure> {
    let author = author(reader)?;
    let last = proof.steps.last().ok_or_else(|| Failure::Usage(anyhow!("the proof has no step")))?;
    let read = TlogProof::parse(last.proof.as_bytes()).context("the proof cannot be read").map_err(Failure::Usage)?;
    let head = read.checkpoint.head();
    let mut query = EventQuery {
        types: vec![EventType::ChildCheckpoint, EventType::AboveCheckpoint],
        subject: last.origin.parts().map(|(_, owner)| owner.to_string()),
        ..EventQuery::default()
    };
    loop {
        let page = reader.events(&query).map_err(unusable)?;
        let Some(newest) = page.last() else {
            let refusal =
                anyhow!("{} has not cosigned the head of {} with {} entries", author.origin, last.origin, head.size);
            return Err(Failure::Usage(refusal));
        };
        query.from = newest.seq.next();
        for event in page {
            let found = reader.entries(event.seq, 1).map_err(unusable)?.into_iter().next();
            let Some(stored) = found
                .filter(|stored| entry::decode(&stored.sealed.body).is_ok_and(|entry| extends(&entry, last, head)))
            else {
                continue;
            };
            let (more, chains) = step(reader, &author, stored)?;
            let steps = proof.steps.iter().cloned().chain([more]).collect();
            let mut known = proof.chains.clone();
            known.extend(chains.into_iter().filter(|chain| !proof.chains.contains(chain)));
            return ProofFile::new(steps, known).map_err(Failure::failed);
        }
    }
}

/// A proof with the steps of those above, as far as they go.
#[derive(Debug)]
pub struct Gathered {
    /// The proof.
    pub proof: ProofFile,
    /// Why it does not go on to the topmost of them.
    pub missing: Option<anyhow::Error>,
}

/// A proof extended by these NIBs of those above, the nearest first, up to the first that has nothing to
/// add: the proof up to there is good for what it says.
///
/// # Errors
/// [`Failure::Failed`] when a NIB cannot be read.
pub fn gather(mut proof: ProofFile, above: &[PathBuf]) -> Result<Gathered, Failure> {
    for path in above {
        let extended = open(path).map_err(Failure::usage).and_then(|reader| extend(&reader, proof.clone()));
        match extended {
            Ok(extended) => proof = extended,
            Err(Failure::Usage(missing)) => return Ok(Gathered { proof, missing: Some(missing) }),
            Err(failed) => return Err(failed),
        }
    }
    Ok(Gathered { proof, missing: None })
}

/// The step that proves an entry, and the certificates of all who signed for it.
fn step(reader: &dyn NibReader, author: &Author, stored: StoredEntry) -> Result<(Step, Vec<Chain>), Failure> {
    let StoredEntry { seq, sealed } = stored;
    let index = seq.number();
    let heads = heads(reader, &author.origin, index)?;
    let is_cosigned = |head: &&StoredHead| signed(head).is_ok_and(|note| note.note().signatures().len() > 1);
    let head = heads.iter().rfind(is_cosigned).or(heads.last());
    let head = head.ok_or_else(|| {
        Failure::Usage(anyhow!(
            "no head was signed yet that covers entry {index}; try again in some seconds, or have one signed now with \
             `pdsno audit checkpoint --now`"
        ))
    })?;
    let path = build::inclusion(&Tiles(reader), index, head.size)
        .context("the log's tree cannot be read")
        .map_err(Failure::Failed)?;
    let checkpoint = signed(head)?;
    let mut known = chains(reader, author)?;
    known.extend(witnesses(reader, author, std::slice::from_ref(&checkpoint))?);
    let proof = TlogProof { extra: None, index, path, checkpoint };
    let entry = EntryLine {
        body: Octets(sealed.body),
        signature: sealed.signature,
        payload: sealed.payload.map(|(_, octets)| Octets(octets)),
    };
    Ok((Step { origin: author.origin.clone(), entry, proof: proof.to_string() }, known))
}
