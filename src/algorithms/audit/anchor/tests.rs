use super::*;
use crate::algorithms::audit::build;
use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::hash;
use crate::algorithms::audit::tests::{Stored, leaves};
use crate::domain::controller::Role;
use crate::domain::device::Version;
use crate::domain::number::{Epoch, Serial};
use crate::domain::registry::SignedDocument;
use crate::domain::token::TokenId;
use crate::wire::anchor::Checkpoint as Body;
use crate::wire::checkpoint::Checkpoint;
use crate::wire::envelope::{Author, Destination};
use crate::wire::note::SignatureType;
use crate::wire::signature::tests::key;

const ORIGIN: &str = "pdsno/prod/local_cntl_zoneA_5";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_795_255_200_000 + seconds * 1_000)
}

fn row() -> ControllerRow {
    ControllerRow {
        id: "local_cntl_zoneA_5".parse().unwrap(),
        role: Role::Local,
        region: "zone-A".parse().unwrap(),
        public_key: key(1).public_key(),
        serial: Serial::from_number(7),
        certificate: SignedDocument::from_text(String::new()),
        delegation: None,
        expires_at: at(86_400),
        next: None,
        standing: Standing::Active,
        standing_reason: None,
        validated_by: "regional_cntl_zoneA_1".parse().unwrap(),
        validated_at: at(0),
        token: TokenId::new([1; 12]),
        metadata: Default::default(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    }
}

/// A log of 40 entries, of which those from `changed` on are others than in the true one.
fn history(changed: usize) -> Stored {
    let mut leaves = leaves(40);
    leaves.iter_mut().skip(changed).for_each(|leaf| *leaf = hash::node(leaf, leaf));
    Stored::of(&leaves)
}

fn signed(log: &Stored, size: u64) -> SignedCheckpoint {
    let pair = key(1);
    let signer = NoteSigner::new(ORIGIN.parse().unwrap(), SignatureType::Ed25519, &pair);
    let head = Frontier::read(log, size).unwrap().head();
    SignedCheckpoint::sign(&Checkpoint::new(ORIGIN.parse().unwrap(), head), &signer, at(0)).unwrap()
}

fn request(log: &Stored, old: u64, size: u64) -> AddCheckpoint {
    let proof = build::consistency(log, old, size).unwrap_or_default();
    AddCheckpoint { old, proof, checkpoint: signed(log, size) }
}

/// A witness, a child, and what lies between them.
struct Scene {
    author: Author,
    log: Witnessed,
    course: Course,
    now: Timestamp,
}

impl Scene {
    /// A witness that has cosigned the true log at this size.
    fn new(last: u64) -> Self {
        let last = (last > 0).then(|| StoredHead {
            origin: ORIGIN.parse().unwrap(),
            kind: HeadKind::Child,
            size: last,
            note: signed(&history(40), last).to_string(),
            at: at(0),
        });
        let keys = vec![VerifierKey::new(ORIGIN.parse().unwrap(), SignatureType::Ed25519, key(1).public_key())];
        let log = Witnessed {
            origin: ORIGIN.parse().unwrap(),
            controller: row().id,
            keys,
            last,
            row: Some(row()),
            lag_told: false,
            is_accused: false,
        };
        let author = Author::new(row().id, BootId::new([1; 16]));
        Self { author, log, course: Course::default(), now: at(0) }
    }

    fn header(&mut self) -> Header {
        let to = Destination::Controller("regional_cntl_zoneA_1".parse().unwrap());
        self.author.header::<Body>(to, Epoch::from_number(1), self.now, [0; 10])
    }

    fn hear(&mut self, header: &Header, request: &AddCheckpoint) -> Decision {
        let pair = key(2);
        let id = "regional_cntl_zoneA_1".parse().unwrap();
        let name = "pdsno/prod/regional_cntl_zoneA_1".parse().unwrap();
        let signer = NoteSigner::new(name, SignatureType::CosignatureV1, &pair);
        let desk = Desk { id: &id, signer: &signer, now: self.now };
        let decision = decide(Some(&self.log), &self.course, header, request, &desk);
        self.course.note(header, decision.heard, self.now);
        for change in &decision.changes {
            if let Change::Log(LogChange::PutHead { head, after }) = change {
                assert_eq!(*after, self.log.last.as_ref().map(|last| last.size));
                self.log.last = Some(head.clone());
            }
        }
        decision
    }

    /// Hears what the child says now.
    fn say(&mut self, request: &AddCheckpoint) -> Decision {
        let header = self.header();
        self.hear(&header, request)
    }
}

fn types(decision: &Decision) -> Vec<EventType> {
    let event = |change: &Change| match change {
        Change::Append(event) => Some(event.event_type),
        _ => None,
    };
    decision.changes.iter().filter_map(event).collect()
}

const CONFLICT: fn(u64) -> Option<WitnessAnswer> = |last| Some(WitnessAnswer::SizeConflict { last: TreeSize(last) });

#[test]
fn a_head_is_stored_and_told_in_one_commit_before_it_is_cosigned() {
    let mut scene = Scene::new(0);
    let decision = scene.say(&request(&history(40), 0, 17));
    assert_eq!((types(&decision), decision.changes.len()), (vec![EventType::ChildCheckpoint], 2));
    let Some(WitnessAnswer::Cosigned { cosignature }) = decision.answer else { panic!("{:?}", decision.answer) };
    let mut note = signed(&history(40), 17);
    note.add(cosignature.0).unwrap();
    let witness = "pdsno/prod/regional_cntl_zoneA_1".parse().unwrap();
    let known = [VerifierKey::new(witness, SignatureType::CosignatureV1, key(2).public_key())];
    assert_eq!(note.verify(&known).unwrap().len(), 1);
}

#[test]
fn the_same_head_again_is_no_event_but_after_silence() {
    let mut scene = Scene::new(17);
    let again = scene.say(&request(&history(40), 17, 17));
    assert_eq!((types(&again), again.changes.len()), (vec![], 1), "only that it was shown again");
    scene.log.lag_told = true;
    assert_eq!(types(&scene.say(&request(&history(40), 17, 17))), [EventType::ChildCheckpoint], "it is resumed");
}

#[test]
fn a_copy_that_comes_late_is_no_fork() {
    let mut scene = Scene::new(0);
    let honest = history(40);
    let (early, late) = (scene.header(), scene.header());
    scene.hear(&late, &request(&honest, 0, 30));
    let old = scene.hear(&early, &request(&honest, 0, 17));
    assert_eq!((old.answer, old.changes.len(), old.suspended), (None, 0, None));

    // The witness restarts: it no longer knows the order, asks, and accuses nobody of what was on the way.
    scene.course = Course::default();
    for header in [&early, &late] {
        let asked = scene.hear(header, &request(&honest, 0, 17));
        assert!(asked.changes.is_empty());
        assert!(matches!(asked.answer, Some(WitnessAnswer::SizeConflict { .. })));
    }
    assert!(matches!(scene.say(&request(&honest, 30, 35)).answer, Some(WitnessAnswer::Cosigned { .. })));
}

#[test]
fn a_smaller_head_that_is_insisted_on_is_evidence() {
    // It knows what it has shown.
    let mut scene = Scene::new(30);
    let cut = AddCheckpoint { old: 30, proof: Vec::new(), checkpoint: signed(&history(40), 17) };
    assert_eq!(scene.say(&cut).suspended, Some(row().id));

    // It pretends not to know, and goes on after it was told.
    let mut scene = Scene::new(30);
    let cut = request(&history(40), 0, 17);
    assert_eq!(scene.say(&cut).answer, CONFLICT(30));
    scene.now = at(30);
    assert_eq!(scene.say(&cut).answer, CONFLICT(30), "the clocks may differ by so much");
    scene.now = at(61);
    let decision = scene.say(&cut);
    assert_eq!(decision.answer, Some(WitnessAnswer::Inconsistent));
    assert_eq!(decision.suspended, Some(row().id));
}

#[test]
fn another_history_is_kept_as_evidence_and_its_controller_suspended_in_one_commit() {
    let mut scene = Scene::new(30);
    for forked in [request(&history(20), 30, 35), request(&history(20), 30, 30), request(&history(20), 0, 30)] {
        let decision = scene.say(&forked);
        assert_eq!(decision.answer, Some(WitnessAnswer::Inconsistent));
        assert_eq!(types(&decision), [EventType::LogFork, EventType::SecurityAlert, EventType::ControllerSuspended]);
        let [Change::Log(LogChange::PutEvidence(evidence)), .., Change::Registry(change), _] = &decision.changes[..]
        else {
            panic!("{:?}", decision.changes)
        };
        assert_eq!(evidence.seen, signed(&history(40), 30).to_string());
        assert_eq!(AddCheckpoint::parse(evidence.shown.as_bytes()).unwrap(), forked);
        let RegistryChange::UpdateController(changed) = change else { panic!("{change:?}") };
        let expected =
            ControllerRow { standing: Standing::Suspended, standing_reason: changed.standing_reason.clone(), ..row() };
        assert_eq!(**changed, expected, "nothing else of it changes");
    }
}

#[test]
fn a_global_controller_is_accused_once_and_not_suspended_from_below() {
    let mut scene = Scene::new(30);
    scene.log.row = None;
    let forked = request(&history(20), 30, 35);
    let decision = scene.say(&forked);
    assert_eq!(types(&decision), [EventType::LogFork, EventType::SecurityAlert]);
    assert_eq!(decision.suspended, None);
    scene.log.is_accused = true;
    let again = scene.say(&forked);
    assert_eq!((again.answer, again.changes.len()), (Some(WitnessAnswer::Inconsistent), 0));
}

#[test]
fn what_proves_nothing_changes_nothing() {
    let mut scene = Scene::new(30);
    let honest = history(40);
    let mut foreign = request(&honest, 30, 35);
    foreign.checkpoint =
        SignedCheckpoint::parse(signed(&honest, 35).to_string().replace("zoneA_5", "zoneA_6").as_bytes()).unwrap();
    for (request, answer) in [
        (foreign, WitnessAnswer::UnknownOrigin),
        (request(&honest, 40, 35), WitnessAnswer::Backwards),
        (request(&honest, 17, 35), WitnessAnswer::SizeConflict { last: TreeSize(30) }),
    ] {
        let decision = scene.say(&request);
        assert_eq!((decision.answer, decision.changes.len()), (Some(answer), 0));
    }
    scene.log.keys = vec![VerifierKey::new(ORIGIN.parse().unwrap(), SignatureType::Ed25519, key(9).public_key())];
    let decision = scene.say(&request(&honest, 30, 35));
    assert_eq!((decision.answer, decision.changes.len()), (Some(WitnessAnswer::BadSignature), 0));
}

#[test]
fn silence_is_told_once() {
    let scene = Scene::new(30);
    let pair = key(2);
    let id = "regional_cntl_zoneA_1".parse().unwrap();
    let name = "pdsno/prod/regional_cntl_zoneA_1".parse().unwrap();
    let signer = NoteSigner::new(name, SignatureType::CosignatureV1, &pair);
    let desk = |now| Desk { id: &id, signer: &signer, now };
    assert_eq!(lag(&scene.log, at(0), &desk(at(25 * 60 - 1))), None);
    let told = lag(&scene.log, at(0), &desk(at(25 * 60)));
    assert!(matches!(told, Some(Change::Append(event)) if event.event_type == EventType::AnchorLag));
    let log = Witnessed { lag_told: true, ..scene.log };
    assert_eq!(lag(&log, at(0), &desk(at(90 * 60))), None);
}
