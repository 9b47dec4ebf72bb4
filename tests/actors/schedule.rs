//! When cycles run: at the start, by the clock, when asked, and not any more.

use std::time::Duration;

use actix::MailboxError;
use pdsno::actors::discovery::{BeginSchedule, Drain, Reconfigure, Refused, StartCycle};
use pdsno::domain::cycle::{Completeness, DeltaCounts, Trigger};
use pdsno::domain::event::EventType;
use tokio::time::{advance, pause};

use crate::carrier::{Gate, Shared, script};
use crate::stage::{INTERVAL, Stage, settings};

const fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Stops the runtime's clock, so that only the test moves it: while a blocking task is under way the
/// runtime does not skip to the next timer by itself.
struct StoppedClock(Option<std::sync::mpsc::Sender<()>>);

impl StoppedClock {
    fn new() -> Self {
        pause();
        let (end, ended) = std::sync::mpsc::channel::<()>();
        drop(tokio::task::spawn_blocking(move || ended.recv()));
        Self(Some(end))
    }
}

impl Drop for StoppedClock {
    fn drop(&mut self) {
        self.0.take();
    }
}

/// Lets time pass, and the millisecond to which timers are rounded up.
async fn pass(span: Duration) {
    advance(span + Duration::from_millis(1)).await;
}

fn one_link() -> Shared {
    script([vec![1, 2]])
}

/// The next cycle, through the gate: why it ran and at which second it began.
async fn next(stage: &mut Stage, gate: &mut Gate) -> (Trigger, i64) {
    gate.begun().await;
    gate.open();
    let report = stage.ended_well().await;
    (report.trigger, report.started_at.as_millis() / 1_000)
}

#[actix::test]
async fn the_first_cycle_is_the_bootstrap_and_the_others_follow_from_start_to_start() {
    let _clock = StoppedClock::new();
    let (mut stage, mut gate) = Stage::gated(&one_link());
    stage.discovery.send(BeginSchedule).await.unwrap();
    gate.begun().await;
    pass(seconds(100)).await;
    gate.open();
    let bootstrap = stage.ended_well().await;
    assert_eq!((bootstrap.trigger, bootstrap.started_at.as_millis()), (Trigger::Bootstrap, 0));
    assert!((bootstrap.duration_ms - 100_000.0).abs() < 100.0, "{}", bootstrap.duration_ms);
    pass(seconds(200)).await;
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Scheduled, 300));
    pass(INTERVAL).await;
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Scheduled, 600));
    let cycles: Vec<_> = stage
        .events()
        .into_iter()
        .filter(|event| event.event_type == EventType::DiscoveryCycleCompleted)
        .map(|event| event.payload["trigger"].clone())
        .collect();
    assert_eq!(cycles, ["bootstrap", "scheduled", "scheduled"]);
}

#[actix::test]
async fn a_cycle_that_takes_longer_than_the_interval_leaves_ticks_out_and_is_never_overlapped() {
    let _clock = StoppedClock::new();
    let (mut stage, mut gate) = Stage::gated(&one_link());
    stage.discovery.send(BeginSchedule).await.unwrap();
    gate.begun().await;
    for _ in 0..2 {
        pass(INTERVAL).await;
        stage.settle().await;
        let refused = stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap();
        assert_eq!(refused.err(), Some(Refused::Running));
    }
    pass(seconds(50)).await;
    gate.open();
    assert_eq!(stage.ended_well().await.trigger, Trigger::Bootstrap);
    pass(seconds(250)).await;
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Scheduled, 900), "300 and 600 were left out");
}

#[actix::test]
async fn the_interval_counts_from_the_last_cycle_whatever_started_it() {
    let _clock = StoppedClock::new();
    let (mut stage, mut gate) = Stage::gated(&one_link());
    stage.discovery.send(BeginSchedule).await.unwrap();
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Bootstrap, 0));
    pass(seconds(120)).await;
    let answer = stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::OnDemand, 120));
    assert_eq!(answer.await.unwrap().unwrap().trigger, Trigger::OnDemand);
    pass(seconds(299)).await;
    stage.settle().await;
    pass(seconds(1)).await;
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Scheduled, 420));
}

#[actix::test]
async fn another_interval_holds_from_now_and_the_same_one_moves_nothing() {
    let _clock = StoppedClock::new();
    let script = one_link();
    let (mut stage, mut gate) = Stage::gated(&script);
    stage.discovery.send(BeginSchedule).await.unwrap();
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Bootstrap, 0));
    pass(seconds(100)).await;
    let mut new = settings(&script);
    new.policy.missed_cycles_before_inactive = 1;
    stage.discovery.send(Reconfigure(new.clone())).await.unwrap();
    pass(seconds(200)).await;
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Scheduled, 300));
    pass(seconds(10)).await;
    new.policy.interval = seconds(60);
    stage.discovery.send(Reconfigure(new)).await.unwrap();
    pass(seconds(60)).await;
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Scheduled, 370));
    pass(seconds(60)).await;
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Scheduled, 430));
}

#[actix::test]
async fn new_settings_hold_from_the_next_cycle_on() {
    let script = script([vec![1], vec![2]]);
    let (mut stage, mut gate) = Stage::gated(&script);
    let answer = stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
    gate.begun().await;
    let mut new = settings(&script);
    new.subnets.truncate(1);
    stage.discovery.send(Reconfigure(new)).await.unwrap();
    gate.open();
    assert_eq!(answer.await.unwrap().unwrap().subnets.len(), 2);
    stage.ended_well().await;
    stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
    gate.begun().await;
    gate.open();
    assert_eq!(stage.ended_well().await.subnets.len(), 1);
}

#[actix::test]
async fn a_drain_in_mid_sweep_ends_it_and_writes_what_it_had_seen() {
    let (mut stage, mut gate) = Stage::gated(&one_link());
    let asked = stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
    gate.begun().await;
    let mut drained = stage.discovery.send(Drain).await.unwrap();
    let refused = stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap();
    assert_eq!(refused.err(), Some(Refused::Stopping));
    assert!(drained.try_recv().is_err(), "the sweep is still in hand");
    gate.open();
    drained.await.unwrap();
    let report = asked.await.unwrap().unwrap();
    assert_eq!((report.completeness, report.delta), (Completeness::Partial, DeltaCounts::default()));
    assert_eq!(stage.ended_well().await, report);
    assert_eq!(stage.devices(), []);
    let told = stage.events();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].event_type, EventType::DiscoveryCycleCompleted);
    assert_eq!(told[0].payload["completeness"], "partial");
    assert_eq!(stage.discovery.send(StartCycle(Trigger::OnDemand)).await.err(), Some(MailboxError::Closed));
}

#[actix::test]
async fn whoever_asks_to_drain_once_more_is_answered_too() {
    let (stage, mut gate) = Stage::gated(&one_link());
    stage.discovery.send(StartCycle(Trigger::OnDemand)).await.unwrap().unwrap();
    gate.begun().await;
    let first = stage.discovery.send(Drain).await.unwrap();
    let second = stage.discovery.send(Drain).await.unwrap();
    gate.open();
    assert_eq!((first.await, second.await), (Ok(()), Ok(())));
}

#[actix::test]
async fn a_drain_while_nothing_runs_ends_the_actor_and_its_schedule() {
    let _clock = StoppedClock::new();
    let (mut stage, mut gate) = Stage::gated(&one_link());
    stage.discovery.send(BeginSchedule).await.unwrap();
    assert_eq!(next(&mut stage, &mut gate).await, (Trigger::Bootstrap, 0));
    stage.discovery.send(Drain).await.unwrap().await.unwrap();
    pass(INTERVAL).await;
    let refused = stage.discovery.send(StartCycle(Trigger::OnDemand)).await;
    assert_eq!(refused.err(), Some(MailboxError::Closed));
    assert_eq!(stage.ended.recv().await.map(|_| ()), None, "nobody is left to tell of a cycle");
}
