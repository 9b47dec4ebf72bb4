//! The child's side of a renewal.

use crate::algorithms::trust::chain::{Trust, verify_parent};
use crate::algorithms::validation::joiner::{Distrust, verify_own};
use crate::domain::certificate::Certificate;
use crate::domain::controller::{Cluster, ControllerId, Region, Role};
use crate::domain::digest::Digest;
use crate::domain::key::{Nonce, PublicKey};
use crate::domain::message::MessageType;
use crate::domain::number::Serial;
use crate::domain::time::Timestamp;
use crate::wire::canonical::CanonicalError;
use crate::wire::envelope::Message;
use crate::wire::signature::KeyPair;
use crate::wire::statement::Chain;
use crate::wire::transcript::RenewalTranscript;
use crate::wire::validation::{Grant, ParentRenewed, Refused, RenewalRequest, RenewalResult, Verdict};

/// The controller as it is now, as its own certificate says.
#[derive(Debug, Clone, Copy)]
pub struct Holder<'a> {
    /// The installation.
    pub cluster: &'a Cluster,
    /// Its name.
    pub id: &'a ControllerId,
    /// Its tier.
    pub role: Role,
    /// Its region.
    pub region: &'a Region,
    /// The fingerprint that chains must end at.
    pub pin: Digest,
    /// The number of its certificate.
    pub serial: Serial,
    /// Its key.
    pub key: PublicKey,
}

/// The one request of a controller for a certificate that may be on its way.
///
/// It asks for its next key, or for the one that it has: the answer to that says that the parent
/// takes messages under it, and by which certificate the parent itself is to be believed now.
#[derive(Debug, Default)]
pub struct Renewer {
    asked: Option<(Nonce, PublicKey)>,
}

/// The parent's next certificate, when the parent itself says so: its chain holds up to the pin, it
/// signed the message with that key, and the certificate is a later one than what was known, or an
/// old key would come back.
///
/// # Errors
/// [`Distrust`]; what was known of the parent holds on.
pub fn succession<'c>(
    message: &'c Message<ParentRenewed>,
    holder: &Holder<'_>,
    known: &Certificate,
    now: Timestamp,
) -> Result<&'c Certificate, Distrust> {
    let trust = Trust { pin: holder.pin, now, epoch: None, is_revoked: &|_| false };
    let chain = &message.body.chain;
    let parent = verify_parent(chain, holder.role, holder.region, &trust).map_err(Distrust::Chain)?;
    let is_owner = parent.public_key == message.key && parent.controller_id == message.header.sender_id;
    if !is_owner || parent.controller_id != known.controller_id {
        return Err(Distrust::NotTheOwner(parent.controller_id.clone()));
    }
    if parent.serial <= known.serial {
        return Err(Distrust::NotAsked);
    }
    Ok(parent)
}

/// What a request came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Renewed {
    /// There is a certificate for the next key; this is the chain below which it stands.
    Given {
        /// The chain that the controller shows with its next key.
        chain: Box<Chain>,
        /// The parent's certificate.
        parent: Certificate,
    },
    /// The parent takes the present certificate.
    Confirmed {
        /// The parent's certificate.
        parent: Certificate,
    },
    /// Not now.
    Refused {
        /// Why.
        refused: Refused,
        /// The parent's certificate.
        parent: Certificate,
    },
}

impl Renewer {
    /// Asks, or asks anew; the answer to what was asked before is not waited for any more.
    ///
    /// # Errors
    /// [`CanonicalError`]; no request has cause for one.
    pub fn request(
        &mut self,
        holder: &Holder<'_>,
        key: &KeyPair,
        nonce: Nonce,
    ) -> Result<RenewalRequest, CanonicalError> {
        let transcript = RenewalTranscript {
            message_type: MessageType::RenewalRequest,
            controller_id: holder.id.clone(),
            current_serial: holder.serial,
            public_key: key.public_key(),
            nonce,
        };
        let signature = transcript.sign(key)?;
        self.asked = Some((nonce, key.public_key()));
        Ok(RenewalRequest { current_serial: holder.serial, public_key: key.public_key(), nonce, signature })
    }

    /// Takes the decision, if it is the parent's. One under an older certificate than is known of the
    /// parent was under way for long, or is by somebody who has the old key: it says nothing about
    /// now, but for a certificate that was given, which stands below its own chain and is given once.
    ///
    /// # Errors
    /// [`Distrust`]; the true parent's decision is still waited for.
    pub fn result(
        &mut self,
        message: &Message<RenewalResult>,
        holder: &Holder<'_>,
        known: &Certificate,
        now: Timestamp,
    ) -> Result<Renewed, Distrust> {
        let result = &message.body;
        let Some((_, key)) = self.asked.filter(|(nonce, _)| *nonce == result.nonce) else {
            return Err(Distrust::NotAsked);
        };
        let trust = Trust { pin: holder.pin, now, epoch: None, is_revoked: &|_| false };
        let parent = verify_parent(&result.parent, holder.role, holder.region, &trust).map_err(Distrust::Chain)?;
        if parent.public_key != message.key || parent.controller_id != message.header.sender_id {
            return Err(Distrust::NotTheOwner(parent.controller_id.clone()));
        }
        let is_given = key != holder.key && matches!(result.verdict, Verdict::Validated(_));
        if parent.serial < known.serial && !is_given {
            return Err(Distrust::NotAsked);
        }
        let parent = parent.clone();
        let renewed = match &result.verdict {
            Verdict::Rejected(refused) | Verdict::Error(refused) => {
                Renewed::Refused { refused: refused.clone(), parent }
            }
            Verdict::Validated(grant) if key == holder.key => {
                check(grant, holder, &key)?;
                if grant.certificate.unverified().serial != holder.serial {
                    return Err(Distrust::WrongGrant("it is another certificate than the present one"));
                }
                Renewed::Confirmed { parent }
            }
            Verdict::Validated(grant) => {
                let chain = next_chain(grant, &result.parent, holder, &key, &trust)?;
                Renewed::Given { chain: Box::new(chain), parent }
            }
        };
        self.asked = None;
        Ok(renewed)
    }
}

fn check(grant: &Grant, holder: &Holder<'_>, key: &PublicKey) -> Result<(), Distrust> {
    let claim = grant.certificate.unverified();
    if grant.cluster != *holder.cluster || grant.role != holder.role || grant.region != *holder.region {
        return Err(Distrust::WrongGrant("it is for another installation, role or region"));
    }
    if grant.assigned_id != *holder.id || claim.controller_id != *holder.id || claim.public_key != *key {
        return Err(Distrust::WrongGrant("the certificate is for another name or key"));
    }
    Ok(())
}

fn next_chain(
    grant: &Grant,
    parent: &Chain,
    holder: &Holder<'_>,
    key: &PublicKey,
    trust: &Trust<'_>,
) -> Result<Chain, Distrust> {
    check(grant, holder, key)?;
    let chain = parent.extended(grant.certificate.clone(), grant.delegation.clone());
    verify_own(&chain, trust).map_err(Distrust::Chain)?;
    Ok(chain)
}

#[cfg(test)]
mod tests;
