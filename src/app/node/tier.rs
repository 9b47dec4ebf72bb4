//! The tiers as data: which actors there are, what each takes and to whom it speaks.

use std::sync::Arc;

use actix::{Actor, Addr, AsyncContext, Context, Recipient};
use tracing::{Instrument, Span};

use super::conductor::{Conductor, Reporting, Scanning};
use super::{Invitation, NodeSettings, Parts, Surroundings};
use crate::actors::Ping;
use crate::actors::audit::{self, AuditActor};
use crate::actors::discovery::{DiscoveryActor, DiscoverySettings, StartCycle};
use crate::actors::health::{HealthActor, Watch};
use crate::actors::identity::{Became, Own};
use crate::actors::membership::{MembershipActor, MembershipLinks, MembershipSettings};
use crate::actors::nib::Nib;
use crate::actors::policy::distribution::PolicyDistributor;
use crate::actors::policy::{self, PolicyActor};
use crate::actors::post::{Delivered, PostActor, Routes};
use crate::actors::presence::{self, Listeners, PresenceActor};
use crate::actors::registry::RegistryActor;
use crate::actors::report::{Demand, Outlet, ReportActor};
use crate::actors::validation::{Quotas, ValidationActor, ValidationLinks, Withdraw};
use crate::actors::view::{ViewActor, ViewOutlets, ViewSettings};
use crate::algorithms::audit::seal::LogSealer;
use crate::domain::controller::Role;
use crate::domain::entropy::Entropy;
use crate::domain::log::Sealer;
use crate::domain::origin::Origin;
use crate::domain::policy::Policy;
use crate::domain::time::Clock;
use crate::domain::token::BootstrapToken;
use crate::wire::anchor::{Checkpoint, CheckpointAnswer};
use crate::wire::envelope::Body;
use crate::wire::policy::{PolicyAck, PolicyRequest, PolicyUpdate};
use crate::wire::presence::{Heartbeat, HeartbeatAck};
use crate::wire::refused::MessageRefused;
use crate::wire::report::{DiscoveryReport, DiscoveryRequest, DiscoverySummary, StreamAck, StreamRequest};
use crate::wire::validation::{
    Challenge, ChallengeResponse, ParentRenewed, RenewalRequest, RenewalResult, ValidationAck, ValidationRequest,
    ValidationResult,
};

/// What the actors of a tier are made from, and what is known of those that there are.
pub(super) struct Builder<'a> {
    around: &'a mut Surroundings,
    nib: &'a Nib,
    post: &'a Addr<PostActor>,
    health: &'a Addr<HealthActor>,
    seeds: &'a mut fastrand::Rng,
    routes: Routes,
    watched: Vec<Watch>,
    became: Vec<Recipient<Became>>,
    withdraw: Option<Recipient<Withdraw>>,
    listeners: Listeners,
    span: &'a Span,
}

/// The actors of a tier, how messages reach them, and who watches over them.
pub(super) struct Joined {
    pub parts: Parts,
    pub routes: Routes,
    pub watched: Vec<Watch>,
    pub entrance: Entrance,
}

/// Starts an actor whose lines in the log tell of which controller they are.
pub(super) fn run<A: Actor<Context = Context<A>>>(context: Context<A>, actor: A, span: &Span) -> Addr<A> {
    let address = context.address();
    actix::spawn(context.into_future(actor).instrument(span.clone()));
    address
}

/// The way into the hierarchy of a controller that is there, and that nobody told yet to begin.
pub struct Entrance {
    context: Context<MembershipActor>,
    settings: MembershipSettings,
    links: MembershipLinks,
    token: Option<BootstrapToken>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    seed: u64,
    span: Span,
}

impl Entrance {
    /// Who is told to begin.
    pub(super) fn address(&self) -> Addr<MembershipActor> {
        self.context.address()
    }

    /// The controller begins: it asks to be let in by whom it was configured with, or goes on as what it
    /// is.
    pub fn enter(self) {
        let Self { context, settings, links, token, clock, entropy, seed, span } = self;
        run(context, MembershipActor::new(settings, token, links, clock, entropy, seed), &span);
    }

    /// The controller asks to be let in by the one that invites it.
    pub fn follow(mut self, Invitation { parent, token }: Invitation) {
        self.settings.parent = Some(parent);
        self.token = Some(token);
        self.enter();
    }
}

impl<'a> Builder<'a> {
    /// Nobody yet.
    pub(super) fn new(
        around: &'a mut Surroundings,
        nib: &'a Nib,
        post: &'a Addr<PostActor>,
        health: &'a Addr<HealthActor>,
        seeds: &'a mut fastrand::Rng,
        span: &'a Span,
    ) -> Self {
        let routes = Routes::new().noting(health.clone().recipient());
        // The post comes first: whoever learns who the controller is may speak at once.
        let (watched, became) = (Vec::new(), vec![post.clone().recipient(), health.clone().recipient()]);
        let (withdraw, listeners) = (None, Listeners::default());
        Self { around, nib, post, health, seeds, routes, watched, became, withdraw, listeners, span }
    }

    /// Starts the actors of this tier, but for the membership: it tells the others who they are, and
    /// after them those outside, so it is the last.
    pub(super) fn build(mut self, settings: NodeSettings, outside: Vec<Recipient<Became>>) -> Joined {
        let NodeSettings { membership, quotas, policy, discovery, .. } = settings;
        let role = membership.role;
        let audit = self.audit(role);
        let registry = (role != Role::Local).then(|| self.entrance(quotas, &audit));
        let view = (role != Role::Local).then(|| self.view(role));
        // Cycles are asked for through it: it knows since when there may be any.
        let conducting = Context::<Conductor>::new();
        let cycles = conducting.address().recipient();
        let (discovery, reports) = discovery.map_or((None, None), |settings| self.discovery(settings, cycles));
        let conductor = self.conductor(conducting, reports, discovery.as_ref(), view.as_ref());
        let policy = self.policy(policy, role, &conductor);
        let context = self.membership(membership.clone());
        let presence = self.presence(role);
        self.became.extend(outside);
        let links = self.links();
        let parts = Parts { audit, registry, discovery, view, policy, presence, conductor };
        Joined {
            parts,
            routes: self.routes,
            watched: self.watched,
            entrance: Entrance {
                context,
                settings: membership,
                links,
                token: self.around.token.take(),
                clock: Arc::clone(&self.around.clock),
                entropy: Arc::clone(&self.around.entropy),
                seed: self.seeds.u64(..),
                span: self.span.clone(),
            },
        }
    }

    fn start<A: Actor<Context = Context<A>>>(&self, actor: A) -> Addr<A> {
        run(Context::new(), actor, self.span)
    }

    fn watch(&mut self, name: &'static str, actor: Recipient<Ping>) {
        self.watched.push(Watch(name, actor));
    }

    fn route<B: Body + Send + 'static>(&mut self, to: Recipient<Delivered<B>>) {
        self.routes = std::mem::take(&mut self.routes).to(to);
    }

    fn audit(&mut self, role: Role) -> Addr<AuditActor> {
        let post = self.post;
        let outlets = audit::Outlets {
            checkpoints: post.clone().recipient(),
            answers: post.clone().recipient(),
            acquaint: post.clone().recipient(),
            freeze: vec![self.around.nib.clone().recipient(), self.health.clone().recipient()],
            health: self.health.clone().recipient(),
        };
        let (clock, seed) = (Arc::clone(&self.around.clock), self.seeds.u64(..));
        let audit = self.start(AuditActor::new(self.nib.clone(), clock, seed, outlets));
        self.route::<CheckpointAnswer>(audit.clone().recipient());
        // A Local Controller witnesses nobody: those above have others.
        if role != Role::Local {
            self.route::<Checkpoint>(audit.clone().recipient());
        }
        self.became.push(audit.clone().recipient());
        self.listeners.reached.push(audit.clone().recipient());
        self.watch("audit", audit.clone().recipient());
        audit
    }

    /// Where others are let in.
    fn entrance(&mut self, quotas: Quotas, audit: &Addr<AuditActor>) -> Addr<RegistryActor> {
        let (post, clock, entropy) = (self.post, &self.around.clock, &self.around.entropy);
        let links = ValidationLinks {
            nib: self.nib.clone(),
            challenges: post.clone().recipient(),
            results: post.clone().recipient(),
            renewals: post.clone().recipient(),
            renewed: post.clone().recipient(),
            acquaint: post.clone().recipient(),
            audit: audit.clone().recipient(),
        };
        let validation = self.start(ValidationActor::new(quotas, links, Arc::clone(clock), Arc::clone(entropy)));
        let acquaint = Some(post.clone().recipient());
        let registry = RegistryActor::new(self.nib.clone(), acquaint, Arc::clone(clock), Arc::clone(entropy));
        let registry = self.start(registry);
        self.route::<ValidationRequest>(validation.clone().recipient());
        self.route::<ChallengeResponse>(validation.clone().recipient());
        self.route::<ValidationAck>(validation.clone().recipient());
        self.route::<RenewalRequest>(validation.clone().recipient());
        self.became.push(validation.clone().recipient());
        self.withdraw = Some(validation.clone().recipient());
        self.watch("validation", validation.recipient());
        self.watch("registry", registry.clone().recipient());
        registry
    }

    /// Who discovers, with the settings that it begins with, and who tells it upward.
    fn discovery(
        &mut self,
        settings: DiscoverySettings,
        cycles: Recipient<StartCycle>,
    ) -> (Option<Addr<DiscoveryActor>>, Option<Reporting>) {
        let Some(sweep) = self.around.sweep.take() else { return (None, None) };
        let nib = &self.around.nib;
        let discovery = DiscoveryActor::new(
            settings.clone(),
            Arc::clone(&self.around.clock),
            self.seeds.u64(..),
            sweep,
            nib.clone().recipient(),
            nib.clone().recipient(),
            self.health.clone().recipient(),
        );
        let discovery = self.start(discovery);
        let demand = Demand::RunCycle(cycles);
        let outlet = Outlet::Reports(self.post.clone().recipient());
        let report = self.report(Context::new(), outlet, demand);
        self.watch("discovery", discovery.clone().recipient());
        (Some(discovery), Some(Reporting { settings, wake: report.recipient() }))
    }

    fn conductor(
        &mut self,
        context: Context<Conductor>,
        reporting: Option<Reporting>,
        discovery: Option<&Addr<DiscoveryActor>>,
        view: Option<&Addr<ViewActor>>,
    ) -> Addr<Conductor> {
        let discovery = discovery.zip(reporting).map(|(discovery, reporting)| Scanning {
            reporting,
            reconfigure: discovery.clone().recipient(),
            begin: discovery.clone().recipient(),
            start: discovery.clone().recipient(),
        });
        let view = view.map(|view| view.clone().recipient());
        let conductor = Conductor::new(discovery, view, self.nib.clone(), Arc::clone(&self.around.clock));
        let conductor = run(context, conductor, self.span);
        self.became.push(conductor.clone().recipient());
        self.watch("conductor", conductor.clone().recipient());
        conductor
    }

    /// The view of a tier that has others below it, and at a Regional Controller who tells it upward.
    fn view(&mut self, role: Role) -> Addr<ViewActor> {
        let (post, clock) = (self.post, &self.around.clock);
        // The two know each other, so one has its address before it runs.
        let summaries = Context::<ReportActor>::new();
        let outlets = ViewOutlets {
            acks: post.clone().recipient(),
            requests: post.clone().recipient(),
            demands: post.clone().recipient(),
            summaries: (role == Role::Regional).then(|| summaries.address().recipient()),
        };
        let view = self.start(ViewActor::new(ViewSettings::default(), self.nib.clone(), Arc::clone(clock), outlets));
        if role == Role::Regional {
            let demand = Demand::PassOn(view.clone().recipient());
            let outlet = Outlet::Summaries(post.clone().recipient());
            self.report(summaries, outlet, demand);
            self.route::<DiscoveryReport>(view.clone().recipient());
        } else {
            self.route::<DiscoverySummary>(view.clone().recipient());
        }
        self.became.push(view.clone().recipient());
        self.watch("view", view.clone().recipient());
        view
    }

    /// Who sends a stream upward.
    fn report(&mut self, context: Context<ReportActor>, outlet: Outlet, demand: Demand) -> Addr<ReportActor> {
        let seed = self.seeds.u64(..);
        let report = ReportActor::new(outlet, demand, self.nib.clone(), Arc::clone(&self.around.clock), seed);
        let report = run(context, report, self.span);
        self.route::<StreamAck>(report.clone().recipient());
        self.route::<StreamRequest>(report.clone().recipient());
        self.route::<DiscoveryRequest>(report.clone().recipient());
        self.became.push(report.clone().recipient());
        self.listeners.reached.push(report.clone().recipient());
        self.listeners.lost.push(report.clone().recipient());
        self.watch("report", report.clone().recipient());
        report
    }

    fn policy(&mut self, configured: Policy, role: Role, conductor: &Addr<Conductor>) -> Addr<PolicyActor> {
        let (post, clock) = (self.post, Arc::clone(&self.around.clock));
        let mut listeners = vec![conductor.clone().recipient()];
        if role != Role::Local {
            let (nib, seed) = (self.nib.clone(), self.seeds.u64(..));
            let updates = post.clone().recipient();
            let distributor = self.start(PolicyDistributor::new(nib, Arc::clone(&clock), seed, updates));
            self.route::<PolicyRequest>(distributor.clone().recipient());
            self.route::<PolicyAck>(distributor.clone().recipient());
            self.became.push(distributor.clone().recipient());
            self.listeners.online.push(distributor.clone().recipient());
            self.listeners.offline.push(distributor.clone().recipient());
            listeners.push(distributor.clone().recipient());
            self.watch("policy distribution", distributor.recipient());
        }
        let outlets = policy::Outlets {
            requests: post.clone().recipient(),
            acks: post.clone().recipient(),
            notes: self.health.clone().recipient(),
            listeners,
        };
        let seed = self.seeds.u64(..);
        let policy = self.start(PolicyActor::new(configured, self.nib.clone(), clock, seed, outlets));
        if role != Role::Global {
            self.route::<PolicyUpdate>(policy.clone().recipient());
        }
        self.became.push(policy.clone().recipient());
        self.listeners.reached.push(policy.clone().recipient());
        self.watch("policy", policy.clone().recipient());
        policy
    }

    fn membership(&mut self, settings: MembershipSettings) -> Context<MembershipActor> {
        // It is told whether the parent is heard, and tells those who tell it: its address comes first.
        let context = Context::<MembershipActor>::new();
        if settings.role != Role::Global {
            self.route::<Challenge>(context.address().recipient());
            self.route::<ValidationResult>(context.address().recipient());
            self.route::<RenewalResult>(context.address().recipient());
            self.route::<MessageRefused>(context.address().recipient());
            self.route::<ParentRenewed>(context.address().recipient());
            self.listeners.lost.push(context.address().recipient());
            self.listeners.reached.push(context.address().recipient());
        }
        self.watch("membership", context.address().recipient());
        context
    }

    fn presence(&mut self, role: Role) -> Addr<PresenceActor> {
        let post = self.post;
        let outlets = presence::Outlets {
            heartbeats: post.clone().recipient(),
            answers: post.clone().recipient(),
            notes: self.health.clone().recipient(),
        };
        let (nib, clock, seed) = (self.nib.clone(), Arc::clone(&self.around.clock), self.seeds.u64(..));
        let listeners = std::mem::take(&mut self.listeners);
        let presence = self.start(PresenceActor::new(nib, clock, seed, outlets, listeners));
        if role != Role::Local {
            self.route::<Heartbeat>(presence.clone().recipient());
        }
        if role != Role::Global {
            self.route::<HeartbeatAck>(presence.clone().recipient());
        }
        self.became.push(presence.clone().recipient());
        self.watch("presence", presence.clone().recipient());
        presence
    }

    /// The links of the membership, once all who must know who they are are there.
    fn links(&mut self) -> MembershipLinks {
        let (post, entropy) = (self.post, Arc::clone(&self.around.entropy));
        let sealer = move |own: &Own| {
            let origin = Origin::new(&own.cluster, &own.id);
            Box::new(LogSealer::new(origin, Arc::clone(&own.key), Arc::clone(&entropy))) as Box<dyn Sealer>
        };
        MembershipLinks {
            nib: self.nib.clone(),
            log: self.around.nib.clone().recipient(),
            keys: Arc::clone(&self.around.keys),
            sealer: Box::new(sealer),
            assume: post.clone().recipient(),
            acquaint: post.clone().recipient(),
            requests: post.clone().recipient(),
            responses: post.clone().recipient(),
            acks: post.clone().recipient(),
            renewals: post.clone().recipient(),
            became: std::mem::take(&mut self.became),
            withdraw: self.withdraw.take(),
            health: self.health.clone().recipient(),
        }
    }
}
