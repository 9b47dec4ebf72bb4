//! A hierarchy of whole controllers whose data folders are put back, cut off or written anew, and what a
//! witness must make of it.

use std::path::PathBuf;
use std::time::Duration;

use pdsno::actors::health::{CheckHealth, ReadStatus};
use pdsno::algorithms::audit::examine::Outcome;
use pdsno::app::audit::{check_at_start, verify_own};
use pdsno::domain::change::Change;
use pdsno::domain::event::{EventSeq, EventType, NewEvent};
use pdsno::domain::origin::Origin;
use pdsno::domain::registry::Standing;
use pdsno::domain::time::Clock as _;
use pdsno::nib::NibError;
use pdsno::wire::checkpoint::SignedCheckpoint;
use pdsno::wire::note::{SignatureType, VerifierKey};
use pdsno::wire::witness::AddCheckpoint;
use serde_json::json;

use crate::scene::{Kept, Machine, Scene};
use crate::vandal::rows;

/// One Global Controller, a region with two Local Controllers, and a region with one.
pub struct Hierarchy {
    pub scene: Scene,
    pub global: Machine,
    /// `zone-A`, `zone-B`.
    pub regional: [Machine; 2],
    /// Two of `zone-A`, one of `zone-B`.
    pub local: [Machine; 3],
}

/// What does not change at a witness because of another's log.
const REST: [&str; 9] = [
    "SELECT * FROM bootstrap_tokens",
    "SELECT * FROM names",
    "SELECT * FROM certificates",
    "SELECT * FROM blocklist",
    "SELECT * FROM policies",
    "SELECT * FROM membership",
    "SELECT number, mac, addresses, status FROM devices",
    "SELECT reporter, reported, device FROM sightings",
    "SELECT next_device, next_serial FROM counters",
];

/// The number that a machine's log has next.
pub fn size(machine: &Machine) -> u64 {
    machine.reader().edge().unwrap().size
}

pub fn origin(machine: &Machine) -> Origin {
    let own = machine.reader().membership().unwrap().unwrap();
    Origin::new(&own.cluster, &own.id)
}

/// How much of another's log a witness has seen.
pub fn seen(witness: &Machine, log: &Machine) -> u64 {
    witness.reader().head(&origin(log)).unwrap().map_or(0, |head| head.size)
}

pub fn nib(machine: &Machine) -> PathBuf {
    machine.folder().join("pdsno.db")
}

/// Something happens at a controller.
pub async fn happen(scene: &Scene, machine: &Machine, events: usize) {
    let event = |number: usize| NewEvent {
        event_type: EventType::ConfigReloaded,
        actor: machine.name().to_string(),
        subject: machine.name().to_string(),
        timestamp: scene.clock.now(),
        payload: json!({ "needs_restart": [], "number": number }),
    };
    machine.node().way.commit((0..events).map(|number| Change::Append(event(number))).collect()).await.unwrap();
}

impl Hierarchy {
    /// All are members, and have said what they have to say to each other.
    pub async fn new() -> Self {
        let mut scene = Scene::new();
        for device in 1..=6_u16 {
            scene.network.put(format!("10.0.{}.{device}", 1 + device % 3).parse().unwrap(), device);
        }
        let global = scene.global(Kept::InAFolder).await;
        let a = scene.regional(&global, "zone-A", Kept::InAFolder).await;
        let b = scene.regional(&global, "zone-B", Kept::InAFolder).await;
        let local = [
            scene.local(&a, "10.0.1.0/24", Kept::InAFolder).await,
            scene.local(&a, "10.0.2.0/24", Kept::InAFolder).await,
            scene.local(&b, "10.0.3.0/24", Kept::InAFolder).await,
        ];
        scene.pass(Duration::from_secs(200)).await;
        Self { scene, global, regional: [a, b], local }
    }
}

/// What a witness was like before.
pub struct Before {
    rest: Vec<String>,
    children: Vec<(String, Standing)>,
    /// The heads of the accused, which stay the last that were cosigned.
    heads: Vec<(Origin, String)>,
    next: EventSeq,
}

fn children(witness: &Machine) -> Vec<(String, Standing)> {
    let rows = witness.reader().controllers(None, 1_000).unwrap();
    rows.into_iter().map(|row| (row.id.to_string(), row.standing)).collect()
}

impl Before {
    pub fn of(witness: &Machine, accused: &[&Machine]) -> Self {
        let head = |log: &&Machine| {
            let head = witness.reader().head(&origin(log)).unwrap().expect("its log was seen");
            (head.origin, head.note)
        };
        Self {
            rest: rows(&nib(witness), &REST),
            children: children(witness),
            heads: accused.iter().map(head).collect(),
            next: EventSeq::from_number(witness.reader().next_event().unwrap().number()),
        }
    }

    /// The witness refuses these logs, with both heads as evidence and an alarm each; who is below it is
    /// suspended, and that is all.
    pub fn refused(&self, witness: &Machine, accused: &[&Machine]) {
        let evidence = witness.reader().evidence().unwrap();
        assert_eq!(evidence.len(), accused.len(), "{evidence:?}");
        let events = witness.events_since(self.next);
        for (log, (origin, head)) in accused.iter().zip(&self.heads) {
            let kept = evidence.iter().find(|kept| kept.origin == *origin).expect("both heads are kept");
            assert_eq!(kept.seen, *head);
            let shown = AddCheckpoint::parse(kept.shown.as_bytes()).unwrap().checkpoint;
            let name = origin.as_str().parse().unwrap();
            let key = [VerifierKey::new(name, SignatureType::Ed25519, log.stolen_key().public_key())];
            for signed in [&SignedCheckpoint::parse(kept.seen.as_bytes()).unwrap(), &shown] {
                assert_eq!(signed.verify(&key).unwrap().len(), 1, "its own key signed both");
            }
            let last = witness.reader().head(origin).unwrap().unwrap();
            assert_eq!(last.note, *head, "what was cosigned last stays the last");
            let is_below = self.children.iter().any(|(id, _)| *id == log.name().as_str());
            for (event_type, count) in [
                (EventType::LogFork, 1),
                (EventType::SecurityAlert, 1),
                (EventType::ControllerSuspended, usize::from(is_below)),
                (EventType::ChildCheckpoint, 0),
                (EventType::AboveCheckpoint, 0),
            ] {
                let told = events
                    .iter()
                    .filter(|event| event.event_type == event_type && event.subject == log.name().as_str());
                assert_eq!(told.count(), count, "{event_type} of {} at {}", log.name(), witness.name());
            }
        }
        let alarms = [EventType::LogFork, EventType::SecurityAlert, EventType::ControllerSuspended];
        for alarm in events.iter().filter(|event| alarms.contains(&event.event_type)) {
            assert_eq!(alarm.payload["reason"], "LOG_FORK");
            assert!(accused.iter().any(|log| log.name().as_str() == alarm.subject), "{alarm:?}");
        }
        let expected: Vec<_> = self
            .children
            .iter()
            .map(|(id, standing)| {
                let is_accused = accused.iter().any(|log| log.name().as_str() == id);
                (id.clone(), if is_accused { Standing::Suspended } else { *standing })
            })
            .collect();
        assert_eq!(children(witness), expected);
        assert_eq!(rows(&nib(witness), &REST), self.rest, "nothing else changed");
        assert_eq!(verify_own(witness.reader()).unwrap().outcome, Outcome::Verified);
    }
}

/// A controller whose log nobody believes any more, and that knows it: nothing is written there.
pub async fn halted(machine: &Machine) {
    let node = machine.node();
    let health = node.health.send(CheckHealth).await.unwrap();
    assert!(health.frozen.is_some() && !health.is_ready(), "{}", machine.name());
    let status = node.health.send(ReadStatus).await.unwrap();
    assert_eq!(status.notes["log"]["state"], "LOG_CORRUPT");
    assert_eq!(machine.events(EventType::LogCorrupt).len(), 1);
    let before = size(machine);
    let event = machine.events(EventType::LogCorrupt).remove(0).into_new();
    let refused = node.way.commit(vec![Change::Append(event)]).await.unwrap_err();
    assert!(matches!(refused, NibError::Corrupt { .. }), "{refused:?}");
    assert_eq!(size(machine), before);
}

/// A controller that goes on as before: it writes, and a witness of it sees it.
pub async fn goes_on(scene: &Scene, machine: &Machine, witness: &Machine) {
    assert!(machine.node().health.send(CheckHealth).await.unwrap().frozen.is_none(), "{}", machine.name());
    happen(scene, machine, 1).await;
    let now = size(machine);
    scene.until("a witness of it", || seen(witness, machine) >= now).await;
}

/// Whoever edited the log of a folder was careful: the controller itself finds nothing wrong with it.
pub fn fits_itself(machine: &Machine) {
    assert_eq!(check_at_start(machine.reader()).unwrap(), None);
    let examination = verify_own(machine.reader()).unwrap();
    assert_eq!(examination.outcome, Outcome::Verified, "{:?}", examination.findings);
}

/// How often a type of event is in the log of a controller.
pub fn count(machine: &Machine, event_type: EventType) -> usize {
    machine.events(event_type).len()
}
