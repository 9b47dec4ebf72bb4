//! Telling a controller what to do, whether it runs or not.
//!
//! Where a controller works on the data folder, it is asked over its admin socket. Where none does,
//! its actors are started over the NIB, without anything that leads to others, for this one request:
//! they are asked in the same way, and end.

use std::path::Path;
use std::time::Duration;

use actix::{Actor, Addr, AsyncContext, Context as ActorContext, System};
use anyhow::{Context, anyhow};
use serde_json::Value;
use std::sync::Arc;

use crate::actors::audit::{self, AuditActor};
use crate::actors::health::{HealthActor, Identity};
use crate::actors::identity::{Became, Own};
use crate::actors::membership::keys::KeyStore;
use crate::actors::nib::{Close, Nib, NibActor, OpenLog};
use crate::actors::policy::{Outlets, PolicyActor};
use crate::actors::post::PostActor;
use crate::actors::registry::RegistryActor;
use crate::algorithms::audit::seal::LogSealer;
use crate::app::client::{AskError, Request, ask};
use crate::app::clock::SystemClock;
use crate::app::config::Config;
use crate::app::controller::{OpenNib, actor};
use crate::app::entropy::SystemEntropy;
use crate::app::failure::Failure;
use crate::app::folder::{DataFolder, FolderError};
use crate::app::keys::KeyFiles;
use crate::app::maintenance::open_in;
use crate::app::socket::AdminSocket;
use crate::app::user::user_name;
use crate::domain::controller::Role;
use crate::domain::time::Clock;
use crate::nib::writer::NibWriter;
use crate::northbound::audit::Heads;
use crate::northbound::http::{Listeners, Parts, serve};
use crate::wire::canonical;

/// How often a controller is looked for that is just starting or stopping, and how long it is waited
/// for each time.
const ATTEMPTS: u32 = 20;
const INSTANT: Duration = Duration::from_millis(100);

/// Where a head of the event log is made.
pub(super) const CHECKPOINT: &str = "/api/v1/audit/checkpoint";

/// Asks the controller of a data folder.
///
/// # Errors
/// [`Failure::Usage`] when it cannot be asked, [`Failure::Failed`] when it said no or broke off.
pub fn request(config: &Config, request: &Request) -> Result<Value, Failure> {
    let path = &config.nib.path;
    if !path.exists() {
        return Err(Failure::Usage(anyhow!(
            "there is no NIB at {}; name the controller's data folder with --data-dir, or make one with `pdsno init`",
            path.display()
        )));
    }
    let folder = config.nib.data_dir();
    System::new().block_on(async {
        for _ in 1..ATTEMPTS {
            match attempt(config, folder, request).await {
                Err(AttemptError::Between(_)) => tokio::time::sleep(INSTANT).await,
                ended => return ended.map_err(Failure::from),
            }
        }
        attempt(config, folder, request).await.map_err(Failure::from)
    })
}

/// What the controller that works on a folder now tells of itself; `None` where none does.
///
/// # Errors
/// [`AskError`].
pub fn live_status(folder: &Path) -> Result<Option<Value>, AskError> {
    look(folder, "/api/v1/status")
}

/// What the controller that works on a folder now answers at once; `None` where none does.
///
/// # Errors
/// [`AskError`].
pub fn look(folder: &Path, target: &str) -> Result<Option<Value>, AskError> {
    if DataFolder::user(folder).is_none() {
        return Ok(None);
    }
    let request = Request { deadline: Duration::from_secs(5), ..Request::get(target) };
    System::new().block_on(ask(folder, &request)).map(Some)
}

/// How an attempt ended.
enum AttemptError {
    /// Somebody works on the folder and does not listen: it starts, it stops, or it is a scan.
    Between(FolderError),
    Ended(Failure),
}

impl From<AttemptError> for Failure {
    fn from(error: AttemptError) -> Self {
        match error {
            AttemptError::Between(in_use) => Self::Usage(
                anyhow::Error::from(in_use).context("it takes no requests: it is starting, stopping, or scanning once"),
            ),
            AttemptError::Ended(failure) => failure,
        }
    }
}

async fn attempt(config: &Config, folder: &Path, request: &Request) -> Result<Value, AttemptError> {
    match DataFolder::take(folder) {
        Ok(taken) => alone(config, &taken, request).await.map_err(AttemptError::Ended),
        Err(in_use @ FolderError::InUse { .. }) => match ask(folder, request).await {
            Err(AskError::Nobody { .. }) => Err(AttemptError::Between(in_use)),
            answer => answer.map_err(|error| AttemptError::Ended(error.into())),
        },
        Err(error) => Err(AttemptError::Ended(Failure::usage(error))),
    }
}

/// The actors that can be asked without the rest of a controller.
struct Alone {
    nib: Addr<NibActor>,
    way: Nib,
    policy: Addr<PolicyActor>,
    audit: Addr<AuditActor>,
    parts: Parts,
}

async fn alone(config: &Config, folder: &DataFolder, request: &Request) -> Result<Value, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let store = open_in(&config.nib, &actor(config), clock.now())?;
    let (socket, listener) = AdminSocket::bind(folder).map_err(Failure::usage)?;
    let open = OpenNib::new(Box::new(store)).map_err(Failure::Failed)?;
    let frozen = open.frozen().map_err(Failure::Failed)?;
    let controller = Alone::start(config, open, clock).map_err(Failure::Failed)?;
    let own = match frozen {
        Some(frozen) if request.target == CHECKPOINT => {
            return Err(Failure::Failed(anyhow!("no head of this log is signed any more: {}", frozen.reason)));
        }
        // As at a controller that runs: questions are answered, and nothing is written.
        Some(frozen) => controller.nib.send(frozen).await.map(|()| None).map_err(Failure::failed)?,
        None => {
            controller.open_log(folder.path()).await.context("its log cannot be written").map_err(Failure::Usage)?
        }
    };
    // Whoever knows who it is begins to work: a Global Controller without any policy makes its first one,
    // and a head is signed. So only those are told who are asked something.
    if let Some(own) = own {
        let became = Became(own);
        if request.target.starts_with("/api/v1/policy") {
            controller.policy.send(became).await.map_err(Failure::failed)?;
        } else if request.target == CHECKPOINT {
            controller.audit.send(became).await.map_err(Failure::failed)?;
        }
    }
    let listeners = Listeners { tcp: None, admin: Some(listener) };
    let server = serve(listeners, controller.parts).context("cannot serve").map_err(Failure::Failed)?;
    let handle = server.handle();
    actix::spawn(server);
    let answer = ask(folder.path(), request).await;
    handle.stop(true).await;
    drop(socket);
    let closed = controller.nib.send(Close).await;
    let answer = answer?;
    closed.map_err(Failure::failed)?.map_err(Failure::failed)?;
    Ok(answer)
}

impl Alone {
    fn start(config: &Config, open: OpenNib, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        let seed = getrandom::u64().map_err(|error| anyhow!("the system gives no random numbers: {error}"))?;
        let writer = NibWriter::start(open.store).context("cannot start the writer thread")?;
        let nib = NibActor::new(writer, open.readers).start();
        let identity = Identity {
            role: config.controller.role.unwrap_or(Role::Local),
            controller_id: config.controller.id.clone(),
            region: config.controller.region.clone(),
            subnets: config.controller.subnets.clone(),
            version: env!("CARGO_PKG_VERSION"),
            started_at: clock.now(),
        };
        let health = HealthActor::new(identity, Arc::clone(&clock)).start();
        let way = Nib::new(nib.clone().recipient(), nib.clone().recipient(), seed);
        let registry = RegistryActor::new(way.clone(), None, Arc::clone(&clock), Arc::new(SystemEntropy)).start();
        // A post that never starts: what is sent through it goes nowhere, at once.
        let nowhere = ActorContext::<PostActor>::new().address();
        let heads = audit::Outlets {
            checkpoints: nowhere.clone().recipient(),
            answers: nowhere.clone().recipient(),
            acquaint: nowhere.clone().recipient(),
            freeze: vec![nib.clone().recipient(), health.clone().recipient()],
            health: health.clone().recipient(),
        };
        let audit = AuditActor::new(way.clone(), Arc::clone(&clock), seed, heads).start();
        let outlets = Outlets {
            requests: nowhere.clone().recipient(),
            acks: nowhere.recipient(),
            notes: health.clone().recipient(),
            listeners: Vec::new(),
        };
        let policy = PolicyActor::new(config.policy.distributed(), way.clone(), clock, seed, outlets).start();
        let parts = Parts {
            health,
            nib: Some(way.clone()),
            discovery: None,
            registry: Some(registry),
            audit: Some(Heads { newest: audit.clone().recipient(), make: audit.clone().recipient() }),
            policy: Some(policy.clone()),
            presence: None,
            demand: None,
            wishes: None,
            user_name,
        };
        Ok(Self { nib, way, policy, audit, parts })
    }

    /// Makes what is written from here on entries of the log, where the controller has a name and so
    /// the log an origin. The answer is who the controller is.
    async fn open_log(&self, folder: &Path) -> anyhow::Result<Option<Arc<Own>>> {
        let Some(row) = self.way.ask(|reader| reader.membership()).await? else { return Ok(None) };
        // As a start does it: the next key is used as soon as there is a certificate for it.
        let (chain, file) = match (row.next_chain, row.next_key_file) {
            (Some(chain), Some(next)) => (chain, next),
            _ => (row.chain, row.key_file),
        };
        let key = KeyFiles::new(folder, Arc::new(SystemEntropy)).load(&file)?;
        let key = key.with_context(|| format!("the key {file} of {} is missing in {}", row.id, folder.display()))?;
        let chain = canonical::read(chain.as_str().as_bytes(), "a certificate chain")
            .with_context(|| format!("the certificate of {} is damaged", row.id))?;
        let own = Own {
            cluster: row.cluster,
            id: row.id,
            role: row.role,
            region: row.region,
            parent: row.parent,
            pin: row.pin,
            chain,
            key: Arc::new(key),
            epoch: row.epoch,
        };
        let sealer = LogSealer::new(own.origin(), Arc::clone(&own.key), Arc::new(SystemEntropy));
        self.nib.send(OpenLog(Box::new(sealer))).await??;
        Ok(Some(Arc::new(own)))
    }
}
