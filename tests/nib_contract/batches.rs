//! Commits that are handed over in batches.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use pdsno::nib::{Change, NibError, Row, Source};

use crate::backends::{Nib, invalid, not_found, position};
use crate::commits::fact;
use crate::samples::{append, device, id, insert};

/// Devices of a batch.
const BATCH: u32 = 500;

/// So many batches of new devices, each with its event, behind the devices before `first`.
fn newcomers(first: u32, batches: u32) -> Source {
    Source::new(move |sink| {
        (0..batches).try_for_each(|batch| {
            let begin = first + batch * BATCH;
            let changes: Vec<Change> =
                (begin..begin + BATCH).flat_map(|number| [insert(number), append(number)]).collect();
            sink(&changes)
        })
    })
}

pub fn batches_are_one_commit(mut nib: Nib) {
    assert_eq!(nib.store.commit_from(newcomers(1, 4)).unwrap(), position(2_001));
    assert_eq!((nib.numbers().len(), nib.next_event()), (2_000, 2_001));
    assert_eq!(nib.device(1_500), device(1_500));
    assert_eq!(nib.store.commit_from(Source::of(vec![insert(2_001), fact(2_001)])).unwrap(), position(2_001));
    assert_eq!(nib.store.commit_from(Source::of(Vec::new())).unwrap(), position(2_001));
    assert_eq!(nib.reader.next_device().unwrap(), id(2_002));
}

pub fn a_later_batch_builds_upon_those_before_it(mut nib: Nib) {
    let source = Source::new(|sink| {
        sink(&[insert(1)])?;
        sink(&[fact(1), Change::UpdateDevice(device(1))])
    });
    nib.store.commit_from(source).unwrap();
    assert_eq!(nib.device(1).version, device(1).version.next());
}

pub fn a_refusal_in_a_later_batch_undoes_all_and_stops_the_source(mut nib: Nib) {
    nib.write([insert(1)]);
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let source = Source::new(move |sink| {
        let batches = [vec![insert(2), append(2)], vec![append(3), fact(9)], vec![insert(3)]];
        batches.iter().try_for_each(|batch| {
            counted.fetch_add(1, Ordering::SeqCst);
            sink(batch)
        })
    });
    assert_eq!(not_found(nib.store.commit_from(source)), Row::Device(id(9)));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!((nib.numbers(), nib.next_event()), (vec![1], 1));
    nib.write([insert(2), append(2)]);
}

pub fn a_refusal_that_the_source_passes_over_stays_one(mut nib: Nib) {
    let source = Source::new(|sink| {
        let refused = sink(&[fact(9)]);
        assert!(refused.is_break());
        assert!(sink(&[insert(1)]).is_break());
        ControlFlow::Continue(())
    });
    not_found(nib.store.commit_from(source));
    assert!(nib.numbers().is_empty());
}

pub fn a_source_that_gives_up_leaves_nothing(mut nib: Nib) {
    let source = Source::new(|sink| {
        sink(&[insert(1), append(1)])?;
        ControlFlow::Break(())
    });
    let said = invalid(nib.store.commit_from(source));
    assert!(said.contains("not handed over to the end"), "{said}");
    assert_eq!((nib.numbers(), nib.next_event()), (vec![], 1));
    nib.write([insert(1), append(1)]);
}

pub fn a_panic_of_the_source_leaves_nothing(mut nib: Nib) {
    let source = Source::new(|sink| {
        sink(&[insert(1), append(1)])?;
        panic!("as scripted")
    });
    assert!(catch_unwind(AssertUnwindSafe(|| nib.store.commit_from(source))).is_err());
    assert_eq!((nib.numbers(), nib.next_event()), (vec![], 1));
    nib.write([insert(1), append(1)]);
}

pub fn nobody_sees_a_batch_before_the_last(mut nib: Nib) {
    let (begun, waiting) = mpsc::channel();
    let reader = nib.store.reader().unwrap();
    let watcher = thread::spawn(move || {
        waiting.recv().unwrap();
        let mut seen = Vec::new();
        while seen.last() != Some(&(6 * BATCH as usize)) {
            seen.push(reader.devices(None, None, usize::MAX).unwrap().len());
        }
        seen
    });
    let source = Source::new(move |sink| {
        let changes = |batch: u32| (batch * BATCH + 1..=(batch + 1) * BATCH).map(insert).collect::<Vec<_>>();
        sink(&changes(0))?;
        begun.send(()).unwrap();
        (1..6).try_for_each(|batch| sink(&changes(batch)))
    });
    nib.store.commit_from(source).unwrap();
    let seen = watcher.join().unwrap();
    assert!(seen.iter().all(|count| [0, 6 * BATCH as usize].contains(count)), "{seen:?}");
}

pub fn a_lost_race_is_a_conflict_in_whichever_batch(mut nib: Nib) {
    nib.write([insert(1)]);
    nib.write([Change::UpdateDevice(device(1))]);
    let source = Source::new(|sink| {
        sink(&[append(1)])?;
        sink(&[Change::UpdateDevice(device(1))])
    });
    assert!(matches!(nib.store.commit_from(source), Err(NibError::Conflict { row: Row::Device(_), .. })));
    assert_eq!(nib.next_event(), 1);
}
