use super::*;
use crate::algorithms::trust::authority::tests::{DAY, EPOCH, at, order, regional, root};
use crate::algorithms::trust::authority::{Authority, Issued};
use crate::algorithms::validation::scene::carry;
use crate::domain::message::BootId;
use crate::domain::reason::Reason;
use crate::wire::envelope::Author;
use crate::wire::signature::fingerprint;
use crate::wire::signature::tests::key;
use std::sync::Arc;

const NONCE: Nonce = Nonce::from_bytes([5; 32]);

/// `local_cntl_zoneA_1` with the key that is made of 3, serial 3, and what its parent gives it.
struct Scene {
    parent: Authority,
    cluster: Cluster,
    region: Region,
    id: ControllerId,
    renewer: Renewer,
    /// The parent's certificate, as it is known.
    known: Certificate,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        Self {
            parent: regional(),
            cluster: "lab".parse().unwrap(),
            region: "zone-A".parse().unwrap(),
            id: "local_cntl_zoneA_1".parse().unwrap(),
            renewer: Renewer::default(),
            known: regional().certificate().unwrap().clone(),
            now: at(20 * 86_400),
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut Renewer, &Holder<'_>, Timestamp) -> T) -> T {
        let Self { cluster, region, id, renewer, now, .. } = self;
        let pin = fingerprint(&key(1).public_key());
        let (serial, key) = (Serial::from_number(3), key(3).public_key());
        act(renewer, &Holder { cluster, id, role: Role::Local, region, pin, serial, key }, *now)
    }

    fn ask(&mut self, octet: u8) -> RenewalRequest {
        self.with(|renewer, holder, _| renewer.request(holder, &key(octet), NONCE)).unwrap()
    }

    /// A certificate of this parent for the key that is made of this octet, which is also its serial.
    fn given(&self, name: &str, octet: u8) -> Issued {
        self.parent.issue(order(name, octet), EPOCH, self.now).unwrap()
    }

    fn grant(&self, (certificate, delegation): Issued) -> Verdict {
        Verdict::Validated(Box::new(Grant {
            cluster: self.cluster.clone(),
            assigned_id: self.id.clone(),
            role: Role::Local,
            region: self.region.clone(),
            certificate,
            delegation,
        }))
    }

    fn answer(&mut self, nonce: Nonce, verdict: Verdict) -> Result<Renewed, Distrust> {
        let body = RenewalResult { nonce, parent: self.parent.chain.clone(), verdict };
        let name = self.parent.certificate().unwrap().controller_id.clone();
        let mut author = Author::new(name, BootId::new([1; 16]));
        let message = carry(&mut author, &self.id, &body, &self.parent.key, self.now);
        let known = self.known.clone();
        self.with(|renewer, holder, now| renewer.result(&message, holder, &known, now))
    }
}

fn refused() -> Verdict {
    Verdict::Error(Refused { reason: Reason::IdentityAssignmentFailed, detail: "later".to_owned() })
}

#[test]
fn a_next_certificate_stands_below_the_parents_chain() {
    let mut scene = Scene::new();
    assert_eq!(scene.ask(4).public_key, key(4).public_key());
    let verdict = scene.grant(scene.given("local_cntl_zoneA_1", 4));
    let Renewed::Given { chain, parent } = scene.answer(NONCE, verdict.clone()).unwrap() else { panic!() };
    assert_eq!(chain.leaf().unwrap().unverified().public_key, key(4).public_key());
    assert_eq!(chain.certificates.len(), 3);
    assert_eq!(parent.controller_id.as_str(), "regional_cntl_zoneA_1");
    // It was taken; the same once more is an echo.
    assert!(matches!(scene.answer(NONCE, verdict), Err(Distrust::NotAsked)));
}

#[test]
fn the_answer_about_the_present_key_says_that_it_is_taken() {
    let mut scene = Scene::new();
    scene.ask(3);
    let verdict = scene.grant(scene.given("local_cntl_zoneA_1", 3));
    assert!(matches!(scene.answer(NONCE, verdict), Ok(Renewed::Confirmed { .. })));
    scene.ask(3);
    let other = Serial::from_number(9);
    let (certificate, _) = scene
        .parent
        .issue(
            crate::algorithms::trust::authority::Order { serial: other, ..order("local_cntl_zoneA_1", 3) },
            EPOCH,
            scene.now,
        )
        .unwrap();
    let verdict = scene.grant((certificate, None));
    assert!(matches!(scene.answer(NONCE, verdict), Err(Distrust::WrongGrant(_))));
}

#[test]
fn a_refusal_is_the_parents_and_the_parent_may_have_a_new_key() {
    let mut scene = Scene::new();
    let root = root();
    let (certificate, delegation) = root.issue(order("regional_cntl_zoneA_1", 8), EPOCH, scene.now).unwrap();
    scene.parent = Authority { chain: root.chain.extended(certificate, delegation), key: Arc::new(key(8)) };
    scene.ask(4);
    let Renewed::Refused { refused, parent } = scene.answer(NONCE, refused()).unwrap() else { panic!() };
    assert_eq!(refused.reason, Reason::IdentityAssignmentFailed);
    assert_eq!(parent.public_key, key(8).public_key());
}

#[test]
fn what_was_not_asked_for_or_is_not_the_parents_is_not_taken() {
    // Nothing was asked.
    assert!(matches!(Scene::new().answer(NONCE, refused()), Err(Distrust::NotAsked)));

    // The answer to another request.
    let mut scene = Scene::new();
    scene.ask(4);
    assert!(matches!(scene.answer(Nonce::from_bytes([6; 32]), refused()), Err(Distrust::NotAsked)));

    // A certificate for another key, another name, another installation.
    let verdict = scene.grant(scene.given("local_cntl_zoneA_1", 6));
    assert!(matches!(scene.answer(NONCE, verdict), Err(Distrust::WrongGrant(_))));
    let verdict = scene.grant(scene.given("local_cntl_zoneA_2", 4));
    assert!(matches!(scene.answer(NONCE, verdict), Err(Distrust::WrongGrant(_))));
    let Verdict::Validated(grant) = scene.grant(scene.given("local_cntl_zoneA_1", 4)) else { panic!() };
    let elsewhere = Grant { cluster: "other".parse().unwrap(), ..*grant };
    let verdict = Verdict::Validated(Box::new(elsewhere));
    assert!(matches!(scene.answer(NONCE, verdict), Err(Distrust::WrongGrant(_))));

    // Signed by somebody who is not the owner of the chain.
    let verdict = scene.grant(scene.given("local_cntl_zoneA_1", 4));
    scene.parent.key = Arc::new(key(9));
    assert!(matches!(scene.answer(NONCE, verdict), Err(Distrust::NotTheOwner(_))));

    // Below another root.
    let own = Authority::root(Arc::new(key(7)), EPOCH, at(0), DAY * 3_650).unwrap();
    let (certificate, delegation) = own.issue(order("regional_cntl_zoneA_1", 2), EPOCH, at(0)).unwrap();
    scene.parent = Authority { chain: own.chain.extended(certificate, delegation), key: Arc::new(key(2)) };
    let verdict = scene.grant(scene.given("local_cntl_zoneA_1", 4));
    assert!(matches!(scene.answer(NONCE, verdict), Err(Distrust::Chain(_))));

    // The true parent's answer is still waited for.
    scene.parent = regional();
    let verdict = scene.grant(scene.given("local_cntl_zoneA_1", 4));
    assert!(matches!(scene.answer(NONCE, verdict), Ok(Renewed::Given { .. })));
}

#[test]
fn a_parent_has_a_new_key_when_it_says_so_with_a_later_certificate() {
    let mut scene = Scene::new();
    let (root, known) = (root(), regional().certificate().unwrap().clone());
    let below = |octet: u8, name: &str| {
        let (certificate, delegation) = root.issue(order(name, octet), EPOCH, at(20 * 86_400)).unwrap();
        Authority { chain: root.chain.extended(certificate, delegation), key: Arc::new(key(octet)) }
    };
    let mut told = |by: &Authority, sign: u8, known: &Certificate| {
        let name = by.certificate().unwrap().controller_id.clone();
        let body = ParentRenewed { chain: by.chain.clone() };
        let message = carry(&mut Author::new(name, BootId::new([1; 16])), &scene.id, &body, &key(sign), scene.now);
        scene.with(|_, holder, now| succession(&message, holder, known, now).map(|parent| parent.serial))
    };
    let (next, other) = (below(8, "regional_cntl_zoneA_1"), below(8, "regional_cntl_zoneA_2"));
    assert_eq!(told(&next, 8, &known).unwrap(), Serial::from_number(8));
    // Signed by another key, or another controller of the region.
    assert!(matches!(told(&next, 9, &known), Err(Distrust::NotTheOwner(_))));
    assert!(matches!(told(&other, 8, &known), Err(Distrust::NotTheOwner(_))));
    // What is known already, and what was before.
    assert!(matches!(told(&regional(), 2, &known), Err(Distrust::NotAsked)));
    assert!(matches!(told(&regional(), 2, next.certificate().unwrap()), Err(Distrust::NotAsked)));
}

#[test]
fn an_answer_under_a_key_that_the_parent_gave_up_says_nothing_about_now() {
    let mut scene = Scene::new();
    scene.known.serial = Serial::from_number(8);
    scene.ask(3);
    let verdict = scene.grant(scene.given("local_cntl_zoneA_1", 3));
    assert!(matches!(scene.answer(NONCE, verdict), Err(Distrust::NotAsked)));
    assert!(matches!(scene.answer(NONCE, refused()), Err(Distrust::NotAsked)));
    // What it gave, it gave.
    scene.ask(4);
    let verdict = scene.grant(scene.given("local_cntl_zoneA_1", 4));
    assert!(matches!(scene.answer(NONCE, verdict), Ok(Renewed::Given { .. })));
}
