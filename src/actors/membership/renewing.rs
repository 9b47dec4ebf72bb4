//! How the certificate is kept: renewed in time, and known to be taken.

use std::sync::Arc;
use std::time::Duration;

use actix::ActorFutureExt;
use actix::Context;
use actix::fut::{ready, wrap_future};
use tracing::{error, warn};

use super::{Ask, LONGEST, Member, MembershipActor, State, Step, Wake, begin, keys, record, send};
use crate::actors::causes;
use crate::actors::identity::Own;
use crate::algorithms::trust::above::Above;
use crate::algorithms::validation::refusals::{Effect, effect_of};
use crate::algorithms::validation::renewer::{Holder, Renewed};
use crate::domain::certificate::Certificate;
use crate::domain::controller::ControllerId;
use crate::domain::key::Nonce;
use crate::domain::number::Serial;
use crate::wire::signature::KeyPair;

impl MembershipActor {
    pub(super) fn renewal(&mut self, key: &KeyPair, nonce: Nonce, parent: ControllerId) -> Step {
        let State::Member(member) = &mut self.state else { return Box::pin(ready(())) };
        let Member { own, certificate, renewer, .. } = &mut **member;
        let request = holder(own, certificate).map(|holder| renewer.request(&holder, key, nonce));
        match request {
            Some(Ok(request)) => {
                let renewals = self.links.renewals.clone();
                Box::pin(wrap_future(async move { send(&renewals, parent, request).await }))
            }
            Some(Err(error)) => {
                error!(error = causes(&error), "a renewal cannot be asked for");
                Box::pin(ready(()))
            }
            None => Box::pin(ready(())),
        }
    }

    /// What the parent said about the certificate.
    pub(super) fn renewed(&mut self, renewed: Renewed, source: &str, ctx: &mut Context<Self>) -> Step {
        self.told = self.told.filter(|_| matches!(renewed, Renewed::Refused { .. }));
        match renewed {
            Renewed::Given { chain, .. } => {
                let next = self.next_key();
                let row = next.and_then(|(serial, key_file)| record::renewed(&chain, serial, key_file));
                self.write(row.map(record::Write::Renew), ctx)
            }
            Renewed::Confirmed { parent } => {
                let known = self.acquainted(parent);
                let proven = self.idle(ctx);
                self.readmitted(ctx);
                match proven {
                    Some(serial) => Box::pin(known.then(move |(), this, _| this.promote(serial))),
                    None => known,
                }
            }
            Renewed::Refused { refused, parent } => {
                warn!(reason = %refused.reason, detail = refused.detail, "the certificate is not renewed; it is tried again");
                self.last_reason = Some(format!("{}: {}", refused.reason, refused.detail));
                self.again(Wake::Ask, ctx);
                let effect = effect_of(refused.reason);
                if effect != Effect::Passing {
                    let barred = self.barred(effect, refused.reason, &refused.detail, source, ctx);
                    let known = self.acquainted(parent);
                    return Box::pin(barred.then(move |(), _, _| known));
                }
                let told = self.tell(refused.reason, &refused.detail, refused.reason.remedy(), source);
                let known = self.acquainted(parent);
                Box::pin(told.then(move |(), _, _| known))
            }
        }
    }

    fn next_key(&self) -> Result<(Serial, String), String> {
        match &self.state {
            State::Member(member) => Ok((member.certificate.serial, keys::after(member.certificate.serial))),
            _ => Err("there is no certificate to be renewed".to_owned()),
        }
    }

    /// It is answered; the next thing to come is the renewal, or the same question where the parent is
    /// still missed. Says whether the certificate was used for the first time.
    pub(super) fn idle(&mut self, ctx: &mut Context<Self>) -> Option<Serial> {
        if !self.above().is_some_and(Above::is_missed) {
            self.backoff.reset();
        }
        self.last_reason = None;
        let State::Member(member) = &mut self.state else { return None };
        member.asking = None;
        let proven = std::mem::take(&mut member.unproven).then_some(member.certificate.serial);
        self.due(ctx);
        self.note();
        proven
    }

    /// The next certificate works: it is the present one from now on, and the old key is forgotten.
    fn promote(&mut self, serial: Serial) -> Step {
        let (nib, keys, now) = (self.links.nib.clone(), Arc::clone(&self.links.keys), self.clock.now());
        Box::pin(wrap_future(async move {
            match record::commit(&nib, record::Write::Promote(serial), now).await {
                Ok(()) => begin::tidy(&nib, &keys).await,
                Err(error) => error!(error = causes(&error), "the next start uses the new key, too, and tries again"),
            }
        }))
    }

    /// It is time now, or as soon as what is being asked of the parent is answered.
    pub(super) fn renew_now(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let State::Member(member) = &mut self.state else { return };
        member.renew_at = member.renew_at.map(|at| at.min(now));
        if member.asking.is_none() {
            self.due(ctx);
        }
    }

    /// Renews when it is time, else sets the timer for it. A parent that is missed is asked meanwhile,
    /// however often it answered.
    pub(super) fn due(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let State::Member(member) = &mut self.state else { return };
        if now >= member.certificate.expires_at {
            let (reason, remedy) = begin::expired(&member.certificate);
            return self.stop(reason, remedy, ctx);
        }
        match member.renew_at {
            Some(at) if now >= at => {
                member.asking = Some(Ask::Renew);
                self.wake(Wake::Ask, Duration::ZERO, ctx);
            }
            _ if member.parent.as_ref().is_some_and(Above::is_missed) => {
                member.asking = Some(Ask::Affirm);
                self.again(Wake::Ask, ctx);
            }
            Some(at) => self.wake(Wake::Due, at.since(now).min(LONGEST), ctx),
            None => {}
        }
    }
}

/// The controller as its parent must find it in the answer.
pub(super) fn holder<'a>(own: &'a Own, certificate: &'a Certificate) -> Option<Holder<'a>> {
    Some(Holder {
        cluster: &own.cluster,
        id: &own.id,
        role: own.role,
        region: own.region.as_ref()?,
        pin: own.pin,
        serial: certificate.serial,
        key: certificate.public_key,
    })
}
