//! What goes up until it is acknowledged, and what comes from below once and in order.

use std::ops::ControlFlow;

use pdsno::domain::controller::ControllerId;
use pdsno::domain::device::Version;
use pdsno::domain::fact::{FactKind, FactVersions};
use pdsno::domain::number::StreamSeq;
use pdsno::domain::stream::{OutboxItem, Sighting, Stream, StreamChange, StreamPosition};
use pdsno::nib::writer::NibWriter;
use pdsno::nib::{Change, NibError, Row, Source};

use crate::backends::{Nib, conflict, invalid, not_found};
use crate::commits::{race, winner};
use crate::samples::{NOW, append, at, id, insert};

const LAST: StreamSeq = StreamSeq::from_number(u64::MAX);

fn seq(number: u64) -> StreamSeq {
    StreamSeq::from_number(number)
}

fn item(number: u64) -> OutboxItem {
    OutboxItem { seq: seq(number), body: format!("{{\"report\":\"{number} \u{fc}\"}}"), at: at(number as i64) }
}

fn enqueue(stream: Stream, number: u64) -> Change {
    let OutboxItem { body, at, .. } = item(number);
    Change::Stream(StreamChange::Enqueue { stream, body, at })
}

fn acknowledge(up_to: StreamSeq) -> Change {
    Change::Stream(StreamChange::Acknowledge { stream: Stream::Reports, up_to })
}

fn lc(number: u32) -> ControllerId {
    format!("local_cntl_zoneA_{number}").parse().unwrap()
}

fn receive(from: u32, stream: Stream, after: u64, number: u64) -> Change {
    Change::Stream(StreamChange::Receive { from: lc(from), stream, after: seq(after), seq: seq(number) })
}

/// The numbers that wait.
fn waiting(nib: &Nib, stream: Stream) -> Vec<u64> {
    let items = nib.reader.outbox(stream, StreamSeq::default(), usize::MAX).unwrap();
    items.iter().map(|item| item.seq.number()).collect()
}

fn position(nib: &Nib, stream: Stream) -> (u64, u64) {
    let StreamPosition { last, acknowledged } = nib.reader.position(stream).unwrap();
    (last.number(), acknowledged.number())
}

pub fn streams_begin_before_their_first_item(nib: Nib) {
    for stream in Stream::ALL {
        assert_eq!(nib.reader.outbox(stream, StreamSeq::default(), 9).unwrap(), []);
        assert_eq!(position(&nib, stream), (0, 0));
        assert_eq!(nib.reader.received(&lc(1), stream).unwrap(), seq(0));
    }
}

pub fn items_are_numbered_by_the_store_each_stream_by_itself(mut nib: Nib) {
    nib.write([enqueue(Stream::Reports, 1), append(1), enqueue(Stream::Summaries, 1), enqueue(Stream::Reports, 2)]);
    nib.write([enqueue(Stream::Reports, 3)]);
    assert_eq!(nib.reader.outbox(Stream::Reports, seq(0), 9).unwrap(), [item(1), item(2), item(3)]);
    assert_eq!(nib.reader.outbox(Stream::Summaries, seq(0), 9).unwrap(), [item(1)]);
    assert_eq!((position(&nib, Stream::Reports), position(&nib, Stream::Summaries)), ((3, 0), (1, 0)));
}

pub fn a_commit_that_fails_uses_no_number(mut nib: Nib) {
    nib.write([enqueue(Stream::Reports, 1)]);
    not_found(nib.commit([
        enqueue(Stream::Reports, 2),
        acknowledge(seq(1)),
        Change::UpdateDevice(crate::samples::device(9)),
    ]));
    assert_eq!((waiting(&nib, Stream::Reports), position(&nib, Stream::Reports)), (vec![1], (1, 0)));
    nib.write([enqueue(Stream::Reports, 2)]);
    assert_eq!(waiting(&nib, Stream::Reports), [1, 2]);
}

pub fn the_items_of_all_batches_are_numbered_in_their_order_or_none_is(mut nib: Nib) {
    let batches = |fails: bool| {
        Source::new(move |sink| {
            (1..=4).try_for_each(|number| sink(&[insert(number), enqueue(Stream::Reports, u64::from(number))]))?;
            if fails { sink(&[insert(1)]) } else { ControlFlow::Continue(()) }
        })
    };
    assert!(matches!(nib.store.commit_from(batches(true)), Err(NibError::Conflict { .. })));
    assert_eq!((waiting(&nib, Stream::Reports), position(&nib, Stream::Reports)), (vec![], (0, 0)));
    nib.store.commit_from(batches(false)).unwrap();
    assert_eq!(nib.reader.outbox(Stream::Reports, seq(0), 9).unwrap(), [1, 2, 3, 4].map(item));
    assert_eq!((nib.numbers(), position(&nib, Stream::Reports)), (vec![1, 2, 3, 4], (4, 0)));
}

pub fn what_is_acknowledged_is_gone_and_its_number_used(mut nib: Nib) {
    nib.write((1..=5).flat_map(|n| [enqueue(Stream::Reports, n), enqueue(Stream::Summaries, n)]).collect::<Vec<_>>());
    nib.write([acknowledge(seq(3))]);
    assert_eq!((waiting(&nib, Stream::Reports), position(&nib, Stream::Reports)), (vec![4, 5], (5, 3)));
    assert_eq!((waiting(&nib, Stream::Summaries), position(&nib, Stream::Summaries).1), (vec![1, 2, 3, 4, 5], 0));
    nib.write([acknowledge(seq(5)), enqueue(Stream::Reports, 6)]);
    assert_eq!((waiting(&nib, Stream::Reports), position(&nib, Stream::Reports)), (vec![6], (6, 5)));
}

pub fn an_old_or_impossible_acknowledgement_changes_nothing(mut nib: Nib) {
    nib.write([acknowledge(seq(1)), acknowledge(LAST)]);
    assert_eq!(position(&nib, Stream::Reports), (0, 0));
    nib.write([1, 2, 3].map(|number| enqueue(Stream::Reports, number)));
    nib.write([acknowledge(seq(2))]);
    for useless in [seq(0), seq(1), seq(2), seq(4), seq(1 << 63), LAST] {
        nib.write([acknowledge(useless)]);
        assert_eq!((waiting(&nib, Stream::Reports), position(&nib, Stream::Reports)), (vec![3], (3, 2)), "{useless}");
    }
}

pub fn a_discarded_stream_goes_on_with_its_numbers(mut nib: Nib) {
    nib.write([1, 2, 3].map(|number| enqueue(Stream::Reports, number)));
    nib.write([enqueue(Stream::Summaries, 1), acknowledge(seq(1))]);
    let discard = |last| Change::Stream(StreamChange::Discard { stream: Stream::Reports, last: seq(last) });
    for other in [0, 2, 4] {
        let error = nib.store.commit(&[discard(other), enqueue(Stream::Reports, 4)]).unwrap_err();
        assert!(matches!(error, NibError::Conflict { row: Row::Outbox(Stream::Reports), .. }), "{error}");
    }
    assert_eq!((waiting(&nib, Stream::Reports), position(&nib, Stream::Reports)), (vec![2, 3], (3, 1)));
    nib.write([discard(3), enqueue(Stream::Reports, 4)]);
    assert_eq!((waiting(&nib, Stream::Reports), position(&nib, Stream::Reports)), (vec![4], (4, 1)));
    assert_eq!(waiting(&nib, Stream::Summaries), [1]);
    nib.write([acknowledge(seq(3))]);
    assert_eq!((waiting(&nib, Stream::Reports), position(&nib, Stream::Reports)), (vec![4], (4, 3)));
}

pub fn a_page_of_the_outbox_begins_after_any_number(mut nib: Nib) {
    nib.write((1..=4).map(|number| enqueue(Stream::Reports, number)).collect::<Vec<_>>());
    for (after, limit, wanted) in [
        (seq(0), 2, &[1, 2][..]),
        (seq(2), 9, &[3, 4]),
        (seq(3), 1, &[4]),
        (seq(4), 9, &[]),
        (seq(0), 0, &[]),
        (LAST, 9, &[]),
    ] {
        let page = nib.reader.outbox(Stream::Reports, after, limit).unwrap();
        assert_eq!(page.iter().map(|item| item.seq.number()).collect::<Vec<_>>(), wanted, "after {after}");
    }
}

pub fn a_body_that_is_no_json_is_refused(mut nib: Nib) {
    for body in ["", "{", "{} {}", "\u{0}"] {
        let (stream, body) = (Stream::Reports, body.to_owned());
        let refusal = invalid(nib.commit([Change::Stream(StreamChange::Enqueue { stream, body, at: NOW })]));
        assert!(refusal.contains("not JSON"), "{refusal}");
    }
    assert_eq!(position(&nib, Stream::Reports), (0, 0));
}

pub fn a_thousand_long_items_fit_into_a_commit(mut nib: Nib) {
    let body = format!("\"{}\"", "x".repeat(20_000));
    let long = Change::Stream(StreamChange::Enqueue { stream: Stream::Reports, body: body.clone(), at: NOW });
    nib.write(vec![long; 1_000]);
    let last = nib.reader.outbox(Stream::Reports, seq(999), 9).unwrap();
    assert_eq!(last, [OutboxItem { seq: seq(1_000), body, at: NOW }]);
    nib.write([acknowledge(seq(1_000))]);
    assert_eq!(waiting(&nib, Stream::Reports), [0; 0]);
}

pub fn an_item_is_received_once_and_in_order(mut nib: Nib) {
    nib.write([receive(1, Stream::Reports, 0, 1), append(1)]);
    nib.write([
        receive(1, Stream::Reports, 1, 2),
        receive(2, Stream::Reports, 0, 1),
        receive(1, Stream::Summaries, 0, 7),
    ]);
    let received = |nib: &Nib, from, stream| nib.reader.received(&lc(from), stream).unwrap().number();
    let all = |nib: &Nib| {
        [(1, Stream::Reports), (2, Stream::Reports), (1, Stream::Summaries), (2, Stream::Summaries)]
            .map(|(from, stream)| received(nib, from, stream))
    };
    assert_eq!(all(&nib), [2, 1, 7, 0]);
    for (after, number) in [(0, 1), (0, 3), (1, 2), (3, 4)] {
        let answer = nib.commit([insert(1), append(2), receive(1, Stream::Reports, after, number)]);
        assert_eq!(conflict(answer), (Row::Stream(lc(1), Stream::Reports, seq(number)), None, None));
    }
    assert_eq!((all(&nib), nib.next_event(), nib.numbers()), ([2, 1, 7, 0], 2, vec![]));
    // A snapshot jumps.
    nib.write([receive(1, Stream::Reports, 2, 40)]);
    assert_eq!(received(&nib, 1, Stream::Reports), 40);
}

pub fn a_stream_never_goes_back(mut nib: Nib) {
    nib.write([receive(1, Stream::Reports, 0, 5)]);
    for (after, number) in [(5, 5), (5, 4), (5, 0), (0, 0), (u64::MAX, u64::MAX)] {
        let refusal = invalid(nib.commit([receive(1, Stream::Reports, after, number)]));
        assert!(refusal.contains("cannot follow"), "{refusal}");
    }
    for number in [i64::MAX as u64, u64::MAX] {
        assert!(invalid(nib.commit([receive(1, Stream::Reports, 5, number)])).contains("number"));
    }
    assert_eq!(nib.reader.received(&lc(1), Stream::Reports).unwrap(), seq(5));
}

pub fn of_many_that_race_to_apply_an_item_exactly_one_does(mut nib: Nib) {
    nib.write([insert(1)]);
    let writer = NibWriter::start(nib.store).unwrap();
    for round in 0..5 {
        let racer = |racer: u32| vec![append(racer), receive(1, Stream::Reports, round, round + 1)];
        winner(&race(&writer, (0..8).map(racer).collect()));
        assert_eq!(nib.reader.next_event().unwrap().number(), round + 2);
    }
    assert_eq!(nib.reader.received(&lc(1), Stream::Reports).unwrap(), seq(5));
    writer.close().unwrap();
}

fn sighting(reporter: u32, reported: u32, device: u32) -> Sighting {
    let (reporter, told_by) = (lc(reporter), seq(u64::from(reported) + 1));
    let mut facts = FactVersions::default();
    facts.put(FactKind::SnmpSystem, format!("10.0.0.{reported}"), at(1));
    facts.put(FactKind::TypeEvidence, "conclusion".to_owned(), at(2));
    Sighting { reporter, reported: id(reported), device: id(device), last_seen: NOW, is_active: true, told_by, facts }
}

fn put(sighting: &Sighting) -> Change {
    Change::PutSighting(sighting.clone())
}

fn drop_of(reporter: u32, reported: u32) -> Change {
    Change::DropSighting { reporter: lc(reporter), reported: id(reported) }
}

pub fn a_sighting_is_of_a_device_that_exists(mut nib: Nib) {
    assert_eq!(not_found(nib.commit([append(1), put(&sighting(1, 7, 1)), insert(1)])), Row::Device(id(1)));
    assert_eq!(nib.next_event(), 1);
    nib.write([insert(1), put(&sighting(1, 7, 1))]);
    assert_eq!(nib.reader.sighting(&lc(1), id(7)).unwrap(), Some(sighting(1, 7, 1)));
    assert_eq!(nib.reader.sighting(&lc(1), id(1)).unwrap(), None);
    assert_eq!(nib.reader.sighting(&lc(2), id(7)).unwrap(), None);
    assert!(invalid(nib.commit([put(&Sighting { told_by: seq(0), ..sighting(1, 7, 1) })])).contains("report"));
    assert!(invalid(nib.commit([put(&Sighting { told_by: LAST, ..sighting(1, 7, 1) })])).contains("report"));
}

pub fn a_device_that_somebody_below_told_of_cannot_be_removed(mut nib: Nib) {
    nib.write([insert(1), put(&sighting(1, 7, 1))]);
    let removal = |version| Change::RemoveDevice { id: id(1), version };
    assert!(invalid(nib.commit([append(1), removal(Version::FIRST)])).contains("cannot be removed"));
    assert_eq!(nib.next_event(), 1);
    let stale = nib.commit([removal(Version::FIRST.next())]);
    assert!(matches!(stale, Err(pdsno::nib::NibError::Conflict { .. })), "{stale:?}");
    nib.write([drop_of(1, 7), removal(Version::FIRST)]);
    assert_eq!(nib.reader.device(id(1)).unwrap(), None);
}

pub fn a_sighting_replaces_what_was_told_and_may_move(mut nib: Nib) {
    nib.write([insert(1), insert(2), put(&sighting(1, 7, 1))]);
    let facts = FactVersions::default();
    let told = Sighting { last_seen: at(-5), is_active: false, told_by: seq(99), facts, ..sighting(1, 7, 1) };
    nib.write([put(&told)]);
    assert_eq!(nib.reader.sightings_of(id(1)).unwrap(), std::slice::from_ref(&told));
    let moved = Sighting { device: id(2), ..told };
    nib.write([put(&moved)]);
    assert_eq!(nib.reader.sightings_of(id(1)).unwrap(), []);
    assert_eq!(nib.reader.sightings_of(id(2)).unwrap(), std::slice::from_ref(&moved));
    not_found(nib.commit([drop_of(1, 7), put(&sighting(1, 8, 1)), put(&Sighting { device: id(9), ..moved.clone() })]));
    assert_eq!(nib.reader.sightings_by(&lc(1), None, 9).unwrap(), [moved]);
    assert_eq!(nib.reader.sightings_of(id(1)).unwrap(), []);
}

pub fn sightings_are_asked_for_by_device_and_by_reporter(mut nib: Nib) {
    let all =
        [(10, 3, 1), (2, 9, 1), (2, 4, 1), (2, 5, 2), (1, 1, 2)].map(|(from, there, here)| sighting(from, there, here));
    nib.write([insert(1), insert(2)]);
    nib.write(all.each_ref().map(put));
    let [tenth, ninth, fourth, fifth, first] = all;
    // By the text of the names: 10 before 2.
    assert_eq!(nib.reader.sightings_of(id(1)).unwrap(), [tenth, fourth.clone(), ninth.clone()]);
    assert_eq!(nib.reader.sightings_of(id(2)).unwrap(), [first, fifth.clone()]);
    let of_second = |after: Option<u32>, limit| nib.reader.sightings_by(&lc(2), after.map(id), limit).unwrap();
    assert_eq!(of_second(None, 9), [fourth.clone(), fifth.clone(), ninth.clone()]);
    assert_eq!(of_second(None, 2), [fourth, fifth.clone()]);
    assert_eq!(of_second(Some(4), 9), [fifth, ninth]);
    assert_eq!((of_second(Some(u32::MAX), 9), of_second(None, 0)), (vec![], vec![]));
    nib.write([drop_of(2, 9), drop_of(2, 9), drop_of(77, 1)]);
    assert_eq!(nib.reader.sightings_by(&lc(2), Some(id(5)), 9).unwrap(), []);
    assert_eq!(nib.reader.sightings_of(id(1)).unwrap().len(), 2);
}

pub fn a_snapshot_of_five_thousand_sightings_is_one_commit(mut nib: Nib) {
    let mut changes: Vec<Change> = (1..=5_000).flat_map(|n| [insert(n), put(&sighting(1, n, n))]).collect();
    changes.push(receive(1, Stream::Reports, 0, 8));
    changes.push(drop_of(1, 2_500));
    nib.write(&changes);
    let page = nib.reader.sightings_by(&lc(1), Some(id(2_499)), 1).unwrap();
    assert_eq!(page, [sighting(1, 2_501, 2_501)]);
    assert_eq!(nib.reader.sightings_by(&lc(1), None, usize::MAX).unwrap().len(), 4_999);
}
