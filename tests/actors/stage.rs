//! A DiscoveryActor with everything around it, and what the test sees of it.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, Recipient};
use pdsno::actors::Ping;
use pdsno::actors::discovery::{CycleEnded, CycleResult, DiscoveryActor, DiscoverySettings, StartCycle};
use pdsno::actors::nib::{CommitFrom, LoadDevices, NibActor};
use pdsno::actors::sweeper::Sweeper;
use pdsno::algorithms::discovery::vendor::VendorTable;
use pdsno::domain::controller::ControllerId;
use pdsno::domain::cycle::{CycleReport, Trigger};
use pdsno::domain::device::Device;
use pdsno::domain::event::{Event, EventType};
use pdsno::domain::policy::{DiscoveryPolicy, Probing};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::writer::NibWriter;
use pdsno::nib::{EventQuery, NibReader, NibStore};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::carrier::{Gate, HandClock, ScriptedCarrier, Shared, locked};

pub const INTERVAL: Duration = Duration::from_secs(300);

/// The runtime's clock, which a test can pause.
pub struct RuntimeClock(pub Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.elapsed().as_millis() as i64)
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// Hands on what is told to the one who watches.
pub struct Watcher(UnboundedSender<CycleResult>);

impl Actor for Watcher {
    type Context = Context<Self>;
}

impl Handler<CycleEnded> for Watcher {
    type Result = ();

    fn handle(&mut self, CycleEnded(result): CycleEnded, _: &mut Self::Context) {
        self.0.send(result).unwrap();
    }
}

/// A NIB in memory behind its actor.
pub fn memory_nib() -> (Addr<NibActor>, Box<dyn NibReader>) {
    let store = MemoryNib::new();
    let reader = store.reader().unwrap();
    let readers = vec![store.reader().unwrap(), store.reader().unwrap()];
    (NibActor::new(NibWriter::start(Box::new(store)).unwrap(), readers).start(), reader)
}

pub fn settings(script: &Shared) -> DiscoverySettings {
    let links = locked(script).interfaces.len();
    DiscoverySettings {
        actor: ControllerId::standalone(),
        local_controller: None,
        region: None,
        subnets: (1..=links).map(|number| format!("10.0.{number}.0/28").parse().unwrap()).collect(),
        interface: None,
        policy: DiscoveryPolicy {
            interval: INTERVAL,
            missed_cycles_before_inactive: 3,
            protocols: vec![Protocol::Arp],
            neighbours: false,
            counters: false,
            probing: Probing::default(),
        },
        credentials: Vec::new().into(),
        vendors: Arc::new(VendorTable::builtin()),
        report: None,
        answered: None,
    }
}

pub struct Stage {
    pub discovery: Addr<DiscoveryActor>,
    pub reader: Box<dyn NibReader>,
    pub ended: UnboundedReceiver<CycleResult>,
}

impl Stage {
    /// A stage on which sweeps run as they come.
    pub fn new(script: &Shared) -> Self {
        let (nib, reader) = memory_nib();
        Self::with_nib(script, nib.clone().recipient(), nib.recipient(), reader)
    }

    /// A stage whose NIB is another's.
    pub fn with_nib(
        script: &Shared,
        devices: Recipient<LoadDevices>,
        commits: Recipient<CommitFrom>,
        reader: Box<dyn NibReader>,
    ) -> Self {
        let clock = Arc::new(HandClock::default());
        Self::build(script, ScriptedCarrier::new(script, &clock), clock, devices, commits, reader)
    }

    /// A stage on which every sweep waits at the gate.
    pub fn gated(script: &Shared) -> (Self, Gate) {
        let (nib, reader) = memory_nib();
        let clock = Arc::new(HandClock::default());
        let (carrier, gate) = ScriptedCarrier::gated(script, &clock);
        (Self::build(script, carrier, clock, nib.clone().recipient(), nib.recipient(), reader), gate)
    }

    fn build(
        script: &Shared,
        carrier: ScriptedCarrier,
        sweep_clock: Arc<HandClock>,
        devices: Recipient<LoadDevices>,
        commits: Recipient<CommitFrom>,
        reader: Box<dyn NibReader>,
    ) -> Self {
        Self::of(script, carrier, sweep_clock, Arc::new(RuntimeClock(Instant::now())), devices, commits, reader)
    }

    /// A stage on which every sweep waits at the gate, and the actor goes by this clock.
    pub fn gated_by(script: &Shared, clock: Arc<dyn Clock>) -> (Self, Gate) {
        let (nib, reader) = memory_nib();
        let sweep_clock = Arc::new(HandClock::default());
        let (carrier, gate) = ScriptedCarrier::gated(script, &sweep_clock);
        (Self::of(script, carrier, sweep_clock, clock, nib.clone().recipient(), nib.recipient(), reader), gate)
    }

    fn of(
        script: &Shared,
        carrier: ScriptedCarrier,
        sweep_clock: Arc<HandClock>,
        clock: Arc<dyn Clock>,
        devices: Recipient<LoadDevices>,
        commits: Recipient<CommitFrom>,
        reader: Box<dyn NibReader>,
    ) -> Self {
        let shared = Arc::clone(script);
        let find_links = move || locked(&shared).interfaces.clone();
        let sweeper = Sweeper::start(carrier, find_links, sweep_clock).unwrap();
        let (tell, ended) = unbounded_channel();
        let watcher = Watcher(tell).start().recipient();
        let discovery =
            DiscoveryActor::new(settings(script), clock, 1, Box::new(sweeper), devices, commits, watcher).start();
        Self { discovery, reader, ended }
    }

    /// Runs one cycle to its end.
    pub async fn cycle(&mut self) -> CycleResult {
        self.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
        self.ended().await
    }

    /// The next cycle that ends.
    pub async fn ended(&mut self) -> CycleResult {
        self.ended.recv().await.unwrap()
    }

    pub async fn ended_well(&mut self) -> CycleReport {
        self.ended().await.unwrap()
    }

    /// Returns when the actor has done everything that was due: what it sends itself comes before
    /// the second answer.
    pub async fn settle(&self) {
        for _ in 0..3 {
            self.discovery.send(Ping).await.unwrap();
        }
    }

    pub fn events(&self) -> Vec<Event> {
        self.reader.events(&EventQuery::default()).unwrap()
    }

    pub fn event_types(&self) -> Vec<EventType> {
        self.events().into_iter().map(|event| event.event_type).collect()
    }

    pub fn devices(&self) -> Vec<Device> {
        self.reader.devices(None, None, 1_000).unwrap()
    }
}
