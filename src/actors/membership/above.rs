//! What is known of the controller above: which certificate it has, and whether it is heard under it.

use std::time::Duration;

use actix::fut::{ready, wrap_future};
use actix::{Context, Handler};
use tracing::debug;

use super::{Ask, MembershipActor, State, Step, Wake};
use crate::actors::hand;
use crate::actors::post::Acquaint;
use crate::actors::presence::{ParentLost, ParentReached};
use crate::algorithms::trust::above::Above;
use crate::domain::certificate::Certificate;

impl MembershipActor {
    /// What is known already.
    pub(super) fn above(&self) -> Option<&Above> {
        match &self.state {
            State::Member(member) => member.parent.as_ref(),
            _ => None,
        }
    }

    pub(super) fn above_mut(&mut self) -> Option<&mut Above> {
        match &mut self.state {
            State::Member(member) => member.parent.as_mut(),
            _ => None,
        }
    }

    /// The parent says that it has a new key. Messages under it are taken; those under its old one,
    /// until the first of the new.
    pub(super) fn follow(&mut self, certificate: Certificate) -> Step {
        self.believe(Acquaint::Renew(certificate.clone()), &certificate)
    }

    /// The parent showed by which certificate it is to be believed now.
    pub(super) fn acquainted(&mut self, certificate: Certificate) -> Step {
        self.believe(Acquaint::Insert(certificate.clone()), &certificate)
    }

    fn believe(&mut self, news: Acquaint, certificate: &Certificate) -> Step {
        if !self.above_mut().is_some_and(|above| above.show(certificate)) {
            return Box::pin(ready(()));
        }
        debug!(parent = %certificate.controller_id, serial = %certificate.serial, "the parent has a new key");
        // It is there, and will soon be heard: if not, it is asked soon.
        self.backoff.reset();
        let acquaint = self.links.acquaint.clone();
        Box::pin(wrap_future(async move {
            hand(&acquaint, news, "the parent's next key").await;
        }))
    }
}

/// A silent parent may have a new key that is not known here: it is asked until it is heard, for as
/// long as it takes.
impl Handler<ParentLost> for MembershipActor {
    type Result = ();

    fn handle(&mut self, _: ParentLost, ctx: &mut Self::Context) {
        let Some(above) = self.above_mut() else { return };
        above.miss();
        if let State::Member(member) = &mut self.state
            && member.asking.is_none()
        {
            member.asking = Some(Ask::Affirm);
            self.wake(Wake::Ask, Duration::ZERO, ctx);
        }
    }
}

/// What is being asked is asked to its end: all who missed the same parent would ask it now.
impl Handler<ParentReached> for MembershipActor {
    type Result = ();

    fn handle(&mut self, _: ParentReached, _: &mut Context<Self>) {
        if let Some(above) = self.above_mut() {
            above.hear();
        }
    }
}
