//! What a cycle writes, and what it does when it cannot.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Addr, Context, Handler, ResponseFuture};
use pdsno::actors::causes;
use pdsno::actors::discovery::cycle::CycleError;
use pdsno::actors::discovery::{Answered, DiscoverySettings, Reconfigure, StartCycle, succeeded};
use pdsno::actors::nib::{Commit, CommitFrom, DeviceTable, LoadDevices, NibActor};
use pdsno::actors::sweeper::SweepError;
use pdsno::domain::change::Change;
use pdsno::domain::cycle::{Completeness, Trigger};
use pdsno::domain::device::{DeviceId, DeviceStatus, Version};
use pdsno::domain::event::EventType;
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{Committed, NibError, NibStore, Row};
use tokio::time::{Instant, pause};

use crate::carrier::{hosts, locked, script};
use crate::stage::{RuntimeClock, Stage, memory_nib, settings};

/// A NIB that answers commits as it is told, and writes them when it is told nothing.
struct Moody {
    nib: MemoryNib,
    moods: Vec<Mood>,
    asked: Arc<Mutex<Vec<usize>>>,
}

#[derive(Clone, Copy)]
enum Mood {
    Conflict,
    Unavailable,
    Full,
    /// It is written, and the answer is lost.
    Silent,
    /// It is not written, and nobody knows.
    Doubtful,
}

/// A NIB that cannot be read for the first few times.
struct Busy {
    nib: Addr<NibActor>,
    refusals: usize,
}

impl Actor for Busy {
    type Context = Context<Self>;
}

impl Handler<LoadDevices> for Busy {
    type Result = ResponseFuture<Result<DeviceTable, NibError>>;

    fn handle(&mut self, question: LoadDevices, _: &mut Self::Context) -> Self::Result {
        let refused = self.refusals > 0;
        self.refusals = self.refusals.saturating_sub(1);
        let answer = self.nib.send(question);
        Box::pin(async move {
            match refused {
                true => Err(NibError::Unavailable { attempted: "to read", source: None }),
                false => answer.await.unwrap(),
            }
        })
    }
}

impl Actor for Moody {
    type Context = Context<Self>;
}

impl Handler<LoadDevices> for Moody {
    type Result = Result<DeviceTable, NibError>;

    fn handle(&mut self, _: LoadDevices, _: &mut Self::Context) -> Self::Result {
        let reader = self.nib.reader()?;
        let devices = reader.devices(None, None, 1_000)?;
        let with_facts = devices.into_iter().map(|device| Ok((reader.facts(device.id, device.id)?, device)));
        let devices = with_facts.map(|both| both.map(|(facts, device)| (device, facts)));
        Ok(DeviceTable {
            devices: devices.collect::<Result<_, NibError>>()?,
            next: reader.next_device()?,
            readings: BTreeMap::new(),
        })
    }
}

impl Handler<CommitFrom> for Moody {
    type Result = Result<Committed, NibError>;

    fn handle(&mut self, CommitFrom(source): CommitFrom, _: &mut Self::Context) -> Self::Result {
        let changes = source.collect()?;
        self.asked.lock().unwrap().push(changes.len());
        let row = Row::Device(pdsno::domain::device::DeviceId::from_number(1));
        match self.moods.pop() {
            None => self.nib.commit(&changes),
            Some(Mood::Conflict) => Err(NibError::Conflict { row, expected: Some(Version::FIRST), found: None }),
            Some(Mood::Unavailable) => Err(NibError::Unavailable { attempted: "to write", source: None }),
            Some(Mood::Full) => Err(NibError::Full { attempted: "to write" }),
            Some(Mood::Silent) => {
                self.nib.commit(&changes)?;
                Err(NibError::MaybeCommitted { source: None })
            }
            Some(Mood::Doubtful) => Err(NibError::MaybeCommitted { source: None }),
        }
    }
}

/// A stage on such a NIB. The runtime's clock skips what is waited for.
fn moody(script: &crate::carrier::Shared, moods: &[Mood]) -> (Stage, Arc<Mutex<Vec<usize>>>, Addr<Moody>) {
    pause();
    let nib = MemoryNib::new();
    let reader = nib.reader().unwrap();
    let asked = Arc::default();
    let moods = moods.iter().rev().copied().collect();
    let address = Moody { nib, moods, asked: Arc::clone(&asked) }.start();
    let stage = Stage::with_nib(script, address.clone().recipient(), address.clone().recipient(), reader);
    (stage, asked, address)
}

#[actix::test]
async fn three_cycles_make_find_and_lose_a_device() {
    let script = script([vec![1, 2]]);
    let mut stage = Stage::new(&script);
    let report = stage.cycle().await.unwrap();
    assert_eq!(
        (report.completeness, report.hosts, report.delta.new, report.targets),
        (Completeness::Complete, 2, 2, 13)
    );
    assert!(report.nib_commit_ms.is_some() && succeeded(&report));
    let discovered = EventType::DeviceDiscovered;
    assert_eq!(stage.event_types(), [discovered, discovered, EventType::DiscoveryCycleCompleted]);
    assert_eq!(stage.cycle().await.unwrap().delta.unchanged, 2);
    locked(&script).links.get_mut("eth1").unwrap().hosts = hosts(1, [2]);
    for missed in 1..=3 {
        let delta = stage.cycle().await.unwrap().delta;
        assert_eq!((delta.missed, delta.inactive), (u64::from(missed < 3), u64::from(missed == 3)));
    }
    let lost = &stage.devices()[0];
    assert_eq!((lost.status, lost.missed_cycles), (DeviceStatus::Inactive, 3));
    let subject = lost.id.to_string();
    let told: Vec<_> =
        stage.events().into_iter().filter(|event| event.subject == subject).map(|event| event.event_type).collect();
    assert_eq!(told, [discovered, EventType::DeviceInactive]);
}

/// A wall clock that is set by hand, and a stopwatch of its own.
struct WallClock {
    wall: AtomicI64,
    stopwatch: RuntimeClock,
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }

    fn elapsed(&self) -> Duration {
        self.stopwatch.elapsed()
    }
}

#[actix::test]
async fn a_clock_that_jumps_by_an_hour_in_a_cycle_changes_no_duration_and_loses_nobody() {
    const HOUR: i64 = 3_600_000;
    let stopwatch = RuntimeClock(Instant::now());
    let clock = Arc::new(WallClock { wall: AtomicI64::new(100 * HOUR), stopwatch });
    let script = script([vec![1, 2]]);
    let answered = Answered::default();
    let (mut stage, mut gate) = Stage::gated_by(&script, Arc::clone(&clock) as Arc<dyn Clock>);
    let settings = DiscoverySettings { answered: Some(answered.clone()), ..settings(&script) };
    stage.discovery.send(Reconfigure(settings)).await.unwrap();
    for (number, jump) in [0, HOUR, -HOUR, -HOUR, HOUR].into_iter().enumerate() {
        stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
        gate.begun().await;
        let before = clock.wall.fetch_add(jump, Ordering::SeqCst);
        gate.open();
        let report = stage.ended_well().await;
        assert!(report.duration_ms < 60_000.0, "{report:?}");
        assert_eq!((report.started_at.as_millis(), report.too_long), (before, None));
        let known = if number == 0 { (2, 0) } else { (0, 2) };
        assert_eq!((report.delta.new, report.delta.unchanged, report.delta.missed), (known.0, known.1, 0));
        let now = clock.now();
        assert!(stage.devices().iter().all(|device| device.last_seen == now && device.missed_cycles == 0));
        assert_eq!(answered.take(), [1, 2].map(DeviceId::from_number), "whatever the clock says");
    }
    // Who is silent has not answered, also when the clock says that he was seen later than just now.
    locked(&script).links.get_mut("eth1").unwrap().hosts = hosts(1, [2]);
    stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
    gate.begun().await;
    clock.wall.fetch_sub(HOUR, Ordering::SeqCst);
    gate.open();
    let report = stage.ended_well().await;
    assert!(stage.devices().iter().any(|device| device.last_seen >= report.started_at));
    assert_eq!(answered.take(), [DeviceId::from_number(2)]);
    let discovered = stage.event_types().into_iter().filter(|told| *told == EventType::DeviceDiscovered).count();
    assert_eq!((discovered, stage.event_types().len()), (2, 2 + 6));
}

#[actix::test]
async fn a_link_that_goes_down_makes_a_partial_cycle_and_nobody_on_it_missed() {
    let script = script([vec![1, 2], vec![3, 4]]);
    let mut stage = Stage::new(&script);
    stage.cycle().await.unwrap();
    let told = stage.events().len();
    {
        let mut script = locked(&script);
        let sent = script.records["eth1"].sent.len();
        script.links.get_mut("eth1").unwrap().down_after = Some(sent + 3);
        script.links.get_mut("eth1").unwrap().hosts.clear();
        script.links.get_mut("eth2").unwrap().hosts = hosts(2, [3]);
    }
    let report = stage.cycle().await.unwrap();
    assert_eq!(report.completeness, Completeness::Partial);
    assert_eq!((report.delta.missed, report.delta.unchanged), (1, 1));
    assert_eq!(stage.devices().iter().map(|device| device.missed_cycles).collect::<Vec<_>>(), [0, 0, 0, 1]);
    let events = &stage.events()[told..];
    let types: Vec<_> = events.iter().map(|event| event.event_type).collect();
    assert_eq!(types, [EventType::ScanProtocolFailed, EventType::DiscoveryCycleCompleted]);
    assert_eq!(events[0].payload["protocol"], "arp");
    assert!(events[0].payload["error"].as_str().unwrap().starts_with("eth1 is down"), "{:?}", events[0].payload);
}

#[actix::test]
async fn a_cycle_whose_every_link_failed_is_told_and_changes_no_device() {
    let script = script([vec![1, 2]]);
    let mut stage = Stage::new(&script);
    stage.cycle().await.unwrap();
    let (before, told) = (stage.devices(), stage.events().len());
    locked(&script).interfaces[0].running = false;
    let report = stage.cycle().await.unwrap();
    assert_eq!((report.completeness, succeeded(&report)), (Completeness::Failed, false));
    assert_eq!(stage.devices(), before);
    let types: Vec<_> = stage.event_types().split_off(told);
    assert_eq!(types, [EventType::ScanProtocolFailed, EventType::DiscoveryCycleFailed]);
}

#[actix::test]
async fn subnets_that_cannot_be_asked_are_an_event_and_an_error_that_says_so() {
    let script = script([vec![1]]);
    let mut stage = Stage::new(&script);
    stage.cycle().await.unwrap();
    let before = stage.devices();
    // Every address is this host's own now.
    locked(&script).interfaces[0].addresses.push("127.0.0.1/8".parse().unwrap());
    let error = stage.cycle().await.unwrap_err();
    assert!(matches!(*error, CycleError::Sweep(SweepError::Plan(_))), "{error}");
    let event = stage.events().pop().unwrap();
    assert_eq!((event.event_type, event.subject.as_str()), (EventType::DiscoveryCycleFailed, "10.0.1.0/28"));
    assert_eq!(event.payload["trigger"], "on_demand");
    assert_eq!(event.payload["error"], causes(error.as_ref()));
    assert!(causes(error.as_ref()).contains("10.0.1.0/28 is on eth1, the loopback"), "{}", causes(error.as_ref()));
    assert_eq!(stage.devices(), before);
}

#[actix::test]
async fn a_conflict_is_decided_anew_three_times_with_growing_waits() {
    let script = script([vec![1, 2]]);
    let (mut stage, asked, _nib) = moody(&script, &[Mood::Conflict, Mood::Unavailable, Mood::Conflict]);
    let begun = Instant::now();
    let report = stage.cycle().await.unwrap();
    assert_eq!((report.delta.new, stage.devices().len()), (2, 2));
    assert_eq!(asked.lock().unwrap().len(), 4);
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_millis(350) && waited <= Duration::from_millis(530), "{waited:?}");
    let discovered = EventType::DeviceDiscovered;
    assert_eq!(stage.event_types(), [discovered, discovered, EventType::DiscoveryCycleCompleted]);
}

#[actix::test]
async fn a_nib_that_cannot_be_read_for_a_moment_is_read_again() {
    let script = script([vec![1, 2]]);
    let (nib, reader) = memory_nib();
    let devices = Busy { nib: nib.clone(), refusals: 2 }.start().recipient();
    let mut stage = Stage::with_nib(&script, devices, nib.recipient(), reader);
    assert_eq!(stage.cycle().await.unwrap().delta.new, 2);
    let (nib, reader) = memory_nib();
    let devices = Busy { nib: nib.clone(), refusals: 9 }.start().recipient();
    let mut stage = Stage::with_nib(&script, devices, nib.recipient(), reader);
    let error = stage.cycle().await.unwrap_err();
    assert!(matches!(*error, CycleError::Nib { source: NibError::Unavailable { .. }, .. }), "{error}");
    assert_eq!(stage.devices(), []);
}

#[actix::test]
async fn a_conflict_that_stays_is_told_and_the_cycle_has_changed_nothing() {
    let script = script([vec![1, 2]]);
    let (mut stage, asked, _nib) = moody(&script, &[Mood::Conflict; 4]);
    let error = stage.cycle().await.unwrap_err();
    assert!(matches!(*error, CycleError::Nib { source: NibError::Conflict { .. }, .. }), "{error}");
    assert_eq!(stage.devices(), []);
    assert_eq!(stage.event_types(), [EventType::DiscoveryWriteConflict]);
    assert_eq!(stage.events()[0].payload["error"], causes(error.as_ref()));
    assert_eq!(asked.lock().unwrap().len(), 5, "four attempts and the event");
    assert_eq!(stage.cycle().await.unwrap().delta.new, 2, "the next cycle finds them");
}

#[actix::test]
async fn a_full_disk_is_not_tried_again() {
    let script = script([vec![1]]);
    let (mut stage, asked, _nib) = moody(&script, &[Mood::Full]);
    let error = stage.cycle().await.unwrap_err();
    assert!(matches!(*error, CycleError::Nib { source: NibError::Full { .. }, .. }), "{error}");
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[actix::test]
async fn a_commit_whose_answer_was_lost_is_not_made_twice() {
    let script = script([vec![1, 2]]);
    let (mut stage, asked, _nib) = moody(&script, &[Mood::Silent]);
    assert_eq!(stage.cycle().await.unwrap().delta.new, 2);
    assert_eq!(asked.lock().unwrap().len(), 1);
    let discovered = EventType::DeviceDiscovered;
    assert_eq!(stage.event_types(), [discovered, discovered, EventType::DiscoveryCycleCompleted]);
}

#[actix::test]
async fn a_silence_is_counted_once_though_its_commit_was_in_doubt() {
    let script = script([vec![1]]);
    let (mut stage, _, nib) = moody(&script, &[]);
    stage.cycle().await.unwrap();
    locked(&script).links.get_mut("eth1").unwrap().hosts.clear();
    for (missed, mood) in [(1, Mood::Silent), (2, Mood::Doubtful)] {
        nib.send(SetMood(mood)).await.unwrap();
        assert_eq!(stage.cycle().await.unwrap().delta.missed, 1);
        assert_eq!(stage.devices()[0].missed_cycles, missed);
        let cycles = stage.event_types().into_iter().filter(|kind| *kind == EventType::DiscoveryCycleCompleted);
        assert_eq!(cycles.count(), 1 + missed as usize);
    }
}

/// Puts a NIB into a mood for its next commit.
#[derive(actix::Message)]
#[rtype(result = "()")]
struct SetMood(Mood);

impl Handler<SetMood> for Moody {
    type Result = ();

    fn handle(&mut self, SetMood(mood): SetMood, _: &mut Self::Context) {
        self.moods.push(mood);
    }
}

/// Somebody who changes a device after it was read for a cycle, once.
struct Interloper {
    nib: Addr<NibActor>,
    done: Arc<Mutex<bool>>,
}

impl Actor for Interloper {
    type Context = Context<Self>;
}

impl Handler<LoadDevices> for Interloper {
    type Result = ResponseFuture<Result<DeviceTable, NibError>>;

    fn handle(&mut self, load: LoadDevices, _: &mut Self::Context) -> Self::Result {
        let (nib, done) = (self.nib.clone(), Arc::clone(&self.done));
        Box::pin(async move {
            let table = nib.send(load).await.unwrap()?;
            if let Some((device, _)) = table.devices.first()
                && !std::mem::replace(&mut *done.lock().unwrap(), true)
            {
                let mut device = device.clone();
                device.status = DeviceStatus::Quarantined;
                nib.try_send(Commit(vec![Change::UpdateDevice(device)])).unwrap();
            }
            Ok(table)
        })
    }
}

#[actix::test]
async fn what_another_wrote_meanwhile_is_kept_and_built_upon() {
    let script = script([vec![1, 2]]);
    let (nib, reader) = memory_nib();
    let interloper = Interloper { nib: nib.clone(), done: Arc::default() }.start();
    let mut stage = Stage::with_nib(&script, interloper.recipient(), nib.recipient(), reader);
    stage.cycle().await.unwrap();
    locked(&script).links.get_mut("eth1").unwrap().hosts.clear();
    let report = stage.cycle().await.unwrap();
    assert_eq!(report.delta.missed, 2);
    let device = &stage.devices()[0];
    assert_eq!((device.status, device.missed_cycles), (DeviceStatus::Quarantined, 1));
    assert_eq!(device.version, Version::FIRST.next().next());
}
