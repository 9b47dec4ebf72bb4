//! What must not come through between tiers: each refusal has its event, and nobody comes in.

use std::sync::Arc;
use std::time::Duration;

use pdsno::actors::post::Send;
use pdsno::domain::change::Change;
use pdsno::domain::controller::Role;
use pdsno::domain::device::Version;
use pdsno::domain::event::EventType;
use pdsno::domain::message::MessageType;
use pdsno::domain::reason::Reason;
use pdsno::domain::registry::{Membership, RegistryChange, Standing};
use pdsno::domain::time::Timestamp;
use pdsno::domain::token::{BootstrapToken, TokenId, TokenRow, TokenSecret};
use pdsno::nib::NibStore;
use pdsno::nib::memory::MemoryNib;
use pdsno::wire::envelope::Destination;
use pdsno::wire::statement::Chain;
use pdsno::wire::transcript::{Transcript, token_key};
use pdsno::wire::validation::{Challenge, ChallengeResponse, ValidationAck, ValidationRequest, Verdict};
use secrecy::zeroize::Zeroizing;

use crate::intruder::{Candidate, called, newcomer};
use crate::stage::{Node, Plan, Stage};

const GLOBAL: &str = "global_cntl_1";
const REGIONAL: &str = "regional_cntl_zoneA_1";
const LOCAL: &str = "local_cntl_zoneA_1";
const DAY: Duration = Duration::from_secs(86_400);

fn reason(verdict: Option<Verdict>) -> Reason {
    match verdict.unwrap() {
        Verdict::Rejected(refused) | Verdict::Error(refused) => refused.reason,
        Verdict::Validated(grant) => panic!("{grant:?}"),
    }
}

fn nobody(parent: &Node, children: usize) {
    assert_eq!(parent.children().len(), children);
    assert_eq!(parent.events(EventType::ControllerValidated).len(), children);
}

/// A token that no parent of this tier would make: somebody wrote it into its NIB.
fn planted(octet: u8, role: Role, region: &str, now: Timestamp) -> (TokenRow, TokenSecret) {
    let secret = || TokenSecret::new(&Zeroizing::new([octet; 32]));
    let row = TokenRow {
        id: TokenId::new([octet; 12]),
        secret_hash: token_key(&secret()),
        role,
        region: region.parse().unwrap(),
        issued_at: now,
        expires_at: now.saturating_add(DAY),
        wrong_attempts: 0,
        revoked_at: None,
        used: None,
    };
    (row, secret())
}

/// A store with such tokens in it.
fn store(tokens: &[(Role, &str)], now: Timestamp) -> (Box<MemoryNib>, Vec<BootstrapToken>) {
    let mut store = MemoryNib::new();
    let made = (1_u8..).zip(tokens).map(|(octet, (role, region))| {
        let (row, secret) = planted(octet, *role, region, now);
        let id = row.id;
        store.commit(&[Change::Registry(RegistryChange::IssueToken(row))]).unwrap();
        BootstrapToken { id, secret, pin: pdsno::domain::digest::Digest::from_bytes([0; 32]) }
    });
    let made = made.collect();
    (Box::new(store), made)
}

/// Asks with a planted token; the pin of a joiner is that of the installation.
async fn asked(
    stage: &mut Stage,
    parent: &'static str,
    (role, region): (Role, &str),
    token: BootstrapToken,
    root: &Node,
) -> Reason {
    let token = BootstrapToken { pin: root.row().unwrap().pin, ..token };
    let mut candidate = Candidate::new(stage, parent, role, region, token).await;
    // What it would not believe of a parent of the wrong tier is left out: only the parent is looked at.
    candidate.ask().await;
    let challenge = candidate.intruder.hear::<Challenge>().await.unwrap();
    let response = proofs(&candidate, &challenge.body, MessageType::ChallengeResponse, role, region);
    reason(candidate.respond(&response).await)
}

/// Proofs over this conversation as if for a message of this type, whatever the joiner thinks of the parent.
fn proofs(
    candidate: &Candidate,
    challenge: &Challenge,
    message_type: MessageType,
    role: Role,
    region: &str,
) -> ChallengeResponse {
    let (key, token) = (&candidate.intruder.key, candidate.token());
    let transcript = Transcript {
        message_type,
        temp_id: candidate.intruder.id.clone(),
        token_id: token.id,
        role,
        region: region.parse().unwrap(),
        public_key: key.public_key(),
        client_nonce: challenge.client_nonce,
        server_nonce: challenge.server_nonce,
        challenge_id: challenge.challenge_id,
        parent_id: challenge.parent_id.clone(),
        parent_certificate: challenge.parent.leaf().unwrap().digest(),
        issued_at: challenge.issued_at,
    };
    ChallengeResponse {
        challenge_id: challenge.challenge_id,
        temp_id: candidate.intruder.id.clone(),
        token_hmac: transcript.authenticate(&token.secret).unwrap(),
        signature: transcript.sign(key).unwrap(),
    }
}

#[actix::test]
async fn attack_8_a_signature_for_another_message_type_is_none() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    for (tried, message_type) in [MessageType::RenewalRequest, MessageType::ValidationRequest].into_iter().enumerate() {
        let token = global.token(Role::Regional, "zone-A").await;
        let mut candidate = Candidate::new(&mut stage, GLOBAL, Role::Regional, "zone-A", token).await;
        candidate.ask().await;
        let challenge = candidate.intruder.hear::<Challenge>().await.unwrap();
        let forged = proofs(&candidate, &challenge.body, message_type, Role::Regional, "zone-A");
        assert_eq!(reason(candidate.respond(&forged).await), Reason::InvalidSignature);
        assert_eq!(global.refusals(), vec!["INVALID_SIGNATURE"; tried + 1]);
        assert_eq!(global.events(EventType::SecurityAlert).len(), tried + 1);
        assert_eq!(global.reader.token(candidate.token().id).unwrap().unwrap().used, None);
    }
    nobody(&global, 0);
}

#[actix::test]
async fn attack_9_a_challenge_that_another_parent_passes_on_is_no_use() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let second = stage.node(Plan::below(GLOBAL, Role::Regional, Some(token)));
    stage.seconds(1).await;
    let (row, key) = (second.row().unwrap(), second.keys.load("first.key").unwrap().unwrap());
    stage.bus.detach(&row.id);

    // The second parent stands between a joiner that was sent to it and the first parent.
    let entropy = stage.entropy();
    let mut between = called(&stage, row.id.clone(), key, Arc::clone(&entropy)).await;
    let token = regional.token(Role::Local, "zone-A").await;
    let id = token.id;
    let joiner = stage.node(Plan::below(row.id.as_str(), Role::Local, Some(token)));
    let request = between.hear::<ValidationRequest>().await.unwrap().body;
    let mut guise = newcomer(&mut stage).await;
    let asked = ValidationRequest { temp_id: guise.id.clone(), public_key: guise.key.public_key(), ..request.clone() };
    guise.say(REGIONAL, &asked).await;
    let challenge = guise.hear::<Challenge>().await.unwrap().body;

    // As it is, the joiner does not believe it; dressed up, its proofs are for the second parent.
    between.say(request.temp_id.as_str(), &challenge).await;
    assert!(between.hear::<ChallengeResponse>().await.is_none());
    assert_eq!(joiner.events(EventType::MembershipRefused)[0].payload["reason"], "UNTRUSTED_PARENT");
    let parent: Chain = serde_json::from_str(row.chain.as_str()).unwrap();
    let dressed = Challenge { parent_id: row.id.clone(), parent, ..challenge };
    between.say(request.temp_id.as_str(), &dressed).await;
    let response = between.hear::<ChallengeResponse>().await.unwrap().body;
    guise.say(REGIONAL, &ChallengeResponse { temp_id: guise.id.clone(), ..response }).await;
    stage.seconds(1).await;
    assert_eq!(regional.refusals(), ["INVALID_SIGNATURE"]);
    assert_eq!(regional.events(EventType::SecurityAlert).len(), 1);
    assert_eq!(regional.reader.token(id).unwrap().unwrap().used, None);
    nobody(&regional, 0);
    assert!(joiner.row().is_none());
}

#[actix::test]
async fn attack_12_no_parent_lets_in_one_of_another_tier_than_the_one_below() {
    let mut stage = Stage::new();
    let (root, mut tokens) = store(&[(Role::Local, "zone-A")], stage.now());
    let global = stage.node_with(Plan::global(), root, None);
    stage.seconds(1).await;
    let wrong = tokens.remove(0);
    let found = asked(&mut stage, GLOBAL, (Role::Local, "zone-A"), wrong, &global).await;
    assert_eq!(found, Reason::ControllerTypeNotPermitted);

    let (below, mut tokens) = store(&[(Role::Regional, "zone-A")], stage.now());
    let token = global.token(Role::Regional, "zone-A").await;
    let regional = stage.node_with(Plan::below(GLOBAL, Role::Regional, Some(token)), below, None);
    stage.seconds(1).await;
    let wrong = tokens.remove(0);
    let found = asked(&mut stage, REGIONAL, (Role::Regional, "zone-A"), wrong, &global).await;
    assert_eq!(found, Reason::ControllerTypeNotPermitted);

    let (last, mut tokens) = store(&[(Role::Local, "zone-A"), (Role::Regional, "zone-A")], stage.now());
    let token = regional.token(Role::Local, "zone-A").await;
    let local = stage.node_with(Plan::below(REGIONAL, Role::Local, Some(token)), last, None);
    stage.seconds(1).await;
    for role in [Role::Regional, Role::Local] {
        let wrong = tokens.pop().unwrap();
        let found = asked(&mut stage, LOCAL, (role, "zone-A"), wrong, &global).await;
        assert_eq!(found, Reason::ControllerTypeNotPermitted);
    }
    for (parent, refused, children) in [(&global, 1, 1), (&regional, 1, 1), (&local, 2, 0)] {
        assert_eq!(parent.refusals(), vec!["CONTROLLER_TYPE_NOT_PERMITTED"; refused]);
        nobody(parent, children);
    }
}

#[actix::test]
async fn attack_13_a_delegation_is_for_its_zone_and_its_time() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let (below, mut tokens) = store(&[(Role::Local, "zone-B")], stage.now());
    let token = global.token(Role::Regional, "zone-A").await;
    let regional = stage.node_with(Plan::below(GLOBAL, Role::Regional, Some(token)), below, None);
    stage.seconds(1).await;
    let wrong = tokens.remove(0);
    let found = asked(&mut stage, REGIONAL, (Role::Local, "zone-B"), wrong, &global).await;
    assert_eq!(found, Reason::RegionNotServedByThisRc);

    // Its parent is away, so nothing is renewed, and the end comes between two messages.
    stage.bus.detach(&GLOBAL.parse().unwrap());
    let end = global.children()[0].expires_at;
    tokio::time::advance(end.since(stage.now()) - Duration::from_secs(10)).await;
    let token = regional.token(Role::Local, "zone-A").await;
    let id = token.id;
    let mut candidate = Candidate::new(&mut stage, REGIONAL, Role::Local, "zone-A", token).await;
    let response = candidate.prove(&stage).await.unwrap();
    stage.seconds(15).await;
    assert_eq!(reason(candidate.respond(&response).await), Reason::DelegationInvalid);
    assert_eq!(regional.refusals(), ["REGION_NOT_SERVED_BY_THIS_RC", "DELEGATION_INVALID"]);
    assert_eq!(regional.reader.token(id).unwrap().unwrap().used, None);
    nobody(&regional, 0);
}

#[actix::test]
async fn attack_18_a_copied_data_folder_locks_both_copies_and_is_reported() {
    let mut stage = Stage::new();
    let (global, first) = stage.two_tiers().await;
    let (row, keys) = (first.row().unwrap(), Arc::clone(&first.keys));
    let ack = |node: &Node| {
        let to = Destination::Controller(GLOBAL.parse().unwrap());
        node.post.send(Send { to, body: ValidationAck { serial: row.serial } })
    };
    stage.seconds(5).await;
    ack(&first).await.unwrap().unwrap();
    let mut copied = MemoryNib::new();
    let kept = Membership { version: Version::FIRST, ..row.clone() };
    copied.commit(&[Change::Registry(RegistryChange::SetMembership(Box::new(kept)))]).unwrap();
    let second = stage.node_with(Plan::below(GLOBAL, Role::Regional, None), Box::new(copied), Some(keys));
    stage.seconds(5).await;
    assert_eq!(second.state(), "VALIDATED", "so far it looks like a restart");

    ack(&first).await.unwrap().ok();
    stage.seconds(1).await;
    ack(&second).await.unwrap().ok();
    stage.seconds(1).await;
    assert_eq!(global.children()[0].standing, Standing::Locked);
    assert_eq!(global.events(EventType::ControllerLocked).len(), 1);
    let alarms = global.events(EventType::SecurityAlert);
    assert!(alarms.iter().any(|event| event.payload["reason"] == "IDENTITY_CLONED"), "{alarms:?}");
    let heard = global.children()[0].last_contact;
    stage.seconds(120).await;
    ack(&first).await.unwrap().ok();
    ack(&second).await.unwrap().ok();
    stage.seconds(1).await;
    assert_eq!(global.children()[0].last_contact, heard, "neither is heard any more");
    // Whoever of them can be reached is told what to do.
    assert_eq!(second.state(), "STOPPED", "{}", second.status());
    assert!(second.status()["remedy"].as_str().unwrap().contains("fresh token"));
}
