//! One controller of a hierarchy as it runs: which actors its tier has, and how they are joined.
//!
//! Everything that a controller has of the world outside comes in as [`Surroundings`], so a process can
//! hold any number of controllers, and a test can give each its own clock, randomness, store and network.

mod conductor;
mod tier;

pub use conductor::{Conductor, LastWords, Record, Reload};
pub use tier::Entrance;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context, Recipient};
use anyhow::{Context as _, anyhow};
use serde_json::Value;
use tracing::field::Empty;
use tracing::{Span, error_span, warn};

use crate::actors::audit::AuditActor;
use crate::actors::discovery::{DiscoveryActor, DiscoverySettings, Drain};
use crate::actors::health::{HealthActor, Identity as Shown, Watch};
use crate::actors::identity::Became;
use crate::actors::membership::keys::KeyStore;
use crate::actors::membership::{MembershipActor, MembershipSettings};
use crate::actors::nib::{Close, Nib, NibActor};
use crate::actors::policy::PolicyActor;
use crate::actors::post::{Beginning, Carrier, Identity, Leave, PostActor, directory_of};
use crate::actors::presence::PresenceActor;
use crate::actors::registry::RegistryActor;
use crate::actors::sweeper::Sweep;
use crate::actors::validation::Quotas;
use crate::actors::view::ViewActor;
use crate::app::node::tier::{Builder, run};
use crate::domain::controller::ControllerId;
use crate::domain::entropy::{Entropy, octets};
use crate::domain::message::BootId;
use crate::domain::number::Epoch;
use crate::domain::policy::Policy;
use crate::domain::time::Clock;
use crate::domain::token::BootstrapToken;
use crate::nib::NibError;
use crate::wire::signature::{KeyPair, PrivateKeyFile};
use secrecy::zeroize::Zeroizing;

/// What a controller is to be.
#[derive(Debug, Clone)]
pub struct NodeSettings {
    /// Its place.
    pub membership: MembershipSettings,
    /// How many it lets in.
    pub quotas: Quotas,
    /// How old a message may be.
    pub freshness: Duration,
    /// The policy that holds before any came from above; a Global Controller's first one.
    pub policy: Policy,
    /// What it discovers, when it is a Local Controller.
    pub discovery: Option<DiscoverySettings>,
}

/// What a controller has of the world outside.
pub struct Surroundings {
    /// Its clock.
    pub clock: Arc<dyn Clock>,
    /// Its randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Its NIB.
    pub nib: Addr<NibActor>,
    /// Its private keys.
    pub keys: Arc<dyn KeyStore>,
    /// Its way to others.
    pub carrier: Carrier,
    /// Who sweeps its subnets, when it is a Local Controller.
    pub sweep: Option<Box<dyn Sweep>>,
    /// What it was given to be let in with.
    pub token: Option<BootstrapToken>,
}

/// Who lets a controller in, and with what.
#[derive(Debug)]
pub struct Invitation {
    /// The parent's name.
    pub parent: ControllerId,
    /// The token that the parent made.
    pub token: BootstrapToken,
}

/// A controller that runs.
pub struct Node {
    /// Keeps.
    pub nib: Addr<NibActor>,
    /// The way to it.
    pub way: Nib,
    /// Seals and opens.
    pub post: Addr<PostActor>,
    /// Becomes a member.
    pub membership: Addr<MembershipActor>,
    /// Knows how the others do.
    pub health: Addr<HealthActor>,
    /// The others.
    pub parts: Parts,
    /// What its lines in the log have in common.
    span: Span,
}

/// The actors that can be asked something.
pub struct Parts {
    /// Signs the log's heads and witnesses others'.
    pub audit: Addr<AuditActor>,
    /// Does what operators want with tokens and controllers, where others can be let in.
    pub registry: Option<Addr<RegistryActor>>,
    /// Discovers, at a Local Controller.
    pub discovery: Option<Addr<DiscoveryActor>>,
    /// Keeps what came from below, where there is a below.
    pub view: Option<Addr<ViewActor>>,
    /// Keeps the policy.
    pub policy: Addr<PolicyActor>,
    /// Knows who is there.
    pub presence: Addr<PresenceActor>,
    /// Tells the others what was decided.
    pub conductor: Addr<Conductor>,
}

impl Node {
    /// Starts the actors of a controller. It asks to be let in, or goes on as what it became before.
    ///
    /// # Errors
    /// When the NIB cannot be read, or the system gives no randomness.
    pub async fn start(settings: NodeSettings, around: Surroundings) -> anyhow::Result<Self> {
        let (node, entrance) = Self::prepare(settings, around, Vec::new()).await?;
        entrance.enter();
        Ok(node)
    }

    /// Starts the actors of a controller, but nobody who it is: that begins at the entrance. Those outside
    /// are told who it became, after its own.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn prepare(
        settings: NodeSettings,
        mut around: Surroundings,
        outside: Vec<Recipient<Became>>,
    ) -> anyhow::Result<(Self, Entrance)> {
        // An error's line tells of which controller it is, whatever is not logged.
        let span = error_span!("controller", role = %settings.membership.role, id = Empty);
        let (clock, entropy) = (Arc::clone(&around.clock), Arc::clone(&around.entropy));
        let mut seeds = fastrand::Rng::with_seed(u64::from_be_bytes(octets(entropy.as_ref())?));
        let way = Nib::new(around.nib.clone().recipient(), around.nib.clone().recipient(), seeds.u64(..));
        let beginning = Beginning {
            identity: stranger(entropy.as_ref())?,
            boot_id: BootId::new(octets(entropy.as_ref())?),
            freshness: settings.freshness,
            directory: way.ask(directory_of).await.context("cannot read who is known")?,
        };
        let health = HealthActor::new(shown(&settings, clock.as_ref()), Arc::clone(&clock));
        let health = run(Context::new(), health, &span);
        // The others must know where to send, and it where to hand on: its address comes first.
        let context = Context::<PostActor>::new();
        let address = context.address();
        let joined = Builder::new(&mut around, &way, &address, &health, &mut seeds, &span).build(settings, outside);
        let post = PostActor::new(beginning, clock, entropy, way.clone(), around.carrier, joined.routes);
        let post = run(context, post, &span);
        let itself = [Watch("nib", around.nib.clone().recipient()), Watch("post", post.clone().recipient())];
        for watch in joined.watched.into_iter().chain(itself) {
            health.send(watch).await.context("the health actor has ended")?;
        }
        let membership = joined.entrance.address();
        Ok((Self { nib: around.nib, way, post, membership, health, parts: joined.parts, span }, joined.entrance))
    }

    /// Starts an actor more, whose lines in the log tell of this controller, too.
    pub fn start_beside<A: Actor<Context = Context<A>>>(&self, actor: A) -> Addr<A> {
        run(Context::new(), actor, &self.span)
    }

    /// Drains: no new cycle, the present one given up, everything in hand written, no message taken or
    /// sent any more, the NIB closed.
    ///
    /// # Errors
    /// When the limit passes or the NIB cannot be closed in order.
    pub async fn stop(self, limit: Duration, last_words: Value) -> anyhow::Result<()> {
        let drain = async {
            if let Some(discovery) = &self.parts.discovery {
                discovery.send(Drain).await?.await.context("discovery did not drain")?;
            }
            self.post.send(Leave).await?;
            let said = self.parts.conductor.send(LastWords(last_words)).await;
            self.nib.send(Close).await??;
            match said? {
                // Nothing may be written to a log that is not what was sealed, and that was told.
                Err(NibError::Corrupt { detail }) => warn!(detail, "stopped without a last word in the log"),
                said => said?,
            }
            anyhow::Ok(())
        };
        tokio::time::timeout(limit, drain)
            .await
            .map_err(|_| anyhow!("not everything was finished within {} s", limit.as_secs()))?
    }
}

/// Who nobody knows: the post needs somebody to be, until the membership tells it who it is.
fn stranger(entropy: &dyn Entropy) -> anyhow::Result<Identity> {
    let seed = Zeroizing::new(octets::<32>(entropy)?);
    let key = KeyPair::from_pkcs8(PrivateKeyFile::new(&seed).as_bytes())?;
    let id = ControllerId::newcomer(octets(entropy)?);
    Ok(Identity { id, key: Arc::new(key), epoch: Epoch::default() })
}

fn shown(settings: &NodeSettings, clock: &dyn Clock) -> Shown {
    let subnets = settings.discovery.as_ref().map(|discovery| discovery.subnets.clone()).unwrap_or_default();
    Shown {
        role: settings.membership.role,
        controller_id: None,
        region: settings.membership.region.clone(),
        subnets,
        version: env!("CARGO_PKG_VERSION"),
        started_at: clock.now(),
    }
}
