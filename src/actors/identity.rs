//! Who this controller is, as all of its actors know it.

use std::sync::Arc;

use actix::Message;

use crate::domain::controller::{Cluster, ControllerId, Region, Role};
use crate::domain::digest::Digest;
use crate::domain::number::Epoch;
use crate::domain::origin::Origin;
use crate::wire::signature::KeyPair;
use crate::wire::statement::Chain;

/// A controller that has a name.
#[derive(Debug)]
pub struct Own {
    /// The installation.
    pub cluster: Cluster,
    /// Its name.
    pub id: ControllerId,
    /// Its tier.
    pub role: Role,
    /// Its region; a Global Controller has none.
    pub region: Option<Region>,
    /// Who validated it; the trust root nobody.
    pub parent: Option<ControllerId>,
    /// SHA-256 of the trust root's public key.
    pub pin: Digest,
    /// Its certificate and those above it.
    pub chain: Chain,
    /// Its key.
    pub key: Arc<KeyPair>,
    /// The term that it knows.
    pub epoch: Epoch,
}

impl Own {
    /// The identity of its event log.
    pub fn origin(&self) -> Origin {
        Origin::new(&self.cluster, &self.id)
    }
}

/// This is who the controller is from now on: sent when it starts with a name, when it was given one,
/// and when its key was renewed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Became(pub Arc<Own>);
