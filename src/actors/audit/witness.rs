//! The logs of others.

use std::sync::Arc;

use super::own::name;
use crate::actors::identity::Own;
use crate::actors::nib::Nib;
use crate::actors::post::Delivered;
use crate::algorithms::audit::anchor::{Course, Decision, Desk, Witnessed, decide, lag};
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::event::EventType;
use crate::domain::key::PublicKey;
use crate::domain::origin::Origin;
use crate::domain::registry::{ControllerRow, Standing};
use crate::domain::time::Timestamp;
use crate::nib::{EventQuery, NibError, NibReader};
use crate::wire::anchor::{Checkpoint, CheckpointAnswer, Request, TreeSize, WitnessAnswer};
use crate::wire::note::{KeyNameError, NoteSigner, SignatureType, VerifierKey};

/// How many rows are read at once.
const PAGE: usize = 256;

/// The answer to a request.
pub(super) fn answer(request: &Checkpoint, answer: WitnessAnswer) -> CheckpointAnswer {
    let Request(request) = &request.request;
    let checkpoint = request.checkpoint.checkpoint();
    CheckpointAnswer { origin: checkpoint.origin.clone(), size: TreeSize(checkpoint.head.size), answer }
}

/// Decides about a head that came, and writes what follows.
pub(super) async fn consider(
    nib: Nib,
    own: Arc<Own>,
    message: Delivered<Checkpoint>,
    course: Course,
    now: Timestamp,
) -> (Delivered<Checkpoint>, Result<Decision, NibError>) {
    let decided = considered(&nib, &own, &message, course, now).await;
    (message, decided)
}

async fn considered(
    nib: &Nib,
    own: &Arc<Own>,
    message: &Delivered<Checkpoint>,
    course: Course,
    now: Timestamp,
) -> Result<Decision, NibError> {
    let signer = signer(own)?;
    let desk = Desk { id: &own.id, signer: &signer, now };
    let Request(request) = &message.body.request;
    let (seen, from) = (Arc::clone(own), message.header.sender_id.clone());
    nib.decide(
        move |reader| log_of(reader, &seen, &from),
        |log| {
            let mut decision = decide(log.as_ref(), &course, &message.header, request, &desk);
            (std::mem::take(&mut decision.changes), decision)
        },
    )
    .await
}

/// Tells of every active controller below whose log has shown no head for too long.
pub(super) async fn tell_silent(nib: Nib, own: Option<Arc<Own>>, now: Timestamp) -> Result<(), NibError> {
    let Some(own) = own else { return Ok(()) };
    let signer = signer(&own)?;
    let desk = Desk { id: &own.id, signer: &signer, now };
    let seen = Arc::clone(&own);
    nib.decide(
        move |reader| children(reader, &seen),
        |children| {
            let since = |log: &Witnessed| {
                let validated = log.row.as_ref().map(|row| row.validated_at);
                log.last.as_ref().map(|head| head.at).max(validated).unwrap_or(now)
            };
            (children.iter().filter_map(|log| lag(log, since(log), &desk)).collect::<Vec<Change>>(), ())
        },
    )
    .await
}

fn children(reader: &dyn NibReader, own: &Own) -> Result<Vec<Witnessed>, NibError> {
    let mut found = Vec::new();
    let mut after: Option<ControllerId> = None;
    loop {
        let page = reader.controllers(after.as_ref(), PAGE)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id.clone());
        for row in page.into_iter().filter(|row| row.standing == Standing::Active) {
            found.push(child(reader, own, row)?);
        }
    }
}

/// What is known of the log of this controller, if it is witnessed here: that of an active controller
/// below, and for a Regional Controller that of the Global one.
fn log_of(reader: &dyn NibReader, own: &Own, id: &ControllerId) -> Result<Option<Witnessed>, NibError> {
    if let Some(row) = reader.controller(id)?.filter(|row| row.standing == Standing::Active) {
        return child(reader, own, row).map(Some);
    }
    let root = own.chain.certificates.last().map(|statement| statement.unverified());
    match root {
        Some(root) if own.role == Role::Regional && root.controller_id == *id => {
            witnessed(reader, own, id, &[root.public_key], None).map(Some)
        }
        _ => Ok(None),
    }
}

fn child(reader: &dyn NibReader, own: &Own, row: ControllerRow) -> Result<Witnessed, NibError> {
    let keys: Vec<PublicKey> =
        std::iter::once(row.public_key).chain(row.next.as_ref().map(|next| next.public_key)).collect();
    let id = row.id.clone();
    witnessed(reader, own, &id, &keys, Some(row))
}

fn witnessed(
    reader: &dyn NibReader,
    own: &Own,
    id: &ControllerId,
    keys: &[PublicKey],
    row: Option<ControllerRow>,
) -> Result<Witnessed, NibError> {
    let origin = Origin::new(&own.cluster, id);
    let note_name = name(&origin).map_err(unnamed)?;
    let last = reader.head(&origin)?;
    let told = EventQuery {
        types: vec![EventType::AnchorLag],
        subject: Some(id.to_string()),
        since: last.as_ref().map(|head| head.at),
        limit: 1,
        ..EventQuery::default()
    };
    Ok(Witnessed {
        keys: keys.iter().map(|key| VerifierKey::new(note_name.clone(), SignatureType::Ed25519, *key)).collect(),
        lag_told: !reader.events(&told)?.is_empty(),
        is_accused: reader.evidence()?.iter().any(|evidence| evidence.origin == origin),
        controller: id.clone(),
        origin,
        last,
        row,
    })
}

fn signer(own: &Own) -> Result<NoteSigner<'_>, NibError> {
    Ok(NoteSigner::new(name(&own.origin()).map_err(unnamed)?, SignatureType::CosignatureV1, &own.key))
}

/// Names of controllers name keys; one that does not is a damaged row.
fn unnamed(error: KeyNameError) -> NibError {
    NibError::Corrupt { detail: error.to_string() }
}
