//! Policies: the newest is in effect, and none comes before it.

use pdsno::domain::number::PolicyVersion;
use pdsno::domain::policy::PolicyRow;
use pdsno::nib::writer::NibWriter;
use pdsno::nib::{Change, Row};

use crate::backends::{Nib, conflict, invalid, not_found};
use crate::commits::{race, winner};
use crate::members::document;
use crate::samples::{append, at, device};

fn policy(version: u64) -> PolicyRow {
    PolicyRow {
        version: PolicyVersion::from_number(version),
        document: document(&format!("{{\"version\":\"{version}\u{fc}\"}}")),
        issued_at: at(-1),
        expires_at: at(86_400_000),
        taken_at: at(1),
    }
}

fn put(version: u64) -> Change {
    Change::PutPolicy(policy(version))
}

pub fn the_policy_with_the_highest_version_is_in_effect(mut nib: Nib) {
    assert_eq!(nib.reader.policy().unwrap(), None);
    assert_eq!(nib.reader.policies(PolicyVersion::default(), 9).unwrap(), []);
    nib.write([put(1), append(1)]);
    assert_eq!(nib.reader.policy().unwrap(), Some(policy(1)));
    nib.write([put(4), put(9)]);
    assert_eq!(nib.reader.policy().unwrap(), Some(policy(9)));
}

pub fn a_version_that_is_not_higher_is_a_conflict(mut nib: Nib) {
    nib.write([put(1), put(4)]);
    for version in [1, 3, 4] {
        let missed = (Row::Policy(PolicyVersion::from_number(version)), None, None);
        assert_eq!(conflict(nib.commit([append(1), put(version)])), missed);
    }
    assert_eq!(conflict(nib.commit([put(6), put(5)])).0, Row::Policy(PolicyVersion::from_number(5)));
    not_found(nib.commit([put(7), Change::UpdateDevice(device(1))]));
    assert_eq!((nib.reader.policy().unwrap(), nib.next_event()), (Some(policy(4)), 1));
    nib.write([put(5)]);
}

pub fn a_version_that_cannot_be_counted_is_refused(mut nib: Nib) {
    for version in [0, i64::MAX as u64, u64::MAX] {
        assert!(invalid(nib.commit([put(version)])).contains("policy"), "{version}");
    }
    nib.write([put(i64::MAX as u64 - 1)]);
    assert_eq!(nib.reader.policy().unwrap(), Some(policy(i64::MAX as u64 - 1)));
}

pub fn policies_come_by_pages(mut nib: Nib) {
    nib.write([put(1), put(2), put(5), put(8)]);
    for (after, limit, wanted) in
        [(0, 2, &[1, 2][..]), (2, 9, &[5, 8]), (3, 1, &[5]), (8, 9, &[]), (0, 0, &[]), (u64::MAX, 9, &[])]
    {
        let page = nib.reader.policies(PolicyVersion::from_number(after), limit).unwrap();
        assert_eq!(page, wanted.iter().map(|version| policy(*version)).collect::<Vec<_>>(), "after {after}");
    }
}

pub fn of_many_that_race_to_set_a_version_exactly_one_does(nib: Nib) {
    let writer = NibWriter::start(nib.store).unwrap();
    let racer = |racer: u32| {
        vec![append(racer), Change::PutPolicy(PolicyRow { document: document(&racer.to_string()), ..policy(1) })]
    };
    let winner = winner(&race(&writer, (0..8).map(racer).collect()));
    assert_eq!(nib.reader.policy().unwrap().unwrap().document, document(&winner.to_string()));
    assert_eq!(nib.reader.next_event().unwrap().number(), 2);
    writer.close().unwrap();
}
