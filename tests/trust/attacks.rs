//! What must not come through: each refusal has its event, and nothing else changes.

use std::time::Duration;

use pdsno::actors::registry::{ChangeBlocklist, RevokeToken};
use pdsno::actors::validation::Withdraw;
use pdsno::domain::change::Change;
use pdsno::domain::controller::Role;
use pdsno::domain::entropy::octets;
use pdsno::domain::event::EventType;
use pdsno::domain::key::{HmacTag, Nonce};
use pdsno::domain::log::Sealer;
use pdsno::domain::message::ChallengeId;
use pdsno::domain::number::Epoch;
use pdsno::domain::reason::Reason;
use pdsno::domain::registry::{Blocked, RegistryChange};
use pdsno::domain::token::{BootstrapToken, TokenId, TokenSecret};
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{Committed, NibError, NibReader, NibStore};
use pdsno::wire::validation::{Challenge, ChallengeResponse, Grant, ValidationAck, ValidationResult, Verdict};
use secrecy::zeroize::Zeroizing;

use crate::intruder::{Candidate, called, copy};
use crate::stage::{Node, Plan, Stage, ada};

const GLOBAL: &str = "global_cntl_1";
const DAY: Duration = Duration::from_secs(86_400);

fn refused(verdict: Option<Verdict>) -> Reason {
    match verdict.unwrap() {
        Verdict::Rejected(refused) | Verdict::Error(refused) => refused.reason,
        Verdict::Validated(grant) => panic!("{grant:?}"),
    }
}

fn granted(verdict: Option<Verdict>) -> Grant {
    match verdict.unwrap() {
        Verdict::Validated(grant) => *grant,
        other => panic!("{other:?}"),
    }
}

async fn regional(stage: &mut Stage, token: &BootstrapToken) -> Candidate {
    Candidate::new(stage, GLOBAL, Role::Regional, "zone-A", copy(token)).await
}

/// The token is as it was made, and nobody came in.
fn untouched(parent: &Node, token: &BootstrapToken) {
    let row = parent.reader.token(token.id).unwrap().unwrap();
    assert_eq!((row.used, row.wrong_attempts), (None, 0));
    nobody(parent);
}

fn nobody(parent: &Node) {
    assert!(parent.children().is_empty());
    assert!(parent.events(EventType::ControllerValidated).is_empty());
    assert_eq!(parent.heard(|heard| heard.nudges), 0);
}

#[actix::test]
async fn attack_1_and_2_a_token_is_used_by_one_key_which_is_answered_again() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut first = regional(&mut stage, &token).await;
    let given = granted(first.join(&stage).await);
    // The same key: the answer was lost.
    stage.seconds(5).await;
    assert_eq!(granted(first.join(&stage).await), given);
    // Another key.
    let mut second = regional(&mut stage, &token).await;
    assert_eq!(refused(second.join(&stage).await), Reason::InvalidBootstrapToken);
    assert_eq!(global.refusals(), ["BOOTSTRAP_TOKEN_ALREADY_CONSUMED"]);
    assert_eq!(global.events(EventType::SecurityAlert).len(), 1);
    assert_eq!(global.events(EventType::ControllerValidated).len(), 1);
    assert_eq!(global.children().len(), 1);
    // The same key, too late.
    stage.seconds(600).await;
    assert_eq!(refused(first.join(&stage).await), Reason::InvalidBootstrapToken);
    assert_eq!(global.children().len(), 1);
}

#[actix::test]
async fn attack_3_of_a_hundred_that_race_with_one_token_one_comes_in() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut racers = Vec::new();
    for _ in 0..100 {
        let mut racer = regional(&mut stage, &token).await;
        let response = racer.prove(&stage).await.unwrap();
        racers.push((racer, response));
    }
    for (racer, response) in &mut racers {
        racer.intruder.say(GLOBAL, response).await;
    }
    let (mut inside, mut outside) = (0, 0);
    for (racer, _) in &mut racers {
        match racer.verdict().await.unwrap() {
            Verdict::Validated(_) => inside += 1,
            Verdict::Rejected(refused) => {
                assert_eq!(refused.reason, Reason::InvalidBootstrapToken);
                outside += 1;
            }
            Verdict::Error(refused) => panic!("{refused:?}"),
        }
    }
    assert_eq!((inside, outside), (1, 99));
    assert_eq!(global.children().len(), 1);
    assert_eq!(global.refusals().len(), 99);
    assert_eq!(global.events(EventType::ControllerValidated).len(), 1);
}

#[actix::test]
async fn attack_4_expired_unknown_revoked_and_used_tokens_have_one_answer() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let (used, revoked, expired) = (
        global.token(Role::Regional, "zone-A").await,
        global.token(Role::Regional, "zone-A").await,
        global.token(Role::Regional, "zone-A").await,
    );
    granted(regional(&mut stage, &used).await.join(&stage).await);
    global.registry.send(RevokeToken { id: revoked.id, by: ada() }).await.unwrap().unwrap();
    let unknown = BootstrapToken { id: TokenId::new([9; 12]), ..copy(&used) };
    let mut answers = Vec::new();
    for token in [&used, &revoked, &unknown] {
        answers.push(regional(&mut stage, token).await.join(&stage).await.unwrap());
    }
    stage.seconds(601).await;
    answers.push(regional(&mut stage, &expired).await.join(&stage).await.unwrap());
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    let details: Vec<_> = global.events(EventType::ControllerRejected);
    let details: Vec<_> = details.iter().map(|event| event.payload["detail"].as_str().unwrap()).collect();
    assert_eq!(
        details,
        [
            "the token was used by another key",
            "the token was taken back",
            "the token is unknown",
            "the token has expired"
        ]
    );
    assert_eq!(global.children().len(), 1);
}

#[actix::test]
async fn attack_5_five_wrong_proofs_lock_a_token_for_everybody() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let guess = BootstrapToken { secret: TokenSecret::new(&Zeroizing::new([0; 32])), ..copy(&token) };
    for attempts in 1..=5 {
        let mut guesser = regional(&mut stage, &guess).await;
        assert_eq!(refused(guesser.join(&stage).await), Reason::InvalidBootstrapToken);
        assert_eq!(global.reader.token(token.id).unwrap().unwrap().wrong_attempts, attempts);
    }
    assert_eq!(global.events(EventType::BootstrapTokenLocked).len(), 1);
    assert_eq!(refused(regional(&mut stage, &token).await.join(&stage).await), Reason::InvalidBootstrapToken);
    nobody(&global);
}

#[actix::test]
async fn attack_6_a_token_is_for_its_role_and_region() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    for (role, region) in [(Role::Regional, "zone-B"), (Role::Local, "zone-A")] {
        let mut candidate = Candidate::new(&mut stage, GLOBAL, role, region, copy(&token)).await;
        assert_eq!(refused(candidate.join(&stage).await), Reason::TokenScopeMismatch);
    }
    assert_eq!(global.refusals(), ["TOKEN_SCOPE_MISMATCH"; 2]);
    untouched(&global, &token);
}

#[actix::test]
async fn attack_7_a_challenge_is_answered_in_time_once_and_by_its_own() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;

    // By another, which spends nothing.
    let mut owner = regional(&mut stage, &token).await;
    let response = owner.prove(&stage).await.unwrap();
    let mut thief = regional(&mut stage, &token).await;
    assert_eq!(refused(thief.respond(&response).await), Reason::TempIdMismatch);
    assert_eq!(global.events(EventType::SecurityAlert).len(), 1);
    untouched(&global, &token);

    // Late.
    stage.seconds(31).await;
    assert_eq!(refused(owner.respond(&response).await), Reason::ChallengeExpired);
    untouched(&global, &token);
    assert_eq!(global.refusals()[..1], ["TEMP_ID_MISMATCH"]);
    assert!(global.refusals().contains(&"CHALLENGE_EXPIRED".to_owned()));

    // Twice.
    let response = owner.prove(&stage).await.unwrap();
    granted(owner.respond(&response).await);
    assert_eq!(refused(owner.respond(&response).await), Reason::UnknownChallenge);
    assert_eq!(global.children().len(), 1);

    // Never: it is told once.
    let other = global.token(Role::Regional, "zone-B").await;
    let mut silent = Candidate::new(&mut stage, GLOBAL, Role::Regional, "zone-B", other).await;
    silent.prove(&stage).await.unwrap();
    stage.seconds(120).await;
    let name = silent.intruder.id.to_string();
    let told = global.events(EventType::ControllerRejected).into_iter().filter(|event| event.subject == name);
    let told: Vec<_> = told.map(|event| event.payload["reason"].clone()).collect();
    assert_eq!(told, ["CHALLENGE_TIMEOUT"]);
}

#[actix::test]
async fn attack_8_a_signature_over_something_else_is_none() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut candidate = regional(&mut stage, &token).await;
    candidate.ask().await;
    let challenge = candidate.intruder.hear::<Challenge>().await.unwrap();
    let response = candidate.joiner.challenge(&challenge, &candidate.intruder.key, stage.now()).unwrap();
    let bare = candidate.intruder.key.sign(challenge.body.server_nonce.as_bytes());
    let forged = ChallengeResponse { signature: bare, ..response };
    assert_eq!(refused(candidate.respond(&forged).await), Reason::InvalidSignature);
    assert_eq!(global.refusals(), ["INVALID_SIGNATURE"]);
    assert_eq!(global.events(EventType::SecurityAlert).len(), 1);
    untouched(&global, &token);
}

#[actix::test]
async fn attack_9_and_11_a_false_parent_gets_no_proof() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    stage.bus.detach(&GLOBAL.parse().unwrap());
    let entropy = stage.entropy();
    let key = crate::stage::new_key(entropy.as_ref());
    let mut impostor = called(&stage, GLOBAL.parse().unwrap(), key, std::sync::Arc::clone(&entropy)).await;
    let joiner = stage.node(Plan::below(GLOBAL, Role::Regional, Some(copy(&token))));
    let request = impostor.hear::<pdsno::wire::validation::ValidationRequest>().await.unwrap();
    let own = crate::stage::new_key(entropy.as_ref());
    let chain = |key| {
        let authority = pdsno::algorithms::trust::authority::Authority::root(
            std::sync::Arc::new(key),
            Epoch::from_number(1),
            stage.now(),
            DAY * 100,
        );
        authority.unwrap().chain
    };
    let true_chain: pdsno::wire::statement::Chain = serde_json::from_str(global.row().unwrap().chain.as_str()).unwrap();
    // His own root, and the true one's chain that he does not own.
    for parent in [chain(own), true_chain] {
        let challenge = Challenge {
            challenge_id: ChallengeId::new(octets(entropy.as_ref()).unwrap()),
            client_nonce: request.body.client_nonce,
            server_nonce: Nonce::from_bytes([1; 32]),
            issued_at: stage.now(),
            expires_at: stage.now().saturating_add(Duration::from_secs(30)),
            parent_id: GLOBAL.parse().unwrap(),
            parent,
        };
        impostor.say(request.body.temp_id.as_str(), &challenge).await;
        assert!(impostor.hear::<ChallengeResponse>().await.is_none());
    }
    assert_eq!(joiner.state(), "PENDING_VALIDATION");
    assert!(joiner.status()["last_reason"].as_str().unwrap().starts_with("UNTRUSTED_PARENT"));
    assert_eq!(joiner.events(EventType::SecurityAlert).len(), 1);
    assert_eq!(joiner.events(EventType::MembershipRefused)[0].payload["reason"], "UNTRUSTED_PARENT");
    assert!(joiner.row().is_none());
    untouched(&global, &token);
}

#[actix::test]
async fn attack_10_ten_thousand_requests_of_one_source_hold_nobody_up() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut noisy = regional(&mut stage, &token).await;
    let mut quiet = regional(&mut stage, &token).await;
    let before = stage.now();
    let request = noisy.ask().await;
    for _ in 1..10_000 {
        noisy.intruder.say(GLOBAL, &request).await;
        // The bus has a bound of its own; here it is the parent's that is looked at.
        tokio::task::yield_now().await;
        tokio::task::yield_now().await;
    }
    assert!(stage.now().since(before) < Duration::from_secs(1));
    granted(quiet.join(&stage).await);
    assert_eq!(global.events(EventType::AttemptsLimited).len(), 1);
    let mut answers = 0;
    while noisy.intruder.hear::<Challenge>().await.is_some() {
        answers += 1;
    }
    assert!((1..=5).contains(&answers), "{answers}");
    assert_eq!(global.refusals(), Vec::<String>::new());
    assert_eq!(global.children().len(), 1);
}

#[actix::test]
async fn attack_12_each_tier_validates_the_one_below_it_only() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let order = |role| pdsno::algorithms::validation::operator::TokenOrder {
        role,
        region: "zone-A".parse().unwrap(),
        lifetime: Default::default(),
    };
    for (parent, role) in [(&global, Role::Local), (&regional, Role::Regional)] {
        let issue = pdsno::actors::registry::IssueToken { order: order(role), by: ada() };
        assert!(parent.registry.send(issue).await.unwrap().is_err());
        assert!(parent.reader.tokens(None, 10).unwrap().iter().all(|token| token.role != role));
    }
    // Whoever had a token all the same would be refused: a Regional Controller's for a Local one.
    let token = regional.token(Role::Local, "zone-A").await;
    let mut wrong = Candidate::new(&mut stage, "regional_cntl_zoneA_1", Role::Regional, "zone-A", copy(&token)).await;
    assert_eq!(refused(wrong.join(&stage).await), Reason::TokenScopeMismatch);
    untouched(&regional, &token);
}

#[actix::test]
async fn attack_13_who_lost_the_right_to_validate_lets_nobody_in() {
    let mut stage = Stage::new();
    let (_global, regional) = stage.two_tiers().await;
    let token = regional.token(Role::Local, "zone-A").await;
    regional.validation.send(Withdraw).await.unwrap();
    let mut candidate = Candidate::new(&mut stage, "regional_cntl_zoneA_1", Role::Local, "zone-A", copy(&token)).await;
    assert_eq!(refused(candidate.join(&stage).await), Reason::DelegationInvalid);
    assert_eq!(regional.refusals(), ["DELEGATION_INVALID"]);
    untouched(&regional, &token);
}

/// A store whose disk is full for some commits.
struct Brittle {
    store: MemoryNib,
    breaks: fn(&Change) -> bool,
}

impl NibStore for Brittle {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        let one = |changes: &&[Change]| match changes.iter().any(self.breaks) {
            true => Err(NibError::Full { attempted: "to commit" }),
            false => self.store.commit(changes),
        };
        commits.iter().map(one).collect()
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        self.store.reader()
    }

    fn open_log(&mut self, sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        self.store.open_log(sealer)
    }
}

async fn unwritten(breaks: fn(&Change) -> bool) {
    let mut stage = Stage::new();
    let store = Brittle { store: MemoryNib::new(), breaks };
    let global = stage.node_with(Plan::global(), Box::new(store), None);
    stage.seconds(1).await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut candidate = regional(&mut stage, &token).await;
    let verdict = candidate.join(&stage).await;
    assert!(matches!(&verdict, Some(Verdict::Error(_))), "{verdict:?}");
    assert_eq!(refused(verdict), Reason::IdentityAssignmentFailed);
    assert_eq!(global.refusals(), ["IDENTITY_ASSIGNMENT_FAILED"]);
    assert_eq!(global.reader.next_serial().unwrap().number(), 2);
    untouched(&global, &token);
}

#[actix::test]
async fn attack_15_a_row_that_cannot_be_written_is_an_error_and_the_token_stays() {
    unwritten(|change| matches!(change, Change::Registry(RegistryChange::Admit { .. }))).await;
}

#[actix::test]
async fn attack_15_an_event_that_cannot_be_written_is_an_error_and_the_token_stays() {
    unwritten(|change| matches!(change, Change::Append(event) if event.event_type == EventType::ControllerValidated))
        .await;
}

#[actix::test]
async fn attack_15_a_refusal_that_cannot_be_written_is_not_told_as_one() {
    let mut stage = Stage::new();
    let store = Brittle {
        store: MemoryNib::new(),
        breaks: |change| matches!(change, Change::Append(event) if event.event_type == EventType::ControllerRejected),
    };
    let global = stage.node_with(Plan::global(), Box::new(store), None);
    stage.seconds(1).await;
    let token = global.token(Role::Regional, "zone-B").await;
    let mut candidate = regional(&mut stage, &token).await;
    assert_eq!(refused(candidate.join(&stage).await), Reason::IdentityAssignmentFailed);
    untouched(&global, &token);
}

#[actix::test]
async fn attack_16_a_parent_near_its_own_end_refuses() {
    let mut stage = Stage::new();
    let (_global, regional) = stage.two_tiers().await;
    stage.bus.detach(&GLOBAL.parse().unwrap());
    tokio::time::advance(DAY * 89).await;
    stage.seconds(1).await;
    let token = regional.token(Role::Local, "zone-A").await;
    let mut candidate = Candidate::new(&mut stage, "regional_cntl_zoneA_1", Role::Local, "zone-A", copy(&token)).await;
    assert_eq!(refused(candidate.join(&stage).await), Reason::IdentityAssignmentFailed);
    assert_eq!(regional.refusals(), ["IDENTITY_ASSIGNMENT_FAILED"]);
    untouched(&regional, &token);
}

#[actix::test]
async fn attack_17_the_old_key_is_refused_when_the_new_one_was_used() {
    let mut stage = Stage::new();
    let (global, regional) = stage.two_tiers().await;
    let (old, epoch) = (regional.keys.load("first.key").unwrap().unwrap(), regional.row().unwrap().epoch);
    stage.pass(DAY * 50).await;
    assert!(regional.keys.load("first.key").unwrap().is_none());
    let heard = global.children()[0].last_contact;

    stage.bus.detach(&"regional_cntl_zoneA_1".parse().unwrap());
    let entropy = stage.entropy();
    let mut thief = called(&stage, "regional_cntl_zoneA_1".parse().unwrap(), old, entropy).await;
    thief.epoch = epoch;
    stage.seconds(120).await;
    thief.say(GLOBAL, &ValidationAck { serial: global.children()[0].serial }).await;
    stage.seconds(120).await;
    let told = global.events(EventType::MessageRefused);
    assert!(told.iter().any(|event| event.payload["reason"] == "CERTIFICATE_RETIRED"), "{told:?}");
    assert_eq!(global.children()[0].last_contact, heard);
}

#[actix::test]
async fn what_is_blocked_is_refused_before_anything_is_computed() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut candidate = regional(&mut stage, &token).await;
    let blocked = Blocked::Key(candidate.intruder.key.public_key());
    let change = |reason: Option<&str>| ChangeBlocklist {
        blocked: blocked.clone(),
        reason: reason.map(str::to_owned),
        by: ada(),
    };
    global.registry.send(change(Some("stolen"))).await.unwrap().unwrap();
    candidate.ask().await;
    assert!(candidate.intruder.hear::<ValidationResult>().await.is_none());
    untouched(&global, &token);
    global.registry.send(change(None)).await.unwrap().unwrap();
    granted(candidate.join(&stage).await);
    assert_eq!(global.events(EventType::BlocklistChanged).len(), 2);
}

#[actix::test]
async fn a_proof_of_nothing_is_a_wrong_proof() {
    let mut stage = Stage::new();
    let global = stage.global().await;
    let token = global.token(Role::Regional, "zone-A").await;
    let mut candidate = regional(&mut stage, &token).await;
    let response = candidate.prove(&stage).await.unwrap();
    let forged = ChallengeResponse { token_hmac: HmacTag::from_bytes([0; 32]), ..response };
    assert_eq!(refused(candidate.respond(&forged).await), Reason::InvalidBootstrapToken);
    assert_eq!(global.reader.token(token.id).unwrap().unwrap().wrong_attempts, 1);
    nobody(&global);
}
