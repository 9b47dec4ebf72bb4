//! Who does not answer is named, and what happened is counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, Context, Handler, Recipient, ResponseFuture};
use pdsno::actors::Ping;
use pdsno::actors::discovery::CycleEnded;
use pdsno::actors::discovery::cycle::CycleError;
use pdsno::actors::health::{
    CheckHealth, Cover, HealthActor, Identity, Note, PING_DEADLINE, ReadStatus, RenderMetrics, Watch,
};
use pdsno::actors::sweeper::SweepError;
use pdsno::domain::controller::Role;
use pdsno::domain::cycle::{Completeness, CycleReport, DeltaCounts, ProtocolStats, Trigger};
use pdsno::domain::protocol::Protocol;
use pdsno::domain::time::Timestamp;
use tokio::time::{Instant, advance, pause};

use crate::stage::RuntimeClock;

enum Patient {
    Well,
    Hung,
    Dead,
}

impl Actor for Patient {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        if matches!(self, Self::Dead) {
            ctx.stop();
        }
    }
}

impl Handler<Ping> for Patient {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        match self {
            Self::Hung => Box::pin(std::future::pending()),
            Self::Well | Self::Dead => Box::pin(std::future::ready(())),
        }
    }
}

fn health() -> Addr<HealthActor> {
    pause();
    let identity = Identity {
        role: Role::Local,
        controller_id: None,
        region: None,
        subnets: Vec::new(),
        version: "1.2.3",
        started_at: Timestamp::from_millis(0),
    };
    HealthActor::new(identity, Arc::new(RuntimeClock(Instant::now()))).start()
}

fn report(completeness: Completeness) -> CycleReport {
    CycleReport {
        trigger: Trigger::Scheduled,
        completeness,
        started_at: Timestamp::from_millis(0),
        duration_ms: 850.0,
        subnets: Vec::new(),
        targets: 254,
        protocols: BTreeMap::from([(Protocol::Arp, ProtocolStats { sent: 300, ..ProtocolStats::default() })]),
        address_resolution: None,
        rtt: None,
        hosts: 12,
        delta: DeltaCounts { new: 12, ..DeltaCounts::default() },
        nib_commit_ms: Some(3.5),
        too_long: None,
    }
}

#[actix::test]
async fn all_who_do_not_answer_are_named_within_one_deadline() {
    let health = health();
    let watched = [("a", Patient::Hung), ("b", Patient::Well), ("c", Patient::Dead), ("d", Patient::Hung)];
    for (name, patient) in watched {
        let patient: Recipient<Ping> = patient.start().recipient();
        health.send(Watch(name, patient)).await.unwrap();
    }
    let asked = Instant::now();
    let answer = health.send(CheckHealth).await.unwrap();
    assert_eq!((answer.silent, answer.discovered), (vec!["a", "c", "d"], Some(false)));
    let took = asked.elapsed();
    assert!(took >= PING_DEADLINE && took < PING_DEADLINE + Duration::from_millis(10), "{took:?}");
}

#[actix::test]
async fn a_cycle_that_could_not_scan_discovers_nothing_and_new_subnets_are_shown() {
    let health = health();
    health.send(CycleEnded(Ok(report(Completeness::Failed)))).await.unwrap();
    assert_eq!(health.send(CheckHealth).await.unwrap().discovered, Some(false));
    let subnets = vec!["10.0.7.0/24".parse().unwrap()];
    health.send(Cover(subnets.clone())).await.unwrap();
    assert_eq!(health.send(ReadStatus).await.unwrap().identity.subnets, subnets);
}

#[actix::test]
async fn the_last_note_of_each_section_is_shown_under_its_name() {
    let health = health();
    for (section, value) in [("policy", 1), ("presence", 2), ("policy", 3)] {
        health.send(Note { section, value: value.into() }).await.unwrap();
    }
    let status = serde_json::to_value(health.send(ReadStatus).await.unwrap()).unwrap();
    assert_eq!((&status["policy"], &status["presence"]), (&3.into(), &2.into()));
    assert_eq!(status["role"], "local");
}

#[actix::test]
async fn cycles_are_counted_by_how_they_ended_and_the_last_is_shown() {
    let health = health();
    assert!(health.send(ReadStatus).await.unwrap().last_cycle.is_none());
    health.send(CycleEnded(Ok(report(Completeness::Complete)))).await.unwrap();
    health.send(CycleEnded(Ok(report(Completeness::Partial)))).await.unwrap();
    let broken = Arc::new(CycleError::Sweep(SweepError::Ended));
    health.send(CycleEnded(Err(broken))).await.unwrap();
    advance(Duration::from_secs(90)).await;
    let status = health.send(ReadStatus).await.unwrap();
    assert_eq!((status.cycles, status.uptime_seconds), (3, 90));
    assert_eq!(status.last_cycle, Some(report(Completeness::Partial)), "the last one that was written");
    assert_eq!(status.last_error.as_deref(), Some("nothing could be scanned: the sweeper has ended"));
    assert_eq!(health.send(CheckHealth).await.unwrap().discovered, Some(true));
    let text = health.send(RenderMetrics).await.unwrap().unwrap();
    for line in [
        "pdsno_discovery_cycles_total{result=\"complete\"} 1",
        "pdsno_discovery_cycles_total{result=\"partial\"} 1",
        "pdsno_discovery_cycles_total{result=\"error\"} 1",
        "pdsno_discovery_cycle_duration_seconds_count 2",
        "pdsno_discovery_packets_sent_total{protocol=\"arp\"} 600",
        "pdsno_discovery_devices_total{change=\"new\"} 24",
        "# EOF",
    ] {
        assert!(text.lines().any(|present| present == line), "{line} is missing in\n{text}");
    }
    health.send(CycleEnded(Ok(report(Completeness::Complete)))).await.unwrap();
    assert_eq!(health.send(ReadStatus).await.unwrap().last_error, None);
}
