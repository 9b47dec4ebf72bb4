//! The bus itself: bounded, never in the sender's own handler, rid of who is gone.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use pdsno::actors::post::{Arrived, Attach, Dispatch, Undeliverable};
use pdsno::eastwest::bus::{Bus, BusPort, MOST_MESSAGES, MOST_OCTETS};
use pdsno::eastwest::faults::{Conditions, Faults};
use pdsno::wire::envelope::Destination;
use tokio::sync::Semaphore;
use tokio::time::{advance, pause};

use crate::node::{CHILD, OTHER, PARENT, name, settle};

/// Takes what arrives, as fast as it is let.
#[derive(Clone)]
pub struct Taker {
    pub arrived: Arc<Mutex<Vec<Arrived>>>,
    pace: Arc<Semaphore>,
}

impl Taker {
    pub fn new(pace: usize) -> Self {
        Self { arrived: Arc::default(), pace: Arc::new(Semaphore::new(pace)) }
    }

    pub fn octets(&self) -> Vec<Vec<u8>> {
        self.arrived.lock().unwrap().iter().map(|arrived| arrived.bytes.clone()).collect()
    }
}

impl Actor for Taker {
    type Context = Context<Self>;
}

impl Handler<Arrived> for Taker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, arrived: Arrived, _: &mut Self::Context) -> Self::Result {
        let (taken, pace) = (Arc::clone(&self.arrived), Arc::clone(&self.pace));
        Box::pin(async move {
            pace.acquire().await.unwrap().forget();
            taken.lock().unwrap().push(arrived);
        })
    }
}

/// Attaches a taker that may take so many.
pub async fn attach(bus: &Bus, id: &str, pace: usize) -> (Addr<BusPort>, Taker) {
    let port = bus.port().start();
    let taker = Taker::new(pace);
    port.send(Attach { id: name(id), to: taker.clone().start().recipient() }).await.unwrap().unwrap();
    (port, taker)
}

pub async fn send(port: &Addr<BusPort>, to: &str, bytes: &[u8]) -> Result<(), Undeliverable> {
    port.send(Dispatch { to: Destination::Controller(name(to)), bytes: bytes.to_vec() }).await.unwrap()
}

const ANY: usize = 1 << 20;

#[actix::test]
async fn exact_octets_arrive_in_order_with_the_senders_name() {
    pause();
    let bus = Bus::new();
    let (child, _) = attach(&bus, CHILD, ANY).await;
    let (_parent, parent) = attach(&bus, PARENT, ANY).await;
    let sent: Vec<Vec<u8>> = (0..100_u8).map(|number| vec![number, 0, 255]).collect();
    for bytes in &sent {
        send(&child, PARENT, bytes).await.unwrap();
    }
    settle().await;
    assert_eq!(parent.octets(), sent);
    let arrived = parent.arrived.lock().unwrap()[0].clone();
    assert_eq!((arrived.peer, arrived.source), (Some(name(CHILD)), format!("in-process:{CHILD}")));
}

#[actix::test]
async fn who_takes_nothing_has_a_queue_with_a_bound_and_holds_up_nobody_else() {
    pause();
    let bus = Bus::new();
    let (child, _) = attach(&bus, CHILD, ANY).await;
    let (_parent, parent) = attach(&bus, PARENT, 0).await;
    let (_other, other) = attach(&bus, OTHER, ANY).await;
    let mut taken = 0;
    while send(&child, PARENT, b"x").await.is_ok() {
        taken += 1;
        tokio::task::yield_now().await;
        assert!(taken <= MOST_MESSAGES + 2, "no bound");
    }
    assert!(taken >= MOST_MESSAGES);
    assert_eq!(send(&child, PARENT, b"x").await, Err(Undeliverable::Full(name(PARENT))));
    send(&child, OTHER, b"y").await.unwrap();
    settle().await;
    assert_eq!(other.octets(), [b"y"]);
    parent.pace.add_permits(ANY);
    settle().await;
    assert_eq!(parent.octets().len(), taken);
    send(&child, PARENT, b"z").await.unwrap();
    settle().await;
    assert_eq!(parent.octets().last().unwrap(), b"z");
}

#[actix::test]
async fn few_big_messages_fill_a_queue_too() {
    pause();
    let bus = Bus::new();
    let (child, _) = attach(&bus, CHILD, ANY).await;
    let (_parent, _taker) = attach(&bus, PARENT, 0).await;
    let big = vec![0; MOST_OCTETS / 8];
    let mut taken = 0;
    while send(&child, PARENT, &big).await.is_ok() {
        taken += 1;
        tokio::task::yield_now().await;
        assert!(taken <= 10, "no bound");
    }
    assert!(taken >= 8);
}

#[actix::test]
async fn nothing_leaves_or_reaches_a_crashed_controller_and_its_name_is_free() {
    pause();
    let faults = Faults::new(1);
    let second = Duration::from_secs(1);
    faults.everywhere(Conditions { shortest: second, longest: second, ..Conditions::PERFECT });
    let bus = Bus::with_faults(faults.clone());
    let (child, child_takes) = attach(&bus, CHILD, ANY).await;
    let (parent, parent_takes) = attach(&bus, PARENT, ANY).await;
    send(&parent, CHILD, b"on its way").await.unwrap();
    bus.detach(&name(CHILD));
    assert_eq!(send(&child, PARENT, b"too late").await, Err(Undeliverable::Ended));
    assert_eq!(send(&parent, CHILD, b"too late").await, Err(Undeliverable::Unreachable(name(CHILD))));
    advance(second * 2).await;
    settle().await;
    assert_eq!((child_takes.octets().len(), parent_takes.octets().len()), (0, 0));
    faults.end();
    let back = Attach { id: name(CHILD), to: child_takes.clone().start().recipient() };
    assert_eq!(child.send(back).await.unwrap(), Err(Undeliverable::Ended));
    let (_again, again_takes) = attach(&bus, CHILD, ANY).await;
    send(&parent, CHILD, b"anew").await.unwrap();
    drop(child);
    settle().await;
    assert_eq!(again_takes.octets(), [b"anew"], "the end of the old port is not the end of the new one");
    send(&parent, CHILD, b"still").await.unwrap();
    settle().await;
    assert_eq!((again_takes.octets().len(), child_takes.octets().len()), (2, 0));
}

#[actix::test]
async fn a_port_without_addresses_is_off_the_bus() {
    pause();
    let bus = Bus::new();
    let (child, _taker) = attach(&bus, CHILD, ANY).await;
    assert_eq!(bus.attached(), [name(CHILD)]);
    drop(child);
    settle().await;
    assert_eq!(bus.attached(), []);
    // Whoever dispatches without a name is nobody.
    let port = bus.port().start();
    assert_eq!(send(&port, CHILD, b"x").await, Err(Undeliverable::Ended));
    tokio::time::timeout(Duration::from_secs(1), async { drop(port) }).await.unwrap();
}
