//! Every refusal in the order in which messages are checked: its event, its answer, and nothing else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, Context, Handler};
use pdsno::actors::health::Note;
use pdsno::actors::nib::Nib;
use pdsno::actors::post::{Acquaint, Beginning, Carrier, Identity, PostActor, Routes, Send};
use pdsno::algorithms::trust::gate::FRESHNESS;
use pdsno::domain::event::EventType;
use pdsno::domain::message::{BootId, MessageId, MessageType};
use pdsno::domain::number::{Epoch, MessageSeq};
use pdsno::domain::reason::Reason;
use pdsno::domain::registry::Blocked;
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::eastwest::bus::Bus;
use pdsno::wire::envelope::{Destination, Header, SCHEMA_VERSION, seal};
use pdsno::wire::refused::MessageRefused;
use tokio::time::{advance, pause};

use crate::hand::Hand;
use crate::node::{
    CHILD, EPOCH, Node, OTHER, PARENT, Seeded, VirtualClock, certificate, directory, key, key_of, name, settle,
};

/// The parent, and a hand that has the child's name and key; time is paused.
pub async fn scene() -> (Bus, Node, Hand) {
    let bus = Bus::new();
    let parent = Node::start(&bus, PARENT, &VirtualClock::start()).await;
    let hand = Hand::attach(&bus, CHILD, 9).await;
    // So that everything below has a time after the start.
    advance(Duration::from_secs(1_000)).await;
    (bus, parent, hand)
}

/// What the parent makes of a message: its events, and that only they are new; the next one passes.
async fn refused(parent: &Node, hand: &mut Hand, bytes: &[u8], reason: Reason) {
    let (events, heard) = (parent.events().len(), parent.heard().len());
    hand.put(bytes).await;
    let new = parent.events().split_off(events);
    assert!(!new.is_empty(), "{reason} has no event");
    assert!(new.iter().all(|event| event.payload["reason"] == reason.as_str()), "{reason}: {new:?}");
    assert_eq!(new[0].event_type, EventType::MessageRefused, "{reason}");
    assert_eq!(new[0].payload["source"], format!("in-process:{}", hand.author.id));
    let alarms = new.iter().filter(|event| event.event_type == EventType::SecurityAlert).count();
    assert_eq!((alarms == 1, new.len()), (reason.is_alarming(), 1 + alarms), "{reason}");
    assert_eq!(parent.heard().len(), heard, "{reason}");
}

#[actix::test]
async fn each_header_that_is_wrong_is_refused_told_and_changes_nothing() {
    pause();
    type Wrong = fn(&mut Header);
    let cases: [(Reason, Wrong); 9] = [
        (Reason::SenderMismatch, |header| header.sender_id = name(OTHER)),
        (Reason::WrongRecipient, |header| header.destination = Destination::Controller(name("regional_cntl_zoneB_1"))),
        (Reason::WrongRecipient, |header| header.destination = Destination::Topic("policy/zoneA".parse().unwrap())),
        (Reason::StaleTimestamp, |header| {
            header.timestamp = Timestamp::from_millis(header.timestamp.as_millis() - 301_000);
        }),
        (Reason::FutureTimestamp, |header| {
            header.timestamp = Timestamp::from_millis(header.timestamp.as_millis() + 61_000);
        }),
        (Reason::EpochMissing, |header| header.epoch = Epoch::from_number(0)),
        (Reason::EpochStale, |header| header.epoch = Epoch::from_number(2)),
        (Reason::EpochUnknown, |header| header.epoch = Epoch::from_number(4)),
        (Reason::OutOfSequence, |header| header.seq = MessageSeq::from_number(0)),
    ];
    for (reason, wrong) in cases {
        let (_bus, parent, mut hand) = scene().await;
        let bytes = hand.sealed(1_000_000, wrong);
        refused(&parent, &mut hand, &bytes, reason).await;
        assert_eq!(hand.told_reasons(), [reason]);
        let good = hand.sealed(1_000_002, |_| ());
        hand.put(&good).await;
        assert_eq!(parent.heard(), [2], "{reason}");
        assert_eq!(hand.told_reasons(), []);
    }
}

#[actix::test]
async fn who_may_not_speak_here_is_refused_unread_and_told_why() {
    pause();
    let revoke = || Acquaint::Revoke(name(CHILD));
    let lock = || Acquaint::Lock(name(CHILD));
    let suspend = || Acquaint::Suspend(name(CHILD));
    let block = || Acquaint::Block(Blocked::Key(key_of(CHILD).public_key()));
    let source = || Acquaint::Block(Blocked::Source(format!("in-process:{CHILD}")));
    for (reason, news) in [
        (Reason::ControllerRevoked, revoke()),
        (Reason::IdentityLocked, lock()),
        (Reason::ControllerSuspended, suspend()),
        (Reason::Blocklisted, block()),
        (Reason::Blocklisted, source()),
    ] {
        let (_bus, parent, mut hand) = scene().await;
        parent.post.send(news).await.unwrap();
        let bytes = hand.sealed(1_000_000, |_| ());
        refused(&parent, &mut hand, &bytes, reason).await;
        assert_eq!(hand.told_reasons(), [reason]);
        // Once a second, and only whose signature is right.
        let again = hand.sealed(1_000_000, |_| ());
        hand.put(&again).await;
        assert_eq!(hand.told_reasons(), [], "{reason}");
        advance(Duration::from_secs(2)).await;
        let mut envelope: serde_json::Value = serde_json::from_slice(&again).unwrap();
        envelope["signatures"][0]["sig"] = key_of(CHILD).sign(b"something else").to_string().into();
        hand.put(envelope.to_string().as_bytes()).await;
        assert_eq!((hand.told_reasons(), parent.heard()), (vec![], vec![]), "{reason}");
    }
    let (_bus, parent, mut hand) = scene().await;
    parent.post.send(block()).await.unwrap();
    parent.post.send(Acquaint::Unblock(Blocked::Key(key_of(CHILD).public_key()))).await.unwrap();
    parent.post.send(suspend()).await.unwrap();
    parent.post.send(Acquaint::Reinstate(name(CHILD))).await.unwrap();
    let bytes = hand.sealed(1_000_000, |_| ());
    hand.put(&bytes).await;
    assert_eq!((parent.heard(), parent.events().len()), (vec![1], 0));
}

#[actix::test]
async fn a_key_that_nobody_knows_has_ended_or_signed_nothing_is_refused() {
    pause();
    let (_bus, parent, mut hand) = scene().await;
    let good = hand.sealed(1_000_000, |_| ());
    hand.key = key(77);
    let unknown = hand.sealed(1_000_000, |_| ());
    refused(&parent, &mut hand, &unknown, Reason::UnknownSender).await;
    let mut envelope: serde_json::Value = serde_json::from_slice(&good).unwrap();
    envelope["signatures"][0]["sig"] = key_of(CHILD).sign(b"something else").to_string().into();
    refused(&parent, &mut hand, envelope.to_string().as_bytes(), Reason::InvalidSignature).await;
    assert_eq!(hand.told_reasons(), []);
    hand.put(&good).await;
    assert_eq!(parent.heard(), [1]);
    hand.key = key_of(CHILD);
    advance(Duration::from_secs(1_000_000)).await;
    let late = hand.sealed(1_001_000_000, |_| ());
    refused(&parent, &mut hand, &late, Reason::CertificateExpired).await;
}

#[actix::test]
async fn a_connection_of_another_is_an_alarm_and_the_owner_of_the_key_is_told() {
    pause();
    let (bus, parent, mut child) = scene().await;
    let mut other = Hand::attach(&bus, OTHER, 8).await;
    let bytes = child.sealed(1_000_000, |_| ());
    refused(&parent, &mut other, &bytes, Reason::PeerMismatch).await;
    assert_eq!((child.told_reasons(), other.told_reasons()), (vec![Reason::PeerMismatch], vec![]));
}

#[actix::test]
async fn what_this_tier_has_no_use_for_is_refused_and_not_answered() {
    pause();
    let (_bus, parent, mut hand) = scene().await;
    let mut header = hand.header(1_000_000);
    header.message_type = MessageType::Challenge;
    let challenge = serde_json::json!({"header": header, "body": {}}).to_string();
    let dsse = pdsno::wire::dsse::Dsse::sign(
        "application/vnd.pdsno.challenge.v1+json".to_owned(),
        challenge.into_bytes(),
        &hand.key,
    );
    let bytes = serde_json::to_vec(&dsse).unwrap();
    refused(&parent, &mut hand, &bytes, Reason::WrongRecipient).await;
    assert_eq!(hand.told_reasons(), []);
    assert_eq!(parent.events()[0].payload["message_type"], "CHALLENGE");
}

#[actix::test]
async fn clocks_that_are_apart_are_named_in_the_event_and_in_the_answer() {
    pause();
    for (off, skew) in [(-301_000, "301 s old"), (61_000, "61 s ahead")] {
        let (_bus, parent, mut hand) = scene().await;
        let bytes = hand.sealed(parent.millis() + off, |_| ());
        hand.put(&bytes).await;
        let [(_, answer)] = <[_; 1]>::try_from(hand.told()).unwrap();
        let event = parent.events().remove(0);
        let logged = event.payload["detail"].as_str().unwrap();
        assert_eq!(event.subject, CHILD);
        for text in [answer.as_str(), logged] {
            assert!(text.contains(skew) && text.contains("clock") && text.contains("NTP"), "{text}");
        }
        let nearly = hand.sealed(parent.millis() + if off < 0 { -300_000 } else { 60_000 }, |_| ());
        hand.put(&nearly).await;
        assert_eq!(parent.heard(), [2]);
    }
}

#[actix::test]
async fn a_thousand_refusals_are_two_events_and_one_answer_a_second() {
    pause();
    let (_bus, parent, mut hand) = scene().await;
    let began = parent.millis();
    for _ in 0..1_000 {
        let bytes = hand.sealed(parent.millis(), |header| header.epoch = Epoch::from_number(9));
        hand.put(&bytes).await;
    }
    let seconds = usize::try_from((parent.millis() - began) / 1_000).unwrap();
    assert!((1..20).contains(&seconds));
    // A millisecond more a second, since messages do not come at its very end.
    assert!((seconds..=seconds + 1).contains(&hand.told().len()));
    assert_eq!(parent.event_types(), [EventType::MessageRefused]);
    advance(Duration::from_secs(61)).await;
    settle().await;
    let events = parent.events();
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0].payload["messages"], &events[1].payload["messages"]), (&1.into(), &999.into()));
    // Nothing is told of nothing.
    advance(Duration::from_secs(600)).await;
    settle().await;
    assert_eq!(parent.events().len(), 2);
}

#[actix::test]
async fn a_refusal_is_handed_on_and_never_answered() {
    pause();
    let (_bus, parent, mut hand) = scene().await;
    let body = MessageRefused {
        message_id: MessageId::new(Timestamp::from_millis(1), [1; 10]),
        keyid: key_of(CHILD).public_key(),
        parent: None,
        reason: Reason::EpochStale,
        detail: "x".to_owned(),
    };
    let sealed = |hand: &mut Hand, epoch: u64| {
        let mut header = hand.header(1_000_000);
        header.message_type = MessageType::MessageRefused;
        header.epoch = Epoch::from_number(epoch);
        assert_eq!(header.schema_version, SCHEMA_VERSION);
        seal(header, &body, &hand.key).unwrap()
    };
    let good = sealed(&mut hand, 3);
    hand.put(&good).await;
    assert_eq!(parent.told(), [Reason::EpochStale]);
    let bad = sealed(&mut hand, 4);
    refused(&parent, &mut hand, &bad, Reason::EpochUnknown).await;
    assert_eq!(hand.told_reasons(), []);
}

#[actix::test]
async fn a_renewed_certificate_is_taken_beside_the_old_one() {
    pause();
    let (_bus, parent, mut hand) = scene().await;
    parent.post.send(Acquaint::Renew(certificate(CHILD, &key(50), 7))).await.unwrap();
    let old = hand.sealed(1_000_000, |_| ());
    hand.put(&old).await;
    assert_eq!((parent.heard(), parent.events().len()), (vec![1], 0));
}

#[actix::test]
async fn a_refusal_that_nobody_takes_is_noted_for_the_status() {
    pause();
    let (bus, parent, _hand) = scene().await;
    let identity = Identity { id: name(OTHER), key: key_of(OTHER), epoch: EPOCH };
    let notes = Notes::default();
    let port = bus.port().start();
    let carrier = Carrier { dispatch: port.clone().recipient(), attach: port.recipient() };
    let beginning = Beginning { identity, boot_id: BootId::new([3; 16]), freshness: FRESHNESS, directory: directory() };
    let nib = Nib::new(parent.nib.clone().recipient(), parent.nib.clone().recipient(), 1);
    let routes = Routes::new().noting(notes.clone().start().recipient());
    let clock: Arc<dyn Clock> = Arc::<VirtualClock>::clone(&parent.clock);
    let post = PostActor::new(beginning, clock, Seeded::new(3), nib, carrier, routes).start();
    let body = MessageRefused {
        message_id: MessageId::new(Timestamp::from_millis(1), [1; 10]),
        keyid: key_of(CHILD).public_key(),
        parent: None,
        reason: Reason::Malformed,
        detail: "x".repeat(1_000),
    };
    settle().await;
    parent.post.send(Send { to: Destination::Controller(name(OTHER)), body }).await.unwrap().unwrap();
    settle().await;
    let noted = notes.0.lock().unwrap().clone();
    assert_eq!(noted.len(), 1);
    assert_eq!((&noted[0]["by"], &noted[0]["reason"]), (&PARENT.into(), &"MALFORMED".into()));
    assert_eq!(noted[0]["detail"].as_str().unwrap().len(), 300);
    drop(post);
}

/// Keeps what is noted.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<serde_json::Value>>>);

impl Actor for Notes {
    type Context = Context<Self>;
}

impl Handler<Note> for Notes {
    type Result = ();

    fn handle(&mut self, Note { section, value }: Note, _: &mut Self::Context) {
        assert_eq!(section, "refused");
        self.0.lock().unwrap().push(value);
    }
}
