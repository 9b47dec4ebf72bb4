use super::*;
use crate::domain::controller::Role;
use crate::domain::message::{BootId, MessageId};
use crate::domain::number::{MessageSeq, Serial};
use crate::domain::reason::Reason;
use crate::wire::envelope::{Author, seal};
use crate::wire::refused::MessageRefused;
use crate::wire::signature::tests::key;
use crate::wire::validation::{ChallengeResponse, ValidationAck};

const NOW: i64 = 1_000_000_000;
const EPOCH: Epoch = Epoch::from_number(3);

/// A Regional Controller with one child, and the child.
struct Scene {
    gate: Gate,
    directory: Directory,
    author: Author,
    // What the next messages' randomness is made of.
    number: u8,
}

fn child() -> ControllerId {
    "local_cntl_zoneA_1".parse().unwrap()
}

fn own() -> ControllerId {
    "regional_cntl_zoneA_1".parse().unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(NOW + millis)
}

fn certificate(octet: u8) -> Certificate {
    Certificate {
        controller_id: child(),
        role: Role::Local,
        region: Some("zone-A".parse().unwrap()),
        public_key: key(octet).public_key(),
        issuer: own(),
        epoch: EPOCH,
        issued_at: at(-1_000_000),
        expires_at: at(1_000_000_000),
        serial: Serial::from_number(octet.into()),
    }
}

fn scene() -> Scene {
    let mut directory = Directory::default();
    directory.insert(certificate(1));
    Scene {
        gate: Gate::new(own(), FRESHNESS, at(-900_000)),
        directory,
        author: Author::new(child(), BootId::new([1; 16])),
        number: 0,
    }
}

impl Scene {
    fn header(&mut self, made: Timestamp) -> Header {
        self.number += 1;
        self.author.header::<ValidationAck>(Destination::Controller(own()), EPOCH, made, [self.number; 10])
    }

    /// What is sealed by the child's key with a header that somebody changed.
    fn sealed(&mut self, made: Timestamp, change: impl FnOnce(&mut Header)) -> Vec<u8> {
        let mut header = self.header(made);
        change(&mut header);
        seal(header, &ValidationAck { serial: Serial::from_number(1) }, &key(1)).unwrap()
    }

    fn arrive(&mut self, bytes: &[u8], now: Timestamp) -> Result<Opened<ValidationAck>, Reason> {
        self.arrive_over(bytes, now, None)
    }

    fn arrive_over(
        &mut self,
        bytes: &[u8],
        now: Timestamp,
        peer: Option<&ControllerId>,
    ) -> Result<Opened<ValidationAck>, Reason> {
        let arrival = Arrival { source: "bus", peer, now };
        let sealed = Gate::read(bytes).map_err(|refused| refused.refusal.reason())?;
        let answer = self.gate.open(&sealed, &mut self.directory, EPOCH, arrival);
        answer.map_err(|refused| refused.refusal.reason())
    }

    fn changed(&mut self, change: impl FnOnce(&mut Header)) -> Reason {
        let bytes = self.sealed(at(0), change);
        let refusal = self.arrive(&bytes, at(0)).unwrap_err();
        // Nothing else changed: the next message of the child is taken.
        let next = self.sealed(at(1), |_| ());
        self.arrive(&next, at(1)).unwrap();
        refusal
    }
}

#[test]
fn a_message_in_order_is_taken_under_its_senders_certificate() {
    let mut scene = scene();
    let bytes = scene.sealed(at(0), |_| ());
    let opened = scene.arrive(&bytes, at(10)).unwrap();
    assert_eq!(opened.sender, Some(certificate(1)));
    assert_eq!(opened.message.header.sender_id, child());
    assert_eq!(opened.switched, None);
}

#[test]
fn size_is_looked_at_first() {
    let mut scene = scene();
    assert_eq!(scene.arrive(&vec![b'{'; 1 << 20], at(0)), Err(Reason::MessageTooLarge));
    assert_eq!(scene.arrive(b"{}", at(0)), Err(Reason::Malformed));
}

#[test]
fn an_unknown_key_is_refused_before_its_signature_is_computed() {
    let mut scene = scene();
    let header = scene.header(at(0));
    let body = ValidationAck { serial: Serial::from_number(1) };
    let bytes = seal(header, &body, &key(9)).unwrap();
    assert_eq!(scene.arrive(&bytes, at(0)), Err(Reason::UnknownSender));
    let broken = String::from_utf8(bytes).unwrap().replace("\"sig\":\"", "\"sig\":\"AAAA");
    assert_eq!(scene.arrive(broken.as_bytes(), at(0)), Err(Reason::Malformed));
}

#[test]
fn a_blocked_key_and_a_blocked_source_are_refused() {
    let mut scene = scene();
    let bytes = scene.sealed(at(0), |_| ());
    scene.directory.block_source("bus".to_owned());
    assert_eq!(scene.arrive(&bytes, at(0)), Err(Reason::Blocklisted));
}

#[test]
fn a_wrong_signature_teaches_nothing() {
    let mut scene = scene();
    let good = scene.sealed(at(0), |_| ());
    let mut envelope: serde_json::Value = serde_json::from_slice(&good).unwrap();
    envelope["signatures"][0]["sig"] = key(1).sign(b"something else").to_string().into();
    assert_eq!(scene.arrive(envelope.to_string().as_bytes(), at(0)), Err(Reason::InvalidSignature));
    assert!(scene.arrive(&good, at(0)).is_ok());
}

#[test]
fn a_sender_speaks_for_itself_only() {
    let reason = scene().changed(|header| header.sender_id = "local_cntl_zoneA_2".parse().unwrap());
    assert_eq!(reason, Reason::SenderMismatch);
}

#[test]
fn a_message_for_another_is_refused() {
    let other = Destination::Controller("regional_cntl_zoneB_1".parse().unwrap());
    assert_eq!(scene().changed(|header| header.destination = other), Reason::WrongRecipient);
    let topic = || Destination::Topic("policy/zoneA".parse().unwrap());
    assert_eq!(scene().changed(|header| header.destination = topic()), Reason::WrongRecipient);
    let mut scene = scene();
    scene.gate.listen("policy/zoneA".parse().unwrap());
    let bytes = scene.sealed(at(0), |header| header.destination = topic());
    assert!(scene.arrive(&bytes, at(0)).is_ok());
}

#[test]
fn a_connection_of_another_is_refused() {
    let mut scene = scene();
    let bytes = scene.sealed(at(0), |_| ());
    assert_eq!(scene.arrive_over(&bytes, at(0), Some(&own())), Err(Reason::PeerMismatch));
    assert!(scene.arrive_over(&bytes, at(0), Some(&child())).is_ok());
}

#[test]
fn the_window_of_time_ends_at_300_seconds_ago_and_60_ahead() {
    for (made, expected) in [
        (-300_000, None),
        (-300_001, Some(Reason::StaleTimestamp)),
        (-301_000, Some(Reason::StaleTimestamp)),
        (60_000, None),
        (60_001, Some(Reason::FutureTimestamp)),
        (61_000, Some(Reason::FutureTimestamp)),
    ] {
        let mut scene = scene();
        let bytes = scene.sealed(at(made), |_| ());
        assert_eq!(scene.arrive(&bytes, at(0)).err(), expected, "{made}");
    }
}

#[test]
fn a_refusal_for_time_names_the_skew_and_ntp() {
    for (made, skew) in [(-301_000, "301 s old"), (61_500, "61.5 s ahead")] {
        let mut scene = scene();
        let bytes = scene.sealed(at(made), |_| ());
        let arrival = Arrival { source: "bus", peer: None, now: at(0) };
        let sealed = Gate::read(&bytes).unwrap();
        let answer = scene.gate.open::<ValidationAck>(&sealed, &mut scene.directory, EPOCH, arrival);
        let refused = answer.unwrap_err();
        let text = refused.refusal.to_string();
        assert!(text.contains(skew) && text.contains("NTP") && text.contains("clock"), "{text}");
        // So that the sender can be told.
        assert_eq!(refused.header.unwrap().sender_id, child());
    }
}

#[test]
fn another_epoch_is_refused_by_its_own_reason() {
    assert_eq!(scene().changed(|header| header.epoch = Epoch::from_number(0)), Reason::EpochMissing);
    assert_eq!(scene().changed(|header| header.epoch = Epoch::from_number(2)), Reason::EpochStale);
    assert_eq!(scene().changed(|header| header.epoch = Epoch::from_number(4)), Reason::EpochUnknown);
}

#[test]
fn a_message_is_taken_once() {
    let mut scene = scene();
    let bytes = scene.sealed(at(0), |_| ());
    assert!(scene.arrive(&bytes, at(0)).is_ok());
    assert_eq!(scene.arrive(&bytes, at(0)), Err(Reason::Replayed));
    assert_eq!(scene.arrive(&bytes, at(300_000)), Err(Reason::Replayed));
    assert_eq!(scene.arrive(&bytes, at(300_001)), Err(Reason::StaleTimestamp));
    // A number that was here, under another id.
    assert_eq!(scene.changed(|header| header.seq = MessageSeq::from_number(1)), Reason::Replayed);
}

#[test]
fn after_a_restart_of_the_receiver_nothing_from_before_is_taken() {
    let mut scene = scene();
    let bytes = scene.sealed(at(0), |_| ());
    assert!(scene.arrive(&bytes, at(0)).is_ok());
    scene.gate = Gate::new(own(), FRESHNESS, at(5));
    assert_eq!(scene.arrive(&bytes, at(6)), Err(Reason::PrecedesStart));
    let anew = scene.sealed(at(7), |_| ());
    assert!(scene.arrive(&anew, at(8)).is_ok());
}

#[test]
fn after_a_restart_of_the_sender_its_earlier_run_is_over() {
    let mut scene = scene();
    let late = scene.sealed(at(0), |_| ());
    scene.author = Author::new(child(), BootId::new([2; 16]));
    let first = scene.sealed(at(10), |_| ());
    assert!(scene.arrive(&first, at(11)).is_ok());
    assert_eq!(scene.arrive(&late, at(12)), Err(Reason::OutOfSequence));
}

#[test]
fn a_copied_data_folder_locks_both() {
    let mut scene = scene();
    let mut copy = Author::new(child(), BootId::new([2; 16]));
    let first = scene.sealed(at(0), |_| ());
    assert!(scene.arrive(&first, at(0)).is_ok());
    std::mem::swap(&mut scene.author, &mut copy);
    let by_copy = scene.sealed(at(1), |_| ());
    assert!(scene.arrive(&by_copy, at(1)).is_ok());
    let copy_again = scene.sealed(at(3), |_| ());
    std::mem::swap(&mut scene.author, &mut copy);
    let original = scene.sealed(at(2), |_| ());
    assert_eq!(scene.arrive(&original, at(2)), Err(Reason::IdentityCloned));
    assert_eq!(scene.arrive(&copy_again, at(3)), Err(Reason::IdentityLocked));
    let original = scene.sealed(at(4), |_| ());
    assert_eq!(scene.arrive(&original, at(4)), Err(Reason::IdentityLocked));
}

#[test]
fn an_old_key_is_refused_once_the_new_one_was_used() {
    let mut scene = scene();
    scene.directory.renew(certificate(2));
    let (one, two) = (scene.header(at(0)), scene.header(at(1)));
    let body = ValidationAck { serial: Serial::from_number(1) };
    let still = seal(one, &body, &key(1)).unwrap();
    assert!(scene.arrive(&still, at(1)).unwrap().switched.is_none());
    let new = seal(two, &body, &key(2)).unwrap();
    assert!(scene.arrive(&new, at(1)).unwrap().switched.is_some());
    let old = scene.sealed(at(2), |_| ());
    assert_eq!(scene.arrive(&old, at(2)), Err(Reason::CertificateRetired));
}

#[test]
fn who_floods_is_refused_alone() {
    let mut scene = scene();
    let other = Certificate {
        controller_id: "local_cntl_zoneA_2".parse().unwrap(),
        serial: Serial::from_number(2),
        ..certificate(2)
    };
    scene.directory.insert(other.clone());
    scene.gate.replay = ReplayCache::new(FRESHNESS + AHEAD, 3);
    for _ in 0..3 {
        let bytes = scene.sealed(at(0), |_| ());
        assert!(scene.arrive(&bytes, at(0)).is_ok());
    }
    let bytes = scene.sealed(at(0), |_| ());
    assert_eq!(scene.arrive(&bytes, at(0)), Err(Reason::TooManyMessages));
    scene.author = Author::new(other.controller_id, BootId::new([7; 16]));
    let header = scene.header(at(0));
    let bytes = seal(header, &ValidationAck { serial: Serial::from_number(1) }, &key(2)).unwrap();
    assert!(scene.arrive(&bytes, at(0)).is_ok());
}

#[test]
fn an_introduction_is_taken_from_every_key_that_is_not_refused() {
    let mut scene = scene();
    let body = ChallengeResponse {
        challenge_id: crate::domain::message::ChallengeId::new([1; 16]),
        temp_id: ControllerId::newcomer([1; 16]),
        token_hmac: crate::domain::key::HmacTag::from_bytes([0; 32]),
        signature: key(9).sign(b""),
    };
    let mut author = Author::new(body.temp_id.clone(), BootId::new([3; 16]));
    let mut open = |scene: &mut Scene, octet: u8, made: i64| {
        let to = Destination::Controller(own());
        let header = author.header::<ChallengeResponse>(to, Epoch::default(), at(made), [octet; 10]);
        let sealed = Gate::read(&seal(header, &body, &key(octet)).unwrap()).unwrap();
        let arrival = Arrival { source: "bus", peer: None, now: at(0) };
        let answer = scene.gate.open::<ChallengeResponse>(&sealed, &mut scene.directory, EPOCH, arrival);
        answer.map(|opened| opened.sender).map_err(|refused| refused.refusal.reason())
    };
    assert_eq!(open(&mut scene, 9, 0), Ok(None));
    // One that has a name may ask again: the answer may have been lost.
    assert_eq!(open(&mut scene, 1, 0), Ok(None));
    assert_eq!(open(&mut scene, 9, -301_000), Err(Reason::StaleTimestamp));
    scene.directory.revoke(&child());
    assert_eq!(open(&mut scene, 1, 0), Err(Reason::ControllerRevoked));
    scene.directory.block_key(key(9).public_key());
    assert_eq!(open(&mut scene, 9, 0), Err(Reason::Blocklisted));
}

#[test]
fn a_newcomer_is_told_by_a_stranger_why_it_was_not_heard() {
    let mut scene = scene();
    let newcomer = ControllerId::newcomer([1; 16]);
    let body = MessageRefused {
        message_id: MessageId::new(at(0), [1; 10]),
        keyid: key(9).public_key(),
        parent: None,
        reason: Reason::StaleTimestamp,
        detail: "the clock".to_owned(),
    };
    let open = |scene: &mut Scene, octet: u8| {
        let to = Destination::Controller(newcomer.clone());
        let header = scene.author.header::<MessageRefused>(to, EPOCH, at(0), [octet; 10]);
        let sealed = Gate::read(&seal(header, &body, &key(9)).unwrap()).unwrap();
        let arrival = Arrival { source: "bus", peer: None, now: at(0) };
        let answer = scene.gate.open::<MessageRefused>(&sealed, &mut scene.directory, Epoch::default(), arrival);
        answer.map(|opened| opened.sender).map_err(|refused| refused.refusal.reason())
    };
    assert_eq!(open(&mut scene, 1), Err(Reason::UnknownSender));
    scene.gate.rename(newcomer.clone());
    assert_eq!(open(&mut scene, 2), Ok(None));
}
