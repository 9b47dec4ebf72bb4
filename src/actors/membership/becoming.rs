//! Becoming what was found at a start or after a commit: a newcomer, a member, or one that cannot go on.

use std::sync::Arc;
use std::time::Duration;

use actix::fut::{ready, wrap_future};
use actix::{ActorFutureExt, Context};
use tracing::{error, info};

use super::begin::{self, Begun, Standing};
use super::{Ask, Candidate, Member, MembershipActor, State, Step, Wake, send};
use crate::actors::identity::{Became, Own};
use crate::actors::nib::OpenLog;
use crate::actors::post::{Acquaint, Assume, Identity};
use crate::actors::{causes, hand};
use crate::algorithms::trust::above::Above;
use crate::algorithms::trust::authority::renew_at;
use crate::algorithms::validation::renewer::Renewer;
use crate::domain::certificate::Certificate;
use crate::domain::number::Epoch;
use crate::wire::validation::ValidationAck;

impl MembershipActor {
    /// Looks at what there is, and becomes it.
    pub(super) fn begin(&mut self) -> Step {
        let begin = begin::Begin {
            settings: self.settings.clone(),
            token: self.token.take(),
            nib: self.links.nib.clone(),
            keys: Arc::clone(&self.links.keys),
            now: self.clock.now(),
            entropy: Arc::clone(&self.entropy),
        };
        Box::pin(wrap_future::<_, Self>(begin.run()).then(|begun, this, ctx| this.begun(begun, ctx)))
    }

    fn begun(&mut self, begun: Begun, ctx: &mut Context<Self>) -> Step {
        match begun {
            Begun::Stop { reason, remedy } => {
                self.stop(reason, remedy, ctx);
                Box::pin(ready(()))
            }
            Begun::Troubled { detail, token } => {
                self.token = token;
                error!(error = detail, "the membership cannot be read or made; it is tried again");
                self.last_reason = Some(detail);
                self.again(Wake::Begin, ctx);
                Box::pin(ready(()))
            }
            Begun::Newcomer { joiner, key, parent } => {
                let identity =
                    Identity { id: joiner.temp_id().clone(), key: Arc::clone(&key), epoch: Epoch::default() };
                let candidate =
                    Candidate { joiner: *joiner, key, parent, attempt: 0, next_attempt_at: None, alarmed: false };
                self.state = State::Pending(Box::new(candidate));
                self.note();
                let assume = self.links.assume.clone();
                let assumed = async move { hand(&assume, Assume(identity), "a newcomer's name").await };
                Box::pin(wrap_future::<_, Self>(assumed).map(|_, this, ctx| this.wake(Wake::Ask, Duration::ZERO, ctx)))
            }
            Begun::Member(standing) => self.become_member(*standing),
        }
    }

    /// Tells everybody who this controller is: first those without whom it could not write or speak.
    fn become_member(&mut self, standing: Standing) -> Step {
        let Standing { own, certificate, parent, unproven } = standing;
        let parent = parent.map(|certificate| Above::again(self.above(), certificate));
        let (log, assume, acquaint) = (self.links.log.clone(), self.links.assume.clone(), self.links.acquaint.clone());
        let (became, acks) = (self.links.became.clone(), self.links.acks.clone());
        let sealer = (self.links.sealer)(&own);
        let (known, serial) = (Arc::clone(&own), certificate.serial);
        let told = async move {
            match hand(&log, OpenLog(sealer), "the log's name").await {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(causes(&error)),
                None => return Err("the NIB does not answer".to_owned()),
            }
            let identity = Identity { id: known.id.clone(), key: Arc::clone(&known.key), epoch: known.epoch };
            hand(&assume, Assume(identity), "the controller's name").await;
            if let Some(parent) = &parent {
                hand(&acquaint, Acquaint::Insert(parent.certificate().clone()), "the parent's key").await;
            }
            for other in became {
                hand(&other, Became(Arc::clone(&known)), "the controller's name").await;
            }
            if let Some(parent) = &parent {
                send(&acks, parent.certificate().controller_id.clone(), ValidationAck { serial }).await;
            }
            Ok(parent)
        };
        Box::pin(wrap_future::<_, Self>(told).map(move |told, this, ctx| match told {
            Ok(parent) => this.member(own, certificate, parent, unproven, ctx),
            Err(detail) => {
                error!(error = detail, "the log cannot be opened under the controller's name; it is tried again");
                this.last_reason = Some(detail);
                this.again(Wake::Begin, ctx);
            }
        }))
    }

    fn member(
        &mut self,
        own: Arc<Own>,
        certificate: Certificate,
        parent: Option<Above>,
        unproven: bool,
        ctx: &mut Context<Self>,
    ) {
        info!(controller = %own.id, serial = %certificate.serial, expires_at = %certificate.expires_at, "validated");
        let renew_at = parent.is_some().then(|| renew_at(&certificate, self.random.u32(..)));
        let renewer = Renewer::default();
        let asking = parent.is_some().then_some(Ask::Affirm);
        self.state = State::Member(Box::new(Member {
            own,
            certificate,
            renew_at,
            renewer,
            asking,
            unproven,
            parent,
            barred: None,
        }));
        self.backoff.reset();
        self.last_reason = None;
        match asking {
            Some(_) => self.wake(Wake::Ask, Duration::ZERO, ctx),
            None => self.rest(ctx),
        }
        self.note();
    }
}
