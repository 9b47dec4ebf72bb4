use std::sync::Arc;

use super::*;
use crate::algorithms::trust::authority::Authority;
use crate::algorithms::trust::authority::tests::{DAY, EPOCH, at, order, regional, root};
use crate::domain::number::Serial;
use crate::wire::signature::tests::key;

fn trust(seconds: i64) -> Trust<'static> {
    Trust { pin: fingerprint(&key(1).public_key()), now: at(seconds), epoch: Some(EPOCH), is_revoked: &|_| false }
}

/// The chain of `local_cntl_zoneA_1` with the key that is made of 3.
fn local() -> Chain {
    let regional = regional();
    let (certificate, none) = regional.issue(order("local_cntl_zoneA_1", 3), EPOCH, at(0)).unwrap();
    regional.chain.extended(certificate, none)
}

/// Whatever the regional controller (the key made of 2) or the root (1) may have signed.
fn with_leaf(issuer: &Authority, octet: u8, change: impl FnOnce(&mut Certificate)) -> Chain {
    let (certificate, delegation) = issuer.issue(order("local_cntl_zoneA_1", 3), EPOCH, at(0)).unwrap();
    let mut claim = certificate.unverified().clone();
    change(&mut claim);
    issuer.chain.extended(Statement::sign(claim, &key(octet)).unwrap(), delegation)
}

fn with_delegation(octet: u8, change: impl FnOnce(&mut Delegation)) -> Chain {
    let mut chain = regional().chain;
    let mut claim = chain.delegation.unwrap().unverified().clone();
    change(&mut claim);
    chain.delegation = Some(Statement::sign(claim, &key(octet)).unwrap());
    chain
}

fn region() -> Region {
    "zone-A".parse().unwrap()
}

#[test]
fn a_chain_holds_from_every_tier_to_the_root() {
    assert_eq!(verify(&root().chain, &trust(0)).unwrap().controller_id.as_str(), "global_cntl_1");
    assert_eq!(verify(&regional().chain, &trust(0)).unwrap().controller_id.as_str(), "regional_cntl_zoneA_1");
    assert_eq!(verify(&local(), &trust(0)).unwrap().controller_id.as_str(), "local_cntl_zoneA_1");
}

#[test]
fn a_chain_survives_being_sent() {
    let sent = serde_json::to_vec(&local()).unwrap();
    let read: Chain = crate::wire::canonical::read(&sent, "a chain").unwrap();
    assert_eq!(verify(&read, &trust(0)), verify(&local(), &trust(0)));
}

#[test]
fn a_chain_of_another_root_is_refused_by_the_pin() {
    let other = Authority::root(Arc::new(key(9)), EPOCH, at(0), DAY).unwrap();
    assert!(matches!(verify(&other.chain, &trust(0)), Err(ChainError::Pin { .. })));
    // The real root's certificate behind a stranger's.
    let mut grafted = other.chain.clone();
    grafted.certificates.extend(root().chain.certificates);
    assert!(matches!(verify(&grafted, &trust(0)), Err(ChainError::Signature(_))));
}

#[test]
fn a_chain_has_one_to_three_certificates() {
    assert_eq!(verify(&Chain { certificates: vec![], delegation: None }, &trust(0)), Err(ChainError::Length(0)));
    let mut long = local();
    long.certificates.insert(0, long.certificates[0].clone());
    assert_eq!(verify(&long, &trust(0)), Err(ChainError::Length(4)));
}

#[test]
fn nobody_says_who_is_on_his_own_tier_or_two_below() {
    let rank = |chain: &Chain| matches!(verify(chain, &trust(0)), Err(ChainError::Rank { .. }));
    // GC an LC.
    let (local, _) = root().issue(order("local_cntl_zoneA_1", 3), EPOCH, at(0)).unwrap();
    assert!(rank(&root().chain.extended(local, None)));
    // RC an RC.
    let (second, delegation) = regional().issue(order("regional_cntl_zoneA_2", 3), EPOCH, at(0)).unwrap();
    assert!(rank(&regional().chain.extended(second, delegation)));
    // LC anybody: no room for a fourth, and no rank for a shorter one.
    let claim = |claim: &mut Certificate| claim.issuer = "global_cntl_1".parse().unwrap();
    assert!(rank(&with_leaf(&root(), 1, claim)));
    // GC a GC.
    let (mut second, _) = root().issue(order("global_cntl_2", 3), EPOCH, at(0)).unwrap();
    let mut claim = second.unverified().clone();
    claim.region = None;
    second = Statement::sign(claim, &key(1)).unwrap();
    assert!(rank(&root().chain.extended(second, None)));
}

#[test]
fn every_claim_of_a_certificate_is_checked() {
    let regional = regional();
    let refusal =
        |octet, change: &dyn Fn(&mut Certificate)| verify(&with_leaf(&regional, octet, change), &trust(0)).unwrap_err();
    assert_eq!(verify(&with_leaf(&regional, 2, |_| ()), &trust(0)).map(|_| ()), Ok(()));
    assert!(matches!(refusal(9, &|_| ()), ChainError::Signature(_)));
    assert!(matches!(
        refusal(2, &|claim| claim.issuer = "regional_cntl_zoneA_2".parse().unwrap()),
        ChainError::Signature(_)
    ));
    assert!(matches!(refusal(2, &|claim| claim.region = Some("zone-B".parse().unwrap())), ChainError::Rank { .. }));
    assert!(matches!(
        refusal(2, &|claim| claim.controller_id = "local_cntl_zoneB_1".parse().unwrap()),
        ChainError::Name(_)
    ));
    assert!(matches!(refusal(2, &|claim| claim.controller_id = "standalone".parse().unwrap()), ChainError::Name(_)));
    assert!(matches!(refusal(2, &|claim| claim.expires_at = at(91 * 86_400)), ChainError::Outlives(_)));
    assert!(matches!(refusal(2, &|claim| claim.issued_at = at(61)), ChainError::Time { .. }));
    assert!(matches!(refusal(2, &|claim| claim.expires_at = at(0)), ChainError::Time { .. }));
    assert!(matches!(refusal(2, &|claim| claim.epoch = Epoch::from_number(2)), ChainError::Epoch { .. }));
}

#[test]
fn a_chain_ends_with_the_first_of_its_certificates() {
    assert!(verify(&local(), &trust(45 * 86_400 - 1)).is_ok());
    assert!(matches!(verify(&local(), &trust(45 * 86_400)), Err(ChainError::Time { .. })));
    assert!(matches!(verify(&regional().chain, &trust(90 * 86_400)), Err(ChainError::Time { .. })));
}

#[test]
fn a_revoked_parent_takes_its_children_with_it() {
    let revoked = |certificate: &Certificate| certificate.serial == Serial::from_number(2);
    let trust = Trust { is_revoked: &revoked, ..trust(0) };
    assert_eq!(verify(&local(), &trust), Err(ChainError::Revoked("regional_cntl_zoneA_1".parse().unwrap())));
}

#[test]
fn the_delegation_is_checked_at_every_use() {
    let refusal = |octet, change: &dyn Fn(&mut Delegation)| {
        let parent = with_delegation(octet, change);
        let direct = verify_parent(&parent, Role::Local, &region(), &trust(0)).unwrap_err();
        let below = Chain { delegation: parent.delegation, ..local() };
        assert_eq!(verify(&below, &trust(0)).unwrap_err(), direct);
        direct
    };
    assert!(verify_parent(&with_delegation(1, |_| ()), Role::Local, &region(), &trust(0)).is_ok());
    assert!(matches!(refusal(9, &|_| ()), ChainError::Delegation(_)));
    assert!(matches!(refusal(1, &|d| d.region = "zone-B".parse().unwrap()), ChainError::Delegation(_)));
    assert!(matches!(refusal(1, &|d| d.delegatee_key = key(9).public_key()), ChainError::Delegation(_)));
    assert!(matches!(
        refusal(1, &|d| d.delegatee = "regional_cntl_zoneA_2".parse().unwrap()),
        ChainError::Delegation(_)
    ));
    assert!(matches!(refusal(1, &|d| d.issuer = "global_cntl_2".parse().unwrap()), ChainError::Delegation(_)));
    assert!(matches!(refusal(1, &|d| d.actions.clear()), ChainError::Delegation(_)));
    assert!(matches!(refusal(1, &|d| d.not_after = at(0)), ChainError::Time { .. }));
    assert!(matches!(refusal(1, &|d| d.not_before = at(61)), ChainError::Time { .. }));
    assert!(matches!(refusal(1, &|d| d.epoch = Epoch::from_number(2)), ChainError::Epoch { .. }));
    let none = Chain { delegation: None, ..regional().chain };
    assert!(matches!(verify_parent(&none, Role::Local, &region(), &trust(0)), Err(ChainError::Delegation(_))));
}

#[test]
fn a_parent_is_one_tier_above_and_of_the_same_region() {
    let parent =
        |chain: &Chain, role, region: &str| verify_parent(chain, role, &region.parse().unwrap(), &trust(0)).map(|_| ());
    assert_eq!(parent(&root().chain, Role::Regional, "zone-A"), Ok(()));
    assert_eq!(parent(&regional().chain, Role::Local, "zone-A"), Ok(()));
    for (chain, role, region) in [
        (root().chain, Role::Local, "zone-A"),
        (root().chain, Role::Global, "zone-A"),
        (regional().chain, Role::Regional, "zone-A"),
        (regional().chain, Role::Local, "zone-B"),
        // The same slug is not the same region.
        (regional().chain, Role::Local, "zoneA"),
        (local(), Role::Local, "zone-A"),
        (local(), Role::Regional, "zone-A"),
    ] {
        assert!(matches!(parent(&chain, role, region), Err(ChainError::Parent { .. })), "{role} {region}");
    }
}
