//! Policy comes from the Global Controller, and from nobody else.

use std::time::Duration;

use pdsno::actors::policy::{PolicyActorError, PolicyHistory, ReadPolicy};
use pdsno::actors::post::Send;
use pdsno::algorithms::policy::set::SetError;
use pdsno::domain::event::EventType;
use pdsno::domain::number::{Epoch, PolicyVersion};
use pdsno::domain::policy::PolicyDocument;
use pdsno::domain::time::Timestamp;
use pdsno::eastwest::faults::Conditions;
use pdsno::wire::canonical;
use pdsno::wire::envelope::Destination;
use pdsno::wire::policy::PolicyUpdate;
use pdsno::wire::statement::{Chain, Statement};
use tokio::time::advance;

use crate::offices::{EPOCH, GC, RC, START, Station, Tiers, key, lc, name, pass, values};

fn root_of(station: &Station) -> Chain {
    Chain { certificates: station.own.chain.certificates.last().cloned().into_iter().collect(), delegation: None }
}

fn version(number: u64) -> PolicyVersion {
    PolicyVersion::from_number(number)
}

/// The documents that a controller has.
fn documents(station: &Station) -> Vec<Statement<PolicyDocument>> {
    let rows = station.reader.policies(version(0), 100).unwrap();
    rows.iter().map(|row| canonical::read(row.document.as_str().as_bytes(), "a policy").unwrap()).collect()
}

#[actix::test]
async fn policy_comes_down_tier_by_tier_and_takes_effect_without_a_restart() {
    let mut tiers = Tiers::new(1);
    let (gc, rc, local) = tiers.three().await;
    pass(20.0).await;
    assert_eq!((gc.versions(), rc.versions(), local.versions()), (vec![1], vec![1], vec![1]));
    assert_eq!(gc.set(60).await.unwrap(), 2);
    pass(1.0).await;
    assert_eq!((rc.version(), local.version()), (Some(2), Some(2)));
    assert_eq!(local.intervals(), [(300, None), (300, Some(1)), (60, Some(2))]);
    assert_eq!((gc.row(RC).policy_version, rc.row(&lc(1)).policy_version), (Some(version(2)), Some(version(2))));
    let set = gc.events(&[EventType::PolicySet]);
    assert_eq!(
        (set[0].payload["source"].as_str(), set[1].payload["by"]["user"].as_str()),
        (Some("configuration"), Some("ada"))
    );
    assert_eq!(set[1].payload["values"]["discovery_interval"], 60);
    let taken = local.events(&[EventType::PolicyTaken]);
    assert_eq!((taken[1].subject.as_str(), taken[1].payload["from"].as_str()), ("policy 2", Some(RC)));
    let report = rc.policy.send(ReadPolicy).await.unwrap().unwrap();
    assert_eq!((report.in_effect.version(), report.children[0].version), (Some(version(2)), Some(version(2))));
    let history = local.policy.send(PolicyHistory { after: version(1), limit: 10 }).await.unwrap().unwrap();
    assert_eq!((history.len(), history[0].values.discovery.interval), (1, Duration::from_secs(60)));
    assert_eq!(documents(&local), documents(&gc));
    let notes = local.watcher.notes.lock().unwrap();
    let note = notes.iter().rfind(|note| note.section == "policy").unwrap();
    assert_eq!((&note.value["in_effect"]["document"]["version"], &note.value["expired"]), (&"2".into(), &false.into()));
}

#[actix::test]
async fn only_the_global_controller_sets_and_only_what_is_new() {
    let mut tiers = Tiers::new(1);
    let (gc, rc, _local) = tiers.three().await;
    let refused = |error| matches!(error, PolicyActorError::Refused(SetError::NotGlobal));
    assert!(refused(rc.set(60).await.unwrap_err()));
    assert_eq!(gc.set(60).await.unwrap(), 2);
    let error = gc.set(60).await.unwrap_err();
    assert!(matches!(error, PolicyActorError::Refused(SetError::Unchanged(same)) if same == version(2)), "{error}");
    assert_eq!((gc.versions(), gc.events(&[EventType::PolicySet]).len()), (vec![1, 2], 2));
    let gc = tiers.restart(gc).await;
    pass(1.0).await;
    assert_eq!((gc.versions(), gc.intervals()), (vec![1, 2], vec![(60, Some(2))]), "a restart sets nothing");
}

#[actix::test]
async fn who_was_away_takes_what_it_missed_and_knows_the_same_afterwards() {
    let mut tiers = Tiers::new(1);
    let (gc, rc, local) = tiers.three().await;
    pass(20.0).await;
    tiers.faults.cut(name(GC), name(RC));
    for seconds in [60, 61, 62] {
        gc.set(seconds).await.unwrap();
        pass(20.0).await;
    }
    assert_eq!((rc.version(), local.version()), (Some(1), Some(1)));
    tiers.faults.heal();
    pass(30.0).await;
    assert_eq!((documents(&rc), documents(&local)), (documents(&gc), documents(&gc)));
    assert_eq!(local.intervals(), [(300, None), (300, Some(1)), (62, Some(4))]);
    let taken = rc.events(&[EventType::PolicyTaken]);
    assert_eq!((taken.len(), &taken[1].payload["missed"]), (2, &2.into()));
}

#[actix::test]
async fn what_is_lost_or_doubled_on_the_way_arrives_in_the_end_once() {
    let mut tiers = Tiers::new(2);
    let bad = Conditions {
        loss: 0.3,
        duplication: 0.3,
        shortest: Duration::from_millis(1),
        longest: Duration::from_millis(900),
    };
    tiers.faults.everywhere(bad);
    let (gc, rc, one) = tiers.three().await;
    let two = tiers.start(&lc(2)).await;
    for seconds in 60..70 {
        gc.set(seconds).await.unwrap();
        pass(40.0).await;
    }
    tiers.faults.everywhere(Conditions::PERFECT);
    pass(120.0).await;
    for station in [&rc, &one, &two] {
        assert_eq!(station.version(), Some(11));
        let versions = station.intervals().into_iter().map(|(_, version)| version);
        assert!(versions.is_sorted_by(|a, b| a < b), "never back, never twice");
        assert!(station.events(&[EventType::PolicyRefused]).len() <= 1);
    }
    assert_eq!(rc.row(&lc(2)).policy_version, Some(version(11)));
}

#[actix::test]
async fn a_controller_that_starts_without_its_parent_works_by_the_policy_that_it_has() {
    let mut tiers = Tiers::new(1);
    let (gc, rc, local) = tiers.three().await;
    pass(20.0).await;
    gc.set(60).await.unwrap();
    pass(5.0).await;
    tiers.end(rc);
    let local = tiers.restart(local).await;
    pass(5.0).await;
    assert_eq!(local.intervals(), [(60, Some(2))]);
}

#[actix::test]
async fn a_policy_that_ages_stays_in_effect_and_says_so() {
    let mut tiers = Tiers::new(1);
    let gc = tiers.start(GC).await;
    pass(1.0).await;
    for _ in 0..366 {
        advance(Duration::from_secs(86_400)).await;
        pass(0.01).await;
    }
    let report = gc.policy.send(ReadPolicy).await.unwrap().unwrap();
    assert!(report.expired && report.in_effect.version() == Some(version(1)));
    let notes = gc.watcher.notes.lock().unwrap();
    let over = notes.iter().filter(|note| note.section == "policy" && note.value["expired"] == true).count();
    assert!((1..=3).contains(&over), "{over}");
    assert_eq!(gc.intervals(), [(300, Some(1))]);
}

/// Attack 26: what a Regional Controller that went bad may try on its Local Controller.
async fn attacked(update: impl Fn(&Station, &Station) -> PolicyUpdate, reason: &str) {
    let mut tiers = Tiers::new(1);
    let (gc, rc, local) = tiers.three().await;
    pass(20.0).await;
    gc.set(60).await.unwrap();
    pass(5.0).await;
    let before = (local.versions(), local.intervals(), documents(&local));
    for _ in 0..2 {
        let body = update(&gc, &rc);
        rc.post.send(Send { to: Destination::Controller(name(&lc(1))), body }).await.unwrap().unwrap();
        pass(1.0).await;
    }
    assert_eq!((local.versions(), local.intervals(), documents(&local)), before, "nothing else changed");
    let refused = local.events(&[EventType::PolicyRefused]);
    assert_eq!(refused.len(), 1, "the same refusal is written once");
    assert_eq!((refused[0].payload["reason"].as_str(), refused[0].payload["from"].as_str()), (Some(reason), Some(RC)));
    assert_eq!(gc.set(61).await.unwrap(), 3);
    pass(1.0).await;
    assert_eq!(local.version(), Some(3), "a good one is taken afterwards");
}

/// An update that says it has all there is.
fn update(documents: Vec<Statement<PolicyDocument>>, chain: Chain) -> PolicyUpdate {
    let from = version(1_000);
    PolicyUpdate { documents, chain, from, state_root: canonical::digest(&[0; 0]).unwrap() }
}

fn document(number: u64, expires_at: i64) -> PolicyDocument {
    PolicyDocument {
        version: version(number),
        issued_at: Timestamp::from_millis(START),
        expires_at: Timestamp::from_millis(START + expires_at),
        epoch: EPOCH,
        issuer: name(GC),
        values: values(1),
    }
}

const LONG: i64 = 86_400_000;

#[actix::test]
async fn a_policy_that_is_rolled_back_is_refused() {
    attacked(|gc, _| update(documents(gc)[..1].to_vec(), root_of(gc)), "POLICY_ROLLBACK").await;
}

#[actix::test]
async fn another_policy_of_the_same_version_is_refused() {
    attacked(
        |gc, _| update(vec![Statement::sign(document(2, LONG), &key(1)).unwrap()], root_of(gc)),
        "POLICY_ROLLBACK",
    )
    .await;
}

#[actix::test]
async fn a_policy_that_has_ended_is_refused() {
    attacked(
        |gc, _| update(vec![Statement::sign(document(3, 1_000), &key(1)).unwrap()], root_of(gc)),
        "POLICY_EXPIRED",
    )
    .await;
}

#[actix::test]
async fn a_policy_that_a_regional_controller_signed_is_refused() {
    let signed = || Statement::sign(document(3, LONG), &key(2)).unwrap();
    attacked(|gc, _| update(vec![signed()], root_of(gc)), "POLICY_NOT_SIGNED_BY_GLOBAL").await;
}

#[actix::test]
async fn a_policy_that_a_regional_controller_signed_and_vouches_for_is_refused() {
    let signed = || Statement::sign(document(3, LONG), &key(2)).unwrap();
    attacked(|_, rc| update(vec![signed()], rc.own.chain.clone()), "POLICY_NOT_SIGNED_BY_GLOBAL").await;
}

#[actix::test]
async fn a_policy_of_a_term_that_has_not_begun_is_refused() {
    let later = || PolicyDocument { epoch: Epoch::from_number(2), ..document(3, LONG) };
    attacked(|gc, _| update(vec![Statement::sign(later(), &key(1)).unwrap()], root_of(gc)), "EPOCH_UNKNOWN").await;
}

#[actix::test]
async fn policy_does_not_come_from_below() {
    let mut tiers = Tiers::new(1);
    let (gc, rc, local) = tiers.three().await;
    pass(20.0).await;
    let body = update(vec![Statement::sign(document(2, LONG), &key(1)).unwrap()], root_of(&gc));
    local.post.send(Send { to: Destination::Controller(name(RC)), body }).await.unwrap().unwrap();
    pass(1.0).await;
    assert_eq!(rc.version(), Some(1));
    assert_eq!(rc.events(&[EventType::PolicyRefused])[0].payload["reason"], "UNTRUSTED_PARENT");
}
