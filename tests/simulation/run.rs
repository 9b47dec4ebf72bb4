//! A run from its beginning to its end.

use std::net::Ipv4Addr;
use std::time::Duration;

use actix::System;
use pdsno::actors::membership::Wake;
use pdsno::actors::policy::SetPolicy;
use pdsno::actors::registry::IssueToken;
use pdsno::algorithms::validation::operator::TokenOrder;
use pdsno::domain::controller::{Region, Role};
use pdsno::domain::operator::Operator;
use pdsno::domain::policy::Policy;
use pdsno::domain::token::{BootstrapToken, TokenLifetime};
use pdsno::eastwest::bus::Bus;
use pdsno::eastwest::faults::{Conditions, Faults};
use secrecy::ExposeSecret;
use tokio::time::{Instant, sleep, sleep_until};

use crate::controller::{Place, policy};
use crate::copied::old_keys_are_refused;
use crate::monitor::Monitor;
use crate::network::Network;
use crate::node::Machine;
use crate::plan::{Act, PEACE, Plan, TROUBLE};
use crate::store::locked;
use crate::time::{MachineClock, Seeded};
use crate::verdict;

/// How long a controller that ended stays away at least.
const DOWN: Duration = Duration::from_secs(7);

/// How long it takes after that until everybody's log has heads that are cosigned.
const HEADS: Duration = Duration::from_secs(60);

/// How long the first joining of all may take, with nothing going wrong.
const JOINING: Duration = Duration::from_secs(120);

/// Everything of a run.
pub struct World {
    pub plan: Plan,
    pub machines: Vec<Machine>,
    pub monitor: Monitor,
    bus: Bus,
    faults: Faults,
    network: Network,
    began: Instant,
    /// When each machine's controller starts again.
    again: Vec<Option<Instant>>,
}

/// What a run came to.
pub struct History {
    /// Every log's head in the end: two runs with the same have done the same.
    pub heads: Vec<String>,
    /// How often a controller went from one key to the next.
    pub switches: usize,
    /// The most batches that one commit was handed over in.
    pub most_batches: usize,
}

/// Runs a seed.
///
/// # Errors
/// What does not hold.
pub fn run(seed: u64) -> Result<History, String> {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    System::with_tokio_rt(runtime).block_on(async move {
        let mut world = World::new(seed);
        let told = world.live().await;
        let acts = world.plan.acts.iter().map(|(when, act)| format!("  {:>9.3} s {act:?}\n", when.as_secs_f64()));
        told.map_err(|reason| format!("{reason}\nplan of seed {seed}:\n{}", acts.collect::<String>()))
    })
}

impl World {
    fn new(seed: u64) -> Self {
        let plan = Plan::of(seed);
        let faults = Faults::new(seed);
        let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
        let place = |number: usize| {
            let region = || format!("zone-{}", plan.region_of(number)).parse::<Region>().unwrap();
            let regions = plan.regions.len();
            let (role, region, subnets) = match number {
                0 => (Role::Global, None, Vec::new()),
                regional if regional <= regions => (Role::Regional, Some(region()), Vec::new()),
                local => (Role::Local, Some(region()), vec![format!("10.0.{local}.0/24").parse().unwrap()]),
            };
            Place { role, region, subnets }
        };
        let machines = (0..plan.nodes())
            .map(|number| Machine::new(number, place(number), plan.skews[number], random.u64(..)))
            .collect();
        let again = vec![None; plan.nodes()];
        Self {
            machines,
            monitor: Monitor::default(),
            bus: Bus::with_faults(faults.clone()),
            faults,
            network: Network::default(),
            began: Instant::now(),
            again,
            plan,
        }
    }

    async fn live(&mut self) -> Result<History, String> {
        self.join().await?;
        self.pass_until(Instant::now() + HEADS).await?;
        let folder = tempfile::tempdir().unwrap();
        let early = verdict::hand_over(self, &folder.path().join("early"))?;
        let trouble = Instant::now();
        self.faults.everywhere(Conditions {
            loss: f64::from(self.plan.lost) / 100.0,
            duplication: f64::from(self.plan.doubled) / 100.0,
            shortest: Duration::from_millis(1),
            longest: self.plan.slowest,
        });
        for (when, act) in self.plan.acts.clone() {
            self.pass_until(trouble + when).await?;
            self.act(act).await;
        }
        self.pass_until(trouble + TROUBLE).await?;
        self.faults.end();
        for machine in &mut self.machines {
            if let Some(running) = &machine.running {
                let mut fate = locked(&running.fate);
                (fate.ends_in, fate.ends_with_next_key) = (None, false);
            }
        }
        self.pass_until(Instant::now() + PEACE).await?;
        self.old_keys_are_refused().await?;
        verdict::all_agree(self)?;
        let late = verdict::hand_over(self, &folder.path().join("late"))?;
        for handed in [early, late] {
            verdict::is_verified(self, &handed)?;
        }
        Ok(History {
            heads: verdict::heads(self),
            switches: self.monitor.switches(),
            most_batches: self.monitor.most_batches(),
        })
    }

    /// Every controller is let in, from above.
    async fn join(&mut self) -> Result<(), String> {
        for number in 0..self.plan.nodes() {
            if let Some(above) = self.plan.above(number) {
                let name = self.machines[above].name().ok_or("the controller above has no name")?;
                let place = &self.machines[number].place;
                let token = self.token(above, place.role, place.region.clone().unwrap()).await?;
                let text = token.reveal();
                let machine = &mut self.machines[number];
                machine.token = Some(Box::new(move || text.expose_secret().parse().unwrap()));
                machine.parent = Some(name);
            }
            self.start(number).await;
            let late = Instant::now() + JOINING;
            while self.machines[number].name().is_none() {
                if Instant::now() > late {
                    let above = self.plan.above(number).unwrap_or_default();
                    let told = [number, above].map(|node| self.machines[node].last_words());
                    return Err(format!("node {number} was not let in\n{}", told.concat()));
                }
                sleep(Duration::from_millis(100)).await;
            }
        }
        Ok(())
    }

    async fn token(&self, at: usize, role: Role, region: Region) -> Result<BootstrapToken, String> {
        let running = self.machines[at].running.as_ref().ok_or("it does not run")?;
        let registry = running.node().parts.registry.as_ref().ok_or("it lets nobody in")?;
        let lifetime = TokenLifetime::try_from(Duration::from_secs(600)).unwrap();
        let issue = IssueToken { order: TokenOrder { role, region, lifetime }, by: operator() };
        registry.send(issue).await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    async fn start(&mut self, number: usize) {
        let (bus, monitor, network) = (&self.bus, &self.monitor, &self.network);
        self.machines[number].start(self.began, bus, monitor, network).await;
        self.again[number] = None;
    }

    /// Lets time pass; who has ended is taken away, and comes back.
    async fn pass_until(&mut self, until: Instant) -> Result<(), String> {
        loop {
            let wrong = self.monitor.wrong();
            if !wrong.is_empty() {
                return Err(wrong.join("\n"));
            }
            self.bury();
            for number in 0..self.plan.nodes() {
                if self.again[number].is_some_and(|again| again <= Instant::now()) {
                    self.start(number).await;
                }
            }
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            sleep_until(until.min(now + Duration::from_millis(500))).await;
        }
    }

    fn bury(&mut self) {
        for (number, machine) in self.machines.iter_mut().enumerate() {
            let is_dead = machine.running.as_ref().is_some_and(|running| locked(&running.fate).is_dead);
            if is_dead {
                machine.running = None;
                if let Some(name) = machine.name() {
                    self.bus.detach(&name);
                }
                self.again[number] = Some(Instant::now() + DOWN + Duration::from_millis(self.plan.seed % 30_000));
            }
        }
    }

    async fn act(&mut self, act: Act) {
        match act {
            Act::Put(device, local, octet) => {
                let subnet = u8::try_from(self.plan.local(local)).unwrap();
                self.network.put(Ipv4Addr::new(10, 0, subnet, octet), device.into());
            }
            Act::Crowd(local) => {
                let subnet = u8::try_from(self.plan.local(local)).unwrap();
                for octet in 1..=254 {
                    self.network.put(Ipv4Addr::new(10, 0, subnet, octet), u16::from_be_bytes([subnet, octet]));
                }
            }
            Act::Take(device) => self.network.take(device.into()),
            Act::Rewire(device) => self.network.rewire(device.into()),
            Act::Kill(node, commits, after_it) => {
                if let Some(running) = &self.machines[node].running {
                    let mut fate = locked(&running.fate);
                    (fate.ends_in, fate.after_it) = (Some(commits), after_it);
                }
            }
            Act::Part(node) => {
                let name = self.machines[node].name().unwrap();
                self.faults.partition([[name].into()]);
            }
            Act::Join(_) => self.faults.heal(),
            Act::Renew(node) => self.renew(node),
            Act::RenewAndEnd(node) => {
                if let Some(running) = &self.machines[node].running {
                    locked(&running.fate).ends_with_next_key = true;
                }
                self.renew(node);
            }
            Act::SetPolicy(interval) => self.set_policy(interval).await,
            Act::Token(node) => {
                let (role, region) = match node {
                    0 => (Role::Regional, "zone-x".parse().unwrap()),
                    _ => (Role::Local, self.machines[node].place.region.clone().unwrap()),
                };
                // It may be down: then the operator is told so.
                let _token = self.token(node, role, region).await;
            }
        }
    }

    /// A member's timer comes before its time.
    fn renew(&self, node: usize) {
        if let Some(running) = &self.machines[node].running {
            // It may have ended meanwhile.
            let _due = running.node().membership.try_send(Wake::Renew);
        }
    }

    async fn old_keys_are_refused(&self) -> Result<(), String> {
        let entropy = Seeded::new(self.plan.seed ^ 0x01d);
        for child in &self.machines {
            if let Some(above) = self.plan.above(child.number) {
                let parent = &self.machines[above];
                let clock = MachineClock::new(self.began, parent.skew_ms);
                old_keys_are_refused(&self.bus, child, parent, &clock, &entropy).await?;
            }
        }
        Ok(())
    }

    async fn set_policy(&self, interval: u64) {
        let mut values: Policy = policy();
        values.discovery.interval = Duration::from_secs(interval);
        if let Some(running) = &self.machines[0].running {
            let set = SetPolicy { values, expires_at: None, by: operator() };
            // It may end meanwhile, or the policy may say that already.
            let _set = running.node().parts.policy.send(set).await;
        }
    }
}

fn operator() -> Operator {
    Operator { user: Some("ada".to_owned()), uid: 1000 }
}
