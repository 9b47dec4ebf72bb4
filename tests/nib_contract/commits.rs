//! Commits: all or nothing, alone and in batches, from many threads, beside readers.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pdsno::domain::device::{Device, Version};
use pdsno::domain::event::EventSeq;
use pdsno::domain::fact::{Fact, FactRow, SnmpUptime};
use pdsno::domain::protocol::Protocol;
use pdsno::nib::writer::NibWriter;
use pdsno::nib::{Change, Committed, EventQuery, NibError, Row};

use crate::backends::{Nib, conflict, not_found, numbers, position};
use crate::samples::{NOW, append, at, device, id, insert, mac};

pub fn fact(number: u32) -> Change {
    Change::PutFact(FactRow {
        device: id(number),
        fact: Fact::SnmpUptime(SnmpUptime { uptime_seconds: 1 }),
        source: "x".to_owned(),
        protocol: Some(Protocol::Snmp),
        observed_at: NOW,
        observer: None,
    })
}

fn touch(number: u32) -> Change {
    let (version, last_seen) = (Version::FIRST, at(1));
    Change::TouchDevice { id: id(number), version, last_seen, methods: vec![], rtt: None }
}

pub fn an_empty_commit_succeeds_and_changes_nothing(mut nib: Nib) {
    nib.write([insert(1), append(1)]);
    assert_eq!(nib.commit([]).unwrap(), position(2));
    assert_eq!(nib.next_event(), 2);
    assert_eq!(nib.reader.next_device().unwrap(), id(2));
}

pub fn a_batch_of_no_commits_has_no_answers(mut nib: Nib) {
    assert!(nib.store.commit_each(&[]).is_empty());
}

pub fn a_failure_anywhere_in_the_list_leaves_nothing_of_it(mut nib: Nib) {
    nib.write([insert(1), insert(2), append(0)]);
    let good = [insert(3), append(3), fact(3), touch(1), Change::UpdateDevice(device(2)), fact(1), append(4)];
    for place in 0..=good.len() {
        let mut changes = good.to_vec();
        changes.insert(place, Change::UpdateDevice(device(99)));
        assert_eq!(not_found(nib.commit(&changes)), Row::Device(id(99)), "at {place}");
        assert_eq!((nib.device(1), nib.device(2)), (device(1), device(2)), "at {place}");
        assert_eq!((nib.numbers(), nib.next_event()), (vec![1, 2], 2), "at {place}");
        assert_eq!(nib.reader.facts(id(0), id(u32::MAX)).unwrap(), [], "at {place}");
        assert_eq!(nib.reader.next_device().unwrap(), id(3), "at {place}");
        assert_eq!(nib.reader.device_by_mac(mac(3)).unwrap(), None, "at {place}");
    }
    assert_eq!(nib.commit(&good).unwrap(), position(4));
}

pub fn the_first_change_that_fails_is_the_one_named(mut nib: Nib) {
    nib.write([insert(1)]);
    let answer = nib.commit([append(1), fact(7), Change::UpdateDevice(device(8)), insert(1)]);
    assert_eq!(not_found(answer), Row::Device(id(7)));
}

pub fn one_of_several_commits_fails_alone(mut nib: Nib) {
    let twin = Change::InsertDevice(Device { mac: Some(mac(1)), ..device(2) });
    let commits: [&[Change]; 5] = [
        &[insert(1), append(1)],
        &[append(2), twin],
        &[insert(2), append(3)],
        &[Change::UpdateDevice(device(1)), fact(9)],
        &[touch(1), append(4)],
    ];
    let answers = nib.store.commit_each(&commits);
    let shown: Vec<Option<Committed>> = answers.iter().map(|answer| answer.as_ref().ok().copied()).collect();
    assert_eq!(shown, [Some(position(2)), None, Some(position(3)), None, Some(position(4))]);
    assert!(matches!(answers[1], Err(NibError::Conflict { row: Row::Mac(_), .. })));
    assert!(matches!(answers[3], Err(NibError::NotFound(_))));
    assert_eq!(nib.numbers(), [1, 2]);
    assert_eq!(nib.device(1).version, Version::from_number(2));
    assert_eq!(nib.device(2), device(2));
}

pub fn several_commits_can_all_fail(mut nib: Nib) {
    nib.write([insert(1)]);
    let commits: [&[Change]; 3] = [&[append(1), insert(1)], &[insert(2), fact(9)], &[append(2), touch(9)]];
    assert!(nib.store.commit_each(&commits).iter().all(Result::is_err));
    assert_eq!((nib.numbers(), nib.next_event()), (vec![1], 1));
    nib.write([insert(2), append(1)]);
}

pub fn a_number_of_a_failed_commit_is_free_for_the_next_of_the_batch(mut nib: Nib) {
    let commits: [&[Change]; 2] = [&[insert(1), insert(2), fact(9)], &[insert(1)]];
    let answers = nib.store.commit_each(&commits);
    assert!(answers[0].is_err() && answers[1].is_ok());
    assert_eq!(nib.reader.next_device().unwrap(), id(2));
}

pub fn a_commit_sees_those_before_it_in_the_batch(mut nib: Nib) {
    let second = Change::UpdateDevice(Device { version: Version::from_number(2), ..device(1) });
    let first = Change::UpdateDevice(device(1));
    let commits: [&[Change]; 4] = [&[insert(1)], std::slice::from_ref(&first), &[second], std::slice::from_ref(&first)];
    let mut answers = nib.store.commit_each(&commits);
    let last = answers.pop().unwrap();
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(conflict(last).2, Some(Version::from_number(3)));
}

pub fn ten_thousand_devices_and_events_fit_into_a_commit(mut nib: Nib) {
    let changes: Vec<Change> = (1..=10_000).flat_map(|number| [insert(number), append(number)]).collect();
    assert_eq!(nib.commit(&changes).unwrap(), position(10_001));
    assert_eq!(nib.reader.count_devices().unwrap().values().sum::<u64>(), 10_000);
    assert_eq!(nib.device(10_000), device(10_000));
    assert_eq!(numbers(&nib.reader.devices_by_address(device(4_711).addresses[0]).unwrap()), [4_711]);
    let tail = EventQuery { from: EventSeq::from_number(9_999), ..EventQuery::default() };
    assert_eq!(nib.reader.events(&tail).unwrap().len(), 2);
    let touched: Vec<Change> = (1..=10_000).map(touch).collect();
    nib.write(&touched);
    assert_eq!(nib.device(5_000).last_seen, at(1));
}

pub fn ten_thousand_changes_are_taken_back_when_the_last_fails(mut nib: Nib) {
    let mut changes: Vec<Change> = (1..=5_000).flat_map(|number| [insert(number), append(number)]).collect();
    changes.push(fact(9_999));
    not_found(nib.commit(&changes));
    assert_eq!((nib.numbers(), nib.next_event()), (vec![], 1));
    changes.pop();
    assert_eq!(nib.commit(&changes).unwrap(), position(5_001));
}

pub fn every_reader_sees_what_has_returned(mut nib: Nib) {
    let early = nib.store.reader().unwrap();
    nib.write([insert(1), append(1)]);
    let late = nib.store.reader().unwrap();
    for reader in [&early, &late, &nib.reader] {
        assert_eq!(reader.device(id(1)).unwrap(), Some(device(1)));
        assert_eq!(reader.next_event().unwrap(), EventSeq::from_number(2));
    }
    nib.write([Change::UpdateDevice(device(1))]);
    for reader in [&early, &late, &nib.reader] {
        assert_eq!(reader.device(id(1)).unwrap().unwrap().version, Version::from_number(2));
    }
}

pub fn a_reader_beside_a_writer_sees_whole_commits(mut nib: Nib) {
    const PAIRS: u32 = 100;
    let reader = nib.store.reader().unwrap();
    let done = &AtomicBool::new(false);
    thread::scope(|scope| {
        let reading = scope.spawn(move || {
            let (mut seen, mut looks) = (0, 0_u32);
            while !done.load(Ordering::SeqCst) || looks == 0 {
                let found = numbers(&reader.devices(None, None, usize::MAX).unwrap());
                assert!(found.len().is_multiple_of(2), "half of a commit: {found:?}");
                assert!(found.len() >= seen, "a commit was unseen");
                (seen, looks) = (found.len(), looks + 1);
            }
        });
        for pair in 0..PAIRS {
            nib.store.commit(&[insert(2 * pair + 1), append(pair), insert(2 * pair + 2)]).unwrap();
        }
        done.store(true, Ordering::SeqCst);
        reading.join().unwrap();
    });
    assert_eq!(nib.numbers().len() as u32, 2 * PAIRS);
}

/// Lets threads submit at the same time; answers in the order of the threads.
pub fn race(writer: &NibWriter, racers: Vec<Vec<Change>>) -> Vec<Result<Committed, NibError>> {
    let start = Barrier::new(racers.len());
    thread::scope(|scope| {
        let run = |changes: Vec<Change>| {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                writer.submit(changes).unwrap().wait()
            })
        };
        let threads: Vec<_> = racers.into_iter().map(run).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The one that won, where all others were told of the conflict.
pub fn winner(answers: &[Result<Committed, NibError>]) -> usize {
    let winners: Vec<usize> = (0..answers.len()).filter(|racer| answers[*racer].is_ok()).collect();
    assert_eq!(winners.len(), 1, "{answers:?}");
    let lost = answers.iter().filter(|answer| matches!(answer, Err(NibError::Conflict { .. }))).count();
    assert_eq!(lost, answers.len() - 1, "{answers:?}");
    winners[0]
}

pub fn of_many_that_race_for_a_row_exactly_one_wins(mut nib: Nib) {
    nib.write([insert(1)]);
    let writer = NibWriter::start(nib.store).unwrap();
    for round in 1..=20 {
        let version = Version::from_number(round);
        let racer = |racer: u32| {
            let hostname = Some(format!("racer-{racer}"));
            vec![append(racer), Change::UpdateDevice(Device { hostname, version, ..device(1) })]
        };
        let winner = winner(&race(&writer, (0..8).map(racer).collect()));
        let now = nib.reader.device(id(1)).unwrap().unwrap();
        assert_eq!((now.hostname, now.version), (Some(format!("racer-{winner}")), version.next()));
        assert_eq!(nib.reader.next_event().unwrap(), EventSeq::from_number(1 + u64::from(round)));
    }
    writer.close().unwrap();
}

pub fn of_many_that_race_for_a_number_exactly_one_wins(nib: Nib) {
    let writer = NibWriter::start(nib.store).unwrap();
    let racer = |racer: u32| vec![Change::InsertDevice(Device { mac: Some(mac(racer)), ..device(1) }), append(racer)];
    let winner = winner(&race(&writer, (0..8).map(racer).collect()));
    assert_eq!(nib.reader.device(id(1)).unwrap().unwrap().mac, Some(mac(winner as u32)));
    assert_eq!(nib.reader.next_device().unwrap(), id(2));
    writer.close().unwrap();
}

pub fn events_of_many_threads_have_a_place_each(nib: Nib) {
    let writer = NibWriter::start(nib.store).unwrap();
    let answers = race(&writer, (0..32).map(|racer| vec![append(racer)]).collect());
    let mut next: Vec<u64> = answers.into_iter().map(|answer| answer.unwrap().next_event.number()).collect();
    next.sort_unstable();
    assert_eq!(next, (2..34).collect::<Vec<_>>());
    writer.close().unwrap();
    let mut subjects: Vec<String> =
        nib.reader.events(&EventQuery::default()).unwrap().into_iter().skip(1).map(|event| event.subject).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, (0..32).map(|racer| id(racer).to_string()).collect::<Vec<_>>());
}

pub fn a_reader_outlives_the_writer(mut nib: Nib) {
    nib.write([insert(1), append(1)]);
    NibWriter::start(nib.store).unwrap().close().unwrap();
    assert_eq!(nib.reader.device(id(1)).unwrap(), Some(device(1)));
    assert_eq!(nib.reader.next_event().unwrap(), EventSeq::from_number(2));
}
