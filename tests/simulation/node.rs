//! One machine: its store and keys outlive the controller on it.

use std::sync::Arc;

use actix::{Actor, Context, Handler, Recipient};
use pdsno::actors::membership::keys::MemoryKeys;
use pdsno::actors::post::{Dispatch, Undeliverable};
use pdsno::app::node::Node;
use pdsno::domain::controller::{ControllerId, Role};
use pdsno::domain::event::{Event, EventSeq};
use pdsno::domain::token::BootstrapToken;
use pdsno::eastwest::bus::Bus;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{EventQuery, NibReader, NibStore};
use tokio::time::Instant;

use crate::controller::{self, Place, Tasks};
use crate::copied::CopiedKeys;
use crate::monitor::Monitor;
use crate::network::Network;
use crate::store::{Fate, MortalNib, Shared, locked};
use crate::time::{MachineClock, Seeded};

/// A machine.
pub struct Machine {
    pub number: usize,
    pub place: Place,
    pub skew_ms: i64,
    pub nib: MemoryNib,
    pub reader: Box<dyn NibReader>,
    pub keys: Arc<CopiedKeys>,
    entropy: Arc<Seeded>,
    /// What it was given to be let in with.
    pub token: Option<Box<dyn Fn() -> BootstrapToken>>,
    pub parent: Option<ControllerId>,
    pub running: Option<Running>,
}

/// A controller that runs on a machine.
pub struct Running {
    node: Node,
    _tasks: Tasks,
    pub fate: Shared,
}

impl Running {
    pub const fn node(&self) -> &Node {
        &self.node
    }
}

/// What stands between a controller and the bus: a dead one says nothing.
struct Lips {
    fate: Shared,
    dispatch: Recipient<Dispatch>,
}

impl Actor for Lips {
    type Context = Context<Self>;
}

impl Handler<Dispatch> for Lips {
    type Result = Result<(), Undeliverable>;

    fn handle(&mut self, message: Dispatch, _: &mut Self::Context) -> Self::Result {
        if locked(&self.fate).is_dead {
            return Err(Undeliverable::Ended);
        }
        self.dispatch.try_send(message).map_err(|_| Undeliverable::Ended)
    }
}

impl Machine {
    pub fn new(number: usize, place: Place, skew_ms: i64, seed: u64) -> Self {
        let nib = MemoryNib::new();
        let reader = nib.reader().unwrap();
        let entropy = Arc::new(Seeded::new(seed));
        let keys = Arc::new(CopiedKeys::new(MemoryKeys::new(Arc::clone(&entropy) as _)));
        Self { number, place, skew_ms, nib, reader, keys, entropy, token: None, parent: None, running: None }
    }

    /// The name of its controller, once there is one.
    pub fn name(&self) -> Option<ControllerId> {
        self.reader.membership().unwrap().map(|own| own.id)
    }

    /// Its last events, for who looks into a failure.
    pub fn last_words(&self) -> String {
        let from = EventSeq::from_number(self.reader.next_event().unwrap().number().saturating_sub(12));
        let events = self.reader.events(&EventQuery { from, ..EventQuery::default() }).unwrap();
        let told = |event: &Event| {
            let Event { seq, event_type, subject, timestamp, payload, .. } = event;
            format!("  node {} {seq} {timestamp} {event_type} {subject} {payload}\n", self.number)
        };
        events.iter().map(told).collect()
    }

    /// Starts the controller.
    pub async fn start(&mut self, began: Instant, bus: &Bus, monitor: &Monitor, network: &Network) {
        let fate = Shared::new(std::sync::Mutex::new(Fate::default()));
        let store = MortalNib {
            nib: self.nib.reopened(),
            fate: Arc::clone(&fate),
            monitor: monitor.clone(),
            node: self.number,
        };
        let machine = controller::Machine {
            clock: Arc::new(MachineClock::new(began, self.skew_ms)),
            entropy: Arc::clone(&self.entropy) as _,
            store: Box::new(store),
            keys: Arc::clone(&self.keys) as _,
            sweep: (self.place.role == Role::Local).then(|| Box::new(network.clone()) as _),
            token: self.token.as_ref().map(|token| token()),
        };
        let lips = Arc::clone(&fate);
        let between = |dispatch| Lips { fate: lips, dispatch }.start().recipient();
        let settings = self.place.settings(self.parent.clone());
        let controller::Running { node, tasks } = controller::start(settings, machine, bus.clone(), between).await;
        self.running = Some(Running { node, _tasks: tasks, fate });
    }
}
