//! What makes entries of events: the controller's key.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::hash;
use crate::domain::digest::Digest;
use crate::domain::entropy::{self, Entropy};
use crate::domain::entry::EventId;
use crate::domain::event::NewEvent;
use crate::domain::log::{Draft, Edge, Growth, Place, SealError, Sealer, Signed, Signer};
use crate::domain::number::PolicyVersion;
use crate::domain::origin::Origin;
use crate::wire::entry::{self, Setting};
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

    fn draft(&mut self, place: Place, event: &NewEvent) -> Result<Draft, SealError> {
        let random = entropy::octets(self.entropy.as_ref()).map_err(|error| refusal(&error))?;
        let event_id = EventId::new(event.timestamp, random);
        let setting = Setting {
            origin: &self.origin,
            seq: place.seq,
            event_id,
            policy_version: place.policy_version.map(PolicyVersion::number),
            epoch: place.epoch,
        };
        let (body, payload) = entry::of_event(setting, event).map_err(|error| refusal(&error))?;
        Ok(Draft { event_id, body, payload })
    }

    fn signer(&self) -> Arc<dyn Signer> {
        Arc::clone(&self.key) as Arc<dyn Signer>
    }

    fn append(&self, edge: &Edge, leaves: &[Digest]) -> Result<Growth, SealError> {
        let mut tree = Frontier::try_from(edge).map_err(|error| refusal(&error))?;
        let tiles = leaves.iter().flat_map(|leaf| tree.push(*leaf)).collect();
        Ok(Growth { edge: Edge::from(tree), tiles })
    }
}

impl Signer for KeyPair {
    fn sign(&self, body: &[u8]) -> Signed {
        let signature = entry::sign(body, self);
        Signed { signature, leaf: hash::leaf(&entry::leaf(body, &signature)) }
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
