//! What the parent says without being asked: that it takes nothing of this controller, or that it has
//! a new certificate itself.

use actix::fut::{ready, wrap_future};
use actix::{ActorFutureExt, Context};
use tracing::{debug, warn};

use super::{Ask, MembershipActor, State, Step, Wake, holder, opened};
use crate::actors::causes;
use crate::actors::hand;
use crate::actors::post::Delivered;
use crate::actors::post::routes::tell;
use crate::actors::validation::Withdraw;
use crate::algorithms::validation::joiner::Outcome;
use crate::algorithms::validation::refusals::{Effect, effect};
use crate::algorithms::validation::renewer::succession;
use crate::domain::reason::Reason;
use crate::wire::refused::MessageRefused;
use crate::wire::validation::ParentRenewed;

impl MembershipActor {
    /// A message of this controller was not acted on.
    pub(super) fn refused(&mut self, refused: Delivered<MessageRefused>, ctx: &mut Context<Self>) -> Step {
        tell(&refused.header, &refused.body, Some(&self.links.health));
        let sender = refused.sender.as_ref().map(|sender| sender.controller_id.clone());
        let (message, source) = opened(refused);
        let now = self.clock.now();
        match &mut self.state {
            State::Pending(candidate) => match candidate.joiner.refused(&message, &candidate.key, now) {
                Ok(outcome @ Outcome::Stop { .. }) => self.decided(outcome, source, ctx),
                Ok(_) => {
                    // It asks again when its time comes, as if there had been no answer.
                    self.last_reason = Some(format!("{}: {}", message.body.reason, message.body.detail));
                    self.note();
                    Box::pin(ready(()))
                }
                Err(distrust) => {
                    debug!(reason = causes(&distrust), source, "a refusal was not believed");
                    Box::pin(ready(()))
                }
            },
            State::Member(member) => {
                let parent = member.own.parent.clone();
                let effect = effect(&message, sender.as_ref(), parent.as_ref(), &member.own.key.public_key());
                self.barred(effect, message.body.reason, &message.body.detail, &source, ctx)
            }
            State::Starting | State::Stopped { .. } => Box::pin(ready(())),
        }
    }

    /// The parent takes nothing of this controller: nothing is renewed, and nobody is let in. Where
    /// that can end, the parent is asked whether it has.
    pub(super) fn barred(
        &mut self,
        effect: Effect,
        reason: Reason,
        detail: &str,
        source: &str,
        ctx: &mut Context<Self>,
    ) -> Step {
        let State::Member(member) = &mut self.state else { return Box::pin(ready(())) };
        let (Effect::Barred(remedy) | Effect::Over(remedy)) = effect else { return Box::pin(ready(())) };
        if member.barred.replace(remedy).is_some() && matches!(effect, Effect::Barred(_)) {
            return Box::pin(ready(()));
        }
        let told = self.tell(reason, detail, Some(remedy), source);
        let text = format!("{reason}: {detail}");
        if matches!(effect, Effect::Over(_)) {
            self.stop(text, remedy.to_owned(), ctx);
        } else {
            warn!(reason = text, remedy, "the controller above takes nothing of this one");
            if let State::Member(member) = &mut self.state {
                member.asking = Some(Ask::Affirm);
            }
            self.last_reason = Some(text);
            self.again(Wake::Ask, ctx);
        }
        let withdraw = self.links.withdraw.clone();
        Box::pin(told.then(move |(), _, _| {
            wrap_future(async move {
                if let Some(withdraw) = withdraw {
                    hand(&withdraw, Withdraw, "nobody is to be let in").await;
                }
            })
        }))
    }

    /// The parent says that it has a new key.
    pub(super) fn succeeded(&mut self, renewed: Delivered<ParentRenewed>) -> Step {
        let (message, source) = opened(renewed);
        let now = self.clock.now();
        let State::Member(member) = &self.state else { return Box::pin(ready(())) };
        let next = holder(&member.own, &member.certificate)
            .zip(member.parent.as_ref())
            .map(|(holder, known)| succession(&message, &holder, known.certificate(), now).cloned());
        match next {
            Some(Ok(certificate)) => self.follow(certificate),
            Some(Err(distrust)) => self.distrusted(&distrust, &source),
            None => Box::pin(ready(())),
        }
    }

    /// The parent takes messages of this controller again: it begins as at a start, so that all who
    /// were told to stop go on.
    pub(super) fn readmitted(&mut self, ctx: &mut Context<Self>) {
        let State::Member(member) = &mut self.state else { return };
        if member.barred.take().is_some() {
            self.told = None;
            self.wake(Wake::Begin, std::time::Duration::ZERO, ctx);
        }
    }
}
