//! How the Global Controller makes a policy.

use std::time::Duration;

use crate::algorithms::policy::known::{Known, KnownPolicy};
use crate::domain::controller::ControllerId;
use crate::domain::number::{Epoch, PolicyVersion};
use crate::domain::policy::{Policy, PolicyDocument, PolicyRow};
use crate::domain::registry::SignedDocument;
use crate::domain::time::Timestamp;
use crate::wire::canonical::CanonicalError;
use crate::wire::signature::KeyPair;
use crate::wire::statement::Statement;

/// How long a policy is taken when its author does not say.
pub const LIFETIME: Duration = Duration::from_secs(365 * 86_400);

/// Who makes a policy.
#[derive(Debug, Clone, Copy)]
pub struct Issuer<'a> {
    /// The Global Controller.
    pub id: &'a ControllerId,
    /// Its key.
    pub key: &'a KeyPair,
    /// Its term.
    pub epoch: Epoch,
}

/// Why no policy is made.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// Policy is written only at the Global Controller.
    #[error(
        "policy is set at the Global Controller, and this is none; ask it there: with --as global where one process runs all tiers, else on its host"
    )]
    NotGlobal,
    /// It says what is in effect.
    #[error("version {0}, which is in effect, says the same already; nothing was changed")]
    Unchanged(PolicyVersion),
    /// It would be over before it began.
    #[error("a policy cannot end at {expires_at}, now is {now}")]
    Over {
        /// Its end.
        expires_at: Timestamp,
        /// Now.
        now: Timestamp,
    },
    /// It cannot be signed.
    #[error("the policy cannot be written")]
    Canonical(#[from] CanonicalError),
}

impl SetError {
    /// The code for programs.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotGlobal => "NOT_GLOBAL",
            Self::Unchanged(_) => "POLICY_UNCHANGED",
            Self::Over { .. } => "POLICY_OVER",
            Self::Canonical(_) => "NOT_WRITTEN",
        }
    }
}

/// The next version. It must say something else than the one in effect, or last longer than it.
///
/// # Errors
/// [`SetError`].
pub fn set(
    values: Policy,
    expires_at: Option<Timestamp>,
    known: &Known,
    issuer: Issuer<'_>,
    now: Timestamp,
) -> Result<KnownPolicy, SetError> {
    let ends = expires_at.unwrap_or_else(|| now.saturating_add(LIFETIME));
    if ends <= now {
        return Err(SetError::Over { expires_at: ends, now });
    }
    if let Some(policy) = known.in_effect().map(KnownPolicy::document)
        && policy.values == values
        && now < policy.expires_at
        && expires_at.is_none_or(|ends| ends <= policy.expires_at)
    {
        return Err(SetError::Unchanged(policy.version));
    }
    let document = PolicyDocument {
        version: known.version().unwrap_or_default().next(),
        issued_at: now,
        expires_at: ends,
        epoch: issuer.epoch,
        issuer: issuer.id.clone(),
        values,
    };
    Ok(KnownPolicy { statement: Statement::sign(document, issuer.key)?, taken_at: now })
}

/// A policy as a NIB keeps it.
///
/// # Errors
/// [`CanonicalError`] for a document that cannot be written as JSON.
pub fn row(policy: &KnownPolicy) -> Result<PolicyRow, CanonicalError> {
    let text = serde_json::to_string(&policy.statement).map_err(CanonicalError::NotJson)?;
    let document = policy.document();
    Ok(PolicyRow {
        version: document.version,
        document: SignedDocument::from_text(text),
        issued_at: document.issued_at,
        expires_at: document.expires_at,
        taken_at: policy.taken_at,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::algorithms::trust::authority::tests::{DAY, EPOCH, at, root};
    use crate::domain::policy::DiscoveryPolicy;
    use crate::domain::protocol::Protocol;
    use crate::wire::signature::tests::key;
    use crate::wire::statement::Chain;

    pub(crate) fn values(seconds: u64) -> Policy {
        Policy {
            discovery: DiscoveryPolicy {
                interval: Duration::from_secs(seconds),
                missed_cycles_before_inactive: 3,
                protocols: Protocol::ALL.to_vec(),
                neighbours: false,
                counters: false,
                probing: crate::domain::policy::Probing::default(),
            },
            lc_report_timeout: Duration::from_secs(600),
            emergency_rate_limit_per_hour: 5,
            discovery_spike_threshold: 50,
        }
    }

    pub(crate) fn root_chain() -> Chain {
        root().chain
    }

    /// The trust root, whose key is made of 1, sets one.
    pub(crate) fn next(known: &Known, seconds: u64, now: Timestamp) -> Result<KnownPolicy, SetError> {
        let (id, key) = ("global_cntl_1".parse().unwrap(), key(1));
        set(values(seconds), None, known, Issuer { id: &id, key: &key, epoch: EPOCH }, now)
    }

    /// So many versions: `n` says an interval of `n` seconds and is of the second `n`.
    pub(crate) fn history(count: u64) -> Known {
        (1..=count).fold(Known::default(), |known, n| {
            let policy = next(&known, n, at(i64::try_from(n).unwrap())).unwrap();
            known.with([policy])
        })
    }

    #[test]
    fn versions_rise_from_one_and_last_a_year() {
        let known = history(3);
        let document = known.in_effect().unwrap().document();
        assert_eq!((document.version.number(), document.expires_at), (3, at(3).saturating_add(DAY * 365)));
        assert_eq!((document.epoch, document.issuer.as_str()), (EPOCH, "global_cntl_1"));
        assert!(known.in_effect().unwrap().statement.verified(&key(1).public_key()).is_some());
    }

    #[test]
    fn what_says_nothing_new_is_no_version() {
        let known = history(3);
        let refusal = next(&known, 3, at(100)).unwrap_err();
        assert!(matches!(refusal, SetError::Unchanged(version) if version.number() == 3), "{refusal}");
        assert!(next(&known, 4, at(100)).is_ok());
        // Once it has ended, or to make it last, it may be said again.
        assert!(next(&known, 3, at(3).saturating_add(DAY * 365)).is_ok());
        let (id, key) = ("global_cntl_1".parse().unwrap(), key(1));
        let again = |ends| set(values(3), Some(ends), &known, Issuer { id: &id, key: &key, epoch: EPOCH }, at(100));
        assert!(again(at(3).saturating_add(DAY * 400)).is_ok());
        assert!(matches!(again(at(3).saturating_add(DAY)), Err(SetError::Unchanged(_))));
        assert!(matches!(again(at(100)), Err(SetError::Over { .. })));
    }
}
