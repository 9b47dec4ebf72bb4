//! Reports and summaries, from a cycle to the view of the whole network.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler};
use pdsno::actors::discovery::{DiscoverySettings, Reconfigure, ReportSettings};
use pdsno::actors::presence::{ParentLost, ParentReached};
use pdsno::actors::report::Wake;
use pdsno::actors::view::RequestDiscovery;
use pdsno::algorithms::discovery::delta::KnownDevice;
use pdsno::algorithms::report::items::root_of;
use pdsno::domain::change::Change;
use pdsno::domain::cycle::Trigger;
use pdsno::domain::device::{Device, DeviceId, DeviceStatus};
use pdsno::domain::event::EventType;
use pdsno::domain::fact::{Fact, Interface, SnmpReachability, SnmpUptime};
use pdsno::domain::message::MessageType;
use pdsno::domain::number::{PolicyVersion, StreamSeq};
use pdsno::domain::registry::{RegistryChange, Standing};
use pdsno::domain::stream::Stream;
use pdsno::wire::report::Report;
use tokio::time::{Instant, pause};

use crate::carrier::{hosts, locked, script};
use crate::stage::{RuntimeClock, Stage, settings};
use crate::tiers::{GC, LC, LC_2, Net, Node, RC, RC_B, Wires, after, id, mac, row, settle};

struct Tiers {
    wires: Wires,
    gc: Node,
    rc: Node,
    lc: Node,
    other: Node,
}

/// One Global Controller, one region, two Local Controllers.
async fn tiers() -> Tiers {
    pause();
    let wires: Wires = Arc::new(Mutex::new(Net::default()));
    let clock = Arc::new(RuntimeClock(Instant::now()));
    let gc = Node::start(&wires, &clock, GC, None).await;
    gc.admit(&[RC, RC_B]).await;
    let rc = Node::start(&wires, &clock, RC, Some(GC)).await;
    rc.admit(&[LC, LC_2]).await;
    let lc = Node::start(&wires, &clock, LC, Some(RC)).await;
    let other = Node::start(&wires, &clock, LC_2, Some(RC)).await;
    Tiers { wires, gc, rc, lc, other }
}

fn acknowledged(node: &Node, stream: Stream) -> (u64, u64, usize) {
    let position = node.reader.position(stream).unwrap();
    let waiting = node.reader.outbox(stream, StreamSeq::default(), 10_000).unwrap().len();
    (position.last.number(), position.acknowledged.number(), waiting)
}

/// Counts how often it was woken.
#[derive(Default, Clone)]
struct Sleeper(Arc<Mutex<usize>>);

impl Actor for Sleeper {
    type Context = Context<Self>;
}

impl Handler<Wake> for Sleeper {
    type Result = ();

    fn handle(&mut self, _: Wake, _: &mut Self::Context) {
        *self.0.lock().unwrap() += 1;
    }
}

#[actix::test]
async fn only_a_controller_with_a_parent_writes_reports_and_each_with_its_cycle() {
    let script = script([vec![1, 2]]);
    let mut stage = Stage::new(&script);
    stage.cycle().await.unwrap();
    let waiting = |stage: &Stage| stage.reader.outbox(Stream::Reports, StreamSeq::default(), 10).unwrap();
    assert_eq!(waiting(&stage), []);
    let sleeper = Sleeper::default();
    let wake = sleeper.clone().start().recipient();
    let report = Some(ReportSettings { policy_version: Some(PolicyVersion::from_number(4)), wake });
    stage.discovery.send(Reconfigure(DiscoverySettings { report, ..settings(&script) })).await.unwrap();
    locked(&script).links.get_mut("eth1").unwrap().hosts = hosts(1, [1, 2, 3]);
    stage.cycle().await.unwrap();
    let items = waiting(&stage);
    let read: Vec<Report> = items.iter().map(|item| serde_json::from_str(&item.body).unwrap()).collect();
    let [told] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((told.devices.len(), told.policy_version), (1, Some(PolicyVersion::from_number(4))));
    let facts = |device: &Device| stage.reader.facts(device.id, device.id).unwrap();
    let known = stage.devices().into_iter().map(|device| KnownDevice { facts: facts(&device), device });
    assert_eq!(told.state_root, Some(root_of(&known.collect::<Vec<_>>()).unwrap()));
    stage.settle().await;
    assert_eq!(*sleeper.0.lock().unwrap(), 1);
}

#[actix::test]
async fn what_a_cycle_finds_is_known_two_tiers_above_and_acknowledged() {
    let t = tiers().await;
    after(1).await;
    t.lc.cycle([1, 2, 3]).await;
    assert_eq!(t.rc.there(), t.lc.there());
    assert_eq!(t.gc.there(), t.lc.there());
    assert_eq!(acknowledged(&t.lc, Stream::Reports), (1, 1, 0));
    assert_eq!(acknowledged(&t.rc, Stream::Summaries), (1, 1, 0));
    let device = &t.gc.devices()[0];
    assert_eq!((device.local_controller.clone(), device.region.clone().unwrap().as_str()), (Some(id(LC)), "zone-A"));
    assert_eq!(t.gc.events(EventType::GlobalDiscoveryCycleUpdated).len(), 1);
    t.lc.cycle([1]).await;
    assert_eq!(t.gc.there()[&mac(2)], DeviceStatus::Inactive);
    assert_eq!(t.gc.events(EventType::DeviceInactive).len(), 2);
    // A cycle without news reaches the region, and the Global Controller hears nothing of it.
    t.lc.cycle([1]).await;
    assert_eq!((acknowledged(&t.lc, Stream::Reports).1, acknowledged(&t.rc, Stream::Summaries).0), (3, 2));
}

fn table(rows: u32) -> Fact {
    let name = |index| Some(format!("interface {index} of a device with many"));
    let all = (1..=rows).map(|index| Interface { index, name: name(index), ..Interface::default() });
    Fact::SnmpInterfaces(all.collect())
}

const UP: Fact = Fact::SnmpReachability(SnmpReachability { reachable: true, reason: None });

fn uptime(uptime_seconds: u64) -> Fact {
    Fact::SnmpUptime(SnmpUptime { uptime_seconds })
}

#[actix::test]
async fn what_agents_say_is_known_two_tiers_above_with_who_heard_it() {
    let t = tiers().await;
    after(1).await;
    t.wires.lock().unwrap().twice = true;
    t.lc.cycle_with([1, 2], &[(1, UP), (1, table(3)), (1, uptime(60))]).await;
    let heard = |node: &Node| -> Vec<_> { node.facts().into_iter().map(|(key, (fact, _))| (key, fact)).collect() };
    assert_eq!((heard(&t.rc), heard(&t.gc)), (heard(&t.lc), heard(&t.lc)));
    assert_eq!(t.gc.facts().len(), 3);
    assert!(t.gc.facts().values().all(|(_, observer)| *observer == Some(id(LC))));
    // That an agent is up for longer is no news to anybody.
    let summaries = acknowledged(&t.rc, Stream::Summaries);
    after(300).await;
    t.lc.cycle_with([1, 2], &[(1, uptime(360))]).await;
    assert_eq!((acknowledged(&t.rc, Stream::Summaries).0 - summaries.0, t.rc.facts()), (1, t.gc.facts()));
    assert_ne!(heard(&t.rc), heard(&t.lc));
    // A table that changed is, and takes the uptime along.
    t.wires.lock().unwrap().lost.insert((LC.to_owned(), MessageType::DiscoveryReport, 3));
    after(1).await;
    t.lc.cycle_with([1, 2], &[(1, table(4)), (1, uptime(361))]).await;
    assert_ne!(heard(&t.rc), heard(&t.lc), "it is lost");
    after(31).await;
    assert_eq!((heard(&t.rc), heard(&t.gc)), (heard(&t.lc), heard(&t.lc)));
    // Another controller sees the device now: what is known of it stays.
    t.other.cycle([1]).await;
    after(1).await;
    assert_eq!(t.gc.devices()[0].local_controller, Some(id(LC_2)));
    assert_eq!(heard(&t.gc), heard(&t.lc));
    assert_eq!(t.wires.lock().unwrap().count(RC, MessageType::StreamRequest), 0);
}

#[actix::test]
async fn a_region_that_lost_its_store_is_told_all_facts_anew() {
    let t = tiers().await;
    t.lc.cycle_with([1, 2], &[(1, table(2)), (2, UP), (2, table(10_000))]).await;
    let below = t.gc.facts();
    assert_eq!((below.len(), &t.rc.facts()), (3, &below));
    let withheld = |(fact, _): &&(Fact, _)| matches!(fact, Fact::Withheld(_));
    assert_eq!(below.values().filter(withheld).count(), 1, "a table of ten thousand rows is told by its length");
    let rc = Node::start(&t.wires, &t.rc.clock, RC, Some(GC)).await;
    rc.admit(&[LC, LC_2]).await;
    t.lc.cycle([1, 2]).await;
    assert_eq!(rc.facts(), below);
    assert_eq!(rc.events(EventType::ViewResynchronised).len(), 1);
    t.lc.cycle([1, 2]).await;
    assert_eq!(rc.events(EventType::ViewResynchronised).len(), 1, "both agree");
}

#[actix::test]
async fn a_lost_report_is_asked_for_and_a_repeated_one_is_taken_once() {
    let t = tiers().await;
    {
        let mut net = t.wires.lock().unwrap();
        net.twice = true;
        net.lost.insert((LC.to_owned(), MessageType::DiscoveryReport, 1));
    }
    t.lc.cycle([1]).await;
    assert_eq!(t.rc.devices().len(), 0);
    t.lc.cycle([1, 2]).await;
    assert_eq!((t.rc.there(), acknowledged(&t.lc, Stream::Reports)), (t.lc.there(), (2, 2, 0)));
    assert_eq!(t.rc.events(EventType::DeviceDiscovered).len(), 2);
    assert_eq!(t.wires.lock().unwrap().count(RC, MessageType::StreamRequest), 1);
    // A lost acknowledgement has the report sent again, and acknowledged again.
    let acks = t.wires.lock().unwrap().count(RC, MessageType::StreamAck);
    let lost = [1, 2].map(|next| (RC.to_owned(), MessageType::StreamAck, acks + next));
    t.wires.lock().unwrap().lost.extend(lost);
    t.lc.cycle([1, 2, 3]).await;
    assert_eq!(acknowledged(&t.lc, Stream::Reports).1, 2);
    after(31).await;
    assert_eq!(acknowledged(&t.lc, Stream::Reports), (3, 3, 0));
    assert_eq!(t.rc.events(EventType::DeviceDiscovered).len(), 3);
}

#[actix::test]
async fn a_report_of_an_unknown_revoked_or_foreign_controller_changes_nothing() {
    let t = tiers().await;
    let stranger = Node::start(&t.wires, &t.rc.clock, "local_cntl_zoneA_9", Some(RC)).await;
    let foreign = Node::start(&t.wires, &t.rc.clock, "local_cntl_zoneB_1", Some(RC)).await;
    let mut foreign_row = row("local_cntl_zoneB_1", 3);
    foreign_row.validated_by = id(RC);
    t.rc.admit_as(foreign_row, 3, 1).await;
    let revoked = t.rc.reader.controller(&id(LC)).unwrap().unwrap();
    let revoked = pdsno::domain::registry::ControllerRow { standing: Standing::Revoked, ..revoked };
    t.rc.commit(vec![Change::Registry(RegistryChange::UpdateController(Box::new(revoked)))]).await;
    for (node, reason) in [(&stranger, "UNKNOWN_SENDER"), (&t.lc, "SENDER_NOT_ACTIVE"), (&foreign, "WRONG_REGION")] {
        node.cycle([1]).await;
        let event = t.rc.events(EventType::DiscoveryReportRejected).pop().unwrap();
        assert_eq!((event.subject.as_str(), event.payload["reason"].as_str()), (node.name, Some(reason)));
        assert_eq!(acknowledged(node, Stream::Reports), (1, 0, 1));
    }
    assert_eq!((t.rc.devices().len(), acknowledged(&t.rc, Stream::Summaries).0), (0, 0));
    // It is sent again and again, and told once.
    after(120).await;
    assert_eq!(t.rc.events(EventType::DiscoveryReportRejected).len(), 3);
    assert_eq!(t.rc.reader.received(&id(LC), Stream::Reports).unwrap(), StreamSeq::default());
}

#[actix::test]
async fn an_outbox_that_grows_too_long_becomes_a_snapshot() {
    let t = tiers().await;
    t.lc.report.as_ref().unwrap().send(ParentLost).await.unwrap();
    for round in 0..1_002_u32 {
        t.lc.cycle([1, 2 + round % 2]).await;
    }
    let (last, acknowledged_up_to, waiting) = acknowledged(&t.lc, Stream::Reports);
    assert!(last > 1_002 && acknowledged_up_to == 0 && waiting < 5, "{last} {waiting}");
    let spread = Duration::from_secs(10);
    t.lc.report.as_ref().unwrap().send(ParentReached { spread }).await.unwrap();
    after(11).await;
    assert_eq!((t.rc.there(), acknowledged(&t.lc, Stream::Reports).2), (t.lc.there(), 0));
    assert_eq!(t.rc.events(EventType::ViewResynchronised).len(), 1);
    assert_eq!(t.gc.there(), t.lc.there());
}

#[actix::test]
async fn a_parent_that_knows_another_past_is_told_all_anew() {
    let t = tiers().await;
    t.lc.cycle([1, 2]).await;
    // The region begins anew: its store is lost, and the stream goes on at the Local Controller.
    let rc = Node::start(&t.wires, &t.rc.clock, RC, Some(GC)).await;
    rc.admit(&[LC, LC_2]).await;
    t.lc.cycle([1, 2, 3]).await;
    assert_eq!((rc.there(), acknowledged(&t.lc, Stream::Reports).2), (t.lc.there(), 0));
    assert_eq!(rc.events(EventType::ViewResynchronised).len(), 1);
}

#[actix::test]
async fn who_does_not_report_is_told_missing_and_asked_until_it_does() {
    let t = tiers().await;
    t.lc.cycle([1, 2]).await;
    t.other.cycle([2, 3]).await;
    t.wires.lock().unwrap().cut.insert(LC.to_owned());
    let minutes = |count: u64| after(60 * count);
    for _ in 0..3 {
        minutes(5).await;
        t.other.cycle([2, 3]).await;
    }
    let overdue = t.rc.events(EventType::LcDiscoveryOverdue);
    assert_eq!(overdue.iter().map(|event| event.subject.as_str()).collect::<Vec<_>>(), [LC]);
    assert_eq!(t.lc.cycles.0.lock().unwrap().as_slice(), [Trigger::OnDemand]);
    let missing = t.gc.events(EventType::DiscoveryLcMissing);
    assert_eq!(missing.iter().map(|event| event.subject.as_str()).collect::<Vec<_>>(), [LC]);
    // Later its devices are given up, but not those that another one sees.
    for _ in 0..4 {
        minutes(5).await;
        t.other.cycle([2, 3]).await;
    }
    assert!(t.lc.cycles.0.lock().unwrap().len() > 1);
    let there = t.gc.there();
    assert_eq!((there[&mac(1)], there[&mac(2)]), (DeviceStatus::Inactive, DeviceStatus::Active));
    t.wires.lock().unwrap().cut.clear();
    t.lc.cycle([1, 2]).await;
    after(60 * 6).await;
    assert_eq!(t.gc.there()[&mac(1)], DeviceStatus::Active);
    assert_eq!(
        (t.rc.events(EventType::LcDiscoveryOverdue).len(), t.gc.events(EventType::DiscoveryLcMissing).len()),
        (1, 1)
    );
}

#[actix::test]
async fn a_cycle_can_be_asked_for_from_the_top() {
    let t = tiers().await;
    let ask = |controller: Option<&str>| RequestDiscovery {
        reason: "an operator wants to know".to_owned(),
        controller: controller.map(id),
    };
    assert_eq!(t.gc.view.as_ref().unwrap().send(ask(Some(LC_2))).await.unwrap().unwrap(), 1);
    settle().await;
    assert_eq!((t.lc.cycles.0.lock().unwrap().len(), t.other.cycles.0.lock().unwrap().len()), (0, 1));
    assert_eq!(t.rc.view.as_ref().unwrap().send(ask(None)).await.unwrap().unwrap(), 2);
    settle().await;
    assert_eq!((t.lc.cycles.0.lock().unwrap().len(), t.other.cycles.0.lock().unwrap().len()), (1, 2));
    assert_eq!(t.rc.view.as_ref().unwrap().send(ask(Some("local_cntl_zoneA_7"))).await.unwrap().unwrap(), 0);
}

#[actix::test]
async fn a_device_that_moves_belongs_to_the_controller_where_it_is() {
    let t = tiers().await;
    t.lc.cycle([1]).await;
    after(1).await;
    t.other.cycle([1]).await;
    assert_eq!(t.rc.events(EventType::DeviceMultiLc).len(), 1);
    let moved = t.rc.events(EventType::DeviceLcReassigned);
    assert_eq!((moved.len(), moved[0].payload["to"].as_str()), (1, Some(LC_2)));
    after(1).await;
    t.lc.cycle([]).await;
    assert_eq!(t.gc.there()[&mac(1)], DeviceStatus::Active);
    assert_eq!(t.gc.devices()[0].local_controller, Some(id(LC_2)));
    assert_eq!(t.rc.events(EventType::DeviceMultiLc).len(), 1);
}

#[actix::test]
async fn one_address_in_two_regions_is_told_at_the_top() {
    let t = tiers().await;
    let rc = Node::start(&t.wires, &t.rc.clock, RC_B, Some(GC)).await;
    rc.admit(&["local_cntl_zoneB_1"]).await;
    let lc = Node::start(&t.wires, &t.rc.clock, "local_cntl_zoneB_1", Some(RC_B)).await;
    t.lc.cycle([1, 2]).await;
    lc.cycle([2, 3]).await;
    let collisions = t.gc.events(EventType::AnomalyGlobalMacCollision);
    assert_eq!(collisions.len(), 1);
    assert_eq!(collisions[0].payload["mac"], mac(2).to_string());
    assert_eq!(t.gc.devices().len(), 3);
}

#[actix::test]
async fn ten_thousand_devices_come_to_the_top() {
    let t = tiers().await;
    t.lc.cycle(1..=10_000).await;
    after(60).await;
    assert_eq!(t.gc.there().len(), 10_000);
    assert_eq!(t.gc.there(), t.lc.there());
    assert_eq!((acknowledged(&t.lc, Stream::Reports).2, acknowledged(&t.rc, Stream::Summaries).2), (0, 0));
    assert_eq!(t.rc.events(EventType::AnomalyDiscoverySpike).len(), 1);
    assert_eq!(t.gc.events(EventType::AnomalyDiscoverySpike).len(), 1);
    assert_eq!(t.wires.lock().unwrap().count(RC, MessageType::StreamRequest), 0);
    let told = t.rc.reader.sighting(&id(LC), DeviceId::from_number(9_999)).unwrap().unwrap();
    assert!(told.is_active);
}
