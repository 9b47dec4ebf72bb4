//! The challenges that wait for their answers.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::key::PublicKey;
use crate::domain::message::ChallengeId;
use crate::domain::time::Timestamp;
use crate::wire::transcript::Transcript;
use crate::wire::validation::{Challenge, ValidationRequest};

/// How long a challenge can be answered.
pub(super) const LIFETIME: Duration = Duration::from_secs(30);

/// How long after its end a challenge is still known, so that a late answer is called late.
const REMEMBERED: Duration = Duration::from_secs(30);

/// How many there are at most.
const MOST: usize = 1_024;

/// A request and the challenge that was its answer.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub request: ValidationRequest,
    pub source: String,
    pub requested_at: Timestamp,
    pub transcript: Transcript,
    pub challenge: Challenge,
    // Whether it was told that no answer came.
    pub told: bool,
}

impl Pending {
    /// Whether a request is the one that was answered, once more.
    pub(super) fn is_same(&self, request: &ValidationRequest) -> bool {
        self.request == *request
    }
}

/// At most one challenge a key.
#[derive(Debug, Default)]
pub(super) struct PendingChallenges {
    by_id: BTreeMap<ChallengeId, Pending>,
    by_key: BTreeMap<PublicKey, ChallengeId>,
}

impl PendingChallenges {
    pub(super) fn of_key(&self, key: &PublicKey) -> Option<&Pending> {
        self.by_key.get(key).and_then(|id| self.by_id.get(id))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn get(&self, id: &ChallengeId) -> Option<&Pending> {
        self.by_id.get(id)
    }

    pub(super) fn take(&mut self, id: &ChallengeId) -> Option<Pending> {
        let taken = self.by_id.remove(id)?;
        self.by_key.remove(&taken.request.public_key);
        Some(taken)
    }

    /// Keeps a challenge in place of an earlier one of the same key, if there is room.
    pub(super) fn insert(&mut self, pending: Pending, now: Timestamp) -> bool {
        let key = pending.request.public_key;
        if let Some(earlier) = self.by_key.get(&key).copied() {
            self.take(&earlier);
        }
        if self.by_id.len() >= MOST {
            // Those that are over but still known make room; those that wait do not.
            self.drop_where(|waiting| waiting.told && waiting.challenge.expires_at <= now);
        }
        if self.by_id.len() >= MOST {
            return false;
        }
        let id = pending.challenge.challenge_id;
        self.by_key.insert(key, id);
        self.by_id.insert(id, pending);
        true
    }

    /// Those whose time ended without an answer, each once.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Pending> {
        self.drop_where(|waiting| waiting.told && waiting.challenge.expires_at.saturating_add(REMEMBERED) <= now);
        let mut over = Vec::new();
        for waiting in self.by_id.values_mut().filter(|one| !one.told && one.challenge.expires_at <= now) {
            waiting.told = true;
            over.push(waiting.clone());
        }
        over
    }

    fn drop_where(&mut self, gone: impl Fn(&Pending) -> bool) {
        self.by_id.retain(|_, waiting| !gone(waiting));
        self.by_key.retain(|_, id| self.by_id.contains_key(id));
    }
}
