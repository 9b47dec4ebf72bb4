//! What is asked of the parent, and what its decision on a newcomer comes to.

use std::sync::Arc;

use actix::fut::{ready, wrap_future};
use actix::{ActorFutureExt, Context};
use std::time::Duration;
use tracing::{debug, error, warn};

use super::{Ask, MembershipActor, PATIENCE, State, Step, Wake, keys, record, send};
use crate::actors::causes;
use crate::algorithms::validation::joiner::{Distrust, Outcome};
use crate::domain::controller::ControllerId;
use crate::domain::digest::Digest;
use crate::domain::entropy::octets;
use crate::domain::key::Nonce;
use crate::domain::reason::Reason;

impl MembershipActor {
    /// Asks the parent what is to be asked now, and waits for its answer.
    pub(super) fn ask(&mut self, ctx: &mut Context<Self>) -> Step {
        let nonce = match octets(self.entropy.as_ref()) {
            Ok(random) => Nonce::from_bytes(random),
            Err(error) => {
                self.last_reason = Some(error.to_string());
                self.again(Wake::Ask, ctx);
                return Box::pin(ready(()));
            }
        };
        let step: Step = match &mut self.state {
            State::Pending(candidate) => {
                candidate.attempt = candidate.attempt.saturating_add(1);
                candidate.next_attempt_at = None;
                candidate.alarmed = false;
                let request = candidate.joiner.request(&candidate.key, nonce, self.settings.metadata.clone());
                let (requests, parent) = (self.links.requests.clone(), candidate.parent.clone());
                Box::pin(wrap_future(async move { send(&requests, parent, request).await }))
            }
            State::Member(member) => match (member.asking, &member.parent) {
                (Some(Ask::Affirm), Some(parent)) => {
                    let (key, parent) = (Arc::clone(&member.own.key), parent.certificate().controller_id.clone());
                    self.renewal(&key, nonce, parent)
                }
                (Some(Ask::Renew), Some(parent)) => {
                    let parent = parent.certificate().controller_id.clone();
                    let name = keys::after(member.certificate.serial);
                    let store = Arc::clone(&self.links.keys);
                    let key = async move { keys::ask(&store, move |keys| keys::obtain(keys, &name)).await };
                    Box::pin(wrap_future::<_, Self>(key).then(move |key, this, _| match key {
                        Ok(key) => this.renewal(&key, nonce, parent),
                        Err(error) => {
                            error!(error = causes(&error), "there is no next key; it is tried again");
                            this.last_reason = Some(causes(&error));
                            Box::pin(ready(()))
                        }
                    }))
                }
                _ => return Box::pin(ready(())),
            },
            State::Starting | State::Stopped { .. } => return Box::pin(ready(())),
        };
        self.wake(Wake::Silence, PATIENCE, ctx);
        self.note();
        step
    }

    pub(super) fn silence(&mut self, ctx: &mut Context<Self>) {
        if let State::Member(member) = &self.state
            && self.clock.now() >= member.certificate.expires_at
        {
            return self.due(ctx);
        }
        self.last_reason.get_or_insert_with(|| "the parent does not answer".to_owned());
        self.again(Wake::Ask, ctx);
    }

    /// What the parent decided about the newcomer.
    pub(super) fn decided(&mut self, outcome: Outcome, source: String, ctx: &mut Context<Self>) -> Step {
        match outcome {
            Outcome::Validated(membership) => {
                let row = record::joined(&membership, self.token_pin(), self.clock.now());
                self.write(row.map(record::Write::Join), ctx)
            }
            Outcome::Retry(refused) => {
                warn!(reason = %refused.reason, detail = refused.detail, "not validated; it is tried again");
                self.last_reason = Some(format!("{}: {}", refused.reason, refused.detail));
                self.again(Wake::Ask, ctx);
                self.tell(refused.reason, &refused.detail, None, &source)
            }
            Outcome::Stop { refused, remedy } => {
                let step = self.tell(refused.reason, &refused.detail, Some(remedy), &source);
                self.stop(format!("{}: {}", refused.reason, refused.detail), remedy.to_owned(), ctx);
                step
            }
        }
    }

    fn token_pin(&self) -> Option<Digest> {
        match &self.state {
            State::Pending(candidate) => Some(candidate.joiner.pin()),
            _ => None,
        }
    }

    /// Commits what makes this controller something else, and begins with it. While that fails, the
    /// parent gives the same again.
    pub(super) fn write(&mut self, write: Result<record::Write, String>, ctx: &mut Context<Self>) -> Step {
        self.rest(ctx);
        let nib = self.links.nib.clone();
        let now = self.clock.now();
        let written = async move {
            match write {
                Ok(write) => record::commit(&nib, write, now).await.map_err(|error| causes(&error)),
                Err(detail) => Err(detail),
            }
        };
        Box::pin(wrap_future::<_, Self>(written).map(|written, this, ctx| match written {
            Ok(()) => this.wake(Wake::Begin, Duration::ZERO, ctx),
            Err(detail) => {
                error!(error = detail, "the membership could not be written; it is asked for again");
                this.last_reason = Some(detail);
                this.again(Wake::Ask, ctx);
            }
        }))
    }

    /// Writes a refusal down, unless it is the last one once more.
    pub(super) fn tell(&mut self, reason: Reason, detail: &str, remedy: Option<&str>, source: &str) -> Step {
        if self.told.replace(reason) == Some(reason) {
            return Box::pin(ready(()));
        }
        let subject = match &self.state {
            State::Pending(candidate) => candidate.joiner.temp_id().clone(),
            State::Member(member) => member.own.id.clone(),
            State::Starting | State::Stopped { .. } => ControllerId::standalone(),
        };
        let events = record::refused(&subject, reason, detail, remedy, source, self.clock.now());
        let nib = self.links.nib.clone();
        Box::pin(wrap_future(async move {
            if let Err(error) = nib.commit(events).await {
                error!(error = causes(&error), %reason, "a refusal could not be written");
            }
        }))
    }

    /// A message that claims to be a parent's and is not believed. What was asked is still waited
    /// for.
    pub(super) fn distrusted(&mut self, distrust: &Distrust, source: &str) -> Step {
        let Some(reason) = distrust.reason() else {
            debug!(reason = causes(distrust), source, "an answer that was not asked for");
            return Box::pin(ready(()));
        };
        warn!(%reason, detail = causes(distrust), source, "an answer was not believed");
        self.last_reason = Some(format!("{reason}: {}", causes(distrust)));
        if let State::Pending(candidate) = &mut self.state
            && !std::mem::replace(&mut candidate.alarmed, true)
        {
            self.told = None;
        }
        self.note();
        self.tell(reason, &causes(distrust), None, source)
    }
}
