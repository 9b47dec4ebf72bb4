use serde_json::json;

use super::*;
use crate::algorithms::trust::authority::tests::{DAY, EPOCH, at, order, regional, root};
use crate::wire::entry::tests::entry as sample;
use crate::wire::signature::tests::key;

const GLOBAL: &str = "pdsno/prod/global_cntl_1";
const REGIONAL: &str = "pdsno/prod/regional_cntl_zoneA_1";
const LOCAL: &str = "pdsno/prod/local_cntl_zoneA_1";

fn local() -> Chain {
    let regional = regional();
    let (certificate, delegation) = regional.issue(order("local_cntl_zoneA_1", 3), EPOCH, at(10)).unwrap();
    regional.chain.extended(certificate, delegation)
}

fn keyring() -> Keyring {
    let mut keyring = Keyring::new(key(1).public_key());
    keyring.learn(&local()).unwrap();
    keyring
}

fn entry(origin: &str, event_type: EventType, subject: &str, when: Timestamp) -> Entry {
    let actor = origin.rsplit('/').next().unwrap().to_owned();
    Entry {
        origin: origin.parse().unwrap(),
        event_type,
        actor,
        subject: subject.to_owned(),
        timestamp: when,
        ..sample(1)
    }
}

fn signers(keyring: &Keyring, origin: &str, when: Timestamp) -> Vec<PublicKey> {
    keyring.keys(&entry(origin, EventType::LogOpened, "it", when)).to_vec()
}

#[test]
fn a_chain_tells_the_keys_of_all_in_it() {
    let keyring = keyring();
    for (origin, octet) in [(GLOBAL, 1), (REGIONAL, 2), (LOCAL, 3)] {
        let public = key(octet).public_key();
        assert_eq!(signers(&keyring, origin, at(20)), [public]);
        let log = keyring.log_keys(&origin.parse().unwrap());
        assert_eq!(log, [VerifierKey::new(origin.parse().unwrap(), SignatureType::Ed25519, public)]);
    }
    let names = |log: &str| -> Vec<String> {
        let keys = keyring.witness_keys(&log.parse().unwrap());
        keys.iter().map(|key| key.name().to_string()).collect()
    };
    assert_eq!(names(LOCAL), [GLOBAL, REGIONAL]);
    assert_eq!(names(GLOBAL), [REGIONAL], "nobody witnesses himself, and a Local Controller nobody");
    assert_eq!(signers(&keyring, "pdsno/prod/local_cntl_zoneA_2", at(20)), []);
}

#[test]
fn a_key_signs_nothing_after_its_certificate() {
    let keyring = keyring();
    assert_eq!(signers(&keyring, LOCAL, at(44 * 86_400)).len(), 1);
    assert_eq!(signers(&keyring, LOCAL, at(46 * 86_400)), []);
    assert_eq!(signers(&keyring, GLOBAL, at(0).saturating_add(DAY * 3_651)), []);
}

#[test]
fn a_chain_below_another_root_tells_nothing() {
    let mut keyring = Keyring::new(key(9).public_key());
    assert!(matches!(keyring.learn(&local()), Err(ChainError::Pin { .. })));
    assert_eq!(keyring.holders().count(), 0);
    // Nor one whose Regional Controller has no right to validate.
    let mut keyring = Keyring::new(key(1).public_key());
    let chain = Chain { delegation: None, ..local() };
    assert!(matches!(keyring.learn(&chain), Err(ChainError::Delegation(_))));
    assert_eq!(keyring.holders().count(), 0);
}

#[test]
fn a_log_tells_the_keys_of_those_below_it_only() {
    let mut keyring = Keyring::new(key(1).public_key());
    keyring.learn(&root().chain).unwrap();
    let given = |octet: u8| json!({ "public_key": key(octet).public_key(), "expires_at": at(90 * 86_400) });
    let validated = EventType::ControllerValidated;
    // A Global Controller validates no Local one, and a Regional one is not known yet.
    keyring.take(&entry(GLOBAL, validated, "local_cntl_zoneA_1", at(1)), &given(3));
    keyring.take(&entry(REGIONAL, validated, "local_cntl_zoneA_1", at(1)), &given(3));
    assert_eq!(signers(&keyring, LOCAL, at(2)), []);
    keyring.take(&entry(GLOBAL, validated, "regional_cntl_zoneA_1", at(1)), &given(2));
    keyring.take(&entry(REGIONAL, validated, "local_cntl_zoneB_1", at(1)), &given(4));
    keyring.take(&entry(REGIONAL, validated, "local_cntl_zoneA_1", at(1)), &given(3));
    keyring.take(&entry(REGIONAL, EventType::CertificateRenewed, "local_cntl_zoneA_1", at(2)), &given(5));
    assert_eq!(signers(&keyring, REGIONAL, at(2)), [key(2).public_key()]);
    assert_eq!(signers(&keyring, LOCAL, at(2)), [key(3).public_key(), key(5).public_key()]);
    assert_eq!(signers(&keyring, "pdsno/prod/local_cntl_zoneB_1", at(2)), [], "another region's");
}

#[test]
fn who_was_revoked_signs_nothing_from_then_on() {
    let mut keyring = keyring();
    keyring.take(&entry(REGIONAL, EventType::ControllerRevoked, "local_cntl_zoneA_1", at(500)), &json!({}));
    assert_eq!(signers(&keyring, LOCAL, at(499)).len(), 1);
    assert_eq!(signers(&keyring, LOCAL, at(500)), []);
    // Nobody revokes upward or himself.
    keyring.take(&entry(REGIONAL, EventType::ControllerRevoked, "global_cntl_1", at(500)), &json!({}));
    keyring.take(&entry(LOCAL, EventType::ControllerRevoked, "regional_cntl_zoneA_1", at(500)), &json!({}));
    assert_eq!((signers(&keyring, GLOBAL, at(501)).len(), signers(&keyring, REGIONAL, at(501)).len()), (1, 1));
}
