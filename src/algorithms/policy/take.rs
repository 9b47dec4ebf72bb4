//! How a controller takes what comes from above.

use crate::algorithms::policy::known::{Known, KnownPolicy};
use crate::algorithms::trust::chain::{self, ChainError, Trust};
use crate::domain::certificate::Certificate;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::number::{Epoch, PolicyVersion};
use crate::domain::policy::PolicyDocument;
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;
use crate::wire::canonical::CanonicalError;
use crate::wire::policy::{PolicyRefusal, PolicyUpdate};

/// Why an update was not taken. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// It does not come from the controller above.
    #[error("{0} is not the controller above")]
    NotFromParent(ControllerId),
    /// Nobody who may say so says who signed it.
    #[error("the chain that came with it does not hold")]
    Chain(#[from] ChainError),
    /// The chain is that of another tier.
    #[error("{0} is no Global Controller")]
    Issuer(ControllerId),
    /// Another key signed it, or it is said in another's name.
    #[error("version {version} was not signed by {root}")]
    Signature {
        /// Which.
        version: PolicyVersion,
        /// The trust root.
        root: ControllerId,
    },
    /// A term that has not begun.
    #[error("version {version} is of epoch {found}, this is epoch {known}")]
    EpochUnknown {
        /// Which.
        version: PolicyVersion,
        /// Its term.
        found: Epoch,
        /// The one that is known.
        known: Epoch,
    },
    /// A term before that of an older version.
    #[error("version {version} is of epoch {found}, a version before it of epoch {known}")]
    EpochStale {
        /// Which.
        version: PolicyVersion,
        /// Its term.
        found: Epoch,
        /// That of the older one.
        known: Epoch,
    },
    /// Not newer.
    #[error("version {version} is not newer than {than}")]
    Rollback {
        /// Which.
        version: PolicyVersion,
        /// What is known already, or came before it in the same update.
        than: PolicyVersion,
    },
    /// Another document has the version.
    #[error("another document is known as version {0}")]
    Another(PolicyVersion),
    /// Over.
    #[error("version {version} ended at {expires_at}")]
    Expired {
        /// Which.
        version: PolicyVersion,
        /// When.
        expires_at: Timestamp,
    },
    /// The history is not that of the parent.
    #[error("what is known from version {from} on is not what the controller above knows")]
    HistoryDiffers {
        /// From where on.
        from: PolicyVersion,
    },
    /// The own history has no canonical form.
    #[error("what is known cannot be compared")]
    Canonical(#[from] CanonicalError),
}

impl TakeError {
    /// The reason in events and answers.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NotFromParent(_) => Reason::UntrustedParent,
            Self::Chain(_) | Self::Issuer(_) | Self::Signature { .. } => Reason::PolicyNotSignedByGlobal,
            Self::EpochUnknown { .. } => Reason::EpochUnknown,
            Self::EpochStale { .. } => Reason::EpochStale,
            Self::Rollback { .. } | Self::Another(_) => Reason::PolicyRollback,
            Self::Expired { .. } => Reason::PolicyExpired,
            Self::HistoryDiffers { .. } | Self::Canonical(_) => Reason::PolicyHistoryDiffers,
        }
    }

    /// What the parent is told about the newest document of its update.
    pub fn refusal(&self, update: &PolicyUpdate) -> PolicyRefusal {
        let mut detail = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            detail = format!("{detail}: {error}");
            cause = error.source();
        }
        PolicyRefusal { version: newest(update), reason: self.reason(), detail }
    }
}

/// The version that an update is about.
pub fn newest(update: &PolicyUpdate) -> PolicyVersion {
    update.documents.last().map(|document| document.unverified().version).unwrap_or_default()
}

/// What is new in an update: nothing when all of it is known. Either all of it is in order or nothing
/// of it is taken. A document that a later one of the same update replaces may have ended, since it
/// never takes effect.
///
/// # Errors
/// [`TakeError`].
pub fn take(update: &PolicyUpdate, known: &Known, trust: &Trust<'_>) -> Result<Vec<KnownPolicy>, TakeError> {
    if update.documents.is_empty() {
        return compare(update, known).map(|()| Vec::new());
    }
    let root = chain::verify(&update.chain, trust)?;
    if root.role != Role::Global {
        return Err(TakeError::Issuer(root.controller_id.clone()));
    }
    let in_effect = known.in_effect().map(KnownPolicy::document);
    let mut before: Option<&PolicyDocument> = None;
    let mut taken = Vec::new();
    for statement in &update.documents {
        let version = statement.unverified().version;
        let document = statement.verified(&root.public_key).filter(|document| document.issuer == root.controller_id);
        let document = document.ok_or_else(|| TakeError::Signature { version, root: root.controller_id.clone() })?;
        rises(document, before)?;
        match known.get(version) {
            Some(own) if own.statement.digest() != statement.digest() => return Err(TakeError::Another(version)),
            Some(_) => {}
            // From before this controller took its first one: too late to be written down.
            None if in_effect.is_some_and(|own| version < own.version) => {}
            None => {
                rises(document, in_effect)?;
                belongs(document, root, trust)?;
                taken.push(KnownPolicy { statement: statement.clone(), taken_at: trust.now });
            }
        }
        before = Some(document);
    }
    if let (Some(last), Some(own)) = (before, in_effect)
        && last.version < own.version
    {
        return Err(TakeError::Rollback { version: last.version, than: own.version });
    }
    if let Some(last) = taken.last().map(KnownPolicy::document)
        && trust.now >= last.expires_at
    {
        return Err(TakeError::Expired { version: last.version, expires_at: last.expires_at });
    }
    compare(update, &known.with(taken.iter().cloned()))?;
    Ok(taken)
}

fn rises(document: &PolicyDocument, before: Option<&PolicyDocument>) -> Result<(), TakeError> {
    let version = document.version;
    match before {
        Some(before) if version <= before.version => Err(TakeError::Rollback { version, than: before.version }),
        Some(before) if document.epoch < before.epoch => {
            Err(TakeError::EpochStale { version, found: document.epoch, known: before.epoch })
        }
        _ => Ok(()),
    }
}

fn belongs(document: &PolicyDocument, root: &Certificate, trust: &Trust<'_>) -> Result<(), TakeError> {
    let known = trust.epoch.unwrap_or(root.epoch);
    if document.epoch > known {
        return Err(TakeError::EpochUnknown { version: document.version, found: document.epoch, known });
    }
    Ok(())
}

/// Holds what is known against what the parent knows, where both go back equally far.
fn compare(update: &PolicyUpdate, known: &Known) -> Result<(), TakeError> {
    let reaches = known.get(update.from).is_some() && known.version() >= Some(newest(update));
    if reaches && known.state_root(update.from)? != update.state_root {
        return Err(TakeError::HistoryDiffers { from: update.from });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
