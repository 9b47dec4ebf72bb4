//! Heads between the tiers, on virtual time.

use std::time::Duration;

use pdsno::actors::audit::{MakeCheckpoint, ReadHead};
use pdsno::actors::health::{CheckHealth, ReadStatus};
use pdsno::app::maintenance::backup;
use pdsno::domain::event::EventType;
use pdsno::domain::registry::Standing;
use pdsno::wire::checkpoint::SignedCheckpoint;
use pdsno::wire::note::{SignatureType, VerifierKey};

use crate::scene::{GLOBAL, LOCAL, Node, REGIONAL, Scene, key};

async fn pass(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// The three tiers at work, with what they have to say to each other said.
async fn cluster() -> (Scene, Node, Node, Node) {
    tokio::time::pause();
    let mut scene = Scene::new();
    let paths = [GLOBAL, REGIONAL, LOCAL].map(|tier| scene.found(tier));
    let global = scene.start(GLOBAL, &paths[0]).await;
    let regional = scene.start(REGIONAL, &paths[1]).await;
    let local = scene.start(LOCAL, &paths[2]).await;
    local.happen(5).await;
    // Whoever was not there yet is shown the head again after a minute.
    pass(150).await;
    (scene, global, regional, local)
}

/// What a witness has of another's log.
fn seen(witness: &Node, log: &Node) -> u64 {
    witness.reader.head(&log.own.origin()).unwrap().map_or(0, |head| head.size)
}

#[actix::test]
async fn heads_go_up_and_the_global_one_down_and_are_cosigned() {
    let (_scene, global, regional, local) = cluster().await;
    assert_eq!(seen(&regional, &local), local.size());
    assert!(seen(&global, &regional) > 0 && seen(&regional, &global) > 0);
    for (node, witness, octet) in [(&local, &regional, 2), (&regional, &global, 1), (&global, &regional, 2)] {
        let head = node.audit.send(ReadHead).await.unwrap().unwrap().unwrap();
        let note = SignedCheckpoint::parse(head.note.as_bytes()).unwrap();
        let name = witness.own.origin().as_str().parse().unwrap();
        let known = [VerifierKey::new(name, SignatureType::CosignatureV1, key(octet).public_key())];
        assert_eq!(note.verify(&known).unwrap().len(), 1, "{}", node.own.id);
    }
    assert_eq!(local.told.lock().unwrap().noted["witnesses"][REGIONAL], local.size());
    assert_eq!(global.events(EventType::ChildCheckpoint)[0].subject, REGIONAL);
    assert_eq!(regional.events(EventType::AboveCheckpoint)[0].subject, GLOBAL);
}

#[actix::test]
async fn controllers_that_have_nothing_to_tell_do_not_feed_each_other() {
    let (_scene, global, regional, local) = cluster().await;
    let sizes = || [&global, &regional, &local].map(Node::size);
    let before = sizes();
    pass(400).await;
    assert_eq!(sizes(), before);
    pass(6 * 3_600).await;
    let grown = sizes().iter().zip(before).map(|(now, before)| now - before).max().unwrap();
    // One head of each neighbour for each reminder at most.
    assert!(grown <= 2 * 6 * 7, "{grown} entries in six hours");
    assert_eq!(local.size(), before[2], "who witnesses nobody writes nothing");
    assert!(regional.events(EventType::AnchorLag).is_empty() && global.events(EventType::AnchorLag).is_empty());
}

#[actix::test]
async fn a_head_is_made_when_it_is_asked_for() {
    let (_scene, _, regional, local) = cluster().await;
    local.happen(3).await;
    let head = local.audit.send(MakeCheckpoint).await.unwrap().unwrap().unwrap();
    assert_eq!(head.size, local.size());
    pass(1).await;
    assert_eq!(seen(&regional, &local), local.size());
}

#[actix::test]
async fn silence_is_told_once_and_its_end_is_seen() {
    let (mut scene, _global, regional, local) = cluster().await;
    // What it says does not arrive.
    scene.cut_off(REGIONAL);
    pass(90 * 60).await;
    let told = regional.events(EventType::AnchorLag);
    assert_eq!(told.iter().filter(|event| event.subject == LOCAL).count(), 1);
    let before = regional.events(EventType::ChildCheckpoint).len();
    let again = scene.start(REGIONAL, &scene.path("regional_cntl_zoneA_1.db")).await;
    pass(11 * 60).await;
    assert!(again.events(EventType::ChildCheckpoint).len() > before, "it is resumed");
    drop(local);
}

/// A controller is put back to an old copy of its NIB, after which other things happen there.
async fn restored(tier: &'static str, more: usize) -> (Scene, Node, Node, Node) {
    let (mut scene, global, regional, local) = cluster().await;
    let (victim, witness, other) = if tier == LOCAL { (local, regional, global) } else { (regional, global, local) };
    let (path, copy) = (scene.path(&format!("{tier}.db")), scene.path("copy.db"));
    backup(&path, &copy).unwrap();
    victim.happen(20).await;
    pass(30).await;
    assert!(seen(&witness, &victim) >= 20);
    scene.cut_off(tier);
    let again = scene.start(tier, &copy).await;
    if more > 0 {
        again.happen(more).await;
    }
    pass(150).await;
    (scene, again, witness, other)
}

async fn refused(again: &Node, witness: &Node, tier: &str) {
    assert_eq!(again.told.lock().unwrap().frozen.len(), 1, "it writes nothing more");
    assert!(again.told.lock().unwrap().noted["halted"].is_string());
    let health = again.health.send(CheckHealth).await.unwrap();
    assert_eq!(health.frozen, again.told.lock().unwrap().frozen.first().cloned(), "and says so");
    assert!(!health.is_ready());
    assert_eq!(again.health.send(ReadStatus).await.unwrap().notes["log"]["state"], "LOG_CORRUPT");
    assert_eq!(again.events(EventType::LogCorrupt).len(), 1);
    let evidence = witness.reader.evidence().unwrap();
    assert_eq!((evidence.len(), evidence[0].origin.clone()), (1, again.own.origin()));
    assert_eq!(witness.events(EventType::LogFork).len(), 1);
    assert_eq!(witness.events(EventType::SecurityAlert).len(), 1);
    assert_eq!(witness.events(EventType::ControllerSuspended).len(), 1);
    let row = witness.reader.controller(&tier.parse().unwrap()).unwrap().unwrap();
    assert_eq!(row.standing, Standing::Suspended);
    assert_eq!(witness.told.lock().unwrap().suspended, std::slice::from_ref(&again.own.id));
}

#[actix::test]
async fn a_log_that_was_cut_off_is_noticed_by_both_sides() {
    let (_scene, again, witness, _) = restored(LOCAL, 0).await;
    refused(&again, &witness, LOCAL).await;
}

#[actix::test]
async fn a_log_that_was_rewritten_and_signed_anew_is_refused_with_evidence() {
    let (_scene, again, witness, _) = restored(LOCAL, 60).await;
    refused(&again, &witness, LOCAL).await;
}

#[actix::test]
async fn a_region_that_rewrites_its_log_is_refused_by_the_global_controller() {
    let (_scene, again, witness, _local) = restored(REGIONAL, 60).await;
    refused(&again, &witness, REGIONAL).await;
}

#[actix::test]
async fn a_restored_backup_of_a_region_is_noticed() {
    let (_scene, again, witness, _local) = restored(REGIONAL, 0).await;
    refused(&again, &witness, REGIONAL).await;
}

#[actix::test]
async fn an_lc_and_its_rc_that_rewrite_together_are_refused_by_the_global_controller() {
    let (mut scene, global, regional, local) = cluster().await;
    let paths =
        [REGIONAL, LOCAL].map(|tier| (tier, scene.path(&format!("{tier}.db")), scene.path(&format!("{tier}.copy"))));
    for (_, path, copy) in &paths {
        backup(path, copy).unwrap();
    }
    let before = regional.size();
    local.happen(20).await;
    regional.happen(20).await;
    pass(60).await;
    assert!(seen(&global, &regional) > before, "the Global Controller saw what they take back");
    scene.cut_off(LOCAL);
    scene.cut_off(REGIONAL);
    // Both go on from before, with another past that each confirms to the other.
    let [(_, _, region), (_, _, below)] = &paths;
    let rewritten = scene.start(REGIONAL, region).await;
    let accomplice = scene.start(LOCAL, below).await;
    accomplice.happen(30).await;
    rewritten.happen(60).await;
    pass(150).await;
    assert!(accomplice.told.lock().unwrap().frozen.is_empty(), "the two agree");
    refused(&rewritten, &global, REGIONAL).await;
}
