//! What makes entries of events: the controller's key.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::hash;
use crate::domain::entropy::{self, Entropy};
use crate::domain::entry::{Entry, EventId, Payload};
use crate::domain::event::NewEvent;
use crate::domain::log::{Edge, Grown, Place, SealError, SealedEvent, Sealer};
use crate::domain::number::PolicyVersion;
use crate::domain::origin::Origin;
use crate::wire::entry;
use crate::wire::signature::KeyPair;

/// Seals the events of one log with one key.
pub struct LogSealer {
    origin: Origin,
    key: Arc<KeyPair>,
    entropy: Arc<dyn Entropy>,
}

impl LogSealer {
    /// The sealer of a log, by its key. The randomness is for the ids of events.
    pub fn new(origin: Origin, key: Arc<KeyPair>, entropy: Arc<dyn Entropy>) -> Self {
        Self { origin, key, entropy }
    }

    fn entry(&self, place: &Place<'_>, event: &NewEvent) -> Result<SealedEvent, SealError> {
        let random = entropy::octets(self.entropy.as_ref()).map_err(|error| refusal(&error))?;
        let event_id = EventId::new(event.timestamp, random);
        let (payload, beside) = entry::payload(event.payload.clone()).map_err(|error| refusal(&error))?;
        let digest = match &payload {
            Payload::Beside(digest) => Some(*digest),
            Payload::Inside(_) => None,
        };
        let body = entry::encode(&Entry {
            origin: self.origin.clone(),
            seq: place.seq,
            event_id,
            event_type: event.event_type,
            actor: event.actor.clone(),
            subject: event.subject.clone(),
            action: event.event_type.action().map(str::to_owned),
            decision: event.event_type.decision(),
            policy_version: place.policy_version.map(PolicyVersion::number),
            epoch: place.epoch,
            timestamp: event.timestamp,
            payload,
        })
        .map_err(|error| refusal(&error))?;
        let signature = entry::sign(&body, &self.key);
        let leaf = hash::leaf(&entry::leaf(&body, &signature));
        let payload = digest.zip(beside);
        Ok(SealedEvent { event_id, body, signature, leaf, payload })
    }
}

impl fmt::Debug for LogSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogSealer").field("origin", &self.origin).field("key", &self.key).finish_non_exhaustive()
    }
}

impl Sealer for LogSealer {
    fn origin(&self) -> &Origin {
        &self.origin
    }

    fn seal(&mut self, place: &Place<'_>, event: &NewEvent) -> Result<Grown, SealError> {
        let mut tree = Frontier::try_from(place.edge).map_err(|error| refusal(&error))?;
        if place.seq.number() != tree.size() {
            return Err(SealError {
                detail: format!("it is to be entry {} of a log of {} entries", place.seq, tree.size()),
            });
        }
        let sealed = self.entry(place, event)?;
        let tiles = tree.push(sealed.leaf);
        Ok(Grown { sealed, edge: Edge::from(tree), tiles })
    }
}

fn refusal(error: &dyn Error) -> SealError {
    let mut detail = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        detail = format!("{detail}: {error}");
        cause = error.source();
    }
    SealError { detail }
}
