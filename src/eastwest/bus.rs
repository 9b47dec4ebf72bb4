//! The carrier between the controllers of one process.
//!
//! ```text
//!   PostActor ──Dispatch, Attach──► BusPort ──► the queue of the destination
//!                                                  │ its task, when a message is due
//!   PostActor ◄────────────────Arrived─────────────┘
//! ```
//!
//! Each controller has a port and each port a queue with a bound. A controller whose mailbox is full
//! is waited for, and its queue grows; when that is full, senders are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix::{Actor, Context, Handler, Recipient};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout, timeout_at};
use tracing::warn;

use crate::actors::REQUEST_DEADLINE;
use crate::actors::post::{Arrived, Attach, Dispatch, Undeliverable};
use crate::domain::controller::ControllerId;
use crate::eastwest::faults::Faults;
use crate::wire::envelope::Destination;

/// How many messages may wait for one controller: one from each child of the largest parent.
pub const MOST_MESSAGES: usize = 256;

/// And how many octets they may have, so that few big ones are not many.
pub const MOST_OCTETS: usize = 16 * 1024 * 1024;

/// The names of one controller over time.
type Names = Arc<BTreeSet<ControllerId>>;

/// Joins the controllers of one process. Copies are handles of the same bus.
#[derive(Debug, Clone, Default)]
pub struct Bus {
    shared: Arc<Mutex<Nodes>>,
    faults: Option<Faults>,
}

#[derive(Debug, Default)]
struct Nodes {
    nodes: BTreeMap<u64, Node>,
    /// Who takes what is for a name: the last one that attached it.
    owners: BTreeMap<ControllerId, u64>,
    /// The number of the next port.
    ports: u64,
    /// The number of the next message.
    messages: u64,
}

#[derive(Debug)]
struct Node {
    /// Its newest name, under which it sends.
    id: ControllerId,
    names: Names,
    to: Recipient<Arrived>,
    /// What is on its way, by when it is due and in the order in which it was sent.
    queue: BTreeMap<(Instant, u64), Parcel>,
    octets: usize,
    wake: Arc<Notify>,
}

#[derive(Debug)]
struct Parcel {
    from: ControllerId,
    /// All names of the sender.
    senders: Names,
    bytes: Vec<u8>,
}

/// What the task of a node does next.
enum Next {
    End,
    Wait,
    WaitUntil(Instant),
    Bring(Recipient<Arrived>, Arrived),
}

/// The port of one controller: a carrier.
#[derive(Debug)]
pub struct BusPort {
    bus: Bus,
    number: u64,
    /// Whether it ever had a name: one that was taken off the bus does not come back.
    attached: bool,
}

impl Bus {
    /// A bus that brings everything, at once and in order.
    pub fn new() -> Self {
        Self::default()
    }

    /// A bus on which things go wrong.
    pub fn with_faults(faults: Faults) -> Self {
        Self { shared: Arc::default(), faults: Some(faults) }
    }

    /// A port for one controller, to be started as an actor. It ends with its last address, and its
    /// controller is off the bus then.
    pub fn port(&self) -> BusPort {
        let mut nodes = self.nodes();
        nodes.ports += 1;
        BusPort { bus: self.clone(), number: nodes.ports, attached: false }
    }

    /// Takes the controller of this name off the bus: from this instant nothing of it leaves, under
    /// any of its names, and nothing arrives at it. What it sent before is on its way as before.
    pub fn detach(&self, id: &ControllerId) {
        let mut nodes = self.nodes();
        if let Some(number) = nodes.owners.get(id).copied() {
            nodes.remove(number);
        }
    }

    /// The names for which somebody is there, ascending.
    pub fn attached(&self) -> Vec<ControllerId> {
        self.nodes().owners.keys().cloned().collect()
    }

    fn nodes(&self) -> MutexGuard<'_, Nodes> {
        // Nothing in here panics half-way through a change.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dispatch(&self, number: u64, dispatch: Dispatch) -> Result<(), Undeliverable> {
        let to = match dispatch.to {
            Destination::Controller(to) => to,
            Destination::Topic(topic) => return Err(Undeliverable::NoTopics(topic)),
        };
        let mut nodes = self.nodes();
        let sender = nodes.nodes.get(&number).ok_or(Undeliverable::Ended)?;
        let (from, senders) = (sender.id.clone(), Arc::clone(&sender.names));
        let Some(node) = nodes.owners.get(&to).copied() else { return Err(Undeliverable::Unreachable(to)) };
        let Some(receivers) = nodes.nodes.get(&node).map(|node| Arc::clone(&node.names)) else {
            return Err(Undeliverable::Unreachable(to));
        };
        let journeys = match &self.faults {
            Some(faults) => faults.journeys(&senders, &receivers),
            None => vec![Duration::ZERO],
        };
        let mut taken = journeys.into_iter().map(|delay| {
            let parcel = Parcel { from: from.clone(), senders: Arc::clone(&senders), bytes: dispatch.bytes.clone() };
            nodes.enqueue(node, delay, parcel)
        });
        // Whether there was room for a second copy is nobody's business.
        let first = taken.next().unwrap_or(true);
        taken.for_each(drop);
        if first { Ok(()) } else { Err(Undeliverable::Full(to)) }
    }

    /// Brings what is due to one controller, until it is off the bus.
    async fn bring(self, number: u64, wake: Arc<Notify>) {
        loop {
            match self.next(number) {
                Next::End => return,
                Next::Wait => wake.notified().await,
                // Whatever ends the wait, it is looked again.
                Next::WaitUntil(due) => drop(timeout_at(due, wake.notified()).await),
                Next::Bring(to, arrived) => match timeout(REQUEST_DEADLINE, to.send(arrived)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return self.nodes().remove(number),
                    Err(_) => warn!("a controller on the bus takes no messages: one is lost"),
                },
            }
        }
    }

    fn next(&self, number: u64) -> Next {
        let mut nodes = self.nodes();
        let Some(node) = nodes.nodes.get_mut(&number) else { return Next::End };
        loop {
            let Some(entry) = node.queue.first_entry() else { return Next::Wait };
            let (due, _) = *entry.key();
            if due > Instant::now() {
                return Next::WaitUntil(due);
            }
            let Parcel { from, senders, bytes } = entry.remove();
            node.octets = node.octets.saturating_sub(bytes.len());
            // What was on its way when the link was cut does not arrive.
            if self.faults.as_ref().is_some_and(|faults| faults.is_cut(&senders, &node.names)) {
                continue;
            }
            let arrived = Arrived { source: format!("in-process:{from}"), peer: Some(from), bytes };
            return Next::Bring(node.to.clone(), arrived);
        }
    }
}

impl Nodes {
    /// Puts a message into the queue of a node, if there is room.
    fn enqueue(&mut self, node: u64, delay: Duration, parcel: Parcel) -> bool {
        self.messages += 1;
        let Some(node) = self.nodes.get_mut(&node) else { return false };
        let octets = node.octets + parcel.bytes.len();
        if node.queue.len() >= MOST_MESSAGES || octets > MOST_OCTETS {
            return false;
        }
        node.octets = octets;
        node.queue.insert((Instant::now() + delay, self.messages), parcel);
        node.wake.notify_one();
        true
    }

    fn remove(&mut self, number: u64) {
        self.owners.retain(|_, owner| *owner != number);
        if let Some(node) = self.nodes.remove(&number) {
            node.wake.notify_one();
        }
    }
}

impl Actor for BusPort {
    type Context = Context<Self>;
}

impl Handler<Attach> for BusPort {
    type Result = Result<(), Undeliverable>;

    fn handle(&mut self, Attach { id, to }: Attach, _: &mut Self::Context) -> Self::Result {
        let mut nodes = self.bus.nodes();
        if self.attached && !nodes.nodes.contains_key(&self.number) {
            return Err(Undeliverable::Ended);
        }
        self.attached = true;
        nodes.owners.insert(id.clone(), self.number);
        if let Some(node) = nodes.nodes.get_mut(&self.number) {
            Arc::make_mut(&mut node.names).insert(id.clone());
            node.id = id;
            node.to = to;
            return Ok(());
        }
        let wake = Arc::new(Notify::new());
        let names = Arc::new(BTreeSet::from([id.clone()]));
        let node = Node { id, names, to, queue: BTreeMap::new(), octets: 0, wake: Arc::clone(&wake) };
        nodes.nodes.insert(self.number, node);
        drop(nodes);
        // Not the port's own: it would never end then.
        actix::spawn(self.bus.clone().bring(self.number, wake));
        Ok(())
    }
}

impl Handler<Dispatch> for BusPort {
    type Result = Result<(), Undeliverable>;

    fn handle(&mut self, dispatch: Dispatch, _: &mut Self::Context) -> Self::Result {
        self.bus.dispatch(self.number, dispatch)
    }
}

impl Drop for BusPort {
    fn drop(&mut self) {
        self.bus.nodes().remove(self.number);
    }
}
