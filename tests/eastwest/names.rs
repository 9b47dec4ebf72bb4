//! Newcomers, who are answered before anybody knows them, and the names that they get.

use std::time::Duration;

use pdsno::actors::post::{Acquaint, Assume, Identity, Send, SendError, Undeliverable};
use pdsno::algorithms::trust::directory::Directory;
use pdsno::domain::controller::ControllerId;
use pdsno::domain::key::{HmacTag, PublicKey};
use pdsno::domain::message::ChallengeId;
use pdsno::domain::number::Epoch;
use pdsno::domain::reason::Reason;
use pdsno::eastwest::bus::Bus;
use pdsno::wire::envelope::Destination;
use pdsno::wire::validation::ChallengeResponse;
use tokio::time::{advance, pause};

use crate::node::{CHILD, EPOCH, Node, OTHER, PARENT, VirtualClock, certificate, directory, key, key_of, name, settle};

fn newcomer() -> ControllerId {
    ControllerId::newcomer([5; 16])
}

fn introduction(to: ControllerId) -> Send<ChallengeResponse> {
    let body = ChallengeResponse {
        challenge_id: ChallengeId::new([1; 16]),
        temp_id: newcomer(),
        token_hmac: HmacTag::from_bytes([0; 32]),
        signature: key(1).sign(b""),
    };
    Send { to: Destination::Controller(to), body }
}

/// A parent, and somebody whom it does not know and who knows nobody.
async fn scene() -> (Bus, Node, Node) {
    pause();
    let bus = Bus::new();
    let parent = Node::start(&bus, PARENT, &VirtualClock::start()).await;
    let identity = Identity { id: newcomer(), key: key_of(CHILD), epoch: Epoch::default() };
    let joiner = Node::start_as(&bus, identity, Directory::default(), &VirtualClock::start(), 5).await;
    (bus, parent, joiner)
}

#[actix::test]
async fn a_newcomer_is_heard_and_answered_under_the_name_that_it_gave_itself() {
    let (bus, parent, joiner) = scene().await;
    assert_eq!(bus.attached(), [newcomer(), name(PARENT)]);
    joiner.post.send(introduction(name(PARENT))).await.unwrap().unwrap();
    settle().await;
    let heard: Vec<(ControllerId, PublicKey)> = parent
        .taken
        .responses
        .lock()
        .unwrap()
        .iter()
        .map(|delivered| (delivered.header.sender_id.clone(), delivered.key))
        .collect();
    assert_eq!(heard, [(newcomer(), key_of(CHILD).public_key())]);
    assert!(parent.taken.responses.lock().unwrap()[0].sender.is_none());
    parent.post.send(introduction(newcomer())).await.unwrap().unwrap();
    settle().await;
    assert_eq!(joiner.taken.responses.lock().unwrap().len(), 1);
    // What only those may say who are known is not taken.
    joiner.say(PARENT, 1).await.unwrap();
    parent.say(newcomer().as_str(), 1).await.unwrap();
    settle().await;
    assert!(parent.heard().is_empty() && joiner.heard().is_empty());
}

#[actix::test]
async fn a_newcomer_whose_clock_is_ahead_is_told_so_by_a_parent_that_it_does_not_know() {
    let (_bus, parent, joiner) = scene().await;
    joiner.clock.set_off(61_000);
    joiner.post.send(introduction(name(PARENT))).await.unwrap().unwrap();
    settle().await;
    assert!(parent.taken.responses.lock().unwrap().is_empty());
    assert_eq!(joiner.told(), [Reason::FutureTimestamp]);
    assert!(joiner.taken.refusals.lock().unwrap()[0].sender.is_none(), "nobody vouches for it");
}

#[actix::test]
async fn from_its_name_on_a_controller_sends_and_receives_under_it() {
    let (bus, parent, joiner) = scene().await;
    let identity = Identity { id: name(CHILD), key: key_of(CHILD), epoch: EPOCH };
    joiner.post.send(Acquaint::Insert(certificate(PARENT, &key_of(PARENT), 1))).await.unwrap();
    joiner.post.send(Assume(identity)).await.unwrap();
    joiner.say(PARENT, 4).await.unwrap();
    parent.say(CHILD, 5).await.unwrap();
    settle().await;
    assert_eq!((parent.heard(), joiner.heard()), (vec![4], vec![5]));
    assert_eq!(bus.attached(), [name(CHILD), newcomer(), name(PARENT)]);
    // What is still for the old name arrives and is not taken.
    parent.say(newcomer().as_str(), 6).await.unwrap();
    settle().await;
    assert_eq!(joiner.heard(), [5]);
    assert_eq!(parent.told(), [Reason::WrongRecipient]);
}

#[actix::test]
async fn a_new_key_signs_from_the_moment_it_is_assumed() {
    pause();
    let bus = Bus::new();
    let clock = VirtualClock::start();
    let (parent, child) = (Node::start(&bus, PARENT, &clock).await, Node::start(&bus, CHILD, &clock).await);
    child.post.send(Assume(Identity { id: name(CHILD), key: key(60), epoch: EPOCH })).await.unwrap();
    child.say(PARENT, 1).await.unwrap();
    settle().await;
    assert_eq!(parent.heard(), [0; 0]);
    parent.post.send(Acquaint::Insert(certificate(CHILD, &key(60), 9))).await.unwrap();
    child.say(PARENT, 2).await.unwrap();
    settle().await;
    assert_eq!(parent.heard(), [2]);
    assert_eq!(parent.taken.acks.lock().unwrap()[0].key, key(60).public_key());
}

#[actix::test]
async fn who_is_not_there_and_topics_are_refused_clearly() {
    pause();
    let bus = Bus::new();
    let clock = VirtualClock::start();
    let (parent, child) = (Node::start(&bus, PARENT, &clock).await, Node::start(&bus, CHILD, &clock).await);
    let undeliverable = |sent: Result<_, SendError>| match sent {
        Err(SendError::Undeliverable(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(undeliverable(parent.say(OTHER, 1).await), Undeliverable::Unreachable(name(OTHER)));
    let topic = || "policy/zoneA".parse().unwrap();
    let sent = parent.say_to(Destination::Topic(topic()), 1).await;
    assert_eq!(undeliverable(sent), Undeliverable::NoTopics(topic()));
    child.end().await;
    assert_eq!(undeliverable(parent.say(CHILD, 1).await), Undeliverable::Unreachable(name(CHILD)));
    assert_eq!(bus.attached(), [name(PARENT)]);
    // Back again, in another run.
    advance(Duration::from_secs(1)).await;
    let identity = Identity { id: name(CHILD), key: key_of(CHILD), epoch: EPOCH };
    let child = Node::start_as(&bus, identity, directory(), &clock, 2).await;
    parent.say(CHILD, 2).await.unwrap();
    settle().await;
    assert_eq!(child.heard(), [2]);
}
