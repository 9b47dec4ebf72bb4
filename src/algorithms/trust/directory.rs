//! The controllers that are known here, by their keys.

use std::collections::{BTreeMap, BTreeSet};

use crate::algorithms::trust::refusal::Refusal;
use crate::domain::certificate::Certificate;
use crate::domain::controller::ControllerId;
use crate::domain::key::PublicKey;
use crate::domain::number::Serial;
use crate::domain::time::Timestamp;

/// Whose messages are taken: those of the parent and of the children, each under one key, or two
/// while a renewed certificate has not been used.
///
/// It is a cache of the NIB's controllers. Only certificates whose chain was verified go in.
#[derive(Debug, Default)]
pub struct Directory {
    controllers: BTreeMap<ControllerId, Entry>,
    owners: BTreeMap<PublicKey, ControllerId>,
    blocked_keys: BTreeSet<PublicKey>,
    blocked_sources: BTreeSet<String>,
}

#[derive(Debug)]
struct Entry {
    current: Certificate,
    next: Option<Certificate>,
    retired: Option<PublicKey>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Active,
    Revoked,
    Locked,
    Suspended,
}

/// A controller used its next certificate for the first time; to be written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switched {
    /// Who.
    pub controller: ControllerId,
    /// The certificate that is no longer taken.
    pub retired: Serial,
    /// The one that is.
    pub current: Serial,
}

impl Directory {
    /// Takes a controller in, or back in, with this certificate alone.
    pub fn insert(&mut self, certificate: Certificate) {
        let id = certificate.controller_id.clone();
        self.owners.retain(|_, owner| *owner != id);
        self.owners.insert(certificate.public_key, id.clone());
        self.controllers.insert(id, Entry { current: certificate, next: None, retired: None, state: State::Active });
    }

    /// Takes the next certificate of a known controller beside its present one.
    pub fn renew(&mut self, certificate: Certificate) {
        let Some(entry) = self.controllers.get_mut(&certificate.controller_id) else { return };
        if let Some(unused) = entry.next.take() {
            self.owners.remove(&unused.public_key);
        }
        self.owners.insert(certificate.public_key, certificate.controller_id.clone());
        entry.next = Some(certificate);
    }

    /// Takes nothing from this controller any more.
    pub fn revoke(&mut self, controller: &ControllerId) {
        self.set(controller, State::Revoked);
    }

    /// Takes nothing from this controller until it is validated again: two processes used its name.
    pub fn lock(&mut self, controller: &ControllerId) {
        self.set(controller, State::Locked);
    }

    /// Takes nothing from this controller until an operator decides: its log showed two histories.
    pub fn suspend(&mut self, controller: &ControllerId) {
        self.set(controller, State::Suspended);
    }

    /// Takes messages of a suspended controller again.
    pub fn reinstate(&mut self, controller: &ControllerId) {
        if self.controllers.get(controller).is_some_and(|entry| entry.state == State::Suspended) {
            self.set(controller, State::Active);
        }
    }

    fn set(&mut self, controller: &ControllerId, state: State) {
        if let Some(entry) = self.controllers.get_mut(controller) {
            entry.state = state;
        }
    }

    /// Refuses a key before anything is computed with it.
    pub fn block_key(&mut self, key: PublicKey) {
        self.blocked_keys.insert(key);
    }

    /// Refuses whatever comes from an address.
    pub fn block_source(&mut self, source: String) {
        self.blocked_sources.insert(source);
    }

    /// Refuses a key no longer.
    pub fn unblock_key(&mut self, key: &PublicKey) {
        self.blocked_keys.remove(key);
    }

    /// Refuses an address no longer.
    pub fn unblock_source(&mut self, source: &str) {
        self.blocked_sources.remove(source);
    }

    /// Whether a key or a source is on the blocklist.
    pub fn is_blocked(&self, key: &PublicKey, source: &str) -> bool {
        self.blocked_keys.contains(key) || self.blocked_sources.contains(source)
    }

    /// Refuses a key that a revoked, locked or suspended controller has, also when it calls itself a newcomer.
    ///
    /// # Errors
    /// [`Refusal::Revoked`], [`Refusal::Locked`], [`Refusal::Suspended`].
    pub fn check_newcomer(&self, key: &PublicKey) -> Result<(), Refusal> {
        match self.owners.get(key).and_then(|id| self.controllers.get(id)) {
            Some(entry) => entry.active(),
            None => Ok(()),
        }
    }

    /// The certificate under which a key's messages are taken now.
    ///
    /// # Errors
    /// [`Refusal::UnknownSender`], [`Refusal::Revoked`], [`Refusal::Locked`], [`Refusal::Suspended`],
    /// [`Refusal::CertificateRetired`], [`Refusal::CertificateExpired`].
    pub fn look_up(&self, key: &PublicKey, now: Timestamp) -> Result<&Certificate, Refusal> {
        let entry = self.owners.get(key).and_then(|id| self.controllers.get(id)).ok_or(Refusal::UnknownSender)?;
        entry.active()?;
        let certificate = std::iter::once(&entry.current)
            .chain(&entry.next)
            .find(|certificate| certificate.public_key == *key)
            .ok_or_else(|| Refusal::CertificateRetired { controller: entry.current.controller_id.clone() })?;
        if !certificate.is_valid_at(now) {
            let controller = certificate.controller_id.clone();
            return Err(Refusal::CertificateExpired { controller, at: certificate.expires_at });
        }
        Ok(certificate)
    }

    /// Notes that a message under this key was taken. The first one under a next certificate makes
    /// it the present one; the old one is refused from then on.
    pub fn used(&mut self, key: &PublicKey) -> Option<Switched> {
        let entry = self.owners.get(key).and_then(|id| self.controllers.get_mut(id))?;
        let next = entry.next.take_if(|next| next.public_key == *key)?;
        let old = std::mem::replace(&mut entry.current, next);
        if let Some(older) = entry.retired.replace(old.public_key) {
            self.owners.remove(&older);
        }
        let controller = old.controller_id;
        Some(Switched { controller, retired: old.serial, current: entry.current.serial })
    }
}

impl Entry {
    fn active(&self) -> Result<(), Refusal> {
        let controller = self.current.controller_id.clone();
        match self.state {
            State::Active => Ok(()),
            State::Revoked => Err(Refusal::Revoked { controller }),
            State::Locked => Err(Refusal::Locked { controller }),
            State::Suspended => Err(Refusal::Suspended { controller }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::controller::Role;
    use crate::domain::number::Epoch;
    use crate::domain::reason::Reason;

    fn key(number: u8) -> PublicKey {
        PublicKey::from_bytes([number; 32])
    }

    fn certificate(number: u8) -> Certificate {
        Certificate {
            controller_id: "local_cntl_zoneA_1".parse().unwrap(),
            role: Role::Local,
            region: Some("zone-A".parse().unwrap()),
            public_key: key(number),
            issuer: "regional_cntl_zoneA_1".parse().unwrap(),
            epoch: Epoch::from_number(1),
            issued_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(1_000),
            serial: Serial::from_number(number.into()),
        }
    }

    fn reason(directory: &Directory, number: u8) -> Result<Serial, Reason> {
        let now = Timestamp::from_millis(500);
        directory.look_up(&key(number), now).map(|found| found.serial).map_err(|refusal| refusal.reason())
    }

    #[test]
    fn the_old_certificate_is_taken_until_the_new_one_is_used() {
        let mut directory = Directory::default();
        directory.insert(certificate(1));
        directory.renew(certificate(2));
        assert_eq!(reason(&directory, 1), Ok(Serial::from_number(1)));
        assert_eq!(reason(&directory, 2), Ok(Serial::from_number(2)));
        assert_eq!(directory.used(&key(1)), None);
        assert_eq!(reason(&directory, 1), Ok(Serial::from_number(1)));

        let switched = directory.used(&key(2)).unwrap();
        assert_eq!((switched.retired.number(), switched.current.number()), (1, 2));
        assert_eq!(directory.used(&key(2)), None);
        assert_eq!(reason(&directory, 1), Err(Reason::CertificateRetired));
        assert_eq!(reason(&directory, 2), Ok(Serial::from_number(2)));
        // Keys of long ago are simply unknown.
        directory.renew(certificate(3));
        assert!(directory.used(&key(3)).is_some());
        assert_eq!(reason(&directory, 1), Err(Reason::UnknownSender));
        assert_eq!(reason(&directory, 2), Err(Reason::CertificateRetired));
    }

    #[test]
    fn a_certificate_that_was_never_used_gives_way_to_the_next() {
        let mut directory = Directory::default();
        directory.insert(certificate(1));
        directory.renew(certificate(2));
        directory.renew(certificate(3));
        assert_eq!(reason(&directory, 2), Err(Reason::UnknownSender));
        assert_eq!(reason(&directory, 3), Ok(Serial::from_number(3)));
    }

    #[test]
    fn revoked_locked_and_expired_controllers_are_refused_each_by_its_reason() {
        let mut directory = Directory::default();
        assert_eq!(reason(&directory, 1), Err(Reason::UnknownSender));
        directory.insert(certificate(1));
        let id = certificate(1).controller_id;
        directory.lock(&id);
        assert_eq!(reason(&directory, 1), Err(Reason::IdentityLocked));
        assert!(directory.check_newcomer(&key(1)).is_err());
        directory.reinstate(&id);
        assert_eq!(reason(&directory, 1), Err(Reason::IdentityLocked));
        directory.suspend(&id);
        assert_eq!(reason(&directory, 1), Err(Reason::ControllerSuspended));
        directory.reinstate(&id);
        assert_eq!(reason(&directory, 1), Ok(Serial::from_number(1)));
        directory.revoke(&id);
        assert_eq!(reason(&directory, 1), Err(Reason::ControllerRevoked));
        assert!(directory.check_newcomer(&key(1)).is_err());
        assert!(directory.check_newcomer(&key(2)).is_ok());
        // Validated anew, with another key.
        directory.insert(certificate(2));
        assert_eq!(reason(&directory, 2), Ok(Serial::from_number(2)));
        assert_eq!(reason(&directory, 1), Err(Reason::UnknownSender));
        let refusal = directory.look_up(&key(2), Timestamp::from_millis(1_000)).unwrap_err();
        assert_eq!(refusal.reason(), Reason::CertificateExpired);
    }

    #[test]
    fn the_blocklist_has_keys_and_sources() {
        let mut directory = Directory::default();
        directory.block_key(key(1));
        directory.block_source("10.0.0.9".to_owned());
        assert!(directory.is_blocked(&key(1), "10.0.0.1"));
        assert!(directory.is_blocked(&key(2), "10.0.0.9"));
        assert!(!directory.is_blocked(&key(2), "10.0.0.1"));
        directory.unblock_key(&key(1));
        directory.unblock_source("10.0.0.9");
        assert!(!directory.is_blocked(&key(1), "10.0.0.9"));
    }
}
