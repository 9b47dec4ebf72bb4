use super::*;
use crate::domain::device::Version;
use crate::domain::digest::Digest;
use crate::domain::key::PublicKey;
use crate::domain::number::{Epoch, Serial};
use crate::domain::registry::SignedDocument;
use crate::domain::token::TokenUse;
use secrecy::zeroize::Zeroizing;

fn ada() -> Operator {
    Operator { user: Some("ada".to_owned()), uid: 1_000 }
}

fn membership(name: &str, role: Role, region: Option<&str>) -> Membership {
    Membership {
        cluster: "lab".parse().unwrap(),
        id: name.parse().unwrap(),
        role,
        region: region.map(|region| region.parse().unwrap()),
        parent: None,
        pin: Digest::from_bytes([9; 32]),
        chain: SignedDocument::from_text(String::new()),
        serial: Serial::from_number(1),
        key_file: "first.key".to_owned(),
        next_key_file: None,
        next_chain: None,
        epoch: Epoch::from_number(1),
        since: Timestamp::from_millis(0),
        version: Version::FIRST,
    }
}

fn controller(standing: Standing) -> ControllerRow {
    ControllerRow {
        id: "local_cntl_zoneA_1".parse().unwrap(),
        role: Role::Local,
        region: "zone-A".parse().unwrap(),
        public_key: PublicKey::from_bytes([1; 32]),
        serial: Serial::from_number(2),
        certificate: SignedDocument::from_text(String::new()),
        delegation: None,
        expires_at: Timestamp::from_millis(9),
        next: None,
        standing,
        standing_reason: Some("why".to_owned()),
        validated_by: "regional_cntl_zoneA_1".parse().unwrap(),
        validated_at: Timestamp::from_millis(1),
        token: TokenId::new([1; 12]),
        metadata: BTreeMap::new(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    }
}

fn acting<T>(act: impl FnOnce(&Act<'_>) -> T) -> T {
    let own = "regional_cntl_zoneA_1".parse().unwrap();
    act(&Act { own: &own, by: &ada(), now: Timestamp::from_millis(5) })
}

fn issue(issuer: &Membership, role: Role, region: &str) -> Result<(Acted, BootstrapToken), ActError> {
    let regions = [("zone-A".parse::<Region>().unwrap().slug(), "zone-A".parse().unwrap())].into();
    let order = TokenOrder { role, region: region.parse().unwrap(), lifetime: TokenLifetime::default() };
    let secret = TokenSecret::new(&Zeroizing::new([7; 32]));
    acting(|act| act.issue_token(issuer, &regions, order, TokenId::new([3; 12]), secret))
}

fn updated(acted: Acted) -> ControllerRow {
    match acted.change {
        RegistryChange::UpdateController(row) => *row,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_is_for_the_tier_and_region_below() {
    let global = membership("global_cntl_1", Role::Global, None);
    let regional = membership("regional_cntl_zoneA_1", Role::Regional, Some("zone-A"));
    let local = membership("local_cntl_zoneA_1", Role::Local, Some("zone-A"));
    assert!(issue(&global, Role::Regional, "zone-B").is_ok());
    assert!(issue(&regional, Role::Local, "zone-A").is_ok());
    for (issuer, role) in [
        (&global, Role::Local),
        (&global, Role::Global),
        (&regional, Role::Regional),
        (&local, Role::Local),
        (&local, Role::Regional),
        (&global, Role::All),
    ] {
        assert!(matches!(issue(issuer, role, "zone-A"), Err(ActError::Tier { .. })), "{} {role}", issuer.id);
    }
    assert!(matches!(issue(&regional, Role::Local, "zone-B"), Err(ActError::Region { .. })));
    assert!(matches!(issue(&global, Role::Regional, "zoneA"), Err(ActError::Slug { .. })));
}

#[test]
fn a_token_is_kept_without_its_secret_and_says_who_wanted_it() {
    let (acted, token) = issue(&membership("global_cntl_1", Role::Global, None), Role::Regional, "zone-A").unwrap();
    assert_eq!(token.pin, Digest::from_bytes([9; 32]));
    let RegistryChange::IssueToken(row) = acted.change else { panic!() };
    assert_eq!((row.id, row.secret_hash), (token.id, token_key(&token.secret)));
    assert_eq!(row.expires_at, Timestamp::from_millis(600_005));
    assert_eq!(acted.event.payload["by"], json!({ "user": "ada", "uid": 1_000 }));
    assert_eq!(acted.event.event_type, EventType::BootstrapTokenIssued);
    let hash = row.secret_hash.to_string();
    assert!(!acted.event.payload.to_string().contains(&hash));
}

#[test]
fn only_an_unused_token_is_taken_back_and_once() {
    let (acted, token) = issue(&membership("global_cntl_1", Role::Global, None), Role::Regional, "zone-A").unwrap();
    let RegistryChange::IssueToken(row) = acted.change else { panic!() };
    let revoke = |row: Option<&TokenRow>| acting(|act| act.revoke_token(token.id, row));
    assert_eq!(revoke(Some(&row)).unwrap().event.event_type, EventType::BootstrapTokenRevoked);
    assert_eq!(revoke(None), Err(ActError::NoToken(token.id)));
    let revoked = TokenRow { revoked_at: Some(Timestamp::from_millis(1)), ..row.clone() };
    assert!(matches!(revoke(Some(&revoked)), Err(ActError::Done(_))));
    let user = TokenUse {
        public_key: PublicKey::from_bytes([1; 32]),
        controller_id: "regional_cntl_zoneA_1".parse().unwrap(),
        at: Timestamp::from_millis(1),
    };
    assert!(matches!(revoke(Some(&TokenRow { used: Some(user), ..row })), Err(ActError::Used { .. })));
}

#[test]
fn a_controller_in_any_standing_is_revoked_for_good() {
    let id: ControllerId = "local_cntl_zoneA_1".parse().unwrap();
    for standing in [Standing::Active, Standing::Suspended, Standing::Locked] {
        let acted = acting(|act| act.revoke(&id, Some(controller(standing)), "lost")).unwrap();
        assert_eq!(acted.event.payload["was"], json!(standing));
        let row = updated(acted);
        assert_eq!((row.standing, row.standing_reason.as_deref()), (Standing::Revoked, Some("lost")));
    }
    let again = acting(|act| act.revoke(&id, Some(controller(Standing::Revoked)), "lost"));
    assert!(matches!(again, Err(ActError::Done(_))));
    assert_eq!(acting(|act| act.revoke(&id, None, "lost")), Err(ActError::NoController(id)));
}

#[test]
fn only_who_is_suspended_is_let_in_again() {
    let id: ControllerId = "local_cntl_zoneA_1".parse().unwrap();
    let reinstate = |standing| acting(|act| act.reinstate(&id, Some(controller(standing))));
    let row = updated(reinstate(Standing::Suspended).unwrap());
    assert_eq!((row.standing, row.standing_reason), (Standing::Active, None));
    assert!(matches!(reinstate(Standing::Active), Err(ActError::Done(_))));
    for standing in [Standing::Revoked, Standing::Locked] {
        assert!(matches!(reinstate(standing), Err(ActError::Standing { .. })));
    }
}

#[test]
fn what_is_not_on_the_list_is_not_taken_off_it() {
    let blocked = Blocked::Source("10.0.0.1".to_owned());
    let acted = acting(|act| act.block(blocked.clone(), "noisy".to_owned()));
    assert_eq!((acted.event.event_type, acted.event.subject.as_str()), (EventType::BlocklistChanged, "10.0.0.1"));
    let list = [(blocked.clone(), "noisy".to_owned())];
    assert_eq!(
        acting(|act| act.unblock(blocked.clone(), &list)).unwrap().change,
        RegistryChange::Unblock(blocked.clone())
    );
    assert!(matches!(acting(|act| act.unblock(blocked, &[])), Err(ActError::Done(_))));
}
