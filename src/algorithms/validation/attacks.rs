//! The handshake, and what must not come through it. Each refusal has its event, and nothing else
//! changes.

use std::sync::Arc;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;

use crate::algorithms::trust::authority::tests::{EPOCH, at, order, regional, root};
use crate::algorithms::trust::authority::{Authority, Issued, renew_at};
use crate::algorithms::trust::chain::ChainError;
use crate::algorithms::trust::directory::Directory;
use crate::algorithms::validation::decision::{Change, Decision, Reply, Subject, refusal};
use crate::algorithms::validation::joiner::{Distrust, Membership, Outcome};
use crate::algorithms::validation::parent::Parent;
use crate::algorithms::validation::renewal::{Renewal, RenewalView, renew};
use crate::algorithms::validation::scene::{Candidate, Desk, carry, challenge, granted, refused, result, verdict};
use crate::domain::certificate::Delegation;
use crate::domain::controller::Role;
use crate::domain::event::EventType;
use crate::domain::key::{Nonce, Signature};
use crate::domain::message::MessageType;
use crate::domain::number::Serial;
use crate::domain::reason::Reason;
use crate::domain::registry::Standing;
use crate::domain::token::{BootstrapToken, TokenId, TokenSecret};
use crate::wire::signature::tests::key;
use crate::wire::signature::{KeyPair, PrivateKeyFile};
use crate::wire::statement::Statement;
use crate::wire::transcript::{RenewalTranscript, Transcript};
use crate::wire::validation::{
    Challenge, ChallengeResponse, Grant, RenewalRequest, ValidationRequest, ValidationResult, Verdict,
};

fn local(octet: u8, token: BootstrapToken) -> Candidate {
    Candidate::new(octet, Role::Local, "zone-A", token)
}

/// A copy of a token, as a thief has it.
fn copy(token: &BootstrapToken) -> BootstrapToken {
    let secret = TokenSecret::new(&Zeroizing::new(*token.secret.as_bytes()));
    BootstrapToken { id: token.id, secret, pin: token.pin }
}

fn with_secret(token: &BootstrapToken, octet: u8) -> BootstrapToken {
    BootstrapToken { secret: TokenSecret::new(&Zeroizing::new([octet; 32])), ..copy(token) }
}

/// Nobody was let in, and no token was used.
fn assert_nobody(desk: &Desk) {
    assert!(desk.granted.is_empty());
    assert!(desk.tokens.values().all(|row| row.used.is_none()));
    assert_eq!(desk.count_events(EventType::ControllerValidated), 0);
}

/// What a parent answers this joiner when it refuses it.
fn no(desk: &mut Desk, candidate: &Candidate, nonce: Nonce, reason: Reason) -> ValidationResult {
    let (temp_id, key) = (candidate.joiner.temp_id(), candidate.key.public_key());
    let subject = Subject { temp_id, key: &key, token: None, source: "bus", nonce: Some(nonce) };
    result(desk.with(|_, office| office.decider().answer(subject, refusal(reason, "no"))))
}

#[test]
fn a_regional_and_a_local_controller_are_validated_one_below_the_other() {
    let mut global = Desk::global();
    let token = global.token(Role::Regional, "zone-A");
    let mut candidate = Candidate::new(2, Role::Regional, "zone-A", token);
    let response = candidate.proofs(&mut global);
    let reply = result(global.respond("bus", candidate.token, &response));
    let message = global.sent(candidate.joiner.temp_id(), &reply);
    let outcome = candidate.joiner.result(&message, &candidate.key, global.now).unwrap();
    let Outcome::Validated(membership) = outcome else { panic!("{outcome:?}") };
    let Membership { grant, chain } = *membership;
    assert_eq!(grant.assigned_id.as_str(), "regional_cntl_zoneA_1");
    assert!(grant.delegation.is_some());
    assert_eq!(global.count_events(EventType::ControllerValidated), 1);
    assert_eq!(global.events.len(), 1);

    let mut desk = Desk::new(Authority { chain, key: Arc::new(key(2)) });
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let response = candidate.proofs(&mut desk);
    let reply = result(desk.respond("bus", candidate.token, &response));
    let message = desk.sent(candidate.joiner.temp_id(), &reply);
    let outcome = candidate.joiner.result(&message, &candidate.key, desk.now).unwrap();
    let Outcome::Validated(membership) = outcome else { panic!("{outcome:?}") };
    let Membership { grant, chain } = *membership;
    assert_eq!(grant.assigned_id.as_str(), "local_cntl_zoneA_1");
    assert_eq!((grant.delegation.is_some(), chain.certificates.len()), (false, 3));
    // The decision is taken once.
    assert!(matches!(candidate.joiner.result(&message, &candidate.key, desk.now), Err(Distrust::NotAsked)));
}

#[test]
fn attack_1_a_token_is_used_by_a_second_key() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut thief = local(4, copy(&token));
    granted(local(3, token).join(&mut desk));
    assert_eq!(refused(thief.join(&mut desk)), Reason::InvalidBootstrapToken);
    assert_eq!(desk.reasons(), [Reason::BootstrapTokenAlreadyConsumed]);
    assert_eq!(desk.count_events(EventType::SecurityAlert), 1);
    assert_eq!(desk.granted.len(), 1);
}

#[test]
fn attack_2_the_same_key_after_a_lost_reply_gets_the_same_certificate() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let first = granted(candidate.join(&mut desk));
    desk.now = at(599);
    assert_eq!(granted(candidate.join(&mut desk)), first);
    assert_eq!((desk.granted.len(), desk.count_events(EventType::ControllerValidated)), (1, 1));
    desk.now = at(601);
    assert_eq!(refused(candidate.join(&mut desk)), Reason::InvalidBootstrapToken);
}

#[test]
fn a_key_that_missed_the_reply_gets_the_same_certificate_for_another_token_which_stays() {
    let mut desk = Desk::regional();
    let first = granted(local(3, desk.token(Role::Local, "zone-A")).join(&mut desk));
    desk.now = at(700);
    let other = desk.token(Role::Local, "zone-A");
    let id = other.id;
    assert_eq!(refused(local(3, with_secret(&other, 9)).join(&mut desk)), Reason::InvalidBootstrapToken);
    assert_eq!(granted(local(3, copy(&other)).join(&mut desk)), first);
    assert_eq!((desk.granted.len(), desk.count_events(EventType::ControllerValidated)), (1, 1));
    assert!(desk.tokens[&id].used.is_none());
    // Another key becomes another controller with it.
    assert_ne!(granted(local(4, other).join(&mut desk)).assigned_id, first.assigned_id);
}

#[test]
fn attack_2_the_repeated_reply_needs_the_secret_too() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut without = local(3, with_secret(&token, 9));
    granted(local(3, token).join(&mut desk));
    desk.now = at(1);
    assert_eq!(refused(without.join(&mut desk)), Reason::InvalidBootstrapToken);
    // A used token cannot be locked, so its owner's repeat goes on working.
    assert_eq!(desk.tokens.values().next().unwrap().wrong_attempts, 0);
}

#[test]
fn attack_3_a_hundred_race_for_one_token() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let id = token.id;
    let proofs: Vec<_> = (10..110)
        .map(|octet| {
            let response = local(octet, copy(&token)).proofs(&mut desk);
            desk.prove("bus", &response).unwrap()
        })
        .collect();
    // All have read the token before anybody's commit.
    let row = desk.tokens.get(&id).cloned();
    let decisions: Vec<Decision> = proofs.iter().map(|proven| desk.admit(proven, row.as_ref())).collect();
    let mut taken = 0;
    for (decision, proven) in decisions.into_iter().zip(&proofs) {
        assert!(matches!(decision.change, Some(Change::Admit(_))));
        if desk.commit(decision).is_ok() {
            taken += 1;
            continue;
        }
        // After the conflict it is read and decided again.
        let row = desk.tokens.get(&id).cloned();
        let again = desk.admit(proven, row.as_ref());
        assert_eq!(refused(verdict(desk.commit(again).unwrap())), Reason::InvalidBootstrapToken);
    }
    assert_eq!((taken, desk.granted.len()), (1, 1));
    assert_eq!(desk.reasons(), [Reason::BootstrapTokenAlreadyConsumed; 99]);
}

#[test]
fn attack_4_expired_unknown_used_and_revoked_are_one_answer() {
    let answer = |spoil: &dyn Fn(&mut Desk, &BootstrapToken)| {
        let mut desk = Desk::regional();
        let token = desk.token(Role::Local, "zone-A");
        spoil(&mut desk, &token);
        let verdict = local(3, token).join(&mut desk);
        (verdict, desk.reasons())
    };
    let (unknown, logged) = answer(&|desk, _| desk.tokens.clear());
    assert_eq!(logged, [Reason::InvalidBootstrapToken]);
    let (expired, _) = answer(&|desk, _| desk.now = at(600));
    let (revoked, _) = answer(&|desk, token| desk.tokens.get_mut(&token.id).unwrap().revoked_at = Some(at(0)));
    let (used, logged) = answer(&|desk, token| drop(local(4, copy(token)).join(desk)));
    assert_eq!(logged, [Reason::BootstrapTokenAlreadyConsumed]);
    assert!([expired, revoked, used].iter().all(|answer| *answer == unknown));
}

#[test]
fn attack_5_five_wrong_proofs_lock_a_token() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    for octet in 10..15 {
        let verdict = local(octet, with_secret(&token, 0x77)).join(&mut desk);
        assert_eq!(refused(verdict), Reason::InvalidBootstrapToken);
    }
    assert_eq!(desk.count_events(EventType::BootstrapTokenLocked), 1);
    assert_eq!(refused(local(3, token).join(&mut desk)), Reason::InvalidBootstrapToken);
    assert_nobody(&desk);
}

#[test]
fn attack_5_four_wrong_proofs_do_not() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    for octet in 10..14 {
        local(octet, with_secret(&token, 0x77)).join(&mut desk);
    }
    assert_eq!(desk.count_events(EventType::BootstrapTokenLocked), 0);
    granted(local(3, token).join(&mut desk));
}

#[test]
fn attack_6_a_token_is_for_one_role_and_one_region() {
    for (role, region) in [(Role::Regional, "zone-A"), (Role::Local, "zone-B")] {
        let mut desk = Desk::regional();
        let token = desk.token(role, region);
        assert_eq!(refused(local(3, token).join(&mut desk)), Reason::TokenScopeMismatch);
        assert_eq!(desk.reasons(), [Reason::TokenScopeMismatch]);
        assert_nobody(&desk);
    }
}

#[test]
fn a_joiner_whose_clock_is_ahead_answers_all_the_same() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let request = candidate.ask(&desk);
    let asked = challenge(desk.request("bus", &request).unwrap());
    let message = desk.sent(candidate.joiner.temp_id(), &asked);
    let ahead = asked.expires_at.saturating_add(Duration::from_secs(20));
    assert!(candidate.joiner.challenge(&message, &candidate.key, ahead).is_ok());
}

#[test]
fn attack_7_a_challenge_is_answered_in_time_once_and_by_its_owner() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, copy(&token));

    // By another: refused, and the owner may still answer.
    let response = candidate.proofs(&mut desk);
    let mut stranger = local(4, token);
    let stolen = carry(&mut stranger.author, &desk.id, &response.body, &stranger.key, desk.now);
    assert_eq!(refused(verdict(desk.respond("bus", candidate.token, &stolen))), Reason::TempIdMismatch);
    granted(verdict(desk.respond("bus", candidate.token, &response)));
    // Twice.
    assert_eq!(refused(verdict(desk.respond("bus", candidate.token, &response))), Reason::UnknownChallenge);

    // Late.
    let token = desk.token(Role::Local, "zone-A");
    let mut late = local(5, token);
    let response = late.proofs(&mut desk);
    desk.now = at(30);
    assert_eq!(refused(verdict(desk.respond("bus", late.token, &response))), Reason::ChallengeExpired);
    assert_eq!(desk.reasons(), [Reason::TempIdMismatch, Reason::UnknownChallenge, Reason::ChallengeExpired]);
    assert_eq!(desk.granted.len(), 1);
}

#[test]
fn attack_7_no_answer_at_all_is_told_once() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let response = candidate.proofs(&mut desk);
    desk.now = at(29);
    assert_eq!(desk.with(Parent::expire), []);
    desk.now = at(30);
    let events = desk.with(Parent::expire);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].payload["reason"], "CHALLENGE_TIMEOUT");
    assert_eq!(desk.with(Parent::expire), []);
    // Late is still told from unknown, for a while.
    desk.now = at(59);
    assert_eq!(refused(verdict(desk.respond("bus", candidate.token, &response))), Reason::ChallengeExpired);
    assert_nobody(&desk);
}

#[test]
fn attack_8_a_signature_over_the_nonce_or_another_message_is_no_proof() {
    let over_nonce = |said: Transcript| key(3).sign(said.server_nonce.as_bytes());
    let over_another_message =
        |said: Transcript| Transcript { message_type: MessageType::ValidationRequest, ..said }.sign(&key(3)).unwrap();
    for sign in [&over_nonce as &dyn Fn(Transcript) -> Signature, &over_another_message] {
        let mut desk = Desk::regional();
        let token = desk.token(Role::Local, "zone-A");
        let mut candidate = local(3, token);
        let request = candidate.ask(&desk);
        let asked = challenge(desk.request("bus", &request).unwrap());
        let mut response = candidate.answer(&mut desk, &asked).body;
        response.signature = sign(transcript(&candidate, Role::Local, "zone-A", &asked));
        let message = carry(&mut candidate.author, &desk.id, &response, &candidate.key, desk.now);
        assert_eq!(refused(verdict(desk.respond("bus", candidate.token, &message))), Reason::InvalidSignature);
        assert_eq!(desk.reasons(), [Reason::InvalidSignature]);
        assert_eq!(desk.count_events(EventType::SecurityAlert), 1);
        assert_nobody(&desk);
    }
}

#[test]
fn attack_9_a_challenge_of_another_parent_is_no_use() {
    // Two parents of one region. The second asks the first, in the joiner's place, and passes the
    // challenge on as its own.
    let mut first = Desk::regional();
    let token = first.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let request = candidate.ask(&first);
    let asked = challenge(first.request("bus", &request).unwrap());

    let root = root();
    let named = order("regional_cntl_zoneA_2", 7);
    let (certificate, delegation) = root.issue(named, EPOCH, at(0)).unwrap();
    let mut second =
        Desk::new(Authority { chain: root.chain.extended(certificate, delegation), key: Arc::new(key(7)) });

    // As it is: the chain is not the sender's.
    let relayed = second.sent(candidate.joiner.temp_id(), &asked);
    let distrust = candidate.joiner.challenge(&relayed, &candidate.key, at(0)).unwrap_err();
    assert!(matches!(distrust, Distrust::NotTheOwner(_)));
    assert_eq!(distrust.reason(), Some(Reason::UntrustedParent));
    // With its own chain: the proofs are for it, and worth nothing to the first.
    let mut dressed = asked.clone();
    dressed.parent = second.authority.chain.clone();
    dressed.parent_id = second.id.clone();
    let relayed = second.sent(candidate.joiner.temp_id(), &dressed);
    let response = candidate.joiner.challenge(&relayed, &candidate.key, at(0)).unwrap();
    let message = carry(&mut candidate.author, &first.id, &response, &candidate.key, first.now);
    assert_eq!(refused(verdict(first.respond("bus", candidate.token, &message))), Reason::InvalidSignature);
    assert_nobody(&first);
}

#[test]
fn attack_10_ten_thousand_requests_of_one_source() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut noisy = local(4, copy(&token));
    let request = noisy.ask(&desk);
    let answered = (0..10_000).filter(|_| desk.request("noisy", &request).is_some()).count();
    assert_eq!(answered, 5);
    assert_eq!((desk.events.len(), desk.count_events(EventType::AttemptsLimited)), (1, 1));
    granted(local(3, token).join(&mut desk));
}

#[test]
fn attack_10_challenges_have_an_end_and_those_who_wait_are_kept() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut first = local(3, copy(&token));
    let response = first.proofs(&mut desk);
    // Keys are cheap; the places are not.
    let mut full = 0;
    for number in 0..1_100_u32 {
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let file = PrivateKeyFile::new(&Zeroizing::new(seed));
        let mut other = local(4, copy(&token));
        other.key = KeyPair::from_pkcs8(file.as_bytes()).unwrap();
        let request = other.ask(&desk);
        let reply = desk.request(&number.to_string(), &request).unwrap();
        full += usize::from(matches!(reply, Reply::Result(_)));
    }
    assert_eq!(full, 1_100 - 1_023);
    assert_eq!(desk.reasons(), vec![Reason::TooManyChallenges; full]);
    granted(verdict(desk.respond("bus", first.token, &response)));
}

#[test]
fn attack_11_a_false_parent_sees_no_use_of_the_secret() {
    let mut truth = Desk::regional();
    let token = truth.token(Role::Local, "zone-A");
    let mut candidate = local(3, copy(&token));
    let request = candidate.ask(&truth);
    // It does not even learn more than the token's name.
    let sent = serde_json::to_string(&request.body).unwrap();
    assert!(!sent.contains("hmac"));

    // A root of its own, with the same names.
    let own = Authority::root(Arc::new(key(9)), EPOCH, at(0), Duration::from_secs(86_400 * 3_650)).unwrap();
    let named = order("regional_cntl_zoneA_1", 8);
    let (certificate, delegation) = own.issue(named, EPOCH, at(0)).unwrap();
    let mut false_parent =
        Desk::new(Authority { chain: own.chain.extended(certificate, delegation), key: Arc::new(key(8)) });
    let mut asked = challenge(truth.request("bus", &request).unwrap());
    asked.parent = false_parent.authority.chain.clone();
    let message = false_parent.sent(candidate.joiner.temp_id(), &asked);
    let distrust = candidate.joiner.challenge(&message, &candidate.key, at(0)).unwrap_err();
    assert!(matches!(&distrust, Distrust::Chain(ChainError::Pin { .. })));

    // Nor can it send the joiner away for good.
    let mut rejected = no(&mut truth, &candidate, request.body.client_nonce, Reason::Blocklisted);
    let message = false_parent.sent(candidate.joiner.temp_id(), &rejected);
    assert!(matches!(candidate.joiner.result(&message, &candidate.key, at(0)), Err(Distrust::NotTheOwner(_))));
    rejected.parent = false_parent.authority.chain.clone();
    let message = false_parent.sent(candidate.joiner.temp_id(), &rejected);
    assert!(matches!(candidate.joiner.result(&message, &candidate.key, at(0)), Err(Distrust::Chain(_))));

    // The true parent is still listened to.
    let asked = challenge(truth.request("bus", &request).unwrap());
    let response = candidate.answer(&mut truth, &asked);
    granted(verdict(truth.respond("bus", candidate.token, &response)));
}

#[test]
fn attack_12_nobody_validates_beside_its_tier() {
    let (third, none) = regional().issue(order("local_cntl_zoneA_1", 3), EPOCH, at(0)).unwrap();
    let local_authority =
        || Authority { chain: regional().chain.extended(third.clone(), none.clone()), key: Arc::new(key(3)) };
    for (desk, role) in [
        (Desk::regional(), Role::Regional),
        (Desk::global(), Role::Local),
        (Desk::new(local_authority()), Role::Local),
        (Desk::new(local_authority()), Role::Regional),
        (Desk::global(), Role::Global),
        (Desk::global(), Role::All),
    ] {
        let mut desk = desk;
        let token = desk.token(role, "zone-A");
        let mut candidate = Candidate::new(5, role, "zone-A", token);
        let request = candidate.ask(&desk);
        let asked = challenge(desk.request("bus", &request).unwrap());
        // An honest joiner stops here.
        let message = desk.sent(candidate.joiner.temp_id(), &asked);
        assert!(matches!(candidate.joiner.challenge(&message, &candidate.key, at(0)), Err(Distrust::Chain(_))));
        // One that does not is refused.
        let response = dishonest(&candidate, role, "zone-A", &asked);
        let message = carry(&mut candidate.author, &desk.id, &response, &candidate.key, desk.now);
        let token = candidate.token;
        assert_eq!(
            refused(verdict(desk.respond("bus", token, &message))),
            Reason::ControllerTypeNotPermitted,
            "{role}"
        );
        assert_nobody(&desk);
    }
}

/// What a joiner with the desk's first token would prove to whoever asked.
fn transcript(candidate: &Candidate, role: Role, region: &str, asked: &Challenge) -> Transcript {
    Transcript {
        message_type: MessageType::ChallengeResponse,
        temp_id: candidate.joiner.temp_id().clone(),
        token_id: candidate.token,
        role,
        region: region.parse().unwrap(),
        public_key: candidate.key.public_key(),
        client_nonce: asked.client_nonce,
        server_nonce: asked.server_nonce,
        challenge_id: asked.challenge_id,
        parent_id: asked.parent_id.clone(),
        parent_certificate: asked.parent.leaf().unwrap().digest(),
        issued_at: asked.issued_at,
    }
}

/// The proofs of a joiner that does not look at its parent.
fn dishonest(candidate: &Candidate, role: Role, region: &str, asked: &Challenge) -> ChallengeResponse {
    let transcript = transcript(candidate, role, region, asked);
    ChallengeResponse {
        challenge_id: asked.challenge_id,
        temp_id: candidate.joiner.temp_id().clone(),
        token_hmac: transcript.authenticate(&TokenSecret::new(&Zeroizing::new([1; 32]))).unwrap(),
        signature: transcript.sign(&candidate.key).unwrap(),
    }
}

#[test]
fn attack_13_a_delegation_that_ended_was_revoked_or_is_for_another_zone() {
    let with = |change: &dyn Fn(&mut Desk)| {
        let mut desk = Desk::regional();
        let token = desk.token(Role::Local, "zone-A");
        let mut candidate = local(3, token);
        let response = candidate.proofs(&mut desk);
        // It ends between the challenge and the answer.
        let proven = desk.prove("bus", &response).unwrap();
        change(&mut desk);
        let row = desk.tokens.get(&candidate.token).cloned();
        let decision = desk.admit(&proven, row.as_ref());
        assert_eq!(refused(verdict(desk.commit(decision).unwrap())), Reason::DelegationInvalid);
        assert_eq!(desk.reasons(), [Reason::DelegationInvalid]);
        assert_nobody(&desk);
    };
    let resigned = |change: &dyn Fn(&mut Delegation), desk: &mut Desk| {
        let mut claim = desk.authority.chain.delegation.as_ref().unwrap().unverified().clone();
        change(&mut claim);
        desk.authority.chain.delegation = Some(Statement::sign(claim, &key(1)).unwrap());
    };
    with(&|desk| resigned(&|claim| claim.not_after = at(0), desk));
    with(&|desk| resigned(&|claim| claim.region = "zone-B".parse().unwrap(), desk));
    with(&|desk| drop(desk.authority.chain.delegation.take()));
    with(&|desk| desk.revoked.extend([Serial::from_number(2)]));
}

#[test]
fn attack_13_a_regional_controller_serves_its_own_region() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-B");
    let mut candidate = Candidate::new(3, Role::Local, "zone-B", token);
    let request = candidate.ask(&desk);
    let asked = challenge(desk.request("bus", &request).unwrap());
    let response = dishonest(&candidate, Role::Local, "zone-B", &asked);
    let message = carry(&mut candidate.author, &desk.id, &response, &candidate.key, desk.now);
    assert_eq!(refused(verdict(desk.respond("bus", candidate.token, &message))), Reason::RegionNotServedByThisRc);
    assert_nobody(&desk);
}

#[test]
fn two_regions_with_one_slug_cannot_both_exist() {
    let mut desk = Desk::global();
    let token = desk.token(Role::Regional, "zone-A");
    granted(Candidate::new(2, Role::Regional, "zone-A", token).join(&mut desk));
    let token = desk.token(Role::Regional, "zoneA");
    assert_eq!(refused(Candidate::new(3, Role::Regional, "zoneA", token).join(&mut desk)), Reason::InvalidRegion);
    let token = desk.token(Role::Regional, "zone-A");
    let second = granted(Candidate::new(4, Role::Regional, "zone-A", token).join(&mut desk));
    assert_eq!(second.assigned_id.as_str(), "regional_cntl_zoneA_2");
}

#[test]
fn there_are_as_many_as_policy_and_delegation_allow() {
    let mut desk = Desk::regional();
    desk.quota = 1;
    for (octet, expected) in [(3, None), (4, Some(Reason::ControllerQuotaExceeded))] {
        let token = desk.token(Role::Local, "zone-A");
        let answer = match local(octet, token).join(&mut desk) {
            Verdict::Validated(_) => None,
            refusal => Some(refused(refusal)),
        };
        assert_eq!(answer, expected);
    }
    // The delegation's own limit.
    let mut desk = Desk::regional();
    let mut claim = desk.authority.chain.delegation.as_ref().unwrap().unverified().clone();
    claim.max_local_controllers = 0;
    desk.authority.chain.delegation = Some(Statement::sign(claim, &key(1)).unwrap());
    let token = desk.token(Role::Local, "zone-A");
    assert_eq!(refused(local(3, token).join(&mut desk)), Reason::ControllerQuotaExceeded);
}

#[test]
fn attack_15_what_cannot_be_written_did_not_happen() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let response = candidate.proofs(&mut desk);
    let proven = desk.prove("bus", &response).unwrap();
    let decision = desk.with(|_, office| Parent::failed(&proven, "no space is left for the NIB in /secret", office));
    let reply = result(desk.commit(decision).unwrap());
    assert!(matches!(&reply.verdict, Verdict::Error(told) if !told.detail.contains("/secret")));
    assert_eq!(desk.count_events(EventType::ControllerValidationFailed), 1);
    assert_nobody(&desk);
    // It is told to try again, and then it works.
    let message = desk.sent(candidate.joiner.temp_id(), &reply);
    assert!(matches!(candidate.joiner.result(&message, &candidate.key, desk.now), Ok(Outcome::Retry(_))));
    desk.now = at(1);
    granted(candidate.join(&mut desk));
}

#[test]
fn attack_16_a_parent_near_its_own_end_refuses() {
    let mut desk = Desk::regional();
    desk.now = at(88 * 86_400 + 1);
    let token = desk.token(Role::Local, "zone-A");
    let verdict = local(3, token).join(&mut desk);
    assert!(
        matches!(&verdict, Verdict::Error(told) if told.detail.contains("renew the parent's first")),
        "{verdict:?}"
    );
    assert_eq!(desk.reasons(), [Reason::IdentityAssignmentFailed]);
    assert_nobody(&desk);
}

#[test]
fn attack_19_an_old_request_does_not_push_out_a_new_one() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let old = candidate.ask(&desk);
    desk.now = at(2);
    let new = candidate.ask(&desk);
    let asked = challenge(desk.request("bus", &new).unwrap());
    assert_eq!(refused(verdict(desk.request("replay", &old).unwrap())), Reason::SupersededRequest);
    // The same once more is answered with the same.
    assert_eq!(challenge(desk.request("bus", &new).unwrap()), asked);
    let response = candidate.answer(&mut desk, &asked);
    granted(verdict(desk.respond("bus", candidate.token, &response)));
}

#[test]
fn a_request_speaks_for_its_own_key_and_name() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, copy(&token));
    let mut request = candidate.ask(&desk).body;
    request.public_key = key(4).public_key();
    let message = carry(&mut candidate.author, &desk.id, &request, &candidate.key, desk.now);
    assert_eq!(refused(verdict(desk.request("a", &message).unwrap())), Reason::InvalidSignature);
    let mut request = candidate.ask(&desk).body;
    request.temp_id = local(4, token).joiner.temp_id().clone();
    let message = carry(&mut candidate.author, &desk.id, &request, &candidate.key, desk.now);
    assert_eq!(refused(verdict(desk.request("b", &message).unwrap())), Reason::TempIdMismatch);
    assert_nobody(&desk);
}

#[test]
fn a_refusal_stops_the_joiner_only_where_waiting_is_no_use() {
    for (reason, stops) in [
        (Reason::Blocklisted, true),
        (Reason::TokenScopeMismatch, true),
        (Reason::InvalidBootstrapToken, true),
        (Reason::ControllerQuotaExceeded, false),
        (Reason::StaleTimestamp, false),
        (Reason::IdentityAssignmentFailed, false),
    ] {
        let mut desk = Desk::regional();
        let token = desk.token(Role::Local, "zone-A");
        let mut candidate = local(3, token);
        let nonce = candidate.ask(&desk).body.client_nonce;
        let stale = no(&mut desk, &candidate, Nonce::from_bytes([9; 32]), reason);
        let message = desk.sent(candidate.joiner.temp_id(), &stale);
        assert!(matches!(candidate.joiner.result(&message, &candidate.key, at(0)), Err(Distrust::NotAsked)));
        let reply = no(&mut desk, &candidate, nonce, reason);
        let message = desk.sent(candidate.joiner.temp_id(), &reply);
        let outcome = candidate.joiner.result(&message, &candidate.key, at(0)).unwrap();
        assert_eq!(matches!(outcome, Outcome::Stop { .. }), stops, "{reason}");
    }
}

#[test]
fn a_joiner_takes_only_what_it_asked_for() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let response = candidate.proofs(&mut desk);
    let good = result(desk.respond("bus", candidate.token, &response));
    let (other, _) = regional().issue(order("local_cntl_zoneA_7", 4), EPOCH, at(0)).unwrap();
    let changes: [&dyn Fn(&mut Grant); 5] = [
        &|grant| grant.assigned_id = "regional_cntl_zoneA_1".parse().unwrap(),
        &|grant| grant.assigned_id = "local_cntl_zoneA_2".parse().unwrap(),
        &|grant| grant.region = "zone-B".parse().unwrap(),
        &|grant| grant.role = Role::Regional,
        &|grant| (grant.assigned_id, grant.certificate) = ("local_cntl_zoneA_7".parse().unwrap(), other.clone()),
    ];
    for change in changes {
        let mut reply = good.clone();
        if let Verdict::Validated(grant) = &mut reply.verdict {
            change(grant);
        }
        let message = desk.sent(candidate.joiner.temp_id(), &reply);
        let distrust = candidate.joiner.result(&message, &candidate.key, at(0)).unwrap_err();
        assert!(matches!(distrust, Distrust::WrongGrant(_)), "{distrust}");
    }
    let message = desk.sent(candidate.joiner.temp_id(), &good);
    assert!(matches!(candidate.joiner.result(&message, &candidate.key, at(0)), Ok(Outcome::Validated(_))));
}

#[test]
fn a_refusal_of_one_who_asked_under_its_name_means_nothing_to_a_joiner() {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let mut candidate = local(3, token);
    let request = candidate.ask(&desk);
    // Another key, the same name and nonce, a token that is none: the answer goes to that name.
    let token_id = TokenId::new([0xff; 12]);
    let forged = ValidationRequest { token_id, public_key: key(4).public_key(), ..request.body.clone() };
    let forged = carry(&mut candidate.author, &desk.id, &forged, &key(4), desk.now);
    let answer = result(desk.request("thief", &forged).unwrap());
    assert_eq!(refused(answer.verdict.clone()), Reason::InvalidBootstrapToken);
    assert_eq!(answer.client_nonce, Some(request.body.client_nonce));
    let message = desk.sent(candidate.joiner.temp_id(), &answer);
    let distrust = candidate.joiner.result(&message, &candidate.key, desk.now).unwrap_err();
    assert!(matches!(distrust, Distrust::NotAsked), "{distrust}");
    granted(candidate.join(&mut desk));
}

/// A child that was validated, and its request for the next key.
fn renewal(next: u8, sign: u8, serial: u64) -> (Desk, Issued, RenewalRequest) {
    let mut desk = Desk::regional();
    let token = desk.token(Role::Local, "zone-A");
    let grant = granted(local(3, token).join(&mut desk));
    let child = grant.certificate.unverified().clone();
    desk.now = renew_at(&child, 1 << 31);
    let nonce = Nonce::from_bytes([5; 32]);
    let transcript = RenewalTranscript {
        message_type: MessageType::RenewalRequest,
        controller_id: child.controller_id,
        current_serial: Serial::from_number(serial),
        public_key: key(next).public_key(),
        nonce,
    };
    let request = RenewalRequest {
        current_serial: transcript.current_serial,
        public_key: transcript.public_key,
        nonce,
        signature: transcript.sign(&key(sign)).unwrap(),
    };
    (desk, (grant.certificate, grant.delegation), request)
}

fn renewed(desk: &mut Desk, present: &Issued, next: Option<&Issued>, request: &RenewalRequest) -> Renewal {
    renewed_as(desk, present, next, request, Standing::Active)
}

fn renewed_as(
    desk: &mut Desk,
    present: &Issued,
    next: Option<&Issued>,
    request: &RenewalRequest,
    standing: Standing,
) -> Renewal {
    let mut author = local(3, desk.token(Role::Local, "zone-A")).author;
    let message = carry(&mut author, &desk.id, request, &key(3), desk.now);
    let view = RenewalView { standing, present, next, next_serial: Serial::from_number(101), max_local_controllers: 0 };
    desk.with(|_, office| renew(&message, &view, office))
}

#[test]
fn attack_17_a_renewed_certificate_is_for_a_new_key_and_retires_the_old_one() {
    let (mut desk, present, request) = renewal(4, 4, 100);
    let child = present.0.unverified().clone();
    let renewal = renewed(&mut desk, &present, None, &request);
    let next = granted(renewal.reply.verdict).certificate.unverified().clone();
    assert_eq!(next.controller_id, child.controller_id);
    assert_eq!((next.public_key, next.serial.number()), (key(4).public_key(), 101));
    assert_eq!(renewal.events[0].event_type, EventType::CertificateRenewed);

    let mut directory = Directory::default();
    directory.insert(child.clone());
    directory.renew(next.clone());
    assert!(directory.look_up(&child.public_key, desk.now).is_ok());
    assert!(directory.used(&next.public_key).is_some());
    let refusal = directory.look_up(&child.public_key, desk.now).unwrap_err();
    assert_eq!(refusal.reason(), Reason::CertificateRetired);
}

#[test]
fn a_renewal_needs_the_next_key_and_the_present_serial() {
    for (next, sign, serial) in [(4, 3, 100), (4, 4, 99), (3, 4, 100)] {
        let (mut desk, present, request) = renewal(next, sign, serial);
        let renewal = renewed(&mut desk, &present, None, &request);
        assert_eq!(refused(renewal.reply.verdict), Reason::InvalidSignature);
        assert!(renewal.issued.is_none());
        assert_eq!(renewal.events.len(), 2);
    }
}

#[test]
fn who_asks_again_for_a_key_is_given_the_same_and_nothing_is_written() {
    let (mut desk, present, request) = renewal(4, 4, 100);
    let next = renewed(&mut desk, &present, None, &request).issued.unwrap();
    let again = renewed(&mut desk, &present, Some(&next), &request);
    assert_eq!((again.issued, again.events), (None, Vec::new()));
    assert_eq!(granted(again.reply.verdict).certificate, next.0);

    let (mut desk, present, request) = renewal(3, 3, 100);
    let same = renewed(&mut desk, &present, None, &request);
    assert_eq!((same.issued, same.events), (None, Vec::new()));
    assert_eq!(granted(same.reply.verdict).certificate, present.0);
}

#[test]
fn who_does_not_stand_as_active_is_not_renewed() {
    for (standing, reason) in [
        (Standing::Revoked, Reason::ControllerRevoked),
        (Standing::Suspended, Reason::ControllerSuspended),
        (Standing::Locked, Reason::IdentityLocked),
    ] {
        let (mut desk, present, request) = renewal(4, 4, 100);
        let renewal = renewed_as(&mut desk, &present, None, &request, standing);
        assert_eq!(refused(renewal.reply.verdict), reason);
        assert_eq!(renewal.issued, None);
        assert_eq!(renewal.events[0].event_type, EventType::ControllerRejected);
    }
}
