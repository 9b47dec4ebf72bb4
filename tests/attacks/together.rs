//! Many that lose the same parent at once.

use std::time::Duration;

use pdsno::domain::message::MessageType;
use pdsno::domain::stream::Stream;
use pdsno::wire::envelope::Destination;
use tokio::time::Instant;

use crate::scene::{Kept, Machine, Scene};

const LOCALS: u8 = 50;

/// How long their parent is away.
const AWAY: Duration = Duration::from_secs(30);

/// So much time is one moment.
const MOMENT: Duration = Duration::from_millis(100);

/// How many of fifty may act within one moment when each draws its instant evenly from a span that is
/// this long, or longer, and independently of the others.
///
/// Whatever happened before, a controller's next act then falls into a given moment with a probability
/// of at most p = moment / span, so that the number of those who do is at most binomial, B(50, p). What
/// is more than five standard deviations above the mean does not happen by chance, in any of the some
/// hundred moments that are looked at; had they all acted together, it would be fifty.
fn most(span: Duration) -> usize {
    let (all, p) = (f64::from(LOCALS), MOMENT.as_secs_f64() / span.as_secs_f64());
    (all * p + 5.0 * (all * p * (1.0 - p)).sqrt()) as usize
}

/// The most of these instants that lie within one moment, wherever it begins.
fn busiest(instants: &[Instant]) -> usize {
    let within = |from: &Instant| instants.iter().filter(|at| (*from..*from + MOMENT).contains(at)).count();
    instants.iter().map(within).max().unwrap()
}

/// When a controller said this to its parent, from one instant to another.
fn said(local: &Machine, parent: &Destination, what: Option<MessageType>, from: Instant, to: Instant) -> Vec<Instant> {
    let sent = local.sent();
    let meant = sent.iter().filter(|sent| sent.to == *parent && what.is_none_or(|what| sent.what == what));
    meant.map(|sent| sent.at).filter(|at| (from..to).contains(at)).collect()
}

#[actix::test]
async fn attack_33_fifty_whole_controllers_that_lost_their_parent_come_back_apart() {
    let mut scene = Scene::new();
    let global = scene.global(Kept::InMemory).await;
    let mut regional = scene.regional(&global, "zone-A", Kept::InMemory).await;
    let mut locals = Vec::new();
    for number in 1..=LOCALS {
        locals.push(scene.local(&regional, &format!("10.0.{number}.0/24"), Kept::InMemory).await);
    }
    let acknowledged = |local: &Machine| local.reader().position(Stream::Reports).unwrap().acknowledged.number();
    scene.until("fifty reports", || locals.iter().all(|local| acknowledged(local) > 0)).await;
    let parent = Destination::Controller(regional.name());

    let lost = Instant::now();
    regional.kill(&scene).await;
    // The worst case: all have something to tell at the same instant, and nobody takes it.
    scene.pass(Duration::from_secs(5)).await;
    for local in &locals {
        local.cycle(&scene).await;
    }
    scene.pass(lost + AWAY - Instant::now()).await;
    regional.start(&scene).await;
    let back = Instant::now();
    let waiting = |local: &Machine| local.reader().position(Stream::Reports).unwrap();
    assert!(locals.iter().all(|local| waiting(local).acknowledged < waiting(local).last));

    // The attempts while it is away: heartbeats that are not answered are 2 to 3 seconds apart, so an
    // instant is drawn from one second at least.
    let beats: Vec<Instant> =
        locals.iter().flat_map(|local| said(local, &parent, Some(MessageType::Heartbeat), lost, back)).collect();
    assert!(beats.len() >= 5 * usize::from(LOCALS), "{} attempts in {AWAY:?}", beats.len());
    let second = Duration::from_secs(1);
    assert!(busiest(&beats) <= most(second), "{} at once while it was away", busiest(&beats));

    scene.pass(Duration::from_secs(60)).await;
    assert!(locals.iter().all(|local| waiting(local).acknowledged == waiting(local).last), "all is told");
    let end = Instant::now();
    let first = |what: Option<MessageType>| -> Vec<Instant> {
        locals.iter().filter_map(|local| said(local, &parent, what, back, end).first().copied()).collect()
    };
    // The first word of each: a heartbeat again.
    let words = first(None);
    assert_eq!(words.len(), usize::from(LOCALS));
    assert!(busiest(&words) <= most(second), "{} came back at once", busiest(&words));
    // What waited for the parent is sent after a draw from fifty milliseconds for each of the fifty
    // (`algorithms::presence::spread`), each kind by itself.
    let spread = Duration::from_millis(50) * u32::from(LOCALS);
    for what in [MessageType::DiscoveryReport, MessageType::PolicyRequest] {
        let firsts = first(Some(what));
        assert_eq!(firsts.len(), usize::from(LOCALS), "{what}");
        assert!(busiest(&firsts) <= most(spread), "{} of {what} at once", busiest(&firsts));
    }
}

#[test]
fn who_acts_together_is_seen() {
    let now = Instant::now();
    let apart: Vec<Instant> = (0..50).map(|number| now + MOMENT * number / 2).collect();
    assert_eq!((busiest(&apart), busiest(&[now; 50])), (2, 50));
    assert!((10..20).contains(&most(Duration::from_secs(1))) && most(Duration::from_millis(2_500)) < 10);
}
