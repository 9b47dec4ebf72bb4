//! The watch over the network: which notices make a cycle begin, and when.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler};
use pdsno::actors::Ping;
use pdsno::actors::discovery::{CycleEnded, CycleResult, Follow, Refused, StartCycle, succeeded};
use pdsno::actors::link_watch::{Cover, LinkWatch, Noticed, Overheard, WatchLinks};
use pdsno::actors::nib::{Commit, Nib};
use pdsno::algorithms::discovery::watch::Pair;
use pdsno::domain::change::Change;
use pdsno::domain::cycle::Trigger;
use pdsno::domain::device::DeviceStatus;
use pdsno::domain::link::Link;
use pdsno::wire::rtnetlink::Notice;
use tokio::sync::oneshot;
use tokio::time::{Instant, pause, resume, sleep};

use crate::carrier::{Shared, script};
use crate::nib::device;
use crate::stage::{RuntimeClock, Stage, memory_nib};

/// Has no cycle begin, but writes down when it should, and why.
#[derive(Default, Clone)]
struct Starter {
    asked: Arc<Mutex<Vec<(Trigger, u64)>>>,
    refuse: Arc<Mutex<Option<Refused>>>,
    since: Option<Instant>,
}

impl Actor for Starter {
    type Context = Context<Self>;
}

impl Handler<StartCycle> for Starter {
    type Result = Result<oneshot::Receiver<CycleResult>, Refused>;

    fn handle(&mut self, StartCycle(trigger): StartCycle, _: &mut Self::Context) -> Self::Result {
        let at = self.since.unwrap().elapsed().as_secs();
        self.asked.lock().unwrap().push((trigger, at));
        match *self.refuse.lock().unwrap() {
            Some(refused) => Err(refused),
            None => Ok(oneshot::channel().1),
        }
    }
}

fn lab0(running: bool) -> Link {
    Link {
        name: "lab0".to_owned(),
        index: 2,
        mac: Some("02:1a:b0:00:00:fa".parse().unwrap()),
        addresses: vec!["10.0.0.250/24".parse().unwrap()],
        running,
    }
}

/// A watch over 10.0.0.0/24, whose NIB has device 1 as active and device 2 as inactive.
struct Scene {
    watch: Addr<LinkWatch>,
    starter: Starter,
    link: Arc<Mutex<Link>>,
}

async fn scene() -> Scene {
    let (nib, _) = memory_nib();
    let mut gone = device(2);
    gone.status = DeviceStatus::Inactive;
    nib.send(Commit(vec![Change::InsertDevice(device(1)), Change::InsertDevice(gone)])).await.unwrap().unwrap();
    pause();
    let now = Instant::now();
    let starter = Starter { since: Some(now), ..Starter::default() };
    let link = Arc::new(Mutex::new(lab0(true)));
    let shown = Arc::clone(&link);
    let around = WatchLinks {
        subnets: vec!["10.0.0.0/24".parse().unwrap()],
        interface: None,
        find_links: Box::new(move || vec![shown.lock().unwrap().clone()]),
        clock: Arc::new(RuntimeClock(now)),
        nib: Nib::new(nib.clone().recipient(), nib.recipient(), 1),
        start: starter.clone().start().recipient(),
    };
    Scene { watch: LinkWatch::new(around, None).start(), starter, link }
}

impl Scene {
    async fn turn(&self, running: bool) {
        self.link.lock().unwrap().running = running;
        self.watch.send(Noticed(vec![Notice::Link { index: 2, running }])).await.unwrap();
    }

    async fn hear(&self, number: u32) {
        self.watch.send(Overheard { frames: 1, pairs: vec![pair(number)] }).await.unwrap();
    }

    /// How often a cycle was asked for, and at which second last.
    fn asked(&self) -> (usize, Option<u64>) {
        let asked = self.starter.asked.lock().unwrap();
        assert!(asked.iter().all(|(trigger, _)| *trigger == Trigger::EventDriven), "{asked:?}");
        (asked.len(), asked.last().map(|(_, at)| *at))
    }
}

fn pair(number: u32) -> Pair {
    let device = device(number);
    Pair { address: device.addresses[0], mac: device.mac.unwrap() }
}

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

#[actix::test]
async fn a_link_that_goes_and_comes_makes_one_cycle() {
    let scene = scene().await;
    sleep(seconds(100)).await;
    scene.turn(false).await;
    sleep(seconds(1)).await;
    scene.turn(true).await;
    sleep(seconds(200)).await;
    assert_eq!(scene.asked(), (1, Some(103)));
}

#[actix::test]
async fn a_link_that_flaps_makes_a_cycle_each_half_minute_at_most() {
    let scene = scene().await;
    for number in 0..600 {
        scene.turn(number % 2 == 1).await;
        sleep(Duration::from_millis(500)).await;
    }
    let asked = scene.starter.asked.lock().unwrap().clone();
    assert!((9..=10).contains(&asked.len()), "{asked:?}");
    assert!(asked.windows(2).all(|two| two[1].1 - two[0].1 >= 30), "{asked:?}");
}

#[actix::test]
async fn who_is_known_is_no_news_and_who_is_not_is_asked_for_once() {
    let scene = scene().await;
    scene.hear(1).await;
    sleep(seconds(100)).await;
    assert_eq!(scene.asked(), (0, None));
    scene.hear(3).await;
    sleep(seconds(100)).await;
    assert_eq!(scene.asked(), (1, Some(102)));
    scene.hear(3).await;
    sleep(seconds(100)).await;
    assert_eq!(scene.asked(), (1, Some(102)), "the cycle did not find it");
    let Pair { address, mac } = pair(2);
    scene.watch.send(Noticed(vec![Notice::Neighbour { address, mac }])).await.unwrap();
    sleep(seconds(100)).await;
    assert_eq!(scene.asked(), (2, Some(302)), "an inactive device that is back is news");
}

#[actix::test]
async fn the_end_of_a_cycle_that_goes_on_is_waited_for() {
    let failed = failed().await;
    let scene = scene().await;
    *scene.starter.refuse.lock().unwrap() = Some(Refused::Running);
    scene.turn(false).await;
    sleep(seconds(10)).await;
    assert_eq!(scene.asked(), (1, Some(2)));
    *scene.starter.refuse.lock().unwrap() = None;
    scene.watch.send(CycleEnded(failed)).await.unwrap();
    sleep(seconds(100)).await;
    assert_eq!(scene.asked(), (2, Some(10)));
}

/// A cycle that failed.
async fn failed() -> CycleResult {
    let script: Shared = script([vec![1]]);
    let mut stage = Stage::new(&script);
    script.lock().unwrap().interfaces.clear();
    let result = stage.cycle().await;
    assert!(!result.as_ref().is_ok_and(succeeded), "{result:?}");
    result
}

#[actix::test]
async fn where_discovery_stops_the_watch_ends() {
    let scene = scene().await;
    *scene.starter.refuse.lock().unwrap() = Some(Refused::Stopping);
    scene.turn(false).await;
    sleep(seconds(10)).await;
    assert!(scene.watch.send(Ping).await.is_err());
}

#[actix::test]
async fn whoever_follows_is_told_of_each_end() {
    let mut stage = Stage::new(&script([vec![1, 2]]));
    let scene = scene().await;
    stage.discovery.send(Follow(scene.watch.clone().recipient())).await.unwrap();
    scene.hear(3).await;
    sleep(seconds(10)).await;
    assert_eq!(scene.asked().0, 1);
    // Threads sweep and write, for whom a stopped clock does not wait.
    resume();
    let report = stage.cycle().await.unwrap();
    pause();
    assert_eq!(report.trigger, Trigger::OnDemand);
    scene.watch.send(Ping).await.unwrap();
    // The cycle has not found device 3, so what it says is worth a question again.
    scene.hear(3).await;
    sleep(seconds(100)).await;
    assert_eq!(scene.asked().0, 2);
}

#[actix::test]
async fn other_subnets_are_followed_before_a_cycle_has_covered_them() {
    let scene = scene().await;
    let cover = |subnet: &str| scene.watch.send(Cover(vec![subnet.parse().unwrap()]));
    cover("10.9.0.0/24").await.unwrap();
    scene.turn(false).await;
    scene.hear(3).await;
    sleep(seconds(100)).await;
    assert_eq!(scene.asked(), (0, None), "nothing of it lies on this link");
    cover("10.0.0.0/25").await.unwrap();
    scene.turn(true).await;
    sleep(seconds(100)).await;
    assert_eq!(scene.asked(), (1, Some(102)));
}
