//! A cycle of some thousand devices, of which no more than a batch is held while it is written: neither
//! of its changes nor of what the controller above is told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler};
use pdsno::actors::discovery::{
    CycleEnded, CycleResult, DiscoveryActor, DiscoverySettings, ReportSettings, StartCycle,
};
use pdsno::actors::nib::NibActor;
use pdsno::actors::report::Wake;
use pdsno::actors::sweeper::{Sweep, SweepError, SweepOrder, Swept};
use pdsno::algorithms::discovery::delta::{BATCH, KnownDevice};
use pdsno::algorithms::discovery::observation::{HostObservation, SnmpAnswer};
use pdsno::algorithms::discovery::sweep::LinkOutcome;
use pdsno::algorithms::report::items::root_of;
use pdsno::domain::address::MacAddr;
use pdsno::domain::change::Change;
use pdsno::domain::cycle::{CycleReport, ProtocolStats, Trigger};
use pdsno::domain::device::{DeviceId, DeviceStatus};
use pdsno::domain::fact::{SnmpSystem, SnmpUptime};
use pdsno::domain::log::Sealer;
use pdsno::domain::number::StreamSeq;
use pdsno::domain::protocol::Protocol;
use pdsno::domain::stream::Stream;
use pdsno::domain::subnet::AddressSet;
use pdsno::domain::time::Timestamp;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::writer::NibWriter;
use pdsno::nib::{Committed, NibError, NibReader, NibStore, Source};
use pdsno::wire::report::Report;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::carrier::script;
use crate::stage::{RuntimeClock, settings};

/// Hosts behind the sweep.
const HOSTS: u32 = 3_000;

/// How many changes were handed over at once, and whether the next commit is to fail after so many batches.
#[derive(Debug, Default)]
struct Seen {
    batches: Vec<usize>,
    fails_after: Option<usize>,
}

type Shared = Arc<Mutex<Seen>>;

/// A store that notes how a commit is handed over.
struct Counting {
    store: Box<dyn NibStore>,
    seen: Shared,
}

impl NibStore for Counting {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        self.store.commit_each(commits)
    }

    fn commit_from(&mut self, source: Source) -> Result<Committed, NibError> {
        let seen = Arc::clone(&self.seen);
        seen.lock().unwrap().batches.clear();
        let given_up = Arc::new(Mutex::new(false));
        let gives_up = Arc::clone(&given_up);
        let answer = self.store.commit_from(Source::new(move |sink| {
            let made = source.run(&mut |changes| {
                let mut seen = seen.lock().unwrap();
                seen.batches.push(changes.len());
                if seen.fails_after == Some(seen.batches.len()) {
                    seen.fails_after = None;
                    *gives_up.lock().unwrap() = true;
                    return Err(NibError::Unavailable { attempted: "to write", source: None });
                }
                drop(seen);
                match sink(changes) {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(NibError::Invalid { detail: "refused".to_owned() }),
                }
            });
            if made.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }));
        match *given_up.lock().unwrap() {
            true => Err(NibError::Unavailable { attempted: "to write", source: None }),
            false => answer,
        }
    }

    fn open_log(&mut self, sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        self.store.open_log(sealer)
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        self.store.reader()
    }
}

/// Who answers, by number: with how many addresses, and what its agent says.
#[derive(Clone, Default)]
struct Crowd(Arc<Mutex<Vec<HostObservation>>>);

impl Sweep for Crowd {
    fn order(&self, order: SweepOrder) -> Result<oneshot::Receiver<Result<Swept, SweepError>>, SweepError> {
        let hosts = self.0.lock().unwrap().clone();
        let stats = [Protocol::Arp, Protocol::Icmp, Protocol::Snmp]
            .map(|protocol| (protocol, ProtocolStats { hosts: hosts.len() as u64, ..ProtocolStats::default() }));
        let outcome = LinkOutcome { targets: 65_534, hosts, stats, failed: None, unreached: BTreeSet::new() };
        let asked = vec![AddressSet::new(&order.subnets).into()];
        let (tell, answer) = oneshot::channel();
        let _told = tell.send(Ok(Swept { outcomes: vec![outcome], asked, cancelled: false }));
        Ok(answer)
    }

    fn cancel(&self) {}
}

fn host(number: u32, name: &str, mac: Option<u32>) -> HostObservation {
    let [_, _, high, low] = number.to_be_bytes();
    let system = SnmpSystem { sys_name: Some(format!("{name}-{number}")), ..SnmpSystem::default() };
    let uptime = Some(SnmpUptime { uptime_seconds: 100 });
    let agent = (!number.is_multiple_of(3)).then(|| Ok(SnmpAnswer { system, uptime, ..SnmpAnswer::default() }));
    HostObservation {
        address: Ipv4Addr::new(10, 1, high, low),
        mac: mac.map(|mac| {
            let [a, b, c, d] = mac.to_be_bytes();
            MacAddr::new([2, 0, a, b, c, d])
        }),
        methods: vec![Protocol::Arp],
        rtt: Some(Duration::from_micros(300)),
        snmp: agent,
    }
}

struct Sleeper;

impl Actor for Sleeper {
    type Context = Context<Self>;
}

impl Handler<Wake> for Sleeper {
    type Result = ();

    fn handle(&mut self, _: Wake, _: &mut Self::Context) {}
}

struct Listener(UnboundedSender<CycleResult>);

impl Actor for Listener {
    type Context = Context<Self>;
}

impl Handler<CycleEnded> for Listener {
    type Result = ();

    fn handle(&mut self, CycleEnded(result): CycleEnded, _: &mut Self::Context) {
        self.0.send(result).unwrap();
    }
}

/// A controller that reports, and what the one above makes of it.
struct Reporting {
    crowd: Crowd,
    seen: Shared,
    reader: Box<dyn NibReader>,
    discovery: actix::Addr<DiscoveryActor>,
    ended: UnboundedReceiver<CycleResult>,
    /// The last item that was taken, and the devices that were told until then.
    taken: StreamSeq,
    told: BTreeMap<DeviceId, DeviceStatus>,
}

impl Reporting {
    fn over(store: Box<dyn NibStore>) -> Self {
        let (seen, crowd) = (Shared::default(), Crowd::default());
        let (reader, readers) = (store.reader().unwrap(), vec![store.reader().unwrap()]);
        let counting = Counting { store, seen: Arc::clone(&seen) };
        let nib = NibActor::new(NibWriter::start(Box::new(counting)).unwrap(), readers).start();
        let settings = DiscoverySettings {
            subnets: vec!["10.1.0.0/16".parse().unwrap()],
            local_controller: Some("local_cntl_zoneA_1".parse().unwrap()),
            report: Some(ReportSettings { policy_version: None, wake: Sleeper.start().recipient() }),
            ..settings(&script([vec![1]]))
        };
        let (tell, ended) = unbounded_channel();
        let clock = Arc::new(RuntimeClock(Instant::now()));
        let (devices, commits) = (nib.clone().recipient(), nib.recipient());
        let listener = Listener(tell).start().recipient();
        let discovery =
            DiscoveryActor::new(settings, clock, 1, Box::new(crowd.clone()), devices, commits, listener).start();
        Self { crowd, seen, reader, discovery, ended, taken: StreamSeq::default(), told: BTreeMap::new() }
    }

    /// A cycle that sees these hosts. What was written of it is what is told of it, and neither was
    /// ever held as a whole.
    async fn cycle(&mut self, hosts: Vec<HostObservation>) -> CycleReport {
        *self.crowd.0.lock().unwrap() = hosts;
        self.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
        let report = self.ended.recv().await.unwrap().unwrap();
        let batches = self.seen.lock().unwrap().batches.clone();
        // The changes of one device more than fit, and an item.
        assert!(batches.iter().all(|batch| *batch < BATCH + 32), "{batches:?}");
        self.take(&report);
        report
    }

    fn take(&mut self, cycle: &CycleReport) {
        let items = self.reader.outbox(Stream::Reports, self.taken, 10_000).unwrap();
        let reports: Vec<Report> = items.iter().map(|item| serde_json::from_str(&item.body).unwrap()).collect();
        let (last, others) = reports.split_last().unwrap();
        assert!(others.iter().all(|report| report.state_root.is_none() && report.cycle.is_none()));
        let counts = last.cycle.as_ref().unwrap().counts;
        let delta = cycle.delta;
        assert_eq!((u64::from(counts.new), u64::from(counts.updated)), (delta.new, delta.updated));
        for report in &reports {
            self.told.extend(report.devices.iter().map(|device| (device.id, device.status)));
            self.told.retain(|id, _| !report.removed.contains(id));
        }
        self.taken = items.last().unwrap().seq;
        let devices = self.reader.devices(None, None, 100_000).unwrap();
        let known = devices.into_iter().map(|device| {
            let facts = self.reader.facts(device.id, device.id).unwrap();
            KnownDevice { device, facts }
        });
        let known: Vec<KnownDevice> = known.collect();
        assert_eq!(last.state_root, Some(root_of(&known).unwrap()));
        let there: BTreeMap<_, _> = known.iter().map(|known| (known.device.id, known.device.status)).collect();
        assert_eq!(self.told, there);
    }

    fn batches(&self) -> usize {
        self.seen.lock().unwrap().batches.len()
    }
}

async fn what_is_written_is_told(store: Box<dyn NibStore>) {
    let mut controller = Reporting::over(store);
    // A hundred answer from behind a router.
    let first = |number| host(number, "first", (number > 100).then_some(number));
    let found = controller.cycle((1..=HOSTS).map(first).collect()).await;
    assert_eq!((found.delta.new, controller.batches() > 6), (u64::from(HOSTS), true));
    assert!(controller.taken > StreamSeq::from_number(4), "{:?}", controller.taken);
    // Nothing is new: that is one item.
    let before = controller.taken;
    controller.cycle((1..=HOSTS).map(first).collect()).await;
    assert_eq!((controller.taken, controller.batches() > 2), (before.next(), true));
    // A third is silent, a third says something else, and those behind a router are stations of others.
    let second = |number| host(number, "second", Some(if number > 100 { number } else { number + 1_000 }));
    let changed = controller.cycle((1..=2 * HOSTS / 3).map(second).collect()).await;
    assert_eq!((changed.delta.missed, changed.delta.new), (u64::from(HOSTS / 3), 0));
    assert_eq!(controller.told.len(), HOSTS as usize - 100);
    // Until they are believed to be gone.
    controller.cycle((1..=2 * HOSTS / 3).map(second).collect()).await;
    let lost = controller.cycle((1..=2 * HOSTS / 3).map(second).collect()).await;
    assert_eq!(lost.delta.inactive, u64::from(HOSTS / 3));
    assert_eq!(
        controller.told.values().filter(|status| **status == DeviceStatus::Inactive).count(),
        HOSTS as usize / 3
    );
}

#[actix::test]
async fn a_large_cycle_is_written_and_told_batch_by_batch_in_memory() {
    what_is_written_is_told(Box::new(MemoryNib::new())).await;
}

#[actix::test]
async fn a_large_cycle_is_written_and_told_batch_by_batch_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let mode = OpenMode::Migrate { actor: "standalone", at: Timestamp::from_millis(0) };
    what_is_written_is_told(Box::new(SqliteNib::open(&folder.path().join("nib.db"), mode).unwrap())).await;
}

#[actix::test]
async fn what_was_handed_over_of_a_cycle_that_fails_is_told_to_nobody_and_once_when_it_is_written() {
    let mut controller = Reporting::over(Box::new(MemoryNib::new()));
    for fails_after in [1, 4, 7] {
        controller.seen.lock().unwrap().fails_after = Some(fails_after);
        let (base, name) = (fails_after as u32 * HOSTS, format!("after-{fails_after}"));
        let hosts = (1..=HOSTS).map(|number| host(number, &name, Some(base + number)));
        // It is decided anew; what is told then is all, and follows what was told before.
        controller.cycle(hosts.collect()).await;
        assert_eq!(controller.seen.lock().unwrap().fails_after, None, "it failed once");
    }
    let items = controller.reader.outbox(Stream::Reports, StreamSeq::default(), 10_000).unwrap();
    assert!(items.iter().map(|item| item.seq.number()).eq(1..=items.len() as u64));
}
