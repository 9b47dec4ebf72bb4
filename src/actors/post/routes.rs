//! Which message goes to which actor.

use std::collections::BTreeMap;

use actix::Recipient;
use serde_json::json;
use tracing::warn;

use super::Delivered;
use crate::actors::health::Note;
use crate::algorithms::trust::directory::{Directory, Switched};
use crate::algorithms::trust::gate::{Arrival, Gate, Opened, Refused};
use crate::domain::certificate::Certificate;
use crate::domain::controller::ControllerId;
use crate::domain::message::MessageType;
use crate::domain::number::Epoch;
use crate::wire::envelope::{Body, Header, Sealed};
use crate::wire::refused::MessageRefused;

/// How much of another's text is logged.
const LONGEST_QUOTE: usize = 300;

/// The messages that a controller takes, each with the one actor that takes it.
///
/// Refusals are logged unless somebody takes them.
pub struct Routes(BTreeMap<MessageType, Box<dyn Route>>);

/// A message that passed, on its way.
pub(super) struct Opening {
    pub message_type: MessageType,
    pub sender: ControllerId,
    /// The certificate that its sender used for the first time, and what it took the place of.
    pub switched: Option<(Switched, Certificate)>,
    /// Hands it on, and says whether it was taken.
    pub hand_on: Box<dyn FnOnce() -> bool>,
}

/// Opens messages of one type.
pub(super) trait Route {
    /// Opens a message at the gate.
    ///
    /// # Errors
    /// [`Refused`].
    fn open(
        &self,
        gate: &mut Gate,
        sealed: &Sealed,
        directory: &mut Directory,
        epoch: Epoch,
        arrival: Arrival<'_>,
    ) -> Result<Opening, Refused>;

    /// The header that the message's key signed, of a message that was refused before it was read.
    fn author(&self, sealed: &Sealed) -> Option<Header>;
}

struct To<B: Body + Send + 'static>(Recipient<Delivered<B>>);

/// For refusals that nobody takes; whoever watches is told of the latest.
struct ToTheLog(Option<Recipient<Note>>);

impl Routes {
    /// No messages, but for refusals, which are logged.
    pub fn new() -> Self {
        Self(BTreeMap::new()).log(None)
    }

    /// The latest refusal is also a note, "refused" in the status, unless somebody takes refusals.
    #[must_use]
    pub fn noting(self, notes: Recipient<Note>) -> Self {
        self.log(Some(notes))
    }

    fn log(mut self, notes: Option<Recipient<Note>>) -> Self {
        self.0.insert(MessageType::MessageRefused, Box::new(ToTheLog(notes)));
        self
    }

    /// Messages with this body go there.
    #[must_use]
    pub fn to<B: Body + Send + 'static>(mut self, actor: Recipient<Delivered<B>>) -> Self {
        self.0.insert(B::MESSAGE_TYPE, Box::new(To(actor)));
        self
    }

    pub(super) fn get(&self, message_type: MessageType) -> Option<&dyn Route> {
        self.0.get(&message_type).map(Box::as_ref)
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl<B: Body + Send + 'static> Route for To<B> {
    fn open(
        &self,
        gate: &mut Gate,
        sealed: &Sealed,
        directory: &mut Directory,
        epoch: Epoch,
        arrival: Arrival<'_>,
    ) -> Result<Opening, Refused> {
        let opened = gate.open::<B>(sealed, directory, epoch, arrival)?;
        let (source, actor) = (arrival.source.to_owned(), self.0.clone());
        Ok(opening(opened, |Opened { message, sender, .. }| {
            let delivered = Delivered { header: message.header, body: message.body, key: message.key, sender, source };
            Box::new(move || actor.try_send(delivered).is_ok())
        }))
    }

    fn author(&self, sealed: &Sealed) -> Option<Header> {
        sealed.open::<B>().ok().map(|message| message.header)
    }
}

impl Route for ToTheLog {
    fn open(
        &self,
        gate: &mut Gate,
        sealed: &Sealed,
        directory: &mut Directory,
        epoch: Epoch,
        arrival: Arrival<'_>,
    ) -> Result<Opening, Refused> {
        let opened = gate.open::<MessageRefused>(sealed, directory, epoch, arrival)?;
        let notes = self.0.clone();
        Ok(opening(opened, |Opened { message, .. }| {
            Box::new(move || tell(&message.header, &message.body, notes.as_ref()))
        }))
    }

    fn author(&self, sealed: &Sealed) -> Option<Header> {
        sealed.open::<MessageRefused>().ok().map(|message| message.header)
    }
}

/// Logs a refusal, and notes it for the status. Says whether the note was taken.
pub(in crate::actors) fn tell(header: &Header, refused: &MessageRefused, notes: Option<&Recipient<Note>>) -> bool {
    let MessageRefused { message_id, reason, detail, .. } = refused;
    let (by, detail) = (&header.sender_id, detail.chars().take(LONGEST_QUOTE).collect::<String>());
    warn!(%by, %message_id, %reason, detail, "a message of this controller was refused");
    let value = json!({ "by": by, "reason": reason, "detail": detail, "at": header.timestamp });
    notes.is_none_or(|notes| notes.try_send(Note { section: "refused", value }).is_ok())
}

fn opening<B>(mut opened: Opened<B>, on: impl FnOnce(Opened<B>) -> Box<dyn FnOnce() -> bool>) -> Opening {
    let (message_type, sender) = (opened.message.header.message_type, opened.message.header.sender_id.clone());
    let switched = opened.switched.take().zip(opened.sender.clone());
    Opening { message_type, sender, switched, hand_on: on(opened) }
}
