//! The heads of other logs.

use std::collections::BTreeMap;

use super::{Rule, Told};
use crate::domain::digest::Digest;
use crate::domain::event::EventType;
use crate::domain::key::PublicKey;
use crate::domain::origin::Origin;
use crate::domain::tree::TreeHead;
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::note::{KeyName, SignatureType, VerifierKey};

/// The heads of a log that were cosigned only grow, are the ones that the entry tells, and are signed by
/// a key that its controller was given in this log.
#[derive(Debug, Default)]
pub struct Anchors {
    heads: BTreeMap<Origin, TreeHead>,
    keys: BTreeMap<String, Vec<PublicKey>>,
}

impl Anchors {
    fn anchored(&mut self, told: &Told<'_>) -> Result<(), String> {
        let text = told.text("checkpoint").ok_or("it does not have the head")?;
        let signed =
            SignedCheckpoint::parse(text.as_bytes()).map_err(|error| format!("its head is refused: {error}"))?;
        let (origin, head) = (&signed.checkpoint().origin, signed.head());
        let (size, root): (u64, Digest) = (told.read("size")?, told.read("root")?);
        if told.read::<Origin>("origin")? != *origin || (TreeHead { size, root }) != head {
            return Err("it tells another head than the one that it has".to_owned());
        }
        if origin.parts().is_none_or(|(_, owner)| owner.as_str() != told.entry.subject) {
            return Err(format!("the head of {origin} is not one of {}", told.entry.subject));
        }
        let name: KeyName = origin.as_str().parse().map_err(|error| format!("{error}"))?;
        let keys = self.keys.get(&told.entry.subject).into_iter().flatten();
        let keys: Vec<_> = keys.map(|key| VerifierKey::new(name.clone(), SignatureType::Ed25519, *key)).collect();
        // A part of a log may not show which keys its controller was given.
        if !keys.is_empty() || (told.is_whole && told.entry.event_type == EventType::ChildCheckpoint) {
            signed
                .verify(&keys)
                .map_err(|error| format!("the head of {origin} that was cosigned is refused: {error}"))?;
        }
        let before = self.heads.insert(origin.clone(), head);
        match before {
            Some(before) if before.size > size || (before.size == size && before.root != root) => {
                Err(format!("the head of {origin} with {size} entries was cosigned after one with {}", before.size))
            }
            _ => Ok(()),
        }
    }
}

impl Rule for Anchors {
    fn says(&self) -> &'static str {
        "the heads of other logs that were cosigned are signed by their controllers and only grow"
    }

    fn take(&mut self, told: &Told<'_>) -> Result<(), String> {
        match told.entry.event_type {
            EventType::ControllerValidated | EventType::CertificateRenewed => {
                let key = told.read("public_key")?;
                self.keys.entry(told.entry.subject.clone()).or_default().push(key);
                Ok(())
            }
            EventType::ChildCheckpoint | EventType::AboveCheckpoint => self.anchored(told),
            _ => Ok(()),
        }
    }
}
