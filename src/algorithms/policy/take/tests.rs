use super::*;
use crate::algorithms::policy::set::tests::{history, next, root_chain, values};
use crate::algorithms::policy::set::{Issuer, set};
use crate::algorithms::trust::authority::tests::{DAY, EPOCH, at, regional, root};
use crate::domain::policy::PolicyDocument;
use crate::wire::signature::tests::key;
use crate::wire::signature::{KeyPair, fingerprint};
use crate::wire::statement::{Chain, Statement};
use proptest::prelude::*;

const NOW: i64 = 1_000;

fn version(number: u64) -> PolicyVersion {
    PolicyVersion::from_number(number)
}

fn trusting<T>(now: Timestamp, use_it: impl FnOnce(&Trust<'_>) -> T) -> T {
    let pin = fingerprint(&key(1).public_key());
    use_it(&Trust { pin, now, epoch: Some(EPOCH), is_revoked: &|_| false })
}

fn taken_at(now: i64, update: &PolicyUpdate, known: &Known) -> Result<Vec<u64>, Reason> {
    let taken = trusting(at(now), |trust| take(update, known, trust)).map_err(|error| error.reason())?;
    Ok(taken.iter().map(|policy| policy.document().version.number()).collect())
}

fn taken(update: &PolicyUpdate, known: &Known) -> Result<Vec<u64>, Reason> {
    taken_at(NOW, update, known)
}

fn update(known: &Known, have: u64) -> PolicyUpdate {
    known.catch_up(Some(version(have)), root_chain(), at(NOW)).unwrap()
}

/// The update of `history(3)` for one who has nothing, with the last document changed and signed by
/// this key.
fn forged(key: &KeyPair, chain: Chain, change: impl FnOnce(&mut PolicyDocument)) -> PolicyUpdate {
    let mut update = update(&history(3), 0);
    let mut document = update.documents.pop().unwrap().unverified().clone();
    change(&mut document);
    update.documents.push(Statement::sign(document, key).unwrap());
    PolicyUpdate { chain, ..update }
}

#[test]
fn what_is_new_is_taken_and_what_is_known_is_not_taken_twice() {
    let parent = history(5);
    assert_eq!(taken(&update(&parent, 0), &Known::default()), Ok(vec![1, 2, 3, 4, 5]));
    assert_eq!(taken(&update(&parent, 0), &history(3)), Ok(vec![4, 5]));
    assert_eq!(taken(&update(&parent, 4), &parent), Ok(vec![]));
    assert_eq!(taken(&update(&parent, 5), &parent), Ok(vec![]));
}

#[test]
fn an_older_version_is_a_rollback() {
    let old = update(&history(2), 1);
    assert_eq!(taken(&old, &history(3)), Err(Reason::PolicyRollback));
    // Also when its number is one that was left out here.
    let joined_late = Known::default().with([history(3).in_effect().unwrap().clone()]);
    assert_eq!(taken(&old, &joined_late), Err(Reason::PolicyRollback));
}

#[test]
fn another_document_of_a_known_version_is_a_rollback() {
    let other = history(2).with([next(&history(2), 99, at(50)).unwrap()]);
    assert_eq!(taken(&update(&other, 2), &history(3)), Err(Reason::PolicyRollback));
}

#[test]
fn versions_within_an_update_rise() {
    let mut twice = update(&history(3), 1);
    twice.documents.reverse();
    assert_eq!(taken(&twice, &history(1)), Err(Reason::PolicyRollback));
}

#[test]
fn what_has_ended_is_not_taken_unless_a_later_one_replaces_it() {
    let year = 365 * 86_400;
    assert_eq!(taken_at(year + 3, &update(&history(3), 0), &Known::default()), Err(Reason::PolicyExpired));
    assert_eq!(taken_at(year + 2, &update(&history(3), 0), &Known::default()), Ok(vec![1, 2, 3]));
    // What is in effect stays in effect.
    assert_eq!(taken_at(year + 3, &update(&history(3), 2), &history(3)), Ok(vec![]));
}

#[test]
fn only_the_trust_root_says_what_policy_is() {
    let nobody = Known::default();
    let regional = regional();
    let signed_by_regional = forged(&key(2), root_chain(), |_| ());
    assert_eq!(taken(&signed_by_regional, &nobody), Err(Reason::PolicyNotSignedByGlobal));
    let with_its_own_chain = forged(&key(2), regional.chain.clone(), |_| ());
    assert_eq!(taken(&with_its_own_chain, &nobody), Err(Reason::PolicyNotSignedByGlobal));
    let in_its_own_name = forged(&key(2), regional.chain, |document| {
        document.issuer = "regional_cntl_zoneA_1".parse().unwrap();
    });
    assert_eq!(taken(&in_its_own_name, &nobody), Err(Reason::PolicyNotSignedByGlobal));
    let in_anothers_name = forged(&key(1), root_chain(), |document| {
        document.issuer = "global_cntl_2".parse().unwrap();
    });
    assert_eq!(taken(&in_anothers_name, &nobody), Err(Reason::PolicyNotSignedByGlobal));
    let no_chain = Chain { certificates: Vec::new(), delegation: None };
    assert_eq!(taken(&forged(&key(1), no_chain, |_| ()), &nobody), Err(Reason::PolicyNotSignedByGlobal));
    let another_root =
        crate::algorithms::trust::authority::Authority::root(std::sync::Arc::new(key(9)), EPOCH, at(0), DAY * 3_650)
            .unwrap();
    assert_eq!(taken(&forged(&key(9), another_root.chain, |_| ()), &nobody), Err(Reason::PolicyNotSignedByGlobal));
    assert_eq!(taken(&forged(&key(1), root().chain, |_| ()), &nobody), Ok(vec![1, 2, 3]));
}

#[test]
fn an_epoch_neither_falls_nor_runs_ahead() {
    let ahead = forged(&key(1), root_chain(), |document| document.epoch = EPOCH.next());
    assert_eq!(taken(&ahead, &Known::default()), Err(Reason::EpochUnknown));
    let behind = forged(&key(1), root_chain(), |document| document.epoch = Epoch::from_number(0));
    assert_eq!(taken(&behind, &history(2)), Err(Reason::EpochStale));
}

#[test]
fn histories_that_do_not_agree_are_told() {
    let other = history(1).with([next(&history(1), 77, at(5)).unwrap()]);
    let other = other.with([next(&other, 3, at(6)).unwrap()]);
    assert_eq!(taken(&update(&other, 2), &history(2)), Err(Reason::PolicyHistoryDiffers));
    // Who joined later does not know what was before.
    let late = Known::default().with([next(&history(1), 2, at(2)).unwrap()]);
    assert_eq!(taken(&update(&history(3), 2), &late), Ok(vec![3]));
    let told = trusting(at(NOW), |trust| take(&update(&other, 2), &history(2), trust)).unwrap_err();
    assert_eq!(told.refusal(&update(&other, 2)).version, version(3));
}

#[test]
fn a_refusal_says_its_causes() {
    let no_chain = Chain { certificates: Vec::new(), delegation: None };
    let update = forged(&key(1), no_chain, |_| ());
    let error = trusting(at(NOW), |trust| take(&update, &Known::default(), trust)).unwrap_err();
    let refusal = error.refusal(&update);
    assert_eq!((refusal.version, refusal.reason), (version(3), Reason::PolicyNotSignedByGlobal));
    assert!(refusal.detail.contains("does not hold: a chain has one to three"), "{}", refusal.detail);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever arrives in whatever order, some of it twice: the version never falls, and who has seen
    /// the newest update has the newest policy.
    #[test]
    fn versions_never_go_back(order in prop::collection::vec((1_u64..8, 0_u64..8), 1..12)) {
        let (id, key) = ("global_cntl_1".parse().unwrap(), key(1));
        let issuer = Issuer { id: &id, key: &key, epoch: EPOCH };
        prop_assert!(set(values(1), None, &history(1), issuer, at(2)).is_err());
        let mut known = Known::default();
        for (parent, have) in &order {
            let before = known.version();
            let have = PolicyVersion::number(known.version().unwrap_or_default()).min(*have);
            let update = update(&history(*parent), have);
            if let Ok(taken) = trusting(at(NOW), |trust| take(&update, &known, trust)) {
                known = known.with(taken);
            }
            prop_assert!(known.version() >= before);
            if !update.documents.is_empty() {
                prop_assert!(known.version() >= Some(version(*parent)));
            }
        }
    }
}
