//! Many newcomers at one parent. They are on another thread, so that it is the parent that is measured.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use actix::{Actor, Context, Handler};
use anyhow::{Context as _, anyhow, ensure};
use pdsno::actors::post::{Arrived, Attach, Dispatch};
use pdsno::algorithms::validation::joiner::Joiner;
use pdsno::app::clock::SystemClock;
use pdsno::app::entropy::SystemEntropy;
use pdsno::domain::controller::{ControllerId, Region, Role};
use pdsno::domain::entropy::octets;
use pdsno::domain::key::Nonce;
use pdsno::domain::message::BootId;
use pdsno::domain::number::Epoch;
use pdsno::domain::time::Clock;
use pdsno::domain::token::BootstrapToken;
use pdsno::eastwest::bus::Bus;
use pdsno::wire::envelope::{Author, Body, Destination, Message, read, seal};
use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
use pdsno::wire::validation::{Challenge, Metadata, ValidationResult, Verdict};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::site::{Site, joined, token};

/// Newcomers of one round.
pub const NEWCOMERS: u32 = 400;
/// How many ask at once.
pub const AT_ONCE: usize = 16;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Handshakes a second in each of so many rounds, at one parent.
pub fn measure(rounds: usize) -> anyhow::Result<Vec<f64>> {
    actix::System::new().block_on(async {
        let mut site = Site::new()?;
        let global = site.global().await?;
        let regional = site.regional(&global, "zone-A").await?;
        let (parent, region): (_, Region) = (joined(&regional).await?, "zone-A".parse()?);
        let mut rates = Vec::new();
        for _ in 0..rounds {
            let mut tokens = Vec::new();
            for _ in 0..NEWCOMERS {
                tokens.push(token(&regional, Role::Local, &region).await?);
            }
            let newcomers = Newcomers { bus: site.bus.clone(), parent: parent.clone(), region: region.clone() };
            let (tell, seconds) = oneshot::channel();
            let thread = thread::spawn(move || tell.send(newcomers.join(tokens)));
            rates.push(f64::from(NEWCOMERS) / seconds.await??.as_secs_f64());
            ensure!(matches!(thread.join(), Ok(Ok(()))), "the newcomers were not heard to the end");
        }
        Ok(rates)
    })
}

#[derive(Clone)]
struct Newcomers {
    bus: Bus,
    parent: ControllerId,
    region: Region,
}

struct Inbox(mpsc::Sender<Vec<u8>>);

impl Actor for Inbox {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Inbox {
    type Result = ();

    fn handle(&mut self, arrived: Arrived, _: &mut Self::Context) {
        // Who has its result waits for nothing more.
        drop(self.0.try_send(arrived.bytes));
    }
}

impl Newcomers {
    /// The time that they take together.
    fn join(self, tokens: Vec<BootstrapToken>) -> anyhow::Result<Duration> {
        let tokens = Rc::new(RefCell::new(tokens));
        let clock = Arc::new(SystemClock::start());
        actix::System::new().block_on(async {
            let begun = clock.elapsed();
            let mut joining = JoinSet::new();
            for _ in 0..AT_ONCE {
                let (tokens, clock, newcomers) = (Rc::clone(&tokens), Arc::clone(&clock), self.clone());
                joining.spawn_local(async move {
                    loop {
                        let token = tokens.borrow_mut().pop();
                        let Some(token) = token else { return anyhow::Ok(()) };
                        let joined = tokio::time::timeout(PATIENCE, newcomers.one(token, &clock)).await;
                        joined.context("the parent does not answer")??;
                    }
                });
            }
            while let Some(joined) = joining.join_next().await {
                joined??;
            }
            Ok(clock.elapsed() - begun)
        })
    }

    /// The whole conversation, to the certificate.
    async fn one(&self, token: BootstrapToken, clock: &SystemClock) -> anyhow::Result<()> {
        let id = ControllerId::newcomer(octets(&SystemEntropy)?);
        let key = KeyPair::from_pkcs8(PrivateKeyFile::generate(&SystemEntropy)?.as_bytes())?;
        let (tell, mut inbox) = mpsc::channel(8);
        let port = self.bus.port().start();
        port.send(Attach { id: id.clone(), to: Inbox(tell).start().recipient() }).await??;
        let mut author = Author::new(id.clone(), BootId::new(octets(&SystemEntropy)?));
        let mut joiner = Joiner::new(id.clone(), Role::Local, self.region.clone(), token);
        let to = Destination::Controller(self.parent.clone());

        let request = joiner.request(&key, Nonce::from_bytes(octets(&SystemEntropy)?), Metadata::default());
        let bytes = sealed(&mut author, &to, &request, &key, clock)?;
        port.send(Dispatch { to: to.clone(), bytes }).await??;
        let challenge: Message<Challenge> = opened(inbox.recv().await)?;
        let response = joiner.challenge(&challenge, &key, clock.now())?;
        let bytes = sealed(&mut author, &to, &response, &key, clock)?;
        port.send(Dispatch { to, bytes }).await??;
        let result: Message<ValidationResult> = opened(inbox.recv().await)?;
        ensure!(matches!(result.body.verdict, Verdict::Validated(_)), "{:?}", result.body.verdict);
        self.bus.detach(&id);
        Ok(())
    }
}

fn sealed<B: Body>(
    author: &mut Author,
    to: &Destination,
    body: &B,
    key: &KeyPair,
    clock: &SystemClock,
) -> anyhow::Result<Vec<u8>> {
    let header = author.header::<B>(to.clone(), Epoch::default(), clock.now(), octets(&SystemEntropy)?);
    Ok(seal(header, body, key)?)
}

fn opened<B: Body>(bytes: Option<Vec<u8>>) -> anyhow::Result<Message<B>> {
    let bytes = bytes.ok_or_else(|| anyhow!("the bus has ended"))?;
    Ok(read(&bytes)?.open()?)
}
