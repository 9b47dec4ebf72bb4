//! What a parent tells those whom it takes nothing from, and who believes it.

use std::sync::Arc;
use std::time::Duration;

use pdsno::actors::membership::keys::{KeyStore, MemoryKeys};
use pdsno::actors::post::{Acquaint, Send};
use pdsno::actors::registry::{ChangeBlocklist, RevokeController};
use pdsno::domain::controller::Role;
use pdsno::domain::event::EventType;
use pdsno::domain::key::PublicKey;
use pdsno::domain::message::MessageId;
use pdsno::domain::reason::Reason;
use pdsno::domain::registry::Blocked;
use pdsno::domain::time::Timestamp;
use pdsno::nib::memory::MemoryNib;
use pdsno::wire::envelope::{Body, Destination};
use pdsno::wire::refused::MessageRefused;
use pdsno::wire::statement::Chain;
use pdsno::wire::validation::{ParentRenewed, ValidationAck, ValidationRequest, ValidationResult, Verdict};

use crate::intruder::{Candidate, called, newcomer};
use crate::stage::{Node, Plan, Stage, ada, new_key};

const GLOBAL: &str = "global_cntl_1";
const REGIONAL: &str = "regional_cntl_zoneA_1";
const DAY: Duration = Duration::from_secs(86_400);

/// The controller says something to another.
async fn say<B: Body + std::marker::Send + 'static>(stage: &Stage, by: &Node, to: &str, body: B)
where
    pdsno::actors::post::PostActor: actix::Handler<Send<B>>,
{
    by.post.send(Send { to: Destination::Controller(to.parse().unwrap()), body }).await.unwrap().unwrap();
    stage.seconds(1).await;
}

fn word(reason: Reason, keyid: PublicKey, parent: Option<Chain>) -> MessageRefused {
    let message_id = MessageId::new(Timestamp::from_millis(1), [1; 10]);
    MessageRefused { message_id, keyid, reason, detail: "no".to_owned(), parent }
}

fn own_key(node: &Node) -> PublicKey {
    node.keys.load("first.key").unwrap().unwrap().public_key()
}

/// What a Regional Controller answers one who has a good token.
async fn verdict(stage: &mut Stage, regional: &Node) -> Verdict {
    let token = regional.token(Role::Local, "zone-A").await;
    let mut candidate = Candidate::new(stage, REGIONAL, Role::Local, "zone-A", token).await;
    candidate.join(stage).await.unwrap()
}

#[actix::test]
async fn who_was_revoked_learns_it_and_lets_nobody_in() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let revoke = RevokeController { id: REGIONAL.parse().unwrap(), reason: "lost".to_owned(), by: ada() };
    global.registry.send(revoke).await.unwrap().unwrap();
    assert_eq!(regional.state(), "VALIDATED");

    let serial = regional.row().unwrap().serial;
    say(&stage, &regional, GLOBAL, ValidationAck { serial }).await;
    assert_eq!(regional.state(), "STOPPED");
    assert!(regional.status()["reason"].as_str().unwrap().starts_with("CONTROLLER_REVOKED"));
    assert!(regional.status()["remedy"].as_str().unwrap().contains("fresh token"));
    let told = regional.events(EventType::MembershipRefused);
    assert_eq!((told.len(), &told[0].payload["reason"]), (1, &"CONTROLLER_REVOKED".into()));
    assert!(
        matches!(verdict(&mut stage, &regional).await, Verdict::Rejected(no) if no.reason == Reason::DelegationInvalid)
    );
    assert!(regional.children().is_empty());

    // It asks for no certificate any more, and says the same thing once.
    stage.pass(DAY * 60).await;
    say(&stage, &regional, GLOBAL, ValidationAck { serial }).await;
    assert_eq!(regional.events(EventType::MembershipRefused).len(), 1);
    assert!(global.events(EventType::CertificateRenewed).is_empty());
}

#[actix::test]
async fn who_is_suspended_waits_and_goes_on_when_it_is_reinstated() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let (id, serial) = (regional.row().unwrap().id, regional.row().unwrap().serial);
    global.post.send(Acquaint::Suspend(id.clone())).await.unwrap();
    say(&stage, &regional, GLOBAL, ValidationAck { serial }).await;
    assert_eq!(regional.state(), "VALIDATED");
    assert!(regional.status()["last_reason"].as_str().unwrap().starts_with("CONTROLLER_SUSPENDED"));
    assert!(regional.status()["remedy"].as_str().unwrap().contains("reinstate"));
    assert!(
        matches!(verdict(&mut stage, &regional).await, Verdict::Rejected(no) if no.reason == Reason::DelegationInvalid)
    );
    stage.seconds(1_000).await;
    assert_eq!(regional.events(EventType::MembershipRefused).len(), 1);

    global.post.send(Acquaint::Reinstate(id)).await.unwrap();
    stage.seconds(400).await;
    assert_eq!(regional.status()["remedy"], serde_json::Value::Null, "{}", regional.status());
    assert_eq!(regional.status()["last_reason"], serde_json::Value::Null);
    assert!(matches!(verdict(&mut stage, &regional).await, Verdict::Validated(_)));
}

#[actix::test]
async fn nobody_but_the_parent_stops_a_controller_and_only_by_its_own_key() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let local_token = regional.token(Role::Local, "zone-A").await;
    let local = stage.node(Plan::below(REGIONAL, Role::Local, Some(local_token)));
    stage.seconds(1).await;
    let before = (regional.status(), local.status(), regional.reader.next_event().unwrap());

    // The parent's word about a key that only used this controller's name.
    let entropy = stage.entropy();
    let other = new_key(entropy.as_ref()).public_key();
    say(&stage, &global, REGIONAL, word(Reason::ControllerRevoked, other, None)).await;
    // A child's word about its parent.
    say(&stage, &local, REGIONAL, word(Reason::ControllerRevoked, own_key(&regional), None)).await;
    assert_eq!((regional.status(), local.status()), (before.0.clone(), before.1.clone()));
    assert_eq!(regional.reader.next_event().unwrap(), before.2);

    // Somebody's word, with the parent's name and chain.
    let chain: Chain = serde_json::from_str(global.row().unwrap().chain.as_str()).unwrap();
    let key = new_key(entropy.as_ref());
    stage.bus.detach(&GLOBAL.parse().unwrap());
    let mut liar = called(&stage, GLOBAL.parse().unwrap(), key, entropy).await;
    liar.epoch = regional.row().unwrap().epoch;
    liar.say(REGIONAL, &word(Reason::ControllerRevoked, own_key(&regional), Some(chain.clone()))).await;
    liar.say(REGIONAL, &ParentRenewed { chain }).await;
    stage.seconds(1).await;
    assert_eq!(
        (regional.status()["state"].clone(), regional.status()["remedy"].clone()),
        ("VALIDATED".into(), serde_json::Value::Null)
    );
    assert!(matches!(verdict(&mut stage, &regional).await, Verdict::Validated(_)));
    let told = regional.events(EventType::MessageRefused);
    assert!(told.iter().any(|event| event.payload["reason"] == "UNKNOWN_SENDER"), "{told:?}");
}

/// A joiner whose key is known before it asks.
async fn joiner(stage: &mut Stage, global: &Node) -> (Node, PublicKey) {
    let token = global.token(Role::Regional, "zone-A").await;
    let keys = MemoryKeys::new(stage.entropy());
    let key = keys.create("first.key").unwrap().public_key();
    let plan = Plan::below(GLOBAL, Role::Regional, Some(token));
    (stage.node_with(plan, Box::new(MemoryNib::new()), Some(Arc::new(keys))), key)
}

async fn block(global: &Node, key: PublicKey, reason: Option<&str>) {
    let reason = reason.map(str::to_owned);
    let change = ChangeBlocklist { blocked: Blocked::Key(key), reason, by: ada() };
    global.registry.send(change).await.unwrap().unwrap();
}

#[actix::test]
async fn who_is_blocked_is_told_so_and_stops_asking() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let keys = MemoryKeys::new(stage.entropy());
    block(&global, keys.create("first.key").unwrap().public_key(), Some("stolen")).await;
    let plan = Plan::below(GLOBAL, Role::Regional, Some(token));
    let blocked = stage.node_with(plan, Box::new(MemoryNib::new()), Some(Arc::new(keys)));
    stage.seconds(400).await;
    assert_eq!(blocked.state(), "STOPPED", "{}", blocked.status());
    assert!(blocked.status()["reason"].as_str().unwrap().starts_with("BLOCKLISTED"));
    assert!(blocked.status()["remedy"].as_str().unwrap().contains("blocklist"));
    assert_eq!(blocked.events(EventType::MembershipRefused).len(), 1);
    assert!(global.children().is_empty());
    let told = global.events(EventType::MessageRefused);
    assert_eq!((told.len(), &told[0].payload["reason"]), (1, &"BLOCKLISTED".into()));
}

#[actix::test]
async fn a_joiner_is_stopped_by_nobody_but_a_parent_below_the_pin() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let chain: Chain = serde_json::from_str(global.row().unwrap().chain.as_str()).unwrap();
    stage.bus.detach(&GLOBAL.parse().unwrap());
    let entropy = stage.entropy();
    let key = new_key(entropy.as_ref());
    let mut liar = called(&stage, GLOBAL.parse().unwrap(), key, entropy).await;
    let (joiner, own) = joiner(&mut stage, &global).await;
    let request = liar.hear::<ValidationRequest>().await.unwrap();
    let temp_id = request.body.temp_id.as_str();
    for parent in [None, Some(chain.clone())] {
        liar.say(temp_id, &word(Reason::Blocklisted, own, parent)).await;
    }
    let refused = pdsno::wire::validation::Refused { reason: Reason::Blocklisted, detail: String::new() };
    let (client_nonce, verdict) = (Some(request.body.client_nonce), Verdict::Rejected(refused));
    liar.say(temp_id, &ValidationResult { public_key: own, client_nonce, parent: chain, verdict }).await;
    stage.seconds(60).await;
    assert_eq!(joiner.state(), "PENDING_VALIDATION", "{}", joiner.status());
    assert!(joiner.status()["attempt"].as_u64().unwrap() > 1);
}

#[actix::test]
async fn a_flood_of_a_blocked_source_is_answered_once_a_second() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let mut noisy = newcomer(&mut stage).await;
    block(&global, noisy.key.public_key(), Some("noise")).await;
    for _ in 0..100 {
        noisy.say(GLOBAL, &ValidationAck { serial: global.row().unwrap().serial }).await;
        tokio::task::yield_now().await;
    }
    let mut answers = 0;
    while let Some(told) = noisy.hear::<MessageRefused>().await {
        assert_eq!((told.body.reason, told.body.keyid), (Reason::Blocklisted, noisy.key.public_key()));
        answers += 1;
    }
    assert_eq!(answers, 1);
    assert_eq!(global.events(EventType::MessageRefused).len(), 1);
}

#[actix::test]
async fn a_parents_next_key_reaches_its_children_at_once() {
    let mut stage = Stage::new();
    let (_global, regional) = stage.two_tiers().await;
    stage.pass(DAY * 30).await;
    let token = regional.token(Role::Local, "zone-A").await;
    let local = stage.node(Plan::below(REGIONAL, Role::Local, Some(token)));
    stage.seconds(1).await;
    let (first, old) =
        (regional.row().unwrap().serial, regional.heard(|heard| heard.became.last().unwrap().key.public_key()));
    let refused = local.events(EventType::MessageRefused).len();
    while regional.row().unwrap().serial == first {
        stage.seconds(3_600).await;
    }
    stage.seconds(1).await;
    let new = regional.heard(|heard| heard.became.last().unwrap().key.public_key());
    assert_ne!(new, old);
    // What the parent says under it is taken, and nobody had to ask.
    say(&stage, &regional, local.row().unwrap().id.as_str(), word(Reason::Malformed, old, None)).await;
    assert_eq!(local.events(EventType::MessageRefused).len(), refused);
    let switched = local.events(EventType::CertificateSwitched);
    assert_eq!((switched.len(), switched[0].subject.as_str()), (1, REGIONAL));
    assert!(regional.events(EventType::MessageRefused).is_empty());
}
