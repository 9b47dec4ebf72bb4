//! What interfaces counted.

use pdsno::domain::counters::{Counters, InterfaceCounters, NoTraffic, Reading, Traffic, Width};
use pdsno::domain::device::{DeviceId, Version};
use pdsno::domain::fact::SnmpEngine;
use pdsno::nib::{Change, NibError, Row};

use crate::backends::{Nib, not_found};
use crate::samples::{at, id, insert};

/// One interface of this index, of which everything is known.
fn full(index: u32) -> InterfaceCounters {
    InterfaceCounters {
        index,
        reading: Reading {
            uptime: Some(u32::MAX),
            width: Width::Bits64,
            in_octets: Some(u64::MAX),
            out_octets: Some(1 << 63),
            in_errors: Some(u32::MAX),
            out_errors: Some(1),
            in_discards: Some(2),
            out_discards: Some(3),
            discontinuity: Some(u32::MAX),
            speed: Some(u64::MAX),
        },
        traffic: Traffic {
            since: Some(at(-300_000)),
            elapsed: Some(30_000),
            in_octets: Some(u64::MAX),
            out_octets: Some(0),
            in_errors: Some(u32::MAX),
            out_errors: Some(4),
            in_discards: Some(5),
            out_discards: Some(6),
            reason: None,
        },
    }
}

fn empty(index: u32) -> InterfaceCounters {
    InterfaceCounters { index, ..InterfaceCounters::default() }
}

fn of(device: u32, interfaces: Vec<InterfaceCounters>) -> Counters {
    let engine = Some(SnmpEngine { engine_id: "80001f8804".parse().unwrap(), boots: u32::MAX });
    Counters { device: id(device), read_at: at(0), engine, interfaces }
}

fn all(nib: &Nib) -> Vec<Counters> {
    nib.reader.counters(id(0), id(u32::MAX)).unwrap()
}

pub fn counters_are_read_back_to_the_last_bit(mut nib: Nib) {
    let unknown = NoTraffic::ALL.map(|reason| Traffic::unknown(None, reason));
    let others = (3..).zip(unknown).map(|(index, traffic)| InterfaceCounters { traffic, ..empty(index) });
    let one = of(1, [full(1), empty(2)].into_iter().chain(others).chain([empty(u32::MAX)]).collect());
    let two = Counters { engine: None, read_at: at(-1), ..of(2, vec![empty(0)]) };
    nib.write([insert(1), insert(2), Change::PutCounters(two.clone()), Change::PutCounters(one.clone())]);
    assert_eq!(all(&nib), [one.clone(), two.clone()]);
    assert_eq!(nib.reader.counters(id(1), id(1)).unwrap(), [one]);
    assert_eq!(nib.reader.counters(id(2), id(9)).unwrap(), [two]);
    assert_eq!(nib.reader.counters(id(3), id(9)).unwrap(), []);
}

pub fn of_a_device_the_last_reading_is_kept_and_no_other(mut nib: Nib) {
    nib.write([insert(1), insert(2)]);
    nib.write([of(1, vec![full(1), full(2), full(7)]), of(2, vec![full(1)])].map(Change::PutCounters));
    let later = Counters { read_at: at(300_000), ..of(1, vec![empty(2), full(3)]) };
    nib.write([Change::PutCounters(later.clone())]);
    assert_eq!(all(&nib), [later, of(2, vec![full(1)])], "an interface that is not read any more is gone");
}

pub fn counters_of_an_unknown_device_are_refused_with_all_around_them(mut nib: Nib) {
    let refused =
        nib.commit([insert(1), Change::PutCounters(of(1, vec![full(1)])), Change::PutCounters(of(2, vec![full(1)]))]);
    assert_eq!(not_found(refused), Row::Device(id(2)));
    assert_eq!((all(&nib), nib.numbers()), (Vec::new(), Vec::new()));
}

pub fn counters_of_no_interface_or_out_of_order_are_refused(mut nib: Nib) {
    nib.write([insert(1)]);
    for interfaces in [vec![], vec![full(2), full(1)], vec![full(1), full(1)]] {
        let refused = nib.commit([Change::PutCounters(of(1, interfaces))]);
        assert!(matches!(refused, Err(NibError::Invalid { .. })), "{refused:?}");
    }
    assert_eq!(all(&nib), []);
}

pub fn counters_go_with_their_device_and_come_back_with_it(mut nib: Nib) {
    nib.write([insert(1), insert(2)]);
    nib.write([of(1, vec![full(1)]), of(2, vec![full(1)])].map(Change::PutCounters));
    let remove = |number: u32| Change::RemoveDevice { id: id(number), version: Version::FIRST };
    let refused = nib.commit([remove(1), Change::PutCounters(of(1, vec![full(1)]))]);
    assert_eq!(not_found(refused), Row::Device(id(1)));
    assert_eq!(all(&nib).len(), 2, "what was refused took nothing away");
    nib.write([remove(1)]);
    assert_eq!(all(&nib).iter().map(|counters| counters.device).collect::<Vec<DeviceId>>(), [id(2)]);
}

pub fn counters_change_no_version_and_no_event(mut nib: Nib) {
    nib.write([insert(1)]);
    let (device, events) = (nib.device(1), nib.next_event());
    nib.write([Change::PutCounters(of(1, vec![full(1)]))]);
    assert_eq!((nib.device(1), nib.next_event()), (device, events));
    assert_eq!(nib.reader.fact_versions(id(1), id(1)).unwrap(), [].into(), "they are no facts");
}

pub fn ten_thousand_interfaces_are_counted_in_a_commit(mut nib: Nib) {
    nib.write([insert(1)]);
    for _ in 0..2 {
        nib.write([Change::PutCounters(of(1, (1..=10_000).map(full).collect()))]);
    }
    assert_eq!(all(&nib)[0].interfaces.len(), 10_000);
}
