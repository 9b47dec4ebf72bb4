//! Who belongs here: tokens, admissions, certificates, names, the blocklist, the own membership.

use std::collections::BTreeMap;

use pdsno::domain::controller::{ControllerId, ControllerName, Region, Role};
use pdsno::domain::device::Version;
use pdsno::domain::digest::Digest;
use pdsno::domain::number::{Epoch, PolicyVersion, Serial};
use pdsno::domain::registry::{Blocked, ControllerRow, Membership, NextCertificate, RegistryChange, Standing};
use pdsno::domain::token::{TokenId, TokenRow, TokenUse};
use pdsno::nib::writer::NibWriter;
use pdsno::nib::{Change, Row};

use crate::backends::{Nib, conflict, invalid, not_found};
use crate::commits::{race, winner};
use crate::members::{admit, controller, document, issue, key, token, token_id, update, zone};
use crate::samples::{NOW, append, at};

const SECOND: Version = Version::FIRST.next();

fn registry(change: RegistryChange) -> Change {
    Change::Registry(change)
}

fn wrong_proof(number: u8, from: u8) -> Change {
    registry(RegistryChange::WrongProof { token: token_id(number), from })
}

fn revoke(number: u8) -> Change {
    registry(RegistryChange::RevokeToken { token: token_id(number), at: at(7) })
}

fn row(nib: &Nib, number: u8) -> ControllerRow {
    nib.reader.controller(&controller(number).id).unwrap().unwrap()
}

fn stored(nib: &Nib, number: u8) -> TokenRow {
    nib.reader.token(token_id(number)).unwrap().unwrap()
}

fn serial(number: u64) -> Serial {
    Serial::from_number(number)
}

fn next(number: u8, of: u64) -> Option<NextCertificate> {
    let (certificate, delegation) = (document("next"), Some(document("next delegation")));
    Some(NextCertificate { serial: serial(of), public_key: key(number), certificate, delegation })
}

/// A taken row has no version.
fn taken(answer: Result<pdsno::nib::Committed, pdsno::nib::NibError>) -> Row {
    let (row, expected, found) = conflict(answer);
    assert_eq!((expected, found), (None, None));
    row
}

/// Controllers 1 to `count`.
fn with_controllers(nib: &mut Nib, count: u8) {
    for number in 1..=count {
        nib.write([issue(number), admit(controller(number))]);
    }
}

pub fn a_new_nib_knows_nobody(nib: Nib) {
    let reader = &nib.reader;
    assert_eq!(reader.membership().unwrap(), None);
    assert_eq!(reader.token(token_id(1)).unwrap(), None);
    assert_eq!(reader.tokens(None, 9).unwrap(), []);
    assert_eq!(reader.controller(&controller(1).id).unwrap(), None);
    assert_eq!(reader.controller_by_key(&key(1)).unwrap(), None);
    assert_eq!(reader.controllers(None, 9).unwrap(), []);
    assert_eq!(reader.count_controllers(Role::Local, &zone()).unwrap(), 0);
    assert_eq!(reader.regions().unwrap(), BTreeMap::new());
    for role in Role::ALL {
        assert_eq!(reader.next_name(role, &zone().slug()).unwrap(), 1);
    }
    assert_eq!(reader.next_serial().unwrap(), serial(2));
    assert_eq!(reader.blocklist().unwrap(), []);
}

pub fn an_issued_token_is_read_back_and_its_id_is_given_once(mut nib: Nib) {
    let regional = TokenRow { role: Role::Regional, expires_at: at(-1), ..token(2) };
    nib.write([issue(1), registry(RegistryChange::IssueToken(regional.clone()))]);
    assert_eq!((stored(&nib, 1), stored(&nib, 2)), (token(1), regional.clone()));
    let again = TokenRow { secret_hash: Digest::from_bytes([9; 32]), ..token(1) };
    assert_eq!(taken(nib.commit([append(1), registry(RegistryChange::IssueToken(again))])), Row::Token(token_id(1)));
    assert_eq!((stored(&nib, 1), nib.next_event()), (token(1), 1));
}

pub fn a_token_with_a_past_or_for_no_tier_is_refused(mut nib: Nib) {
    let used = TokenUse { public_key: key(1), controller_id: controller(1).id, at: NOW };
    for (token, why) in [
        (TokenRow { wrong_attempts: 1, ..token(1) }, "past"),
        (TokenRow { revoked_at: Some(NOW), ..token(1) }, "past"),
        (TokenRow { used: Some(used), ..token(1) }, "past"),
        (TokenRow { role: Role::Global, ..token(1) }, "global"),
        (TokenRow { role: Role::All, ..token(1) }, "all"),
    ] {
        let refusal = invalid(nib.commit([registry(RegistryChange::IssueToken(token))]));
        assert!(refusal.contains(why), "{refusal}");
    }
    assert_eq!(nib.reader.tokens(None, 9).unwrap(), []);
}

pub fn wrong_proofs_are_counted_one_by_one(mut nib: Nib) {
    nib.write([issue(1), issue(2)]);
    for from in 0..7 {
        nib.write([wrong_proof(1, from)]);
        assert_eq!(stored(&nib, 1), TokenRow { wrong_attempts: from + 1, ..token(1) });
        assert_eq!(taken(nib.commit([wrong_proof(1, from)])), Row::Token(token_id(1)));
    }
    assert_eq!(not_found(nib.commit([wrong_proof(3, 0)])), Row::Token(token_id(3)));
    assert!(invalid(nib.commit([wrong_proof(1, 255)])).contains("counted"));
    nib.write([admit(ControllerRow { token: token_id(2), ..controller(1) })]);
    assert_eq!(taken(nib.commit([wrong_proof(2, 0)])), Row::Token(token_id(2)), "it is used");
}

pub fn a_token_is_taken_back_once_and_only_unused(mut nib: Nib) {
    nib.write([issue(1), issue(2)]);
    nib.write([revoke(2)]);
    assert_eq!(stored(&nib, 2), TokenRow { revoked_at: Some(at(7)), ..token(2) });
    assert_eq!(taken(nib.commit([revoke(2)])), Row::Token(token_id(2)));
    nib.write([admit(controller(1))]);
    assert_eq!(taken(nib.commit([revoke(1)])), Row::Token(token_id(1)));
    assert_eq!(not_found(nib.commit([revoke(3)])), Row::Token(token_id(3)));
}

pub fn tokens_come_in_the_order_of_their_octets(mut nib: Nib) {
    // In base64 these are ordered otherwise: letters, digits, '-', '_' by ASCII.
    let octets = [0, 1, 103, 104, 207, 208, 247, 248, 251, 252, 255];
    nib.write(octets.map(issue));
    for size in 1..=octets.len() + 1 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = nib.reader.tokens(after, size).unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= size);
            after = Some(last.id);
            seen.extend(page.into_iter().map(|row| row.id));
        }
        assert_eq!(seen, octets.map(token_id), "pages of {size}");
    }
    assert_eq!(nib.reader.tokens(Some(TokenId::new([254; 12])), 9).unwrap(), [token(255)]);
    assert_eq!(nib.reader.tokens(None, 0).unwrap(), []);
}

pub fn an_admission_uses_the_token_and_the_numbers_and_writes_the_row(mut nib: Nib) {
    let full = ControllerRow {
        delegation: Some(document("delegation")),
        standing_reason: Some("none".to_owned()),
        policy_version: Some(PolicyVersion::from_number(i64::MAX as u64 - 1)),
        last_contact: Some(at(-9)),
        ..controller(1)
    };
    nib.write([issue(1), admit(full.clone()), append(1)]);
    assert_eq!(row(&nib, 1), full);
    let used = TokenUse { public_key: key(1), controller_id: full.id.clone(), at: at(5) };
    assert_eq!(stored(&nib, 1), TokenRow { used: Some(used), ..token(1) });
    assert_eq!(nib.reader.controller_by_key(&key(1)).unwrap(), Some(full));
    assert_eq!(nib.reader.next_name(Role::Local, &zone().slug()).unwrap(), 2);
    assert_eq!(nib.reader.next_name(Role::Regional, &zone().slug()).unwrap(), 1);
    assert_eq!(nib.reader.next_serial().unwrap(), serial(3));
    assert_eq!(nib.reader.regions().unwrap(), [(zone().slug(), zone())].into());
    assert_eq!(nib.next_event(), 2);
}

pub fn a_token_is_used_once_and_not_when_it_was_locked_or_taken_back(mut nib: Nib) {
    nib.write([issue(1), issue(2), issue(3), revoke(2)]);
    nib.write((0..5).map(|from| wrong_proof(3, from)).collect::<Vec<_>>());
    nib.write([admit(controller(1))]);
    for unusable in [1, 2, 3] {
        let second = ControllerRow { token: token_id(unusable), ..controller(2) };
        assert_eq!(taken(nib.commit([append(1), admit(second)])), Row::Token(token_id(unusable)));
    }
    assert_eq!(
        not_found(nib.commit([admit(ControllerRow { token: token_id(9), ..controller(2) })])),
        Row::Token(token_id(9))
    );
    assert_eq!(nib.reader.controllers(None, 9).unwrap(), [controller(1)]);
    assert_eq!((nib.reader.next_serial().unwrap(), nib.next_event()), (serial(3), 1));
}

pub fn four_wrong_proofs_do_not_lock_a_token(mut nib: Nib) {
    nib.write([issue(1)]);
    nib.write((0..4).map(|from| wrong_proof(1, from)).collect::<Vec<_>>());
    nib.write([admit(controller(1))]);
    assert_eq!(stored(&nib, 1).wrong_attempts, 4);
}

pub fn an_admission_that_fails_leaves_nothing_of_it(mut nib: Nib) {
    with_controllers(&mut nib, 2);
    nib.write([update(ControllerRow { next: next(20, 4), ..controller(2) }), issue(3)]);
    let third = || ControllerRow { serial: serial(5), ..controller(3) };
    let named = |number| ControllerName::Local(zone().slug(), number).id();
    for (wrong, missed) in [
        (ControllerRow { id: named(2), ..third() }, Row::Name(named(2))),
        (ControllerRow { id: named(4), ..third() }, Row::Name(named(4))),
        (ControllerRow { serial: serial(4), ..third() }, Row::Serial(serial(4))),
        (ControllerRow { serial: serial(6), ..third() }, Row::Serial(serial(6))),
        (ControllerRow { public_key: key(1), ..third() }, Row::Key(key(1))),
        (ControllerRow { public_key: key(20), ..third() }, Row::Key(key(20))),
    ] {
        assert_eq!(taken(nib.commit([append(1), admit(wrong), append(2)])), missed);
        assert_eq!(stored(&nib, 3), token(3), "{missed}");
        assert_eq!(nib.reader.controllers(None, 9).unwrap().len(), 2, "{missed}");
        assert_eq!(nib.reader.next_name(Role::Local, &zone().slug()).unwrap(), 3, "{missed}");
        assert_eq!((nib.reader.next_serial().unwrap(), nib.next_event()), (serial(5), 1), "{missed}");
    }
    // Nor does a commit in which something else fails.
    conflict(nib.commit([admit(third()), issue(1)]));
    assert_eq!(nib.reader.controller_by_key(&key(3)).unwrap(), None);
    nib.write([admit(third())]);
    assert_eq!(row(&nib, 3), third());
}

pub fn what_no_registry_could_hold_is_no_admission(mut nib: Nib) {
    nib.write([issue(1)]);
    let used = |id: ControllerId, number| TokenUse { public_key: key(number), controller_id: id, at: NOW };
    let one = controller(1).id;
    let many = |number, controller: ControllerRow, used| {
        registry(RegistryChange::Admit { used, number, controller: Box::new(controller) })
    };
    for (wrong, why) in [
        (many(2, controller(1), used(one.clone(), 1)), "not the name"),
        (many(1, controller(1), used(one.clone(), 2)), "another name or key"),
        (many(1, controller(1), used(controller(2).id, 1)), "another name or key"),
        (admit(ControllerRow { version: SECOND, ..controller(1) }), "first version"),
        (admit(ControllerRow { next: next(9, 3), ..controller(1) }), "two certificates"),
        (admit(ControllerRow { role: Role::Regional, ..controller(1) }), "not the name"),
        (admit(ControllerRow { role: Role::Global, ..controller(1) }), "global"),
        (admit(ControllerRow { region: "zone-B".parse().unwrap(), ..controller(1) }), "not the name"),
        (admit(ControllerRow { serial: serial(0), ..controller(1) }), "certificate"),
        (admit(ControllerRow { serial: serial(1 << 63), ..controller(1) }), "certificate"),
        (
            admit(ControllerRow { policy_version: Some(PolicyVersion::from_number(u64::MAX)), ..controller(1) }),
            "policy",
        ),
        (
            admit(ControllerRow { id: format!("local_cntl_zoneA_{}", u32::MAX).parse().unwrap(), ..controller(1) }),
            "up to",
        ),
    ] {
        let refusal = invalid(nib.commit([wrong]));
        assert!(refusal.contains(why), "{why}: {refusal}");
    }
    assert_eq!(stored(&nib, 1), token(1));
}

pub fn names_are_numbered_by_tier_and_region(mut nib: Nib) {
    let (east, south): (Region, Region) = ("zone-E".parse().unwrap(), "zone-S".parse().unwrap());
    let mut given = Vec::new();
    for (number, (role, region)) in [
        (Role::Regional, &east),
        (Role::Local, &east),
        (Role::Regional, &south),
        (Role::Regional, &east),
        (Role::Local, &east),
    ]
    .into_iter()
    .enumerate()
    {
        let number = number as u8 + 1;
        let next = nib.reader.next_name(role, &region.slug()).unwrap();
        let name = match role {
            Role::Regional => ControllerName::Regional(region.slug(), next),
            _ => ControllerName::Local(region.slug(), next),
        };
        let row = ControllerRow { id: name.id(), role, region: region.clone(), ..controller(number) };
        nib.write([issue(number), admit(row)]);
        given.push(name.to_string());
    }
    let wanted = [
        "regional_cntl_zoneE_1",
        "local_cntl_zoneE_1",
        "regional_cntl_zoneS_1",
        "regional_cntl_zoneE_2",
        "local_cntl_zoneE_2",
    ];
    assert_eq!(given, wanted);
    assert_eq!(nib.reader.regions().unwrap(), [(east.slug(), east), (south.slug(), south)].into());
}

pub fn two_regions_with_one_slug_cannot_both_exist(mut nib: Nib) {
    with_controllers(&mut nib, 1);
    let twin: Region = "zoneA".parse().unwrap();
    assert_eq!(twin.slug(), zone().slug());
    let second = ControllerRow { region: twin, ..controller(2) };
    assert_eq!(taken(nib.commit([issue(2), admit(second)])), Row::Name(controller(2).id));
    assert_eq!(nib.reader.regions().unwrap(), [(zone().slug(), zone())].into());
}

pub fn of_many_that_race_with_one_token_exactly_one_is_admitted(mut nib: Nib) {
    nib.write([issue(1)]);
    let writer = NibWriter::start(nib.store).unwrap();
    let racer = |racer: u8| vec![append(1), admit(ControllerRow { public_key: key(racer), ..controller(1) })];
    let winner = winner(&race(&writer, (0..100).map(racer).collect()));
    let row = nib.reader.controller(&controller(1).id).unwrap().unwrap();
    assert_eq!(row.public_key, key(winner as u8));
    let token = nib.reader.token(token_id(1)).unwrap().unwrap();
    assert_eq!(token.used.map(|used| used.public_key), Some(row.public_key));
    assert_eq!(nib.reader.next_event().unwrap().number(), 2);
    writer.close().unwrap();
}

pub fn of_many_that_race_for_a_name_exactly_one_gets_it(mut nib: Nib) {
    nib.write((1..=8).map(issue).collect::<Vec<_>>());
    let writer = NibWriter::start(nib.store).unwrap();
    let racer =
        |racer: u8| vec![admit(ControllerRow { public_key: key(racer), token: token_id(racer), ..controller(1) })];
    let winner = 1 + winner(&race(&writer, (1..=8).map(racer).collect())) as u8;
    for number in 1..=8 {
        let used = nib.reader.token(token_id(number)).unwrap().unwrap().used;
        assert_eq!(used.is_some(), number == winner, "{number}");
    }
    assert_eq!(nib.reader.next_serial().unwrap(), serial(3));
    writer.close().unwrap();
}

pub fn a_controller_is_updated_from_its_version(mut nib: Nib) {
    with_controllers(&mut nib, 1);
    let changed = ControllerRow {
        standing: Standing::Suspended,
        standing_reason: Some("two histories".to_owned()),
        certificate: document("as it was, otherwise spelt"),
        expires_at: at(1),
        metadata: BTreeMap::new(),
        policy_version: Some(PolicyVersion::from_number(3)),
        last_contact: Some(at(4)),
        ..controller(1)
    };
    nib.write([update(changed.clone())]);
    assert_eq!(row(&nib, 1), ControllerRow { version: SECOND, ..changed.clone() });
    let missed = conflict(nib.commit([update(changed)]));
    assert_eq!(missed, (Row::Controller(controller(1).id), Some(Version::FIRST), Some(SECOND)));
    assert_eq!(not_found(nib.commit([update(controller(2))])), Row::Controller(controller(2).id));
}

pub fn a_next_certificate_has_the_next_number_and_becomes_the_present_one(mut nib: Nib) {
    with_controllers(&mut nib, 1);
    for wrong in [2, 4, 9] {
        let answer = nib.commit([update(ControllerRow { next: next(11, wrong), ..controller(1) })]);
        match wrong {
            2 => assert!(invalid(answer).contains("present one")),
            _ => assert_eq!(conflict(answer), (Row::Serial(serial(wrong)), Some(Version::FIRST), None)),
        }
    }
    let prepared = ControllerRow { next: next(11, 3), ..controller(1) };
    nib.write([update(prepared.clone())]);
    let prepared = ControllerRow { version: SECOND, ..prepared };
    assert_eq!(row(&nib, 1), prepared);
    assert_eq!(nib.reader.next_serial().unwrap(), serial(4));
    for own in [1, 11] {
        assert_eq!(nib.reader.controller_by_key(&key(own)).unwrap(), Some(prepared.clone()), "key {own}");
    }
    // Written again it is not a new one.
    nib.write([update(ControllerRow { last_contact: Some(NOW), ..prepared.clone() })]);
    assert_eq!(nib.reader.next_serial().unwrap(), serial(4));

    let turned = ControllerRow {
        public_key: key(11),
        serial: serial(3),
        certificate: document("next"),
        delegation: Some(document("next delegation")),
        next: None,
        version: SECOND.next(),
        ..prepared
    };
    nib.write([update(turned.clone())]);
    assert_eq!(nib.reader.controller_by_key(&key(1)).unwrap(), None);
    assert_eq!(row(&nib, 1), ControllerRow { version: turned.version.next(), ..turned });
}

pub fn a_next_certificate_may_be_replaced_by_one_with_the_next_number(mut nib: Nib) {
    with_controllers(&mut nib, 1);
    nib.write([update(ControllerRow { next: next(11, 3), ..controller(1) })]);
    let other_key = ControllerRow { next: next(12, 3), version: SECOND, ..controller(1) };
    assert_eq!(conflict(nib.commit([update(other_key)])).0, Row::Serial(serial(3)));
    nib.write([update(ControllerRow { next: next(12, 4), version: SECOND, ..controller(1) })]);
    assert_eq!(nib.reader.controller_by_key(&key(11)).unwrap(), None);
    assert_eq!(row(&nib, 1).next, next(12, 4));
    assert_eq!(nib.reader.next_serial().unwrap(), serial(5));
}

pub fn a_certificate_from_nowhere_is_not_taken(mut nib: Nib) {
    with_controllers(&mut nib, 1);
    nib.write([update(ControllerRow { next: next(11, 3), ..controller(1) })]);
    let before = row(&nib, 1);
    let with = |number, of| ControllerRow { public_key: key(number), serial: serial(of), next: None, ..before.clone() };
    // Another key under its number, its key under another number, the next key under the present
    // number, the present key under the next number, a number that nobody has.
    for wrong in [with(9, 2), with(1, 9), with(11, 2), with(1, 3), with(9, 4)] {
        let missed = (Row::Serial(wrong.serial), Some(SECOND), None);
        assert_eq!(conflict(nib.commit([update(wrong)])), missed);
    }
    assert_eq!(row(&nib, 1), before);
}

pub fn a_key_belongs_to_one_controller(mut nib: Nib) {
    with_controllers(&mut nib, 2);
    nib.write([update(ControllerRow { next: next(11, 4), ..controller(1) })]);
    for theirs in [1, 11] {
        let wrong = update(ControllerRow { next: next(theirs, 5), ..controller(2) });
        assert_eq!(conflict(nib.commit([wrong])), (Row::Key(key(theirs)), Some(Version::FIRST), None));
    }
    assert_eq!((row(&nib, 2), nib.reader.next_serial().unwrap()), (controller(2), serial(5)));
    let same = update(ControllerRow { next: next(2, 5), ..controller(2) });
    assert!(invalid(nib.commit([same])).contains("present one"));
}

pub fn the_origin_of_a_controller_never_changes(mut nib: Nib) {
    with_controllers(&mut nib, 2);
    for other in [
        ControllerRow { token: token_id(2), ..controller(1) },
        ControllerRow { validated_at: at(1), ..controller(1) },
        ControllerRow { validated_by: "regional_cntl_zoneA_2".parse().unwrap(), ..controller(1) },
        ControllerRow { region: "zoneA".parse().unwrap(), ..controller(1) },
    ] {
        assert!(invalid(nib.commit([update(other)])).contains("origin"));
    }
    assert_eq!(row(&nib, 1), controller(1));
}

pub fn controllers_come_by_pages_in_the_order_of_their_names(mut nib: Nib) {
    with_controllers(&mut nib, 12);
    let mut names: Vec<ControllerId> = (1..=12).map(|number| controller(number).id).collect();
    names.sort_unstable();
    for size in 1..=13 {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let page = nib.reader.controllers(after.as_ref(), size).unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= size);
            after = Some(last.id.clone());
            seen.extend(page.into_iter().map(|row| row.id));
        }
        assert_eq!(seen, names, "pages of {size}");
    }
    let between: ControllerId = "local_cntl_zoneA_10x".parse().unwrap();
    assert_eq!(nib.reader.controllers(Some(&between), 1).unwrap(), [controller(11)]);
}

pub fn controllers_are_counted_unless_they_are_revoked(mut nib: Nib) {
    with_controllers(&mut nib, 4);
    for (number, standing) in [(1, Standing::Revoked), (2, Standing::Locked), (3, Standing::Suspended)] {
        nib.write([update(ControllerRow { standing, ..controller(number) })]);
    }
    assert_eq!(nib.reader.count_controllers(Role::Local, &zone()).unwrap(), 3);
    assert_eq!(nib.reader.count_controllers(Role::Regional, &zone()).unwrap(), 0);
    assert_eq!(nib.reader.count_controllers(Role::Local, &"zoneA".parse().unwrap()).unwrap(), 0);
    // What was revoked keeps its name and its key.
    assert_eq!(nib.reader.next_name(Role::Local, &zone().slug()).unwrap(), 5);
    assert!(nib.reader.controller_by_key(&key(1)).unwrap().is_some());
}

pub fn the_blocklist_is_a_set_with_reasons(mut nib: Nib) {
    let block = |blocked: &Blocked, reason: &str| {
        registry(RegistryChange::Block { blocked: blocked.clone(), reason: reason.to_owned(), at: NOW })
    };
    let [high, low] = [Blocked::Key(key(255)), Blocked::Key(key(0))];
    let [text, source] = [Blocked::Source(key(0).to_string()), Blocked::Source("10.0.0.1 \"\u{0}".to_owned())];
    nib.write([block(&source, "noise"), block(&high, "lost"), block(&text, "x"), block(&low, "stolen")]);
    nib.write([block(&high, "found")]);
    let wanted = [(&low, "stolen"), (&high, "found"), (&source, "noise"), (&text, "x")];
    let wanted = wanted.map(|(blocked, reason)| (blocked.clone(), reason.to_owned()));
    assert_eq!(nib.reader.blocklist().unwrap(), wanted);
    let unblock = |blocked: &Blocked| registry(RegistryChange::Unblock(blocked.clone()));
    nib.write([unblock(&low), unblock(&low), unblock(&Blocked::Source("nobody".to_owned()))]);
    assert_eq!(nib.reader.blocklist().unwrap(), wanted[1..]);
    not_found(nib.commit([unblock(&high), wrong_proof(9, 0)]));
    assert_eq!(nib.reader.blocklist().unwrap(), wanted[1..]);
}

fn membership() -> Membership {
    Membership {
        cluster: "site-1".parse().unwrap(),
        id: "local_cntl_zoneA_5".parse().unwrap(),
        role: Role::Local,
        region: Some(zone()),
        parent: Some("regional_cntl_zoneA_1".parse().unwrap()),
        pin: Digest::from_bytes([3; 32]),
        chain: document("[\"chain\u{fc}\"]"),
        serial: serial(7),
        key_file: "7.pem".to_owned(),
        next_key_file: None,
        next_chain: None,
        epoch: Epoch::from_number(1),
        since: NOW,
        version: Version::FIRST,
    }
}

fn belong(membership: &Membership) -> Change {
    registry(RegistryChange::SetMembership(Box::new(membership.clone())))
}

pub fn the_membership_is_one_row_that_is_written_from_its_version(mut nib: Nib) {
    let early = Membership { version: SECOND, ..membership() };
    assert_eq!(not_found(nib.commit([belong(&early)])), Row::Membership);
    nib.write([belong(&membership()), append(1)]);
    assert_eq!(nib.reader.membership().unwrap(), Some(membership()));

    let renewing = Membership {
        next_key_file: Some("8.pem".to_owned()),
        next_chain: Some(document("next")),
        epoch: Epoch::from_number(2),
        ..membership()
    };
    nib.write([belong(&renewing)]);
    let stored = Membership { version: SECOND, ..renewing };
    assert_eq!(nib.reader.membership().unwrap(), Some(stored.clone()));
    let missed = conflict(nib.commit([append(1), belong(&membership())]));
    assert_eq!(missed, (Row::Membership, Some(Version::FIRST), Some(SECOND)));
    assert_eq!((nib.reader.membership().unwrap(), nib.next_event()), (Some(stored.clone()), 2));

    let root = Membership {
        id: "global_cntl_1".parse().unwrap(),
        role: Role::Global,
        region: None,
        parent: None,
        next_key_file: None,
        next_chain: None,
        ..stored
    };
    nib.write([belong(&root)]);
    assert_eq!(nib.reader.membership().unwrap(), Some(Membership { version: SECOND.next(), ..root }));
}

pub fn what_nobody_can_be_is_no_membership(mut nib: Nib) {
    for (wrong, why) in [
        (Membership { role: Role::All, ..membership() }, "not the name"),
        (Membership { role: Role::Regional, ..membership() }, "not the name"),
        (Membership { region: None, ..membership() }, "not the name"),
        (Membership { id: ControllerId::standalone(), ..membership() }, "not the name"),
        (Membership { next_chain: Some(document("x")), ..membership() }, "without a key"),
        (Membership { serial: serial(0), ..membership() }, "certificate"),
        (Membership { epoch: Epoch::from_number(u64::MAX), ..membership() }, "epoch"),
    ] {
        let refusal = invalid(nib.commit([belong(&wrong)]));
        assert!(refusal.contains(why), "{why}: {refusal}");
    }
    assert_eq!(nib.reader.membership().unwrap(), None);
}

pub fn a_commit_sees_the_admissions_before_it_in_the_batch(mut nib: Nib) {
    nib.write([issue(1), issue(2)]);
    let [first, second] = [admit(controller(1)), admit(controller(2))];
    let lost = admit(ControllerRow { public_key: key(3), ..controller(2) });
    let commits: [&[Change]; 4] =
        [&[append(1), second.clone()], std::slice::from_ref(&first), std::slice::from_ref(&second), &[append(2), lost]];
    let answers: Vec<bool> = nib.store.commit_each(&commits).iter().map(Result::is_ok).collect();
    assert_eq!(answers, [false, true, true, false]);
    assert_eq!(nib.reader.controllers(None, 9).unwrap(), [controller(1), controller(2)]);
    assert_eq!(nib.next_event(), 1);
}
