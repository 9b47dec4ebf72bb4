//! Whether somebody is who he says: from his certificate up to the trust root.

use crate::domain::certificate::{Certificate, DelegatedAction, Delegation};
use crate::domain::controller::{ControllerId, ControllerName, Region, Role};
use crate::domain::digest::Digest;
use crate::domain::number::Epoch;
use crate::domain::time::Timestamp;
use crate::wire::signature::fingerprint;
use crate::wire::statement::{Chain, Statement};

/// What a chain is held against.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    /// SHA-256 of the trust root's public key.
    pub pin: Digest,
    /// The reader's clock.
    pub now: Timestamp,
    /// The term; a newcomer knows none.
    pub epoch: Option<Epoch>,
    /// Whether a certificate was taken back.
    pub is_revoked: &'a dyn Fn(&Certificate) -> bool,
}

/// Why a chain does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// Nothing in it, or more tiers than there are.
    #[error("a chain has one to three certificates, this one has {0}")]
    Length(usize),
    /// The last one is not the trust root's.
    #[error("the chain ends at a key with the fingerprint {found}, the trust root's is {pinned}")]
    Pin {
        /// Where it ends.
        found: Digest,
        /// Where it should.
        pinned: Digest,
    },
    /// Signed by another key than the issuer's.
    #[error("what is said about {0} was not signed by its issuer")]
    Signature(ControllerId),
    /// Said by one who may not say it: an RC of an RC, a GC of an LC, an LC of anybody.
    #[error("{issuer} may not say who is {controller}")]
    Rank {
        /// About whom.
        controller: ControllerId,
        /// By whom.
        issuer: ControllerId,
    },
    /// The name does not fit tier and region.
    #[error("{0} is not the name of a controller of its role and region")]
    Name(ControllerId),
    /// Not now.
    #[error("what is said about {controller} holds from {from} to {until}, not at {now}")]
    Time {
        /// About whom.
        controller: ControllerId,
        /// From when.
        from: Timestamp,
        /// Until when.
        until: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// It would outlive its issuer's.
    #[error("the certificate of {0} ends after that of its issuer")]
    Outlives(ControllerId),
    /// From a term that has not begun.
    #[error("what is said about {controller} is from epoch {found}, this is epoch {known}")]
    Epoch {
        /// About whom.
        controller: ControllerId,
        /// Of the statement.
        found: Epoch,
        /// The one that is known.
        known: Epoch,
    },
    /// Taken back.
    #[error("{0} was revoked")]
    Revoked(ControllerId),
    /// A Regional Controller without the right to validate, or with one that is not its own.
    #[error("{0} has no right to validate Local Controllers of its region with its key")]
    Delegation(ControllerId),
    /// The chain of one who is not the parent of such a controller.
    #[error("{parent} is not a parent of a {role} controller of region {region}")]
    Parent {
        /// Whose chain it is.
        parent: ControllerId,
        /// The child's tier.
        role: Role,
        /// The child's region.
        region: Region,
    },
}

/// Verifies a chain from end to end: signatures, names, ranks, regions, times, epochs, revocations, and
/// the delegation of a Regional Controller that issued. Returns its owner's certificate.
///
/// # Errors
/// [`ChainError`].
pub fn verify<'c>(chain: &'c Chain, trust: &Trust<'_>) -> Result<&'c Certificate, ChainError> {
    let length = chain.certificates.len();
    let (Some(leaf), Some(root), 1..=3) = (chain.certificates.first(), chain.certificates.last(), length) else {
        return Err(ChainError::Length(length));
    };
    let root = verify_root(root, trust)?;
    let issuers = chain.certificates.iter().skip(1);
    for (child, issuer) in chain.certificates.iter().zip(issuers) {
        verify_link(child, issuer.unverified(), trust)?;
        if issuer.unverified().role == Role::Regional {
            verify_delegation(chain.delegation.as_ref(), issuer.unverified(), root, trust)?;
        }
    }
    Ok(leaf.unverified())
}

/// Verifies the chain of one who would validate a controller of this role and region.
///
/// # Errors
/// [`ChainError`].
pub fn verify_parent<'c>(
    chain: &'c Chain,
    role: Role,
    region: &Region,
    trust: &Trust<'_>,
) -> Result<&'c Certificate, ChainError> {
    let parent = verify(chain, trust)?;
    let is_parent = match role {
        Role::Regional => parent.role == Role::Global,
        Role::Local => parent.role == Role::Regional && parent.region.as_ref() == Some(region),
        Role::Global | Role::All => false,
    };
    if !is_parent {
        return Err(ChainError::Parent { parent: parent.controller_id.clone(), role, region: region.clone() });
    }
    if let (Role::Regional, Some(root)) = (parent.role, chain.certificates.last()) {
        verify_delegation(chain.delegation.as_ref(), parent, root.unverified(), trust)?;
    }
    Ok(parent)
}

fn verify_root<'c>(root: &'c Statement<Certificate>, trust: &Trust<'_>) -> Result<&'c Certificate, ChainError> {
    let certificate = root.unverified();
    let found = fingerprint(&certificate.public_key);
    if found != trust.pin {
        return Err(ChainError::Pin { found, pinned: trust.pin });
    }
    if root.verified(&certificate.public_key).is_none() {
        return Err(ChainError::Signature(certificate.controller_id.clone()));
    }
    if certificate.role != Role::Global || certificate.issuer != certificate.controller_id {
        return Err(rank(certificate));
    }
    verify_claim(certificate, trust)?;
    Ok(certificate)
}

fn rank(certificate: &Certificate) -> ChainError {
    ChainError::Rank { controller: certificate.controller_id.clone(), issuer: certificate.issuer.clone() }
}

fn verify_link(child: &Statement<Certificate>, issuer: &Certificate, trust: &Trust<'_>) -> Result<(), ChainError> {
    let claimed = child.unverified();
    if child.verified(&issuer.public_key).is_none() || claimed.issuer != issuer.controller_id {
        return Err(ChainError::Signature(claimed.controller_id.clone()));
    }
    let permitted = match (issuer.role, claimed.role) {
        (Role::Global, Role::Regional) => true,
        (Role::Regional, Role::Local) => claimed.region == issuer.region,
        _ => false,
    };
    if !permitted {
        return Err(rank(claimed));
    }
    if claimed.expires_at > issuer.expires_at {
        return Err(ChainError::Outlives(claimed.controller_id.clone()));
    }
    verify_claim(claimed, trust)
}

fn verify_claim(claimed: &Certificate, trust: &Trust<'_>) -> Result<(), ChainError> {
    let controller = claimed.controller_id.clone();
    let name: Option<ControllerName> = controller.as_str().parse().ok();
    if !name.is_some_and(|name| name.fits(claimed.role, claimed.region.as_ref())) {
        return Err(ChainError::Name(controller));
    }
    if !claimed.is_valid_at(trust.now) {
        let (from, until) = (claimed.issued_at, claimed.expires_at);
        return Err(ChainError::Time { controller, from, until, now: trust.now });
    }
    verify_epoch(&controller, claimed.epoch, trust)?;
    if (trust.is_revoked)(claimed) {
        return Err(ChainError::Revoked(controller));
    }
    Ok(())
}

fn verify_epoch(controller: &ControllerId, found: Epoch, trust: &Trust<'_>) -> Result<(), ChainError> {
    match trust.epoch {
        Some(known) if found > known => Err(ChainError::Epoch { controller: controller.clone(), found, known }),
        _ => Ok(()),
    }
}

fn verify_delegation(
    delegation: Option<&Statement<Delegation>>,
    delegatee: &Certificate,
    root: &Certificate,
    trust: &Trust<'_>,
) -> Result<(), ChainError> {
    let controller = &delegatee.controller_id;
    let refused = || ChainError::Delegation(controller.clone());
    let claimed = delegation.and_then(|signed| signed.verified(&root.public_key)).ok_or_else(refused)?;
    let is_its_own = claimed.issuer == root.controller_id
        && claimed.delegatee == *controller
        && claimed.delegatee_key == delegatee.public_key
        && Some(&claimed.region) == delegatee.region.as_ref()
        && claimed.actions.contains(&DelegatedAction::ValidateLocalControllers);
    if !is_its_own {
        return Err(refused());
    }
    if !claimed.is_valid_at(trust.now) {
        let (from, until) = (claimed.not_before, claimed.not_after);
        return Err(ChainError::Time { controller: controller.clone(), from, until, now: trust.now });
    }
    verify_epoch(controller, claimed.epoch, trust)
}

#[cfg(test)]
mod tests;
