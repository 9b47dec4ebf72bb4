//! A data folder that is copied.

use std::time::Duration;

use pdsno::actors::health::ReadStatus;
use pdsno::domain::event::EventType;
use pdsno::domain::registry::Standing;
use pdsno::domain::stream::Stream;

use crate::scene::{Kept, Machine, Scene};
use crate::tables::{Tables, view};

/// A region with a Local Controller that keeps a data folder and has nothing in hand.
async fn region() -> (Scene, Machine, Machine, Machine) {
    let mut scene = Scene::new();
    scene.network.put([10, 0, 1, 10].into(), 1);
    let global = scene.global(Kept::InMemory).await;
    let regional = scene.regional(&global, "zone-A", Kept::InMemory).await;
    let local = scene.local(&regional, "10.0.1.0/24", Kept::InAFolder).await;
    let acknowledged = || local.reader().position(Stream::Reports).unwrap().acknowledged.number();
    scene.until("a report that was taken", || acknowledged() == 1).await;
    scene.pass(Duration::from_secs(40)).await;
    (scene, global, regional, local)
}

async fn state(machine: &Machine) -> serde_json::Value {
    machine.node().health.send(ReadStatus).await.unwrap().notes["membership"].clone()
}

/// Nothing of either copy is taken any more: what they find changes nothing.
async fn neither_is_heard(scene: &Scene, regional: &Machine, copies: [&Machine; 2]) {
    let suspects = [copies[0].name()];
    let before = Tables::read(regional.reader(), &suspects);
    let seen = view(regional.reader());
    for (number, copy) in copies.into_iter().enumerate() {
        scene.network.put([10, 0, 1, 20].into(), 20 + u16::try_from(number).unwrap());
        // One that sees that its log is not the one that its parent knows writes nothing any more.
        let _found = copy.try_cycle(scene).await;
        scene.pass(Duration::from_secs(60)).await;
    }
    let after = Tables::read(regional.reader(), &suspects);
    assert_eq!(after.changed_since(&before), [""; 0]);
    assert_eq!(view(regional.reader()), seen);
    // It is refused and alarmed again, missed, and the heads of others are told.
    let expected = [
        EventType::MessageRefused,
        EventType::SecurityAlert,
        EventType::LcDiscoveryOverdue,
        EventType::AboveCheckpoint,
    ];
    let told = after.told_since(&before);
    assert!(told.iter().all(|(kind, ..)| expected.contains(kind)), "{told:?}");
}

/// A backup that is put back elsewhere while the original runs: so far nothing was said twice.
#[actix::test]
async fn attack_18_both_whole_controllers_of_a_copied_data_folder_are_locked() {
    let (mut scene, _global, regional, local) = region().await;
    let mut copy = scene.copy(&local);
    let before = Tables::read(regional.reader(), &[]);
    copy.start(&scene).await;
    scene.until("a lock", || regional.row(&local).standing != Standing::Active).await;
    let row = regional.row(&local);
    assert_eq!(row.standing, Standing::Locked, "{:?}", row.standing_reason);
    assert!(row.standing_reason.unwrap().contains("its data folder was copied"));
    scene.pass(Duration::from_secs(30)).await;
    let told = Tables::read(regional.reader(), &[]).told_since(&before);
    let name = local.name().to_string();
    for (kind, reason) in [(EventType::ControllerLocked, None), (EventType::SecurityAlert, Some("IDENTITY_CLONED"))] {
        let is_it = |(found, subject, why): &&(EventType, String, String)| {
            *found == kind && *subject == name && reason.is_none_or(|reason| reason == why)
        };
        assert_eq!(told.iter().filter(is_it).count(), 1, "{kind}: {told:?}");
    }
    // Whoever has the name on the bus is told, and says what to do.
    let shown = state(&copy).await;
    assert_eq!(shown["state"], "STOPPED", "{shown}");
    assert!(shown["remedy"].as_str().unwrap().contains("fresh token"), "{shown}");
    neither_is_heard(&scene, &regional, [&local, &copy]).await;
    assert_eq!(regional.row(&local).standing, Standing::Locked);
}

/// Both go on from the same folder: each writes a history of its own, and the second head is noticed
/// before there is a second message of the first copy.
#[actix::test]
async fn attack_18_copies_whose_logs_part_are_stopped_with_the_evidence() {
    let (mut scene, _global, regional, mut local) = region().await;
    local.stop(&scene).await;
    let mut copy = scene.copy(&local);
    local.start(&scene).await;
    scene.pass(Duration::from_secs(60)).await;
    copy.start(&scene).await;
    scene.until("a refusal", || regional.row(&local).standing != Standing::Active).await;
    let row = regional.row(&local);
    assert_eq!(row.standing, Standing::Suspended, "{:?}", row.standing_reason);
    let name = local.name().to_string();
    assert_eq!(regional.events(EventType::LogFork).len(), 1);
    assert_eq!(regional.events(EventType::ControllerSuspended).len(), 1);
    assert!(regional.events(EventType::SecurityAlert).iter().any(|event| event.subject.contains(&name)));
    assert_eq!(regional.reader().evidence().unwrap().len(), 1, "both heads are kept");
    scene.pass(Duration::from_secs(30)).await;
    neither_is_heard(&scene, &regional, [&local, &copy]).await;
    assert_eq!(regional.row(&local).standing, Standing::Suspended);
}
