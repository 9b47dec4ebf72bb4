//! The answer to a message that was not acted on.

use serde::{Deserialize, Serialize};

use crate::domain::message::{MessageId, MessageType};
use crate::domain::reason::Reason;
use crate::wire::envelope::Body;

/// To the sender of a message: it was not acted on, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessageRefused {
    /// The message.
    pub message_id: MessageId,
    /// The reason, as outsiders are told.
    pub reason: Reason,
    /// The particulars, for people.
    pub detail: String,
}

impl Body for MessageRefused {
    const MESSAGE_TYPE: MessageType = MessageType::MessageRefused;
}
