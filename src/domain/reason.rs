//! Why a controller, a message or a policy did not pass: the one list of reasons.

use serde::{Deserialize, Serialize};

use crate::domain::names::named;

/// Why a validation, a renewal, a message or a policy was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Reason {
    /// Sent too long ago, as the clocks of both sides see it.
    StaleTimestamp,
    /// Sent in the future, as the clocks of both sides see it.
    FutureTimestamp,
    /// The key or the source is on the blocklist.
    Blocklisted,
    /// The token is unknown, expired, taken back, spent or locked, or its proof is wrong.
    InvalidBootstrapToken,
    /// The token was used by another key.
    BootstrapTokenAlreadyConsumed,
    /// The token is for another role or region.
    TokenScopeMismatch,
    /// No such challenge is waiting for an answer.
    UnknownChallenge,
    /// The answer came after the challenge's end.
    ChallengeExpired,
    /// No answer came.
    ChallengeTimeout,
    /// Somebody else answered.
    TempIdMismatch,
    /// The signature is not one of the joiner's key over this conversation.
    InvalidSignature,
    /// This parent does not validate controllers of this role.
    ControllerTypeNotPermitted,
    /// The region is not allowed, or its name collides with that of another.
    InvalidRegion,
    /// The Regional Controller serves another region.
    RegionNotServedByThisRc,
    /// There are as many controllers as policy allows.
    ControllerQuotaExceeded,
    /// The parent's own right to validate has ended, was revoked, or is for another region.
    DelegationInvalid,
    /// The joiner was right, and pdsno failed.
    IdentityAssignmentFailed,
    /// The source asks more often than is allowed.
    TooManyAttempts,
    /// The parent has as many open challenges as it can hold.
    TooManyChallenges,
    /// The request is older than the last one of the same key.
    SupersededRequest,
    /// The parent's chain does not end at the trust root that the token pins, or does not hold.
    UntrustedParent,
    /// More octets than a message may have.
    MessageTooLarge,
    /// Not a message of this protocol.
    Malformed,
    /// Nobody here knows the key.
    UnknownSender,
    /// The key is not the one of whom the message says it is from.
    SenderMismatch,
    /// The sender's certificate has ended.
    CertificateExpired,
    /// The sender has used a newer certificate.
    CertificateRetired,
    /// The sender's certificate was taken back.
    ControllerRevoked,
    /// The sender is suspended: its event log showed two histories.
    ControllerSuspended,
    /// The sender is locked: two processes were seen under its name.
    IdentityLocked,
    /// Two processes send under one name.
    IdentityCloned,
    /// The message is for somebody else.
    WrongRecipient,
    /// The connection is somebody else's than the message.
    PeerMismatch,
    /// The message has no epoch.
    EpochMissing,
    /// The message is from an earlier term.
    EpochStale,
    /// The message is from a term that is not known here.
    EpochUnknown,
    /// The message was here before.
    Replayed,
    /// The message is older than the receiver's memory.
    PrecedesStart,
    /// The sender sends more messages than can be remembered.
    TooManyMessages,
    /// The message is from an earlier run of its sender, or too far behind its others.
    OutOfSequence,
    /// The policy is not newer than the one in effect, or another one has its version.
    PolicyRollback,
    /// The policy has ended.
    PolicyExpired,
    /// The policy is not signed by the trust root.
    PolicyNotSignedByGlobal,
    /// What both sides know of earlier policies does not agree.
    PolicyHistoryDiffers,
}

named!(Reason, ReasonError, "reason",
    StaleTimestamp => "STALE_TIMESTAMP",
    FutureTimestamp => "FUTURE_TIMESTAMP",
    Blocklisted => "BLOCKLISTED",
    InvalidBootstrapToken => "INVALID_BOOTSTRAP_TOKEN",
    BootstrapTokenAlreadyConsumed => "BOOTSTRAP_TOKEN_ALREADY_CONSUMED",
    TokenScopeMismatch => "TOKEN_SCOPE_MISMATCH",
    UnknownChallenge => "UNKNOWN_CHALLENGE",
    ChallengeExpired => "CHALLENGE_EXPIRED",
    ChallengeTimeout => "CHALLENGE_TIMEOUT",
    TempIdMismatch => "TEMP_ID_MISMATCH",
    InvalidSignature => "INVALID_SIGNATURE",
    ControllerTypeNotPermitted => "CONTROLLER_TYPE_NOT_PERMITTED",
    InvalidRegion => "INVALID_REGION",
    RegionNotServedByThisRc => "REGION_NOT_SERVED_BY_THIS_RC",
    ControllerQuotaExceeded => "CONTROLLER_QUOTA_EXCEEDED",
    DelegationInvalid => "DELEGATION_INVALID",
    IdentityAssignmentFailed => "IDENTITY_ASSIGNMENT_FAILED",
    TooManyAttempts => "TOO_MANY_ATTEMPTS",
    TooManyChallenges => "TOO_MANY_CHALLENGES",
    SupersededRequest => "SUPERSEDED_REQUEST",
    UntrustedParent => "UNTRUSTED_PARENT",
    MessageTooLarge => "MESSAGE_TOO_LARGE",
    Malformed => "MALFORMED",
    UnknownSender => "UNKNOWN_SENDER",
    SenderMismatch => "SENDER_MISMATCH",
    CertificateExpired => "CERTIFICATE_EXPIRED",
    CertificateRetired => "CERTIFICATE_RETIRED",
    ControllerRevoked => "CONTROLLER_REVOKED",
    ControllerSuspended => "CONTROLLER_SUSPENDED",
    IdentityLocked => "IDENTITY_LOCKED",
    IdentityCloned => "IDENTITY_CLONED",
    WrongRecipient => "WRONG_RECIPIENT",
    PeerMismatch => "PEER_MISMATCH",
    EpochMissing => "EPOCH_MISSING",
    EpochStale => "EPOCH_STALE",
    EpochUnknown => "EPOCH_UNKNOWN",
    Replayed => "REPLAYED",
    PrecedesStart => "PRECEDES_START",
    TooManyMessages => "TOO_MANY_MESSAGES",
    OutOfSequence => "OUT_OF_SEQUENCE",
    PolicyRollback => "POLICY_ROLLBACK",
    PolicyExpired => "POLICY_EXPIRED",
    PolicyNotSignedByGlobal => "POLICY_NOT_SIGNED_BY_GLOBAL",
    PolicyHistoryDiffers => "POLICY_HISTORY_DIFFERS");

impl Reason {
    /// What an outsider is told. Whether a token exists, existed or was used is not his business.
    #[must_use]
    pub const fn outward(self) -> Self {
        match self {
            Self::BootstrapTokenAlreadyConsumed => Self::InvalidBootstrapToken,
            other => other,
        }
    }

    /// Whether pdsno failed, as opposed to the joiner.
    pub const fn is_error(self) -> bool {
        matches!(self, Self::IdentityAssignmentFailed)
    }

    /// Whether somebody may be attacking.
    pub const fn is_alarming(self) -> bool {
        matches!(
            self,
            Self::BootstrapTokenAlreadyConsumed
                | Self::InvalidSignature
                | Self::TempIdMismatch
                | Self::UntrustedParent
                | Self::SenderMismatch
                | Self::PeerMismatch
                | Self::ControllerRevoked
                | Self::CertificateRetired
                | Self::IdentityCloned
                | Self::IdentityLocked
                | Self::Replayed
                | Self::PolicyRollback
                | Self::PolicyNotSignedByGlobal
                | Self::PolicyHistoryDiffers
        )
    }

    /// What the operator of the joiner must do, where waiting alone does not help; retries stop.
    pub const fn remedy(self) -> Option<&'static str> {
        match self {
            Self::Blocklisted => Some("take the controller off the parent's blocklist, or start it with a new key"),
            Self::InvalidBootstrapToken | Self::BootstrapTokenAlreadyConsumed => {
                Some("issue a new token on the parent (`pdsno token issue`) and start the controller with it")
            }
            Self::TokenScopeMismatch => Some("issue a token for this role and region, or correct them here"),
            Self::ControllerTypeNotPermitted => {
                Some("name the right parent: a Global Controller for a Regional, a Regional Controller for a Local one")
            }
            Self::InvalidRegion => {
                Some("choose a region that is allowed and whose letters and digits no other one has")
            }
            Self::ControllerRevoked | Self::IdentityLocked | Self::IdentityCloned | Self::CertificateRetired => Some(
                "revoke this controller on its parent if that has not been done, move its data folder away, and \
                 validate it anew with a fresh token (`pdsno token issue` on the parent)",
            ),
            Self::ControllerSuspended => Some(
                "look at the evidence on the parent (LOG_FORK in `pdsno events`), then reinstate this controller \
                 there, or revoke it and validate it anew",
            ),
            Self::CertificateExpired => Some(
                "check the clocks of this machine and of its parent; if both are right, move the data folder away, \
                 and validate the controller anew with a fresh token (`pdsno token issue` on the parent)",
            ),
            Self::RegionNotServedByThisRc => Some("name the Regional Controller of this region as the parent"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_one_name_in_text_and_in_json() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str().parse(), Ok(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }

    #[test]
    fn an_outsider_is_not_told_what_became_of_a_token() {
        assert_eq!(Reason::BootstrapTokenAlreadyConsumed.outward(), Reason::InvalidBootstrapToken);
        assert!(Reason::ALL.into_iter().all(|reason| reason.outward() != Reason::BootstrapTokenAlreadyConsumed));
    }

    #[test]
    fn only_what_waiting_cannot_change_has_a_remedy() {
        for reason in [Reason::StaleTimestamp, Reason::ControllerQuotaExceeded, Reason::IdentityAssignmentFailed] {
            assert_eq!(reason.remedy(), None, "{reason}");
        }
        assert!(Reason::Blocklisted.remedy().unwrap().contains("blocklist"));
        // What is told outside stops the retries as what is logged does.
        assert!(Reason::ALL.into_iter().all(|r| r.remedy().is_some() == r.outward().remedy().is_some()));
    }
}
