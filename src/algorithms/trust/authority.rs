//! What a parent says about its children.

use std::sync::Arc;
use std::time::Duration;

use crate::domain::certificate::{Certificate, DelegatedAction, Delegation};
use crate::domain::controller::{ControllerName, Region, Role};
use crate::domain::key::PublicKey;
use crate::domain::number::{Epoch, Serial};
use crate::domain::time::Timestamp;
use crate::wire::canonical::CanonicalError;
use crate::wire::signature::KeyPair;
use crate::wire::statement::{Chain, Statement};

/// A certificate that would end sooner is not given: it could not be renewed in time by a person.
pub const SHORTEST: Duration = Duration::from_secs(86_400);

/// A controller with its key and the chain that makes it believed.
#[derive(Debug, Clone)]
pub struct Authority {
    /// Its chain; its own certificate is the first.
    pub chain: Chain,
    /// The key of that certificate.
    pub key: Arc<KeyPair>,
}

/// What is to be said about a child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its name, which says its tier.
    pub name: ControllerName,
    /// Its region.
    pub region: Region,
    /// Its key.
    pub public_key: PublicKey,
    /// The number of the certificate among the parent's.
    pub serial: Serial,
    /// How many Local Controllers it may validate, when it is a Regional one.
    pub max_local_controllers: u32,
}

/// Why nothing is said.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The parent's own certificate ends soon.
    #[error("the certificate of the parent ends at {0}, too soon to give one to a child; renew the parent's first")]
    NearItsEnd(Timestamp),
    /// The parent has no certificate.
    #[error("the parent has no certificate")]
    NoCertificate,
    /// The statement has no canonical form.
    #[error("the certificate cannot be written")]
    Canonical(#[from] CanonicalError),
}

/// A child's certificate, and what a Regional Controller may do.
pub type Issued = (Statement<Certificate>, Option<Statement<Delegation>>);

impl Authority {
    /// The trust root: the first Global Controller, which says itself who it is.
    ///
    /// # Errors
    /// [`IssueError::Canonical`].
    pub fn root(key: Arc<KeyPair>, epoch: Epoch, now: Timestamp, lifetime: Duration) -> Result<Self, IssueError> {
        let id = ControllerName::Global(1).id();
        let certificate = Certificate {
            controller_id: id.clone(),
            role: Role::Global,
            region: None,
            public_key: key.public_key(),
            issuer: id,
            epoch,
            issued_at: now,
            expires_at: now.saturating_add(lifetime),
            serial: Serial::from_number(1),
        };
        let certificates = vec![Statement::sign(certificate, &key)?];
        Ok(Self { chain: Chain { certificates, delegation: None }, key })
    }

    /// Its own certificate.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.chain.leaf().map(Statement::unverified)
    }

    /// Says who a child is: for 90 days, or for half of what is left of the parent's own certificate
    /// when that is less. So the parent always has twice the child's time left.
    ///
    /// # Errors
    /// [`IssueError`]. Whether the parent may have such a child is for the caller to check.
    pub fn issue(&self, order: Order, epoch: Epoch, now: Timestamp) -> Result<Issued, IssueError> {
        let own = self.certificate().ok_or(IssueError::NoCertificate)?;
        let lifetime = Certificate::LIFETIME.min(own.expires_at.since(now) / 2);
        if lifetime < SHORTEST {
            return Err(IssueError::NearItsEnd(own.expires_at));
        }
        let expires_at = now.saturating_add(lifetime);
        let role = order.name.role();
        let delegation = Delegation {
            delegatee: order.name.id(),
            delegatee_key: order.public_key,
            issuer: own.controller_id.clone(),
            region: order.region.clone(),
            actions: vec![DelegatedAction::ValidateLocalControllers],
            max_local_controllers: order.max_local_controllers,
            not_before: now,
            not_after: expires_at,
            epoch,
        };
        let certificate = Certificate {
            controller_id: order.name.id(),
            role,
            region: Some(order.region),
            public_key: order.public_key,
            issuer: own.controller_id.clone(),
            epoch,
            issued_at: now,
            expires_at,
            serial: order.serial,
        };
        let delegation = (role == Role::Regional).then(|| Statement::sign(delegation, &self.key)).transpose()?;
        Ok((Statement::sign(certificate, &self.key)?, delegation))
    }
}

/// When a certificate is to be renewed: at half of its life, or up to a tenth of that before or after,
/// as `random` (of all 32-bit numbers) has it, so that not all of a region come at once.
pub fn renew_at(certificate: &Certificate, random: u32) -> Timestamp {
    let half = certificate.expires_at.since(certificate.issued_at) / 2;
    let share = 0.9 + 0.2 * f64::from(random) / f64::from(u32::MAX);
    certificate.issued_at.saturating_add(half.mul_f64(share))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::wire::signature::tests::key;
    use proptest::prelude::*;

    pub(crate) const EPOCH: Epoch = Epoch::from_number(1);
    pub(crate) const DAY: Duration = Duration::from_secs(86_400);

    pub(crate) fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000 + seconds * 1_000)
    }

    /// The trust root with the key that is made of 1, for ten years from `at(0)`.
    pub(crate) fn root() -> Authority {
        Authority::root(Arc::new(key(1)), EPOCH, at(0), DAY * 3_650).unwrap()
    }

    pub(crate) fn order(name: &str, octet: u8) -> Order {
        Order {
            name: name.parse().unwrap(),
            region: "zone-A".parse().unwrap(),
            public_key: key(octet).public_key(),
            serial: Serial::from_number(octet.into()),
            max_local_controllers: 64,
        }
    }

    /// `regional_cntl_zoneA_1` with the key that is made of 2.
    pub(crate) fn regional() -> Authority {
        let root = root();
        let (certificate, delegation) = root.issue(order("regional_cntl_zoneA_1", 2), EPOCH, at(0)).unwrap();
        Authority { chain: root.chain.extended(certificate, delegation), key: Arc::new(key(2)) }
    }

    #[test]
    fn a_child_has_ninety_days_or_half_of_what_its_parent_has_left() {
        let regional = regional();
        assert_eq!(regional.certificate().unwrap().expires_at, at(90 * 86_400));
        let (local, delegation) = regional.issue(order("local_cntl_zoneA_1", 3), EPOCH, at(0)).unwrap();
        assert_eq!(local.unverified().expires_at, at(45 * 86_400));
        assert_eq!(delegation, None);
    }

    #[test]
    fn a_parent_near_its_end_refuses() {
        let regional = regional();
        let order = || order("local_cntl_zoneA_1", 3);
        assert!(regional.issue(order(), EPOCH, at(88 * 86_400)).is_ok());
        for now in [88 * 86_400 + 1, 90 * 86_400, 100 * 86_400] {
            let refusal = regional.issue(order(), EPOCH, at(now)).unwrap_err();
            assert!(matches!(refusal, IssueError::NearItsEnd(end) if end == at(90 * 86_400)));
        }
    }

    proptest! {
        #[test]
        fn renewal_is_due_around_half_of_the_life(random: u32) {
            let regional = regional();
            let due = renew_at(regional.certificate().unwrap(), random);
            prop_assert!(due >= at(45 * 86_400 * 9 / 10) && due <= at(45 * 86_400 * 11 / 10));
        }
    }
}
