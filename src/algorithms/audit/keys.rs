//! The chain of keys for somebody who has only the trust root's key: who may have signed entries, heads
//! and cosignatures.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::algorithms::audit::verify::Signers;
use crate::algorithms::trust::chain::{ChainError, Trust, verify};
use crate::domain::certificate::Certificate;
use crate::domain::controller::{ControllerId, ControllerName, Role};
use crate::domain::entry::Entry;
use crate::domain::event::EventType;
use crate::domain::key::PublicKey;
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::wire::note::{KeyName, SignatureType, VerifierKey};
use crate::wire::signature::fingerprint;
use crate::wire::statement::Chain;

/// The keys of controllers, as far as statements below the trust root or logs that were verified tell
/// of them.
#[derive(Debug, Clone)]
pub struct Keyring {
    root: PublicKey,
    holders: BTreeMap<ControllerId, Holder>,
}

#[derive(Debug, Clone, Default)]
struct Holder {
    /// The keys, by the end of their certificates, the earliest first.
    keys: Vec<PublicKey>,
    /// Those ends, in the same order.
    ends: Vec<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl Holder {
    fn add(&mut self, key: PublicKey, end: Timestamp) {
        if !self.keys.contains(&key) {
            let place = self.ends.partition_point(|other| *other <= end);
            self.keys.insert(place, key);
            self.ends.insert(place, end);
        }
    }

    /// Those that could sign at this instant. The beginning of a certificate is no bound: the events from
    /// before a controller had its name are sealed with the first key that it has under it.
    fn at(&self, when: Timestamp) -> &[PublicKey] {
        if self.revoked_at.is_some_and(|revoked| revoked <= when) {
            return &[];
        }
        let first = self.ends.partition_point(|end| *end <= when);
        self.keys.get(first..).unwrap_or_default()
    }
}

impl Keyring {
    /// The keys that follow from the trust root's alone: none, for even its own name is in a certificate.
    pub const fn new(root: PublicKey) -> Self {
        Self { root, holders: BTreeMap::new() }
    }

    /// Takes the keys of a chain of certificates, when all of it holds at the instant at which its first
    /// certificate was made. Whether one was taken back meanwhile only the issuer's log tells.
    ///
    /// # Errors
    /// [`ChainError`].
    pub fn learn(&mut self, chain: &Chain) -> Result<(), ChainError> {
        let leaf = chain.leaf().ok_or(ChainError::Length(0))?.unverified();
        let trust = Trust {
            pin: fingerprint(&self.root),
            now: leaf.issued_at,
            epoch: None,
            is_revoked: &|_: &Certificate| false,
        };
        verify(chain, &trust)?;
        for statement in &chain.certificates {
            let Certificate { controller_id, public_key, expires_at, .. } = statement.unverified();
            self.holders.entry(controller_id.clone()).or_default().add(*public_key, *expires_at);
        }
        Ok(())
    }

    /// Takes what a verified entry of a parent's log tells of the keys of those below it. What a controller
    /// may not say of another is not listened to.
    pub fn take(&mut self, entry: &Entry, particulars: &Value) {
        let Some((_, owner)) = entry.origin.parts() else { return };
        if entry.actor != owner.as_str() || !self.holders.contains_key(&owner) || !is_parent(&owner, &entry.subject) {
            return;
        }
        let Ok(child) = entry.subject.parse::<ControllerId>() else { return };
        let read = |field: &str| particulars.get(field).and_then(Value::as_str);
        match entry.event_type {
            EventType::ControllerValidated | EventType::CertificateRenewed => {
                let key = read("public_key").and_then(|text| text.parse().ok());
                let end = read("expires_at").and_then(|text| text.parse().ok());
                if let (Some(key), Some(end)) = (key, end) {
                    self.holders.entry(child).or_default().add(key, end);
                }
            }
            EventType::ControllerRevoked => {
                let holder = self.holders.entry(child).or_default();
                holder.revoked_at = Some(holder.revoked_at.map_or(entry.timestamp, |at| at.min(entry.timestamp)));
            }
            _ => {}
        }
    }

    /// The keys that sign the heads of a log.
    pub fn log_keys(&self, origin: &Origin) -> Vec<VerifierKey> {
        let owner = origin.parts().map(|(_, owner)| owner);
        owner.map_or_else(Vec::new, |owner| self.named(origin, &owner, SignatureType::Ed25519))
    }

    /// The keys whose cosignatures on the heads of a log count: those of the controllers that witness
    /// others, itself aside.
    pub fn witness_keys(&self, log: &Origin) -> Vec<VerifierKey> {
        let Some((cluster, owner)) = log.parts() else { return Vec::new() };
        let witnesses = self.holders.keys().filter(|id| **id != owner && role(id.as_str()) != Some(Role::Local));
        witnesses.flat_map(|id| self.named(&Origin::new(&cluster, id), id, SignatureType::CosignatureV1)).collect()
    }

    fn named(&self, origin: &Origin, owner: &ControllerId, signature_type: SignatureType) -> Vec<VerifierKey> {
        let Ok(name) = origin.as_str().parse::<KeyName>() else { return Vec::new() };
        let keys = self.holders.get(owner).map_or(&[][..], |holder| &holder.keys);
        keys.iter().map(|key| VerifierKey::new(name.clone(), signature_type, *key)).collect()
    }

    /// The keys that a controller ever had, as far as they are known.
    pub fn keys_of(&self, owner: &ControllerId) -> &[PublicKey] {
        self.holders.get(owner).map_or(&[], |holder| &holder.keys)
    }

    /// Whose keys are known, and how many.
    pub fn holders(&self) -> impl Iterator<Item = (&ControllerId, usize)> {
        self.holders.iter().map(|(id, holder)| (id, holder.keys.len()))
    }
}

/// A log has one writer, so every entry is signed by the owner of the log, also when it tells of the work
/// of a controller that had no name yet.
impl Signers for Keyring {
    fn keys(&self, entry: &Entry) -> &[PublicKey] {
        let holder = entry.origin.parts().and_then(|(_, owner)| self.holders.get(&owner));
        holder.map_or(&[], |holder| holder.at(entry.timestamp))
    }
}

fn role(name: &str) -> Option<Role> {
    name.parse().ok().map(|name: ControllerName| name.role())
}

/// Whether one controller gives the other its certificates, by their names.
fn is_parent(owner: &ControllerId, child: &str) -> bool {
    let names = (owner.as_str().parse::<ControllerName>(), child.parse::<ControllerName>());
    match names {
        (Ok(ControllerName::Global(_)), Ok(ControllerName::Regional(..))) => true,
        (Ok(ControllerName::Regional(own, _)), Ok(ControllerName::Local(slug, _))) => own == slug,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
