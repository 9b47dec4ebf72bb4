//! What all conversations of a sweep use together: credentials, keys, salts.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use crate::algorithms::discovery::credentials::{PreparedAccess, PreparedCredential, PreparedUser};
use crate::domain::engine::EngineId;
use crate::domain::secret::Community;
use crate::wire::usm::keys::LocalKeys;

/// What all conversations of a sweep use together.
pub(super) struct Desk {
    pub credentials: Arc<[PreparedCredential]>,
    /// Keys by credential and engine: a router's many addresses are one engine.
    keys: BTreeMap<(u16, EngineId), Arc<LocalKeys>>,
    /// Of the next encrypted message: each is used once (RFC 3826 section 3.1.2.1).
    salt: u64,
}

impl Desk {
    /// Engines whose keys are kept; those beyond are localised again when they are met again.
    const MOST_KEYS: usize = 4_096;

    pub fn new(credentials: Arc<[PreparedCredential]>, first_salt: u64) -> Self {
        Self { credentials, keys: BTreeMap::new(), salt: first_salt }
    }

    /// The numbers of the credentials for an address, the preferred first.
    pub fn tries(&self, address: Ipv4Addr) -> Vec<u16> {
        (0_u16..)
            .zip(self.credentials.iter())
            .filter(|(_, one)| one.covers(address))
            .map(|(number, _)| number)
            .collect()
    }

    /// The community of this number, if it is one.
    pub fn community(&self, number: u16) -> Option<&Community> {
        match &self.credentials.get(usize::from(number))?.access {
            PreparedAccess::Community(community) => Some(community),
            PreparedAccess::User(_) => None,
        }
    }

    /// The user of this number, if it is one.
    pub fn user(&self, number: u16) -> Option<&PreparedUser> {
        match &self.credentials.get(usize::from(number))?.access {
            PreparedAccess::User(user) => Some(user),
            PreparedAccess::Community(_) => None,
        }
    }

    /// The keys of a user at an engine, and whether it took long to make them.
    pub fn keys(&mut self, number: u16, engine: &EngineId) -> Option<(Arc<LocalKeys>, bool)> {
        if let Some(keys) = self.keys.get(&(number, engine.clone())) {
            return Some((Arc::clone(keys), false));
        }
        let master = &self.user(number)?.keys;
        let (keys, took_long) = (Arc::new(master.localise(engine)), master.are_slow_to_localise());
        if self.keys.len() < Self::MOST_KEYS {
            self.keys.insert((number, engine.clone()), Arc::clone(&keys));
        }
        Some((keys, took_long))
    }

    /// A salt that none had before.
    pub fn salt(&mut self) -> u64 {
        self.salt = self.salt.wrapping_add(1);
        self.salt
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").field("credentials", &self.credentials).field("keys", &self.keys.len()).finish()
    }
}
