//! Messages between controllers: their kinds and what names a single one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::names::named;
use crate::domain::time::Timestamp;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MessageType {
    /// A newcomer asks to be validated.
    ValidationRequest,
    /// The parent asks it to prove that it has its key and the token.
    Challenge,
    /// The newcomer's proofs.
    ChallengeResponse,
    /// The parent's decision.
    ValidationResult,
    /// The newcomer has its certificate.
    ValidationAck,
    /// A controller asks for a certificate for its next key.
    RenewalRequest,
    /// The parent's decision on it.
    RenewalResult,
    /// A parent has a new certificate.
    ParentRenewed,
    /// A message was not acted on.
    MessageRefused,
    /// A child is there, and how it is.
    Heartbeat,
    /// Its parent is there, too.
    HeartbeatAck,
    /// What a Local Controller's cycle changed.
    DiscoveryReport,
    /// What changed in a Regional Controller's view.
    DiscoverySummary,
    /// Reports or summaries were taken up to a number.
    StreamAck,
    /// Reports or summaries are wanted from a number on, or a snapshot.
    StreamRequest,
    /// A cycle is wanted now.
    DiscoveryRequest,
    /// Policies of the Global Controller, passed down.
    PolicyUpdate,
    /// Which policy a controller runs, or why it refused one.
    PolicyAck,
    /// What a controller missed is wanted.
    PolicyRequest,
    /// The head of a log, to be witnessed.
    Checkpoint,
    /// The witness's cosignature, or why there is none.
    CheckpointAnswer,
}

named!(MessageType, MessageTypeError, "message type",
    ValidationRequest => "VALIDATION_REQUEST",
    Challenge => "CHALLENGE",
    ChallengeResponse => "CHALLENGE_RESPONSE",
    ValidationResult => "VALIDATION_RESULT",
    ValidationAck => "VALIDATION_ACK",
    RenewalRequest => "RENEWAL_REQUEST",
    RenewalResult => "RENEWAL_RESULT",
    ParentRenewed => "PARENT_RENEWED",
    MessageRefused => "MESSAGE_REFUSED",
    Heartbeat => "HEARTBEAT",
    HeartbeatAck => "HEARTBEAT_ACK",
    DiscoveryReport => "DISCOVERY_REPORT",
    DiscoverySummary => "DISCOVERY_SUMMARY",
    StreamAck => "STREAM_ACK",
    StreamRequest => "STREAM_REQUEST",
    DiscoveryRequest => "DISCOVERY_REQUEST",
    PolicyUpdate => "POLICY_UPDATE",
    PolicyAck => "POLICY_ACK",
    PolicyRequest => "POLICY_REQUEST",
    Checkpoint => "CHECKPOINT",
    CheckpointAnswer => "CHECKPOINT_ANSWER");

impl MessageType {
    /// Whether its sender may be one that the receiver does not know yet: the messages by which two
    /// controllers come to know each other. A renewal's result is one, because the parent may have a
    /// new key itself; it shows its chain and quotes a nonce, and its reader checks both. So is a
    /// parent's word of its new key, whose reader checks the chain and that it is a later one.
    pub const fn introduces(self) -> bool {
        matches!(
            self,
            Self::ValidationRequest
                | Self::Challenge
                | Self::ChallengeResponse
                | Self::ValidationResult
                | Self::RenewalResult
                | Self::ParentRenewed
        )
    }
}

/// A text that is not an id of this kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}")]
pub struct IdError {
    what: &'static str,
    text: String,
}

fn strict(text: &str, version: usize, what: &'static str) -> Result<Uuid, IdError> {
    // One spelling an id, or a replay could pass for another message.
    Uuid::try_parse(text)
        .ok()
        .filter(|uuid| uuid.get_version_num() == version && uuid.to_string() == text)
        .ok_or_else(|| IdError { what, text: text.chars().take(64).collect() })
}

macro_rules! uuid_text {
    ($name:ident, $version:literal, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                strict(text, $version, $what).map(Self)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

/// The name of one message: a UUIDv7 (RFC 9562 section 5.7), so ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MessageId(Uuid);

impl MessageId {
    /// The id of a message that is made now; `random` tells apart those of one millisecond.
    pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

uuid_text!(MessageId, 7, "a message id: a UUIDv7 in lower case with hyphens");

/// One run of a controller, from its start to its end: a random UUIDv4 (RFC 9562 section 5.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BootId(Uuid);

impl BootId {
    /// The id made of these random octets.
    pub fn new(random: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(random).into_uuid())
    }
}

uuid_text!(BootId, 4, "a boot id: a UUIDv4 in lower case with hyphens");

/// One challenge of a parent: a random UUIDv4, which the answer quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChallengeId(Uuid);

impl ChallengeId {
    /// The id made of these random octets.
    pub fn new(random: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(random).into_uuid())
    }
}

uuid_text!(ChallengeId, 4, "a challenge id: a UUIDv4 in lower case with hyphens");

/// What many may listen to: `policy/zoneA`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(String);

impl Topic {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Topic {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let level = |level: &str| !level.is_empty() && level.chars().all(plain);
        if text.len() <= 255 && text.split('/').all(level) {
            Ok(Self(text.to_owned()))
        } else {
            let what = "a topic: levels of letters, digits, '_' and '-', parted by '/', at most 255 characters";
            Err(IdError { what, text: text.chars().take(64).collect() })
        }
    }
}

impl TryFrom<String> for Topic {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<Topic> for String {
    fn from(topic: Topic) -> Self {
        topic.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_are_read_back_and_sort_by_time(early in 0_i64..1 << 46, later in 1_i64..1 << 46, random: [u8; 10]) {
            let id = MessageId::new(Timestamp::from_millis(early), random);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert!(id < MessageId::new(Timestamp::from_millis(early + later), [0; 10]));
        }
    }

    #[test]
    fn an_id_has_one_spelling_and_its_own_version() {
        let boot = BootId::new([0xab; 16]).to_string();
        assert!(boot.parse::<BootId>().is_ok());
        assert!(boot.parse::<MessageId>().unwrap_err().to_string().contains("UUIDv7"));
        assert!(boot.to_uppercase().parse::<BootId>().is_err());
        assert!(format!("{{{boot}}}").parse::<BootId>().is_err());
    }

    #[test]
    fn a_type_has_one_name_in_text_and_in_json() {
        for kind in MessageType::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }

    #[test]
    fn a_topic_has_plain_levels() {
        assert_eq!("policy/zoneA".parse::<Topic>().unwrap().as_str(), "policy/zoneA");
        for text in ["", "/", "a//b", "a/+", "#", "a b"] {
            assert!(text.parse::<Topic>().is_err(), "{text:?}");
        }
    }
}
