//! What those are told whose messages were refused.

use actix::Handler;
use tracing::{debug, warn};

use super::{Answer, Dispatch, PostActor};
use crate::actors::causes;
use crate::actors::identity::Became;
use crate::algorithms::trust::answers;
use crate::algorithms::trust::gate::Refused;
use crate::algorithms::trust::refusal::Refusal;
use crate::domain::message::MessageType;
use crate::wire::envelope::{Destination, Header, Sealed};

impl PostActor {
    /// Who signed a message that was refused unread, because he may not speak here: so that he is told.
    /// A source or a controller can have us compute that once a second.
    pub(super) fn author_of(&mut self, sealed: &Sealed, refused: &Refused, source: &str) -> Option<Header> {
        let who = match (&refused.refusal, refused.refusal.barred()) {
            (_, Some(controller)) => controller.to_string(),
            (Refusal::Blocklisted, None) => source.to_owned(),
            _ => return None,
        };
        let may_answer = self.barred.may_answer(&who, self.clock.elapsed());
        let route = self.routes.get(sealed.message_type()).filter(|_| may_answer)?;
        route.author(sealed).filter(|header| header.destination == Destination::Controller(self.identity.id.clone()))
    }

    /// The answer to a refused message. Who may know nobody yet is shown why to believe it.
    pub(super) fn answer_to(
        &self,
        message_type: Option<MessageType>,
        refused: &Refused,
        signed: Option<&Header>,
    ) -> Option<Answer> {
        let (to, mut told) = answers::answer(refused, signed)?;
        if message_type.is_some_and(MessageType::introduces) {
            told.parent = self.chain.clone();
        }
        Some((to, told))
    }

    pub(super) fn answer(&mut self, (to, refused): Answer) {
        if !self.answers.may_answer(&to, self.clock.elapsed()) {
            return;
        }
        let to = Destination::Controller(to);
        // Nothing depends on it: the sender repeats what it must say.
        match self.sealed(&to, &refused) {
            Ok((_, bytes)) => {
                if self.carrier.dispatch.try_send(Dispatch { to, bytes }).is_err() {
                    debug!("the carrier is behind: a refusal was not answered");
                }
            }
            Err(error) => warn!(error = %causes(&error), "a refusal was not answered"),
        }
    }
}

/// Who knows nobody yet must be shown why to believe what it is told.
impl Handler<Became> for PostActor {
    type Result = ();

    fn handle(&mut self, Became(own): Became, _: &mut Self::Context) {
        self.chain = Some(own.chain.clone());
    }
}
