//! The actor through which a controller talks to others: it seals and checks every message.
//!
//! ```text
//!   others ──Send<B>──► PostActor ──Dispatch──► carrier ⇢ network
//!   others ◄─Delivered<B>── PostActor ◄──Arrived── carrier ⇠ network
//! ```

use std::sync::Arc;

use actix::Message;

use crate::domain::certificate::Certificate;
use crate::domain::controller::ControllerId;
use crate::domain::key::PublicKey;
use crate::domain::message::MessageId;
use crate::domain::number::Epoch;
use crate::domain::registry::Blocked;
use crate::wire::envelope::{Body, Destination, Header, SealError};
use crate::wire::signature::KeyPair;

/// Octets that a carrier brings.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Arrived {
    /// The address that they came from, as the carrier knows it.
    pub source: String,
    /// Whose connection they came over, where the carrier knows that.
    pub peer: Option<ControllerId>,
    /// The envelope.
    pub bytes: Vec<u8>,
}

/// Octets for a carrier to bring to others. Carriers receive it.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<(), Undeliverable>")]
pub struct Dispatch {
    /// For whom.
    pub to: Destination,
    /// The envelope.
    pub bytes: Vec<u8>,
}

/// Why a carrier did not take a message. What it took may be lost, too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undeliverable {
    /// Nobody of this name is known or connected.
    #[error("{0} cannot be reached")]
    Unreachable(ControllerId),
    /// Too much waits for it already.
    #[error("too many messages wait for {0}")]
    Full(ControllerId),
    /// The carrier has ended.
    #[error("the carrier has ended")]
    Ended,
}

/// Who this controller is towards others: what it signs with.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Its name; before it has one, what it calls itself.
    pub id: ControllerId,
    /// Its key.
    pub key: Arc<KeyPair>,
    /// The term that it knows; 0 before it has a name.
    pub epoch: Epoch,
}

/// From now on this is who sends, and for whom messages are taken.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Assume(pub Identity);

/// Something is known about another controller, verified and committed.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub enum Acquaint {
    /// Its messages are taken under this certificate alone.
    Insert(Certificate),
    /// Also under this next one.
    Renew(Certificate),
    /// Its messages are taken no more.
    Revoke(ControllerId),
    /// Its messages are taken no more until it is validated again.
    Lock(ControllerId),
    /// A key or source is refused.
    Block(Blocked),
    /// And no longer.
    Unblock(Blocked),
}

/// A message to send. The answer says what it was called; whether it arrives, nobody knows.
#[derive(Debug, Clone, Message)]
#[rtype(result = "Result<MessageId, SendError>")]
pub struct Send<B: Body + 'static> {
    /// For whom.
    pub to: Destination,
    /// What is said.
    pub body: B,
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It cannot be written.
    #[error("the message cannot be sealed")]
    Seal(#[from] SealError),
    /// Nobody takes it.
    #[error("the message cannot be delivered")]
    Undeliverable(#[from] Undeliverable),
    /// The system gives no randomness.
    #[error("the message has no id")]
    NoEntropy(#[from] crate::domain::entropy::NoEntropy),
}

/// A message that passed every check.
#[derive(Debug, Clone, Message)]
#[rtype(result = "()")]
pub struct Delivered<B: Body + 'static> {
    /// Who says it to whom, when.
    pub header: Header,
    /// What is said.
    pub body: B,
    /// The key that signed it.
    pub key: PublicKey,
    /// The sender's certificate; none for a message by which controllers come to know each other.
    pub sender: Option<Certificate>,
    /// The address that it came from.
    pub source: String,
}
