//! What is written of a membership: the row and its event, in one commit.

use serde_json::{Value, json};

use super::{begin, keys};
use crate::actors::nib::Nib;
use crate::actors::validation::rows::document;
use crate::algorithms::trust::authority::Authority;
use crate::algorithms::validation::joiner;
use crate::domain::certificate::Certificate;
use crate::domain::change::Change;
use crate::domain::controller::{Cluster, ControllerId};
use crate::domain::device::Version;
use crate::domain::digest::Digest;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::number::Serial;
use crate::domain::reason::Reason;
use crate::domain::registry::{Membership, RegistryChange, SignedDocument};
use crate::domain::time::Timestamp;
use crate::nib::NibError;
use crate::wire::statement::Chain;

/// What becomes of the membership.
#[derive(Debug, Clone)]
pub(super) enum Write {
    /// There is one.
    Join(Box<Membership>),
    /// There is a certificate for the next key.
    Renew(Next),
    /// The next certificate, the one of this number, was used.
    Promote(Serial),
}

/// A certificate for the next key.
#[derive(Debug, Clone)]
pub(super) struct Next {
    /// The number of the present one.
    replaces: Serial,
    certificate: Certificate,
    chain: SignedDocument,
    key_file: String,
}

/// The membership of the trust root.
pub(super) fn root(root: &Authority, cluster: Cluster, now: Timestamp) -> Result<Box<Membership>, String> {
    let own = root.certificate().ok_or("the trust root has no certificate")?;
    Ok(Box::new(Membership {
        cluster,
        id: own.controller_id.clone(),
        role: own.role,
        region: None,
        parent: None,
        pin: begin::root_pin(root),
        chain: document(&root.chain).map_err(|error| error.to_string())?,
        serial: own.serial,
        key_file: keys::first(),
        next_key_file: None,
        next_chain: None,
        epoch: own.epoch,
        since: now,
        version: Version::FIRST,
    }))
}

/// The membership that a parent gave.
pub(super) fn joined(
    given: &joiner::Membership,
    pin: Option<Digest>,
    now: Timestamp,
) -> Result<Box<Membership>, String> {
    let (grant, certificate) = (&given.grant, given.grant.certificate.unverified());
    Ok(Box::new(Membership {
        cluster: grant.cluster.clone(),
        id: grant.assigned_id.clone(),
        role: grant.role,
        region: Some(grant.region.clone()),
        parent: Some(certificate.issuer.clone()),
        pin: pin.ok_or("nobody asked to be validated")?,
        chain: document(&given.chain).map_err(|error| error.to_string())?,
        serial: certificate.serial,
        key_file: keys::first(),
        next_key_file: None,
        next_chain: None,
        epoch: certificate.epoch,
        since: now,
        version: Version::FIRST,
    }))
}

/// The next certificate that a parent gave, below this chain.
pub(super) fn renewed(chain: &Chain, replaces: Serial, key_file: String) -> Result<Next, String> {
    let certificate = chain.leaf().ok_or("the next chain is empty")?.unverified().clone();
    Ok(Next { replaces, certificate, chain: document(chain).map_err(|error| error.to_string())?, key_file })
}

/// Writes it, unless it is written.
///
/// # Errors
/// [`NibError`]; nothing was written.
pub(super) async fn commit(nib: &Nib, write: Write, now: Timestamp) -> Result<(), NibError> {
    nib.decide(|reader| reader.membership(), |row| (changes(write.clone(), row, now), ())).await
}

fn changes(write: Write, row: Option<Membership>, now: Timestamp) -> Vec<Change> {
    let (row, event) = match (write, row) {
        (Write::Join(membership), None) => {
            let event = granted(&membership, now);
            (membership, Some(event))
        }
        (Write::Renew(next), Some(row)) if row.serial == next.replaces && row.next_chain.is_none() => {
            let event = given(&row, &next, now);
            let (chain, file) = (Some(next.chain), Some(next.key_file));
            (Box::new(Membership { next_chain: chain, next_key_file: file, ..row }), Some(event))
        }
        (Write::Promote(serial), Some(mut row)) => match (row.next_chain.take(), row.next_key_file.take()) {
            (Some(chain), Some(key_file)) => (Box::new(Membership { chain, key_file, serial, ..row }), None),
            _ => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    let row = Change::Registry(RegistryChange::SetMembership(row));
    std::iter::once(row).chain(event.map(Change::Append)).collect()
}

fn granted(row: &Membership, now: Timestamp) -> NewEvent {
    let payload = json!({
        "cluster": row.cluster,
        "role": row.role,
        "region": row.region,
        "parent": row.parent,
        "serial": row.serial,
        "pin": row.pin,
        "epoch": row.epoch,
        "chain": told(&row.chain),
    });
    event(EventType::MembershipGranted, &row.id, payload, now)
}

fn given(row: &Membership, next: &Next, now: Timestamp) -> NewEvent {
    let payload = json!({
        "serial": next.certificate.serial,
        "replaces": row.serial,
        "public_key": next.certificate.public_key,
        "expires_at": next.certificate.expires_at,
        "chain": told(&next.chain),
    });
    event(EventType::MembershipRenewed, &row.id, payload, now)
}

/// A chain as an event tells it: whoever verifies the log later needs the certificates of earlier keys.
fn told(chain: &SignedDocument) -> Option<Value> {
    serde_json::from_str(chain.as_str()).ok()
}

/// The events of a refusal, or of an answer that was not believed.
pub(super) fn refused(
    id: &ControllerId,
    reason: Reason,
    detail: &str,
    remedy: Option<&str>,
    source: &str,
    now: Timestamp,
) -> Vec<Change> {
    let payload = json!({ "reason": reason, "detail": detail, "remedy": remedy, "source": source });
    let refused = event(EventType::MembershipRefused, id, payload.clone(), now);
    let alarm = reason.is_alarming().then(|| event(EventType::SecurityAlert, id, payload, now));
    std::iter::once(refused).chain(alarm).map(Change::Append).collect()
}

fn event(event_type: EventType, id: &ControllerId, payload: serde_json::Value, now: Timestamp) -> NewEvent {
    NewEvent { event_type, actor: id.to_string(), subject: id.to_string(), timestamp: now, payload }
}
