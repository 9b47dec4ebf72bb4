//! Why a received message is not acted on.

use std::time::Duration;

use crate::domain::controller::ControllerId;
use crate::domain::number::Epoch;
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;
use crate::wire::canonical::Malformed;
use crate::wire::envelope::OpenError;

/// Why a message was refused, in the order in which a message is checked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Too big, or not an envelope.
    #[error("what arrived is not a message")]
    Envelope(#[source] Malformed),
    /// The key or the source is on the blocklist.
    #[error("the sender is on the blocklist")]
    Blocklisted,
    /// Nobody here knows the key.
    #[error("the key that signed belongs to no known controller")]
    UnknownSender,
    /// The sender's certificate has ended.
    #[error("the certificate of {controller} ended at {at}; it must be renewed, or the controller validated again")]
    CertificateExpired {
        /// Whose.
        controller: ControllerId,
        /// When.
        at: Timestamp,
    },
    /// The sender has used a newer one.
    #[error("{controller} has used a newer certificate; this key is no longer taken")]
    CertificateRetired {
        /// Who.
        controller: ControllerId,
    },
    /// The sender's certificate was taken back.
    #[error("{controller} was revoked")]
    Revoked {
        /// Who.
        controller: ControllerId,
    },
    /// Two processes were seen under the sender's name.
    #[error("{controller} is locked, because two processes used its name; revoke it and validate one of them anew")]
    Locked {
        /// Who.
        controller: ControllerId,
    },
    /// The sender's log showed two histories.
    #[error("{controller} is suspended, because its event log showed two histories; an operator decides")]
    Suspended {
        /// Who.
        controller: ControllerId,
    },
    /// The signature is wrong, or the contents are not a message.
    #[error("the message cannot be opened")]
    Contents(#[source] OpenError),
    /// The key is another's than the sender's.
    #[error("the message says it is from {claimed}, the key that signed is that of {owner}")]
    SenderMismatch {
        /// Whom the message names.
        claimed: ControllerId,
        /// Whose key it is.
        owner: ControllerId,
    },
    /// For somebody else.
    #[error("the message is not for this controller")]
    WrongRecipient,
    /// The connection is somebody else's.
    #[error("the message is from {claimed}, the connection is that of {peer}")]
    PeerMismatch {
        /// Whom the message names.
        claimed: ControllerId,
        /// Whose connection it is.
        peer: ControllerId,
    },
    /// Too old.
    #[error(
        "the message is {} s old by the clocks of sender and receiver, at most {} s are taken; \
         check that NTP keeps both clocks right", .age.as_secs_f64(), .window.as_secs()
    )]
    Stale {
        /// How old it is.
        age: Duration,
        /// How old it may be.
        window: Duration,
    },
    /// From the future.
    #[error(
        "the message is {} s ahead of the receiver's clock, at most {} s are taken; \
         check that NTP keeps both clocks right", .ahead.as_secs_f64(), .window.as_secs()
    )]
    Future {
        /// How far ahead it is.
        ahead: Duration,
        /// How far ahead it may be.
        window: Duration,
    },
    /// No epoch.
    #[error("the message has no epoch")]
    EpochMissing,
    /// An earlier term.
    #[error("the message is from epoch {found}, this is epoch {known}")]
    EpochStale {
        /// The message's.
        found: Epoch,
        /// The one that is known.
        known: Epoch,
    },
    /// A later term.
    #[error("the message is from epoch {found}, which is not known here; this is epoch {known}")]
    EpochUnknown {
        /// The message's.
        found: Epoch,
        /// The one that is known.
        known: Epoch,
    },
    /// Made before the receiver began to remember.
    #[error("the message was made before this controller started, so it may have been here; it must be sent anew")]
    PrecedesStart,
    /// It was here.
    #[error("the message was here before")]
    Replayed,
    /// More than can be remembered.
    #[error("{sender} sends more messages than can be remembered; it is refused until some are out of date")]
    TooManyMessages {
        /// Who.
        sender: ControllerId,
    },
    /// Behind the others.
    #[error("the message is too far behind others of its sender, or from an earlier run of it")]
    OutOfSequence,
    /// Two processes send under one name.
    #[error("two processes send as {sender}: its data folder was copied; both are locked")]
    Cloned {
        /// Who.
        sender: ControllerId,
    },
}

impl Refusal {
    /// Whose messages are not taken at all, where that is the reason; on the blocklist it may be a
    /// key that nobody here knows.
    pub const fn barred(&self) -> Option<&ControllerId> {
        match self {
            Self::Revoked { controller }
            | Self::Locked { controller }
            | Self::Suspended { controller }
            | Self::CertificateExpired { controller, .. }
            | Self::CertificateRetired { controller } => Some(controller),
            _ => None,
        }
    }

    /// Its name in the log and to the sender.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Envelope(Malformed::TooLong { .. }) => Reason::MessageTooLarge,
            Self::Envelope(_) | Self::Contents(OpenError::Malformed { .. }) => Reason::Malformed,
            Self::Blocklisted => Reason::Blocklisted,
            Self::UnknownSender => Reason::UnknownSender,
            Self::CertificateExpired { .. } => Reason::CertificateExpired,
            Self::CertificateRetired { .. } => Reason::CertificateRetired,
            Self::Revoked { .. } => Reason::ControllerRevoked,
            Self::Locked { .. } => Reason::IdentityLocked,
            Self::Suspended { .. } => Reason::ControllerSuspended,
            Self::Contents(OpenError::Signature { .. }) => Reason::InvalidSignature,
            Self::SenderMismatch { .. } => Reason::SenderMismatch,
            Self::WrongRecipient => Reason::WrongRecipient,
            Self::PeerMismatch { .. } => Reason::PeerMismatch,
            Self::Stale { .. } => Reason::StaleTimestamp,
            Self::Future { .. } => Reason::FutureTimestamp,
            Self::EpochMissing => Reason::EpochMissing,
            Self::EpochStale { .. } => Reason::EpochStale,
            Self::EpochUnknown { .. } => Reason::EpochUnknown,
            Self::PrecedesStart => Reason::PrecedesStart,
            Self::Replayed => Reason::Replayed,
            Self::TooManyMessages { .. } => Reason::TooManyMessages,
            Self::OutOfSequence => Reason::OutOfSequence,
            Self::Cloned { .. } => Reason::IdentityCloned,
        }
    }
}
