//! The policies that a controller knows.

use serde::{Deserialize, Serialize};

use crate::domain::controller::ControllerId;
use crate::domain::digest::Digest;
use crate::domain::number::{Epoch, PolicyVersion};
use crate::domain::policy::{Policy, PolicyDocument, PolicyRow};
use crate::domain::time::Timestamp;
use crate::wire::canonical::{self, CanonicalError, Malformed};
use crate::wire::policy::PolicyUpdate;
use crate::wire::statement::{Chain, Statement};

/// How many versions back a controller tells of: somebody who was away longer takes part of the
/// history, and the one in effect in any case.
pub const WINDOW: usize = 32;

/// How long the documents of one update are together, beside the one in effect: octets of JSON, so
/// that with the base64 of statement and envelope it stays below what an envelope has.
const LONGEST: usize = 96 * 1024;

/// The newest policies of a controller, at most [`WINDOW`], ascending; the last is in effect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Known {
    policies: Vec<KnownPolicy>,
}

/// A policy with the bytes that were signed.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownPolicy {
    /// The document.
    pub statement: Statement<PolicyDocument>,
    /// When it was taken here.
    pub taken_at: Timestamp,
}

/// A policy for those who ask about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySummary {
    /// Its version.
    pub version: PolicyVersion,
    /// SHA-256 of what was signed.
    pub digest: Digest,
    /// Who signed it.
    pub issuer: ControllerId,
    /// In which term.
    pub epoch: Epoch,
    /// When.
    pub issued_at: Timestamp,
    /// When it ends; where it is in effect it stays so.
    pub expires_at: Timestamp,
    /// When it was taken here.
    pub taken_at: Timestamp,
    /// What it says.
    pub values: Policy,
}

impl KnownPolicy {
    /// What it says. It was verified before it was stored.
    pub const fn document(&self) -> &PolicyDocument {
        self.statement.unverified()
    }

    /// The policy in a few words.
    pub fn summary(&self) -> PolicySummary {
        let document = self.document();
        PolicySummary {
            version: document.version,
            digest: self.statement.digest(),
            issuer: document.issuer.clone(),
            epoch: document.epoch,
            issued_at: document.issued_at,
            expires_at: document.expires_at,
            taken_at: self.taken_at,
            values: document.values.clone(),
        }
    }
}

impl TryFrom<&PolicyRow> for KnownPolicy {
    type Error = Malformed;

    fn try_from(row: &PolicyRow) -> Result<Self, Malformed> {
        let statement = canonical::read(row.document.as_str().as_bytes(), "a policy")?;
        Ok(Self { statement, taken_at: row.taken_at })
    }
}

impl Known {
    /// The version after which the rows of a NIB are to be read, when this one is in effect there.
    pub fn after(in_effect: PolicyVersion) -> PolicyVersion {
        let window = u64::try_from(WINDOW).unwrap_or(u64::MAX);
        PolicyVersion::from_number(in_effect.number().saturating_sub(window))
    }

    /// What these rows say, ascending by version.
    ///
    /// # Errors
    /// [`Malformed`] for a document that nobody signed: the NIB is damaged.
    pub fn read(rows: &[PolicyRow]) -> Result<Self, Malformed> {
        let newest = rows.iter().skip(rows.len().saturating_sub(WINDOW));
        Ok(Self { policies: newest.map(KnownPolicy::try_from).collect::<Result<_, _>>()? })
    }

    /// The one in effect.
    pub fn in_effect(&self) -> Option<&KnownPolicy> {
        self.policies.last()
    }

    /// The version in effect.
    pub fn version(&self) -> Option<PolicyVersion> {
        self.in_effect().map(|policy| policy.document().version)
    }

    /// One of them.
    pub fn get(&self, version: PolicyVersion) -> Option<&KnownPolicy> {
        self.policies.iter().find(|policy| policy.document().version == version)
    }

    /// With these taken, too.
    #[must_use]
    pub fn with(&self, taken: impl IntoIterator<Item = KnownPolicy>) -> Self {
        let mut policies: Vec<_> = self.policies.iter().cloned().chain(taken).collect();
        policies.drain(..policies.len().saturating_sub(WINDOW));
        Self { policies }
    }

    /// SHA-256 over the canonical form of versions and digests, ascending, from this version on.
    ///
    /// # Errors
    /// [`CanonicalError`] never occurs for this form; it is passed on instead of a panic.
    pub fn state_root(&self, from: PolicyVersion) -> Result<Digest, CanonicalError> {
        #[derive(Serialize)]
        struct Line {
            version: PolicyVersion,
            digest: Digest,
        }
        let of = |policy: &KnownPolicy| Line { version: policy.document().version, digest: policy.statement.digest() };
        let lines: Vec<Line> =
            self.policies.iter().filter(|policy| policy.document().version >= from).map(of).collect();
        canonical::digest(&lines)
    }

    /// What a controller below lacks when it has taken up to `have`: the newest that fit into one
    /// message, ascending. Nothing when the one in effect has ended, for nobody would take it.
    ///
    /// # Errors
    /// [`CanonicalError`] as in [`Known::state_root`].
    pub fn catch_up(
        &self,
        have: Option<PolicyVersion>,
        chain: Chain,
        now: Timestamp,
    ) -> Result<PolicyUpdate, CanonicalError> {
        let is_over = self.in_effect().is_none_or(|policy| now >= policy.document().expires_at);
        let (mut documents, mut length) = (Vec::new(), 0);
        let lacking = self.policies.iter().rev().filter(|policy| Some(policy.document().version) > have);
        for policy in lacking.take_while(|_| !is_over) {
            length += serde_json::to_vec(&policy.statement).map_err(CanonicalError::NotJson)?.len();
            if length > LONGEST && !documents.is_empty() {
                break;
            }
            documents.push(policy.statement.clone());
        }
        documents.reverse();
        let from = self.policies.first().map(|policy| policy.document().version).unwrap_or_default();
        Ok(PolicyUpdate { documents, chain, from, state_root: self.state_root(from)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algorithms::policy::set::tests::{history, root_chain};
    use crate::algorithms::trust::authority::tests::{DAY, at};

    fn version(number: u64) -> PolicyVersion {
        PolicyVersion::from_number(number)
    }

    fn versions(update: &PolicyUpdate) -> Vec<u64> {
        update.documents.iter().map(|document| document.unverified().version.number()).collect()
    }

    #[test]
    fn who_returns_is_sent_what_it_missed_and_nothing_else() {
        let known = history(5);
        let sent = |have| versions(&known.catch_up(have, root_chain(), at(100)).unwrap());
        assert_eq!(sent(None), [1, 2, 3, 4, 5]);
        assert_eq!(sent(Some(version(3))), [4, 5]);
        assert_eq!(sent(Some(version(5))), [0; 0]);
        assert_eq!(sent(Some(version(9))), [0; 0]);
    }

    #[test]
    fn what_has_ended_is_not_sent() {
        let update = history(2).catch_up(None, root_chain(), at(2).saturating_add(DAY * 365)).unwrap();
        assert_eq!((versions(&update), update.from), (vec![], version(1)));
    }

    #[test]
    fn only_the_window_is_told_of() {
        let known = history(40);
        assert_eq!(known.version(), Some(version(40)));
        let update = known.catch_up(None, root_chain(), at(100)).unwrap();
        assert_eq!(versions(&update), (9..=40).collect::<Vec<_>>());
        assert_eq!((update.from, Known::after(version(40))), (version(9), version(8)));
        assert!(serde_json::to_vec(&update).unwrap().len() < crate::wire::envelope::LARGEST * 3 / 4);
        assert_eq!(Known::default().catch_up(None, root_chain(), at(0)).unwrap().documents, []);
    }

    #[test]
    fn a_root_is_about_versions_and_digests_from_a_version_on() {
        let (five, six) = (history(5), history(6));
        assert_ne!(five.state_root(version(1)).unwrap(), six.state_root(version(1)).unwrap());
        assert_ne!(six.state_root(version(1)).unwrap(), six.state_root(version(2)).unwrap());
        let tail = Known { policies: six.policies[2..].to_vec() };
        assert_eq!(tail.state_root(version(3)).unwrap(), six.state_root(version(3)).unwrap());
        assert_eq!(five.with(six.policies[5..].to_vec()), six);
    }

    #[test]
    fn rows_are_read_back() {
        let known = history(3);
        let row = |policy: &KnownPolicy| crate::algorithms::policy::set::row(policy).unwrap();
        let mut rows: Vec<PolicyRow> = known.policies.iter().map(row).collect();
        assert_eq!(Known::read(&rows).unwrap(), known);
        rows[1].document = crate::domain::registry::SignedDocument::from_text("{}".to_owned());
        assert!(Known::read(&rows).is_err());
    }
}
