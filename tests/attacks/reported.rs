//! Reports of those who may not report, and reports that are lost or come again.

use std::collections::BTreeSet;
use std::time::Duration;

use pdsno::actors::health::ReadStatus;
use pdsno::actors::post::Send;
use pdsno::actors::registry::RevokeController;
use pdsno::domain::controller::ControllerId;
use pdsno::domain::event::EventType;
use pdsno::domain::message::{MessageId, MessageType};
use pdsno::domain::registry::Standing;
use pdsno::domain::stream::Stream;
use pdsno::eastwest::faults::Conditions;
use pdsno::wire::envelope::{Destination, read};
use pdsno::wire::report::DiscoveryReport;

use crate::scene::{Kept, Machine, Scene, ada};
use crate::tables::{Tables, view};

const LOST: Conditions = Conditions { loss: 1.0, ..Conditions::PERFECT };

/// Two regions with a Local Controller each, both of which have reported.
struct Regions {
    scene: Scene,
    global: Machine,
    regional: Machine,
    local: Machine,
    foreign: Machine,
    /// The Regional Controller of the other region, which runs as long as this is there.
    _other: Machine,
}

impl Regions {
    async fn new() -> Self {
        let mut scene = Scene::new();
        scene.network.put([10, 0, 1, 10].into(), 1);
        scene.network.put([10, 0, 2, 10].into(), 2);
        let global = scene.global(Kept::InMemory).await;
        let regional = scene.regional(&global, "zone-A", Kept::InMemory).await;
        let other = scene.regional(&global, "zone-B", Kept::InMemory).await;
        let local = scene.local(&regional, "10.0.1.0/24", Kept::InMemory).await;
        let foreign = scene.local(&other, "10.0.2.0/24", Kept::InMemory).await;
        let all = Self { scene, global, regional, local, foreign, _other: other };
        all.scene.until("both reports at the top", || view(all.global.reader()).len() == 2).await;
        all.scene.until("an acknowledgement", || all.acknowledged() == 1).await;
        // What follows from joining is over by then.
        all.scene.pass(Duration::from_secs(30)).await;
        all
    }

    fn acknowledged(&self) -> u64 {
        self.local.reader().position(Stream::Reports).unwrap().acknowledged.number()
    }

    /// What the Regional Controller has, all that it has of a suspect included.
    fn read(&self, suspect: &ControllerId) -> Tables {
        Tables::read(self.regional.reader(), std::slice::from_ref(suspect))
    }

    /// Another device turns up at the Local Controller, which looks.
    async fn finds(&self, device: u8) {
        self.scene.network.put([10, 0, 1, 10 * device].into(), device.into());
        self.local.cycle(&self.scene).await;
    }

    /// What the Local Controller does next is known to all above it.
    async fn still_works(&self, device: u8) {
        self.finds(device).await;
        let seen = view(self.local.reader());
        self.scene.until("the view of the region", || view(self.regional.reader()) == seen).await;
        self.scene
            .until("the view of all", || seen.keys().all(|mac| view(self.global.reader()).contains_key(mac)))
            .await;
    }
}

/// The reports that a controller gave to the bus, each with the name of its message.
fn reports(machine: &Machine) -> Vec<(MessageId, DiscoveryReport)> {
    let sent = machine.sent();
    let reports = sent.iter().filter(|sent| sent.what == MessageType::DiscoveryReport);
    reports
        .map(|sent| {
            let message = read(&sent.bytes).unwrap().open::<DiscoveryReport>().unwrap();
            (message.header.message_id, message.body)
        })
        .collect()
}

/// What is told of a message that was refused unread: it is about the address that it came from, for
/// nobody vouches for the name in it.
fn unread(kind: EventType, sender: &ControllerId, reason: &str) -> (EventType, String, String) {
    (kind, format!("in-process:{sender}"), reason.to_owned())
}

#[actix::test]
async fn attack_24_a_report_by_a_key_that_nobody_admitted_is_refused_and_told() {
    let mut all = Regions::new().await;
    let to = all.regional.name();
    // A whole report, as the region would take it, of a controller that there is not.
    let (_, report) = reports(&all.local).remove(0);
    let mut stranger = all.scene.intruder("local_cntl_zoneA_9", None).await;
    stranger.epoch = all.regional.reader().membership().unwrap().unwrap().epoch;
    let before = all.read(&stranger.id);
    stranger.say(to.as_str(), &report).await;
    all.scene.pass(Duration::from_secs(2)).await;
    let after = all.read(&stranger.id);
    assert_eq!(after.changed_since(&before), [""; 0]);
    let told = unread(EventType::MessageRefused, &stranger.id, "UNKNOWN_SENDER");
    assert_eq!(after.told_since(&before), [told]);
    all.still_works(3).await;

    // The same under the name of one that there is, with its next number.
    let mut impostor = all.scene.intruder(all.local.name().as_str(), None).await;
    impostor.epoch = stranger.epoch;
    let next = all.local.reader().position(Stream::Reports).unwrap().last.next();
    let before = all.read(&impostor.id);
    impostor.say(to.as_str(), &DiscoveryReport { seq: next, ..report }).await;
    all.scene.pass(Duration::from_secs(1)).await;
    let after = all.read(&impostor.id);
    assert_eq!(after.changed_since(&before), [""; 0]);
    let told = unread(EventType::MessageRefused, &impostor.id, "UNKNOWN_SENDER");
    assert_eq!(after.told_since(&before), [told]);
}

#[actix::test]
async fn attack_24_a_report_of_a_revoked_controller_is_refused_and_told() {
    let all = Regions::new().await;
    let (local, regional) = (all.local.name(), all.regional.name());
    // It cannot be told that it is revoked, so it goes on.
    all.scene.faults.link(regional, local.clone(), LOST);
    let registry = all.regional.node().parts.registry.as_ref().unwrap();
    let revoke = RevokeController { id: local.clone(), reason: "sold".to_owned(), by: ada() };
    registry.send(revoke).await.unwrap().unwrap();
    let before = all.read(&local);
    all.finds(3).await;
    all.scene.pass(Duration::from_secs(1)).await;
    let after = all.read(&local);
    assert_eq!(reports(&all.local).last().unwrap().1.seq.number(), 2, "it reported what it found");
    assert_eq!(after.changed_since(&before), [""; 0]);
    let told =
        [EventType::MessageRefused, EventType::SecurityAlert].map(|kind| unread(kind, &local, "CONTROLLER_REVOKED"));
    assert_eq!(after.told_since(&before), told);
    let event = all.regional.events(EventType::MessageRefused).pop().unwrap();
    assert_eq!(event.payload["message_type"], MessageType::DiscoveryReport.as_str());
    assert_eq!(all.acknowledged(), 1);

    // Once it can be told, it stops.
    all.scene.faults.end();
    all.scene.pass(Duration::from_secs(90)).await;
    let status = all.local.node().health.send(ReadStatus).await.unwrap();
    assert_eq!(status.notes["membership"]["state"], "STOPPED", "{status:?}");
    assert_eq!(all.regional.row(&all.local).standing, Standing::Revoked);
    assert_eq!(all.read(&local).changed_since(&before), [""; 0]);
}

#[actix::test]
async fn attack_24_a_report_of_another_regions_controller_is_refused_and_told() {
    let all = Regions::new().await;
    let foreign = all.foreign.name();
    // Its own report, sealed by its own post, to the region beside its own.
    let (_, report) = reports(&all.foreign).remove(0);
    let before = all.read(&foreign);
    let to = Destination::Controller(all.regional.name());
    all.foreign.node().post.send(Send { to, body: report }).await.unwrap().unwrap();
    all.scene.pass(Duration::from_secs(2)).await;
    let after = all.read(&foreign);
    assert_eq!(after.changed_since(&before), [""; 0]);
    let told = unread(EventType::MessageRefused, &foreign, "UNKNOWN_SENDER");
    assert_eq!(after.told_since(&before), [told]);
    all.still_works(3).await;
}

#[actix::test]
async fn attack_25_a_lost_report_is_asked_for_and_one_that_comes_again_is_taken_once() {
    let all = Regions::new().await;
    let (local, regional) = (all.local.name(), all.regional.name());
    let received = || all.regional.reader().received(&local, Stream::Reports).unwrap().number();
    let up = |conditions| all.scene.faults.link(local.clone(), regional.clone(), conditions);
    let down = |conditions| all.scene.faults.link(regional.clone(), local.clone(), conditions);
    let asked = || all.regional.sent().iter().filter(|sent| sent.what == MessageType::StreamRequest).count();
    let discovered = || all.regional.events(EventType::DeviceDiscovered).len();
    assert_eq!((received(), asked(), discovered()), (1, 0, 1));

    up(LOST);
    all.finds(3).await;
    all.scene.pass(Duration::from_secs(1)).await;
    assert_eq!((reports(&all.local).len(), received()), (2, 1), "the second is lost");
    up(Conditions::PERFECT);
    all.finds(4).await;
    all.scene.pass(Duration::from_secs(1)).await;
    assert_eq!((received(), asked(), discovered()), (3, 1, 3), "the third came first, and the second was asked for");
    assert_eq!(view(all.regional.reader()), view(all.local.reader()));

    // The acknowledgement is lost, so it tells the same in another message.
    down(LOST);
    all.finds(5).await;
    all.scene.until("the fourth", || received() == 4).await;
    all.scene.pass(Duration::from_millis(100)).await;
    down(Conditions::PERFECT);
    assert_eq!(all.acknowledged(), 3);
    let suspect = all.read(&local);
    all.scene.until("an acknowledgement", || all.acknowledged() == 4).await;
    let fourth: Vec<MessageId> =
        reports(&all.local).into_iter().filter(|(_, report)| report.seq.number() == 4).map(|(id, _)| id).collect();
    assert_eq!((fourth.len(), fourth.iter().collect::<BTreeSet<_>>().len()), (2, 2));
    let after = all.read(&local);
    let changed = after.changed_since(&suspect);
    assert!(changed.iter().all(|table| ["controllers", "outbox", "streams"].contains(table)), "{changed:?}");
    // Heads of logs are told every so often; of the report that came again nothing is.
    let heads = [EventType::AboveCheckpoint, EventType::ChildCheckpoint];
    let told: Vec<_> = after.told_since(&suspect).into_iter().filter(|(kind, ..)| !heads.contains(kind)).collect();
    assert_eq!(told, []);
    assert_eq!((received(), discovered()), (4, 4));
    assert_eq!(all.regional.events(EventType::MessageRefused), []);
    all.still_works(6).await;
}

#[actix::test]
async fn attack_25_through_loss_and_doubling_the_views_agree_in_the_end() {
    let all = Regions::new().await;
    let longest = Duration::from_secs(2);
    all.scene.faults.everywhere(Conditions { loss: 0.3, duplication: 0.5, shortest: Duration::ZERO, longest });
    for device in 3..13 {
        all.finds(device).await;
        all.scene.pass(Duration::from_secs(7)).await;
    }
    all.scene.faults.end();
    all.still_works(13).await;
    assert_eq!(view(all.local.reader()).len(), 12);
    let found = all.regional.events(EventType::DeviceDiscovered);
    assert_eq!(found.iter().map(|event| &event.subject).collect::<BTreeSet<_>>().len(), found.len());
    assert_eq!(found.len(), 12, "each was discovered once");
}
