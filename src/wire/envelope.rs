//! The envelope of every message between controllers: signed bytes, and in them a header and a body.
//!
//! What was received is used in this order: [`read`] (size and outer form), [`Sealed::open`]
//! (signature, then contents). Whether the key is known, and whether the header is acceptable now and
//! here, is for `algorithms::trust` to say.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::controller::ControllerId;
use crate::domain::key::PublicKey;
use crate::domain::message::{BootId, MessageId, MessageType, Topic};
use crate::domain::number::{Epoch, MessageSeq};
use crate::domain::time::Timestamp;
use crate::wire::canonical::{self, CanonicalError, Malformed};
use crate::wire::dsse::Dsse;
use crate::wire::signature::KeyPair;

/// The most octets that an envelope has. What is bigger is stored and referred to.
pub const LARGEST: usize = 256 * 1024;

/// The version of headers and bodies that is spoken here.
pub const SCHEMA_VERSION: u32 = 1;

/// What a message says beside its header.
pub trait Body: Serialize + DeserializeOwned {
    /// The message that it is the body of.
    const MESSAGE_TYPE: MessageType;
}

/// For whom a message is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// One controller.
    Controller(ControllerId),
    /// All who listen.
    Topic(Topic),
}

/// Who says what kind of thing to whom, when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "PlainHeader", into = "PlainHeader")]
pub struct Header {
    /// The message's name.
    pub message_id: MessageId,
    /// What the body is.
    pub message_type: MessageType,
    /// Who sends it.
    pub sender_id: ControllerId,
    /// For whom it is.
    pub destination: Destination,
    /// The sender's run.
    pub boot_id: BootId,
    /// The message's place in that run, from 1.
    pub seq: MessageSeq,
    /// When it was made, by the sender's clock.
    pub timestamp: Timestamp,
    /// The term that the sender knows; 0 when it knows none yet.
    pub epoch: Epoch,
    /// The version of header and body.
    pub schema_version: u32,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlainHeader {
    message_id: MessageId,
    message_type: MessageType,
    sender_id: ControllerId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    recipient_id: Option<ControllerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<Topic>,
    boot_id: BootId,
    seq: MessageSeq,
    timestamp: Timestamp,
    epoch: Epoch,
    schema_version: u32,
}

/// A header that is for nobody, or for one and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a header has either a recipient_id or a topic")]
pub struct DestinationError;

impl TryFrom<PlainHeader> for Header {
    type Error = DestinationError;

    fn try_from(plain: PlainHeader) -> Result<Self, DestinationError> {
        let destination = match (plain.recipient_id, plain.topic) {
            (Some(recipient), None) => Destination::Controller(recipient),
            (None, Some(topic)) => Destination::Topic(topic),
            _ => return Err(DestinationError),
        };
        Ok(Self {
            message_id: plain.message_id,
            message_type: plain.message_type,
            sender_id: plain.sender_id,
            destination,
            boot_id: plain.boot_id,
            seq: plain.seq,
            timestamp: plain.timestamp,
            epoch: plain.epoch,
            schema_version: plain.schema_version,
        })
    }
}

impl From<Header> for PlainHeader {
    fn from(header: Header) -> Self {
        let (recipient_id, topic) = match header.destination {
            Destination::Controller(recipient) => (Some(recipient), None),
            Destination::Topic(topic) => (None, Some(topic)),
        };
        Self {
            message_id: header.message_id,
            message_type: header.message_type,
            sender_id: header.sender_id,
            recipient_id,
            topic,
            boot_id: header.boot_id,
            seq: header.seq,
            timestamp: header.timestamp,
            epoch: header.epoch,
            schema_version: header.schema_version,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload<B> {
    header: Header,
    body: B,
}

/// What stands around the name of a message, in lower case, in the type of what is signed.
const TYPE_BEGIN: &str = "application/vnd.pdsno.";
const TYPE_END: &str = ".v1+json";

/// One run of a controller as the author of messages: it numbers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// The name that it sends under.
    pub id: ControllerId,
    boot_id: BootId,
    last: MessageSeq,
}

impl Author {
    /// A run that has sent nothing.
    pub const fn new(id: ControllerId, boot_id: BootId) -> Self {
        Self { id, boot_id, last: MessageSeq::from_number(0) }
    }

    /// The header of the next message with this body. A message that is sent again gets a new one: a
    /// receiver refuses what it has seen, and what is old.
    pub fn header<B: Body>(&mut self, to: Destination, epoch: Epoch, now: Timestamp, random: [u8; 10]) -> Header {
        self.last = self.last.next();
        Header {
            message_id: MessageId::new(now, random),
            message_type: B::MESSAGE_TYPE,
            sender_id: self.id.clone(),
            destination: to,
            boot_id: self.boot_id,
            seq: self.last,
            timestamp: now,
            epoch,
            schema_version: SCHEMA_VERSION,
        }
    }
}

/// Why a message cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The body has no canonical form.
    #[error("the body of {0} cannot be written")]
    Body(MessageType, #[source] CanonicalError),
    /// Too big.
    #[error("{message_type} has {length} octets, at most {LARGEST} are taken; store it and refer to it")]
    TooLong {
        /// The message.
        message_type: MessageType,
        /// Its octets.
        length: usize,
    },
}

/// Signs a message: the bytes that travel.
///
/// # Errors
/// [`SealError`].
pub fn seal<B: Body>(header: Header, body: &B, key: &KeyPair) -> Result<Vec<u8>, SealError> {
    let message_type = B::MESSAGE_TYPE;
    let payload =
        canonical::to_bytes(&Payload { header, body }).map_err(|source| SealError::Body(message_type, source))?;
    let dsse = Dsse::sign(payload_type(message_type), payload, key);
    let bytes =
        serde_json::to_vec(&dsse).map_err(|source| SealError::Body(message_type, CanonicalError::NotJson(source)))?;
    if bytes.len() > LARGEST {
        return Err(SealError::TooLong { message_type, length: bytes.len() });
    }
    Ok(bytes)
}

/// A message as it arrived: its outer form is right, the rest is yet to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    message_type: MessageType,
    dsse: Dsse,
}

/// Reads the outer form of what arrived. Nothing in it is verified yet.
///
/// # Errors
/// [`Malformed`]: more than [`LARGEST`] octets, or not an envelope of a known message.
pub fn read(bytes: &[u8]) -> Result<Sealed, Malformed> {
    if bytes.len() > LARGEST {
        return Err(Malformed::TooLong { length: bytes.len(), max: LARGEST });
    }
    let dsse: Dsse = canonical::read(bytes, "an envelope")?;
    let message_type = message_type(dsse.payload_type()).ok_or_else(|| {
        let unknown: String = dsse.payload_type().chars().take(100).collect();
        let error = serde::de::Error::custom(format_args!("unknown payload type {unknown:?}"));
        Malformed::Shape { what: "a message of this protocol", source: error }
    })?;
    Ok(Sealed { message_type, dsse })
}

/// The contents of a message that its sender signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<B> {
    /// Who says what kind of thing to whom, when.
    pub header: Header,
    /// What is said.
    pub body: B,
    /// The key that signed.
    pub key: PublicKey,
}

/// Why a message was not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The key that it names did not sign it.
    #[error("the signature is not one of the key {key} over this message")]
    Signature {
        /// The key.
        key: PublicKey,
    },
    /// What was signed is not the message that its type promises.
    #[error("the signed bytes are not a {message_type}")]
    Malformed {
        /// The promise.
        message_type: MessageType,
        /// What is wrong.
        #[source]
        source: Malformed,
    },
}

impl Sealed {
    /// What it says it is; the type is signed.
    pub const fn message_type(&self) -> MessageType {
        self.message_type
    }

    /// The key that is said to have signed.
    pub const fn key(&self) -> &PublicKey {
        self.dsse.keyid()
    }

    /// Verifies, then reads. Whether the key is one to believe is the caller's to know.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open<B: Body>(&self) -> Result<Message<B>, OpenError> {
        let key = *self.key();
        let payload = self.dsse.verified(&key).ok_or(OpenError::Signature { key })?;
        let malformed = |source| OpenError::Malformed { message_type: self.message_type, source };
        let refuse = |text| {
            let source = serde::de::Error::custom(text);
            malformed(Malformed::Shape { what: "the message that its type promises", source })
        };
        if self.message_type != B::MESSAGE_TYPE {
            return Err(refuse(format!("{} was expected", B::MESSAGE_TYPE)));
        }
        let Payload { header, body }: Payload<B> =
            canonical::read(payload, "the message that its type promises").map_err(malformed)?;
        if header.message_type != self.message_type {
            return Err(refuse(format!("its header says {}", header.message_type)));
        }
        if header.schema_version != SCHEMA_VERSION {
            return Err(refuse(format!("schema version {} is not {SCHEMA_VERSION}", header.schema_version)));
        }
        Ok(Message { header, body, key })
    }
}

fn payload_type(message: MessageType) -> String {
    format!("{TYPE_BEGIN}{}{TYPE_END}", message.as_str().to_ascii_lowercase())
}

fn message_type(payload_type: &str) -> Option<MessageType> {
    let name = payload_type.strip_prefix(TYPE_BEGIN)?.strip_suffix(TYPE_END)?;
    let is_upper = |octet: u8| octet.is_ascii_uppercase();
    if name.bytes().any(is_upper) { None } else { name.to_ascii_uppercase().parse().ok() }
}

#[cfg(test)]
mod tests;
