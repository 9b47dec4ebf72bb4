//! The event log: entries, their tree, and heads.

use pdsno::actors::audit::Tiles;
use pdsno::actors::log_check::Extent::Whole;
use pdsno::algorithms::audit::frontier::Frontier;
use pdsno::algorithms::audit::{build, proof};
use pdsno::domain::digest::Digest;
use pdsno::domain::event::{EventSeq, NewEvent};
use pdsno::domain::log::{Edge, Evidence, HeadKind, LogChange, StoredHead};
use pdsno::domain::origin::Origin;
use pdsno::domain::tree::TreeHead;
use pdsno::nib::{Change, NibError, Row, Source};
use pdsno::wire::entry;
use serde_json::{Value, json};

use crate::backends::{Nib, invalid, not_found};
use crate::samples::{NOW, append, at, device, discovered, id, insert};
use crate::sealers::{checked, origin, sealer, sealer_of};

/// A NIB whose log is open, with the entry of its first event.
fn open(mut nib: Nib) -> Nib {
    nib.store.open_log(sealer(1)).unwrap();
    nib
}

fn edge(nib: &Nib) -> Edge {
    nib.reader.edge().unwrap()
}

fn hashes(nib: &Nib, level: u8) -> Vec<Digest> {
    nib.reader.tile_hashes(level, 0, usize::MAX).unwrap()
}

fn with(payload: Value) -> Change {
    Change::Append(NewEvent { payload, ..discovered(1) })
}

pub fn a_log_that_is_not_open_has_no_tree(mut nib: Nib) {
    nib.write([append(1)]);
    assert_eq!(edge(&nib), Edge::default());
    assert_eq!(nib.reader.entries(EventSeq::FIRST, 10).unwrap(), []);
    assert_eq!(hashes(&nib, 0), []);
}

pub fn an_event_is_sealed_in_its_commit(nib: Nib) {
    let mut nib = open(nib);
    assert_eq!(edge(&nib).size, 1);
    nib.write([append(1), insert(1), append(2)]);
    assert_eq!(edge(&nib).size, 3);
    let entries = nib.reader.entries(EventSeq::from_number(1), 9).unwrap();
    let said: Vec<_> = entries.iter().map(|stored| entry::decode(&stored.sealed.body).unwrap()).collect();
    let subjects: Vec<&str> = said.iter().map(|entry| entry.subject.as_str()).collect();
    assert_eq!(subjects, ["nib-dev-000001", "nib-dev-000002"]);
    assert_eq!((said[0].epoch.number(), said[0].policy_version), (1, None));
    assert_eq!(checked(nib.reader.as_ref(), &[1], Whole), Ok(0..3));
    let (seq, why) = checked(nib.reader.as_ref(), &[2], Whole).unwrap_err();
    assert!(seq == 0 && why.contains("signature"), "{seq}: {why}");
}

pub fn a_commit_without_events_leaves_the_tree(nib: Nib) {
    let mut nib = open(nib);
    let before = edge(&nib);
    nib.write([insert(1)]);
    assert_eq!(edge(&nib), before);
}

pub fn a_refused_commit_leaves_the_tree_as_it_was(nib: Nib) {
    let mut nib = open(nib);
    let before = edge(&nib);
    not_found(nib.commit([append(1), Change::UpdateDevice(device(7))]));
    assert_eq!((edge(&nib), hashes(&nib, 0).len()), (before, 1));

    let refused = [append(3), Change::UpdateDevice(device(7))];
    let answers = nib.store.commit_each(&[&[append(1), append(2)], &refused, &[append(4)]]);
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    assert_eq!(edge(&nib).size, 4);
    assert_eq!(checked(nib.reader.as_ref(), &[1], Whole), Ok(0..4));
}

pub fn the_events_of_all_batches_are_sealed_in_their_order_or_none_is(nib: Nib) {
    let mut nib = open(nib);
    let batches = |last: Vec<Change>| {
        Source::new(move |sink| {
            let long = (1..=300).map(append).collect::<Vec<_>>();
            [long, vec![insert(1)], vec![append(301)], last].iter().try_for_each(|batch| sink(batch))
        })
    };
    let before = edge(&nib);
    not_found(nib.store.commit_from(batches(vec![append(302), Change::UpdateDevice(device(7))])));
    assert_eq!((edge(&nib), hashes(&nib, 0).len()), (before, 1));

    nib.store.commit_from(batches(vec![append(302)])).unwrap();
    nib.write([append(303)]);
    assert_eq!(edge(&nib).size, 304);
    assert_eq!(checked(nib.reader.as_ref(), &[1], Whole), Ok(0..304));
    let entries = nib.reader.entries(EventSeq::from_number(1), 400).unwrap();
    let subjects = entries.iter().map(|stored| entry::decode(&stored.sealed.body).unwrap().subject);
    assert!(subjects.eq((1..=303).map(|number| id(number).to_string())));
}

pub fn what_was_before_is_sealed_when_the_log_opens(mut nib: Nib) {
    nib.write((1..=2_500).map(append).collect::<Vec<_>>());
    let mut nib = open(nib);
    nib.write([append(1)]);
    assert_eq!(edge(&nib).size, 2_502);
    assert_eq!(checked(nib.reader.as_ref(), &[1], Whole), Ok(0..2_502));
}

pub fn what_is_stored_of_the_tree_is_that_of_one_built_anew(nib: Nib) {
    let mut nib = open(nib);
    for length in [1, 2, 253, 1, 300, 64] {
        nib.write((0..length).map(append).collect::<Vec<_>>());
    }
    let (mut tree, mut tiles) = (Frontier::new(), Vec::new());
    for leaf in hashes(&nib, 0) {
        tiles.extend(tree.push(leaf).into_iter().map(|tile| tile.hash));
    }
    assert_eq!(tree.size(), 622);
    assert_eq!(edge(&nib), Edge::from(tree));
    assert_eq!(hashes(&nib, 1), tiles);
    assert_eq!(nib.reader.tile_hashes(1, 1, 5).unwrap(), tiles[1..]);
    assert_eq!(nib.reader.tile_hashes(0, 620, 5).unwrap().len(), 2);
}

pub fn proofs_are_built_from_what_is_stored(nib: Nib) {
    let mut nib = open(nib);
    nib.write((0..400).map(append).collect::<Vec<_>>());
    let old = Frontier::try_from(&edge(&nib)).unwrap().head();
    nib.write((0..200).map(append).collect::<Vec<_>>());
    let head: TreeHead = Frontier::try_from(&edge(&nib)).unwrap().head();
    let tiles = Tiles(nib.reader.as_ref());
    for index in [0, 255, 256, 600] {
        let path = build::inclusion(&tiles, index, head.size).unwrap();
        let leaf = nib.reader.tile_hashes(0, index, 1).unwrap()[0];
        proof::inclusion(&leaf, index, &path, &head).unwrap();
    }
    let path = build::consistency(&tiles, old.size, head.size).unwrap();
    proof::consistency(&old, &head, &path).unwrap();
}

pub fn a_long_payload_is_kept_beside(nib: Nib) {
    let mut nib = open(nib);
    let long = json!({ "text": "x".repeat(20_000) });
    nib.write([with(long.clone()), with(json!({})), with(long)]);
    let entries = nib.reader.entries(EventSeq::from_number(1), 9).unwrap();
    let beside: Vec<usize> =
        entries.iter().map(|stored| stored.sealed.payload.as_ref().map_or(0, |(_, octets)| octets.len())).collect();
    assert_eq!(beside, [20_011, 0, 20_011]);
    assert!(entries.iter().all(|stored| stored.sealed.body.len() < 1_000));
    assert_eq!(checked(nib.reader.as_ref(), &[1], Whole), Ok(0..4));
}

pub fn an_entry_is_found_by_its_id(nib: Nib) {
    let mut nib = open(nib);
    nib.write([append(1), append(2)]);
    for stored in nib.reader.entries(EventSeq::FIRST, 9).unwrap() {
        assert_eq!(nib.reader.entry(stored.sealed.event_id).unwrap(), Some(stored));
    }
    let other = pdsno::domain::entry::EventId::new(NOW, [0xff; 10]);
    assert_eq!(nib.reader.entry(other).unwrap(), None);
}

pub fn an_event_that_no_log_takes_is_refused_with_its_commit(nib: Nib) {
    let mut nib = open(nib);
    let before = edge(&nib);
    let deep = (0..40).fold(json!({}), |inner, _| json!({ "in": inner }));
    for payload in [deep, json!({ "number": 1_u64 << 60 })] {
        invalid(nib.commit([insert(1), with(payload)]));
    }
    invalid(nib.commit([Change::Append(NewEvent { subject: "x".repeat(2_000), ..discovered(1) })]));
    assert_eq!((edge(&nib), nib.next_event(), nib.numbers()), (before, 1, vec![]));
    nib.write([append(1)]);
}

pub fn the_log_of_another_is_refused(nib: Nib) {
    let mut nib = open(nib);
    let other = sealer_of("pdsno/lab/local_cntl_zoneA_6".parse().unwrap(), 1);
    let refusal = nib.store.open_log(other).unwrap_err();
    assert!(matches!(&refusal, NibError::Invalid { detail } if detail.contains("zoneA_6")), "{refusal}");
    nib.write([append(1)]);
    assert_eq!(checked(nib.reader.as_ref(), &[1], Whole), Ok(0..2));
}

pub fn a_log_goes_on_with_the_next_key(nib: Nib) {
    let mut nib = open(nib);
    nib.write([append(1)]);
    nib.store.open_log(sealer(2)).unwrap();
    nib.write([append(2)]);
    assert_eq!(checked(nib.reader.as_ref(), &[1, 2], Whole), Ok(0..3));
    assert_eq!(checked(nib.reader.as_ref(), &[1], Whole).unwrap_err().0, 2);
}

fn head(origin: &str, size: u64, note: &str) -> StoredHead {
    let kind = if origin.ends_with('5') { HeadKind::Own } else { HeadKind::Child };
    StoredHead { origin: origin.parse().unwrap(), kind, size, note: note.to_owned(), at: NOW }
}

fn put(head: &StoredHead, after: Option<u64>) -> [Change; 1] {
    [Change::Log(LogChange::PutHead { head: head.clone(), after })]
}

pub fn heads_follow_each_other(mut nib: Nib) {
    let name = origin().to_string();
    let (three, five, again) = (head(&name, 3, "three"), head(&name, 5, "five"), head(&name, 5, "cosigned"));
    nib.write(put(&three, None));
    nib.write(put(&five, Some(3)));
    nib.write(put(&again, Some(5)));
    assert_eq!(nib.reader.head(&origin()).unwrap(), Some(again.clone()));
    assert_eq!(nib.reader.heads(&origin(), 0, 9).unwrap(), [three.clone(), again.clone()]);
    assert_eq!(nib.reader.heads(&origin(), 3, 9).unwrap(), [&again].map(Clone::clone));
    assert_eq!(nib.reader.heads(&origin(), 0, 1).unwrap(), [&three].map(Clone::clone));

    for after in [None, Some(3)] {
        let refusal = nib.commit(put(&head(&name, 9, "late"), after)).unwrap_err();
        assert!(matches!(refusal, NibError::Conflict { row: Row::Head(row), .. } if row == origin()));
    }
    invalid(nib.commit(put(&three, Some(5))));
    assert_eq!(nib.reader.head(&origin()).unwrap(), Some(again));
}

pub fn heads_of_several_logs_are_kept_apart(mut nib: Nib) {
    let (one, other) = (head("pdsno/lab/local_cntl_zoneA_6", 7, "b"), head("pdsno/lab/local_cntl_zoneA_5", 9, "a"));
    nib.write(put(&one, None));
    nib.write(put(&other, None));
    assert_eq!(nib.reader.origins().unwrap(), [other.origin.clone(), one.origin.clone()]);
    assert_eq!(nib.reader.head(&one.origin).unwrap(), Some(one));
    let unknown: Origin = "pdsno/lab/global_cntl_1".parse().unwrap();
    assert_eq!(nib.reader.head(&unknown).unwrap(), None);
}

pub fn evidence_is_kept_in_its_order(mut nib: Nib) {
    let evidence = |why: &str, millis| Evidence {
        origin: origin(),
        seen: "seen".to_owned(),
        shown: "shown".to_owned(),
        why: why.to_owned(),
        at: at(millis),
    };
    let both = [evidence("late", 9), evidence("early", 1)];
    nib.write(both.clone().map(|evidence| Change::Log(LogChange::PutEvidence(evidence))));
    assert_eq!(nib.reader.evidence().unwrap(), both);
}
