//! Joining, starting again, and renewing.

use std::sync::Arc;
use std::time::Duration;

use pdsno::actors::membership::Wake;
use pdsno::actors::post::Send;
use pdsno::actors::presence::{ParentLost, ParentReached};
use pdsno::actors::registry::{RegistryError, RevokeController};
use pdsno::app::keys::KeyFiles;
use pdsno::domain::change::Change;
use pdsno::domain::controller::Role;
use pdsno::domain::device::Version;
use pdsno::domain::event::EventType;
use pdsno::domain::message::MessageId;
use pdsno::domain::reason::Reason;
use pdsno::domain::registry::{Membership, RegistryChange, Standing};
use pdsno::eastwest::bus::Bus;
use pdsno::eastwest::faults::Faults;
use pdsno::nib::NibStore;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::wire::envelope::Destination;
use pdsno::wire::refused::MessageRefused;

use crate::stage::{Node, Plan, Stage, ada, seeded};

const DAY: Duration = Duration::from_secs(86_400);

#[actix::test]
async fn three_tiers_come_to_trust_each_other() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let token = regional.token(Role::Local, "zone-A").await;
    let local = stage.node(Plan::below("regional_cntl_zoneA_1", Role::Local, Some(token)));
    stage.seconds(1).await;

    let names = [&global, &regional, &local].map(|node| node.row().unwrap().id.to_string());
    assert_eq!(names, ["global_cntl_1", "regional_cntl_zoneA_1", "local_cntl_zoneA_1"]);
    for node in [&global, &regional, &local] {
        assert_eq!(node.state(), "VALIDATED", "{}", node.status());
        assert_eq!(node.events(EventType::MembershipGranted).len(), 1);
        assert_eq!(node.heard(|heard| heard.became.len()), 1);
        assert_eq!(node.row().unwrap().cluster.as_str(), "lab");
        assert_eq!(node.row().unwrap().pin, global.row().unwrap().pin);
        assert_eq!(node.keys.names().unwrap(), ["first.key"]);
    }
    // What was written before it had a name is in its log, too.
    let events = local.reader.next_event().unwrap();
    assert_eq!(local.reader.edge().unwrap().size, events.number());
    let rows: Vec<_> = global.children().into_iter().chain(regional.children()).collect();
    assert_eq!(rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), &names[1..]);
    // Each child has said under its new name that it has its certificate.
    assert!(rows.iter().all(|row| row.standing == Standing::Active && row.last_contact.is_some()));
    for parent in [&global, &regional] {
        assert_eq!(parent.events(EventType::ControllerValidated).len(), 1);
        assert_eq!(parent.events(EventType::BootstrapTokenIssued)[0].payload["by"]["user"], "ada");
        assert_eq!(parent.heard(|heard| heard.nudges), 1);
        assert_eq!(parent.refusals(), Vec::<String>::new());
    }
}

#[actix::test]
async fn without_a_token_an_operator_is_told_what_to_do() {
    let mut stage = Stage::new();
    let local = stage.node(Plan::below("regional_cntl_zoneA_1", Role::Local, None));
    stage.seconds(1).await;
    assert_eq!(local.state(), "STOPPED");
    let status = local.status();
    let remedy = status["remedy"].as_str().unwrap();
    assert!(remedy.contains("pdsno token issue --role local --region zone-A"), "{remedy}");
    assert!(local.row().is_none() && local.keys.names().unwrap().is_empty());
}

#[actix::test]
async fn a_parent_that_is_away_is_waited_for_as_long_as_it_takes() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    stage.bus.detach(&"global_cntl_1".parse().unwrap());
    let regional = stage.node(Plan::below("global_cntl_1", Role::Regional, Some(token)));
    stage.seconds(400).await;
    let status = regional.status();
    assert_eq!(status["state"], "PENDING_VALIDATION");
    let attempts = status["attempt"].as_u64().unwrap();
    assert!((4..40).contains(&attempts), "{status}");
    assert_eq!(status["last_reason"], "the parent does not answer");
    assert!(regional.row().is_none());
    assert!(regional.events(EventType::MembershipRefused).is_empty());
}

#[actix::test]
async fn a_refusal_that_waiting_cannot_change_stops_the_attempts() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-B").await;
    let regional = stage.node(Plan::below("global_cntl_1", Role::Regional, Some(token)));
    stage.seconds(1_000).await;
    assert_eq!(regional.state(), "STOPPED");
    assert!(regional.status()["remedy"].as_str().unwrap().contains("issue a token for this role and region"));
    assert_eq!(global.refusals(), ["TOKEN_SCOPE_MISMATCH"]);
    let told = regional.events(EventType::MembershipRefused);
    assert_eq!((told.len(), &told[0].payload["reason"]), (1, &"TOKEN_SCOPE_MISMATCH".into()));
    assert!(global.children().is_empty() && regional.row().is_none());
}

#[actix::test]
async fn a_certificate_is_renewed_at_half_of_its_life_and_the_old_key_forgotten() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let before = global.children().remove(0);
    let old = regional.keys.load("first.key").unwrap().unwrap().public_key();
    assert_eq!(before.public_key, old);
    stage.pass(DAY * 40).await;
    assert_eq!(global.events(EventType::CertificateRenewed).len(), 0);
    stage.pass(DAY * 10).await;

    assert_eq!(global.events(EventType::CertificateRenewed).len(), 1);
    assert_eq!(regional.events(EventType::MembershipRenewed).len(), 1);
    let after = global.children().remove(0);
    assert_eq!((after.id.as_str(), after.next), ("regional_cntl_zoneA_1", None));
    assert!(after.serial > before.serial && after.public_key != old);
    assert_eq!(global.events(EventType::CertificateSwitched).len(), 1);
    let row = regional.row().unwrap();
    assert_eq!((row.serial, row.next_chain, row.next_key_file), (after.serial, None, None));
    assert_eq!(regional.keys.names().unwrap(), [row.key_file]);
    assert_eq!(regional.heard(|heard| heard.became.last().unwrap().key.public_key()), after.public_key);

    // With the new certificate and the new delegation it validates as before.
    let token = regional.token(Role::Local, "zone-A").await;
    let local = stage.node(Plan::below("regional_cntl_zoneA_1", Role::Local, Some(token)));
    stage.seconds(1).await;
    assert_eq!(local.state(), "VALIDATED", "{}", local.status());
}

#[actix::test]
async fn a_timer_that_comes_early_renews_early_and_twice_is_once_more() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    for renewals in 1..=2 {
        let before = regional.row().unwrap();
        regional.membership.send(Wake::Renew).await.unwrap();
        stage.seconds(5).await;
        let after = regional.row().unwrap();
        assert!(after.serial > before.serial && after.next_chain.is_none());
        assert_eq!(regional.state(), "VALIDATED");
        assert_eq!(global.events(EventType::CertificateSwitched).len(), renewals);
        assert_eq!(global.children()[0].serial, after.serial);
    }
    // Who has no parent has nobody to ask.
    let root = global.row();
    global.membership.send(Wake::Renew).await.unwrap();
    stage.seconds(5).await;
    assert_eq!(global.row(), root);
    assert_eq!(global.events(EventType::MembershipRenewed).len(), 0);
}

#[actix::test]
async fn a_child_learns_its_parents_next_key_when_the_parent_falls_silent() {
    let mut stage = Stage::new();
    let (_global, regional) = stage.two_tiers().await;
    stage.pass(DAY * 30).await;
    let token = regional.token(Role::Local, "zone-A").await;
    let local = stage.node(Plan::below("regional_cntl_zoneA_1", Role::Local, Some(token)));
    stage.seconds(1).await;
    let first = regional.row().unwrap().serial;
    stage.pass(DAY * 20).await;
    assert!(regional.row().unwrap().serial > first);

    // The Local Controller still has the old chain; asked, the parent shows the new one.
    local.membership.send(ParentLost).await.unwrap();
    stage.seconds(2).await;
    assert_eq!(local.state(), "VALIDATED");
    assert_eq!(local.status()["last_reason"], serde_json::Value::Null, "{}", local.status());
    assert_eq!(regional.refusals(), Vec::<String>::new());
}

/// A child asks, is shown the second key, and nothing of the parent reaches it before that has its
/// third one: neither the parent's word of it nor anything under the second.
#[actix::test]
async fn a_parent_that_is_missed_is_asked_until_it_is_heard() {
    let mut stage = Stage::new();
    let faults = Faults::new(1);
    stage.bus = Bus::with_faults(faults.clone());
    let (_global, regional) = stage.two_tiers().await;
    let token = regional.token(Role::Local, "zone-A").await;
    let local = stage.node(Plan::below("regional_cntl_zoneA_1", Role::Local, Some(token)));
    stage.seconds(1).await;
    let id = local.row().unwrap().id;
    // Every word of the parent's is taken or refused, and a refusal is an event.
    let say = async || {
        let refused = MessageRefused {
            message_id: MessageId::new(stage.now(), [1; 10]),
            keyid: regional.keys.load(&regional.row().unwrap().key_file).unwrap().unwrap().public_key(),
            reason: Reason::OutOfSequence,
            detail: "a word".to_owned(),
            parent: None,
        };
        let to = Destination::Controller(id.clone());
        regional.post.send(Send { to, body: refused }).await.unwrap().unwrap();
        stage.seconds(1).await;
        local.events(EventType::MessageRefused).len()
    };
    let renew_unheard = async || {
        let before = regional.row().unwrap().serial;
        faults.partition([[id.clone()].into()]);
        regional.membership.send(Wake::Renew).await.unwrap();
        stage.seconds(5).await;
        faults.heal();
        assert!(regional.row().unwrap().serial > before);
    };
    assert_eq!(say().await, 0);
    renew_unheard().await;
    local.membership.send(ParentLost).await.unwrap();
    stage.pass(Duration::from_millis(100)).await;
    renew_unheard().await;
    stage.seconds(60).await;
    assert_eq!(say().await, 0);

    // Who is heard is asked no more.
    local.membership.send(ParentReached { spread: Duration::ZERO }).await.unwrap();
    stage.seconds(600).await;
    renew_unheard().await;
    stage.seconds(600).await;
    assert_eq!(say().await, 1);
}

#[actix::test]
async fn who_was_revoked_is_heard_no_more_and_is_not_renewed() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let id = regional.row().unwrap().id;
    let revoke = || RevokeController { id: id.clone(), reason: "lost".to_owned(), by: ada() };
    global.registry.send(revoke()).await.unwrap().unwrap();
    assert!(matches!(global.registry.send(revoke()).await.unwrap(), Err(RegistryError::Refused(_))));
    assert_eq!(global.children()[0].standing, Standing::Revoked);
    assert_eq!(global.events(EventType::ControllerRevoked).len(), 1);
    let heard = global.children()[0].last_contact;
    tokio::time::advance(DAY * 60).await;
    stage.seconds(60).await;
    assert_eq!(global.events(EventType::CertificateRenewed).len(), 0);
    assert_eq!(global.children()[0].last_contact, heard);
    assert!(!global.events(EventType::MessageRefused).is_empty());
    // It cannot renew, so one day its certificate ends, and it says so.
    tokio::time::advance(DAY * 40).await;
    stage.seconds(400).await;
    assert_eq!(regional.state(), "STOPPED", "{}", regional.status());
    assert!(regional.status()["remedy"].as_str().unwrap().contains("fresh token"));
}

#[actix::test]
async fn a_start_with_a_membership_asks_nobody_to_be_validated() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let (row, keys) = (regional.row().unwrap(), Arc::clone(&regional.keys));
    let mut store = MemoryNib::new();
    let kept = Membership { version: Version::FIRST, ..row.clone() };
    store.commit(&[Change::Registry(RegistryChange::SetMembership(Box::new(kept)))]).unwrap();
    stage.bus.detach(&"regional_cntl_zoneA_1".parse().unwrap());
    let again = stage.node_with(Plan::below("global_cntl_1", Role::Regional, None), Box::new(store), Some(keys));
    stage.seconds(1).await;
    assert_eq!(again.state(), "VALIDATED", "{}", again.status());
    assert_eq!(again.row().unwrap().serial, row.serial);
    assert_eq!(global.events(EventType::ControllerValidated).len(), 1);
}

#[actix::test]
async fn a_folder_is_started_from_again_under_the_name_and_key_that_it_has() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let folder = tempfile::tempdir().unwrap();
    let keys = || Arc::new(KeyFiles::new(folder.path(), seeded(99)));
    let mode = OpenMode::Migrate { actor: "standalone", at: stage.now() };
    let store = SqliteNib::open(&folder.path().join("pdsno.db"), mode).unwrap();
    let plan = |token| Plan::below("global_cntl_1", Role::Regional, token);
    let regional = stage.node_with(plan(Some(token)), Box::new(store), Some(keys()));
    joined(&stage, &regional).await;
    let row = regional.row().unwrap();
    stage.bus.detach(&row.id);
    drop(regional);

    let store = SqliteNib::open(&folder.path().join("pdsno.db"), OpenMode::Current).unwrap();
    let again = stage.node_with(plan(None), Box::new(store), Some(keys()));
    joined(&stage, &again).await;
    assert_eq!(again.row().unwrap(), row);
    assert_eq!(again.events(EventType::MembershipGranted).len(), 1);
    assert_eq!(global.events(EventType::ControllerValidated).len(), 1);
    assert_eq!(again.reader.edge().unwrap().size, again.reader.next_event().unwrap().number());
}

/// Waits for key files, which are on another thread.
async fn joined(stage: &Stage, node: &Node) {
    for _ in 0..60 {
        stage.seconds(1).await;
        if node.state() == "VALIDATED" {
            return;
        }
    }
    panic!("{}", node.status());
}
