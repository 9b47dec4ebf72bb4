//! The answer to a message that was not acted on.

use serde::{Deserialize, Serialize};

use crate::domain::key::PublicKey;
use crate::domain::message::{MessageId, MessageType};
use crate::domain::reason::Reason;
use crate::wire::envelope::Body;
use crate::wire::statement::Chain;

/// To the sender of a message: it was not acted on, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRefused {
    /// The message.
    pub message_id: MessageId,
    /// The key that signed the message. Whoever has another is not meant, whatever name it was sent under.
    pub keyid: PublicKey,
    /// The reason, as outsiders are told.
    pub reason: Reason,
    /// The particulars, for people.
    pub detail: String,
    /// Why the answer may be believed by who knows nobody yet.
    pub parent: Option<Chain>,
}

impl Body for MessageRefused {
    const MESSAGE_TYPE: MessageType = MessageType::MessageRefused;
}
