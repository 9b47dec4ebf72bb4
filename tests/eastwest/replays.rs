//! Messages that come again, and senders that send too much.

use std::sync::Arc;
use std::time::Duration;

use pdsno::actors::post::Identity;
use pdsno::domain::event::EventType;
use pdsno::domain::reason::Reason;
use pdsno::eastwest::bus::Bus;
use tokio::time::{advance, pause};

use crate::hand::Hand;
use crate::node::{CHILD, EPOCH, Node, OTHER, PARENT, VirtualClock, directory, key_of, name, settle};
use crate::refusals::scene;

#[actix::test]
async fn what_is_put_on_the_bus_again_is_taken_once_and_an_alarm() {
    pause();
    let (_bus, parent, mut hand) = scene().await;
    let bytes = hand.sealed(1_000_000, |_| ());
    for _ in 0..3 {
        hand.put(&bytes).await;
    }
    assert_eq!(parent.heard(), [1]);
    assert_eq!(parent.event_types(), [EventType::MessageRefused, EventType::SecurityAlert]);
    assert_eq!(parent.events()[0].payload["reason"], Reason::Replayed.as_str());
    // Its sender, whose message was taken, is not told that it was refused.
    assert_eq!(hand.told_reasons(), []);
}

#[actix::test]
async fn a_replay_after_ten_thousand_other_messages_is_noticed() {
    pause();
    let (_bus, parent, mut hand) = scene().await;
    let first = hand.sealed(1_000_000, |_| ());
    hand.put(&first).await;
    for _ in 0..10_000 {
        let bytes = hand.sealed(1_000_000, |_| ());
        hand.put_quickly(&bytes).await.unwrap();
        tokio::task::yield_now().await;
    }
    settle().await;
    assert_eq!(parent.heard().len(), 10_001);
    hand.put(&first).await;
    assert_eq!(parent.heard().len(), 10_001);
    assert_eq!(parent.events()[0].payload["reason"], Reason::Replayed.as_str());
}

#[actix::test]
async fn a_replay_after_a_restart_is_refused_as_from_before_it() {
    pause();
    let (bus, parent, mut hand) = scene().await;
    let bytes = hand.sealed(1_000_000, |_| ());
    hand.put(&bytes).await;
    assert_eq!(parent.heard(), [1]);
    let clock = Arc::clone(&parent.clock);
    parent.end().await;
    advance(Duration::from_secs(5)).await;
    let identity = Identity { id: name(PARENT), key: key_of(PARENT), epoch: EPOCH };
    let parent = Node::start_as(&bus, identity, directory(), &clock, 2).await;
    hand.put(&bytes).await;
    assert_eq!(parent.heard(), [0; 0]);
    assert_eq!(hand.told_reasons(), [Reason::PrecedesStart]);
    assert_eq!(parent.events()[0].payload["reason"], Reason::PrecedesStart.as_str());
    let anew = hand.sealed(parent.millis(), |_| ());
    hand.put(&anew).await;
    assert_eq!(parent.heard(), [2]);
}

#[actix::test]
async fn who_sends_more_than_can_be_remembered_is_refused_alone() {
    pause();
    let bus = Bus::new();
    let parent = Node::start(&bus, PARENT, &VirtualClock::start()).await;
    let mut flood = Hand::attach(&bus, CHILD, 9).await;
    let mut calm = Hand::attach(&bus, OTHER, 8).await;
    advance(Duration::from_secs(10)).await;
    for _ in 0..16_384 + 100 {
        let bytes = flood.sealed(10_000, |_| ());
        flood.put_quickly(&bytes).await.unwrap();
        tokio::task::yield_now().await;
    }
    settle().await;
    assert_eq!(parent.heard().len(), 16_384);
    assert_eq!(parent.event_types(), [EventType::MessageRefused]);
    assert_eq!(parent.events()[0].payload["reason"], Reason::TooManyMessages.as_str());
    assert_eq!(parent.events()[0].subject, CHILD);
    let bytes = calm.sealed(10_000, |_| ());
    calm.put(&bytes).await;
    assert_eq!(parent.heard().len(), 16_385);
    assert_eq!((flood.told_reasons(), calm.told_reasons()), (vec![Reason::TooManyMessages], vec![]));
}
