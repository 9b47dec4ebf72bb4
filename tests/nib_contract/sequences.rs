//! Random commits on two backends: every answer and every question has one result.

#[path = "sequences/members.rs"]
mod members;

use std::time::Duration;

use pdsno::domain::counters::{Counters, InterfaceCounters, NoTraffic, Reading, Traffic};
use pdsno::domain::device::{Device, DeviceStatus, DeviceType, Version};
use pdsno::domain::digest::Digest;
use pdsno::domain::event::{EventSeq, EventType, NewEvent};
use pdsno::domain::fact::{Evidence, Fact, FactKind, FactRow, SnmpUptime, Withheld};
use pdsno::domain::protocol::Protocol;
use pdsno::nib::{Change, EventQuery, NibReader};
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::backends::{Nib, memory, sqlite};
use crate::samples::{address, at, id, mac};

/// Devices, MACs and addresses are few, so that they meet.
const FEW: u32 = 6;

fn devices() -> impl Strategy<Value = Device> {
    let text = || of("\\PC{0,4}|\u{0}|a\"b");
    let name = (0..FEW + 2, weighted(0.8, 0..FEW), vec(0..FEW, 0..3), text(), text(), text());
    let state = (
        select(&DeviceStatus::ALL[..]),
        select(&DeviceType::ALL[..]),
        0..3_u32,
        vec(select(&Protocol::ALL[..]), 0..3),
        of(any::<u32>().prop_map(|micros| Duration::from_micros(micros.into()))),
        prop_oneof![4 => Just(1_u32), 1 => 0..4_u32],
        -5..5_i64,
    );
    (name, state).prop_map(|((number, owned, addresses, hostname, vendor, firmware), state)| {
        let (status, device_type, missed_cycles, methods, rtt, version, seen) = state;
        let mut addresses: Vec<_> = addresses.into_iter().map(address).collect();
        // Mostly as it should be; what is left unsorted must be refused by both.
        if missed_cycles != 2 {
            addresses.sort_unstable();
            addresses.dedup();
        }
        Device {
            id: id(number),
            mac: owned.map(mac),
            addresses,
            hostname,
            vendor,
            device_type,
            firmware,
            region: (seen > 0).then(|| "zone-A".parse().unwrap()),
            local_controller: (seen < 0).then(|| "local_cntl_zoneA_5".parse().unwrap()),
            status,
            first_seen: at(seen - 100),
            last_seen: at(seen),
            missed_cycles,
            methods,
            rtt,
            version: Version::from_number(version),
        }
    })
}

fn facts() -> impl Strategy<Value = FactRow> {
    let fact = prop_oneof![
        any::<u64>().prop_map(|uptime_seconds| Fact::SnmpUptime(SnmpUptime { uptime_seconds })),
        "\\PC{0,4}".prop_map(|value| {
            Fact::TypeEvidence(Evidence { conclusion: "switch".to_owned(), from: "sysDescr".to_owned(), value })
        }),
        any::<u32>().prop_map(|octets| {
            Fact::Withheld(Withheld { kind: FactKind::TypeEvidence, octets, digest: Digest::from_bytes([3; 32]) })
        }),
    ];
    (0..FEW + 1, fact, select(&["10.0.0.1", "oui", ""][..]), of(select(&Protocol::ALL[..])), -3..3_i64, any::<bool>())
        .prop_map(|(number, fact, source, protocol, observed, from_below)| FactRow {
            device: id(number),
            fact,
            source: source.to_owned(),
            protocol,
            observed_at: at(observed),
            observer: from_below.then(|| "local_cntl_zoneA_1".parse().unwrap()),
        })
}

/// Mostly as they should be; those of no interface, or of one twice, must be refused by both.
fn counters() -> impl Strategy<Value = Counters> {
    let interface = (0..3_u32, any::<u64>(), of(any::<u32>())).prop_map(|(index, octets, uptime)| {
        let reading = Reading { uptime, in_octets: Some(octets), ..Reading::default() };
        InterfaceCounters { index, reading, traffic: Traffic::unknown(None, NoTraffic::FirstReading) }
    });
    (0..FEW + 1, vec(interface, 0..4), -3..3_i64, any::<bool>()).prop_map(|(number, mut interfaces, read, sort)| {
        if sort {
            interfaces.sort_unstable_by_key(|one| one.index);
            interfaces.dedup_by_key(|one| one.index);
        }
        Counters { device: id(number), read_at: at(read), engine: None, interfaces }
    })
}

fn payloads() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => (any::<f64>(), any::<i64>(), "\\PC{0,4}").prop_map(|(x, n, text)| json!({ "x": x, "n": n, "text": text })),
        1 => Just(json!("no object")),
    ]
}

fn events() -> impl Strategy<Value = NewEvent> {
    (select(&EventType::ALL[..]), 0..FEW, -5..5_i64, payloads()).prop_map(|(event_type, subject, millis, payload)| {
        let (actor, subject) = ("standalone".to_owned(), id(subject).to_string());
        NewEvent { event_type, actor, subject, timestamp: at(millis), payload }
    })
}

/// A change, before it is known what is in the NIB.
#[derive(Debug, Clone)]
enum Intent {
    /// With this number, or with the next one.
    Insert(Device, bool),
    /// From this version, or from the one that is there.
    Update(Device, bool),
    Touch(Device, bool),
    Put(FactRow),
    Count(Counters),
    Append(NewEvent),
    /// Of anything else.
    Member(members::Intent),
}

fn intents() -> impl Strategy<Value = Intent> {
    let mostly = || prop::bool::weighted(0.85);
    prop_oneof![
        3 => (devices(), mostly()).prop_map(|(device, next)| Intent::Insert(device, next)),
        3 => (devices(), mostly()).prop_map(|(device, current)| Intent::Update(device, current)),
        2 => (devices(), mostly()).prop_map(|(device, current)| Intent::Touch(device, current)),
        2 => facts().prop_map(Intent::Put),
        2 => counters().prop_map(Intent::Count),
        3 => events().prop_map(Intent::Append),
        3 => members::intents().prop_map(Intent::Member),
    ]
}

/// The change that was meant, as seen from what has been committed.
fn change(intent: &Intent, reader: &dyn NibReader) -> Change {
    let versioned = |device: &Device, current: bool| {
        let found = reader.device(device.id).unwrap().filter(|_| current);
        Device { version: found.map_or(device.version, |found| found.version), ..device.clone() }
    };
    match intent {
        Intent::Insert(device, true) => {
            let next = reader.next_device().unwrap();
            Change::InsertDevice(Device { id: next, version: Version::FIRST, ..device.clone() })
        }
        Intent::Insert(device, false) => Change::InsertDevice(device.clone()),
        Intent::Update(device, current) => Change::UpdateDevice(versioned(device, *current)),
        Intent::Touch(device, current) => {
            let Device { id, version, last_seen, methods, rtt, .. } = versioned(device, *current);
            Change::TouchDevice { id, version, last_seen, methods, rtt }
        }
        Intent::Put(fact) => Change::PutFact(fact.clone()),
        Intent::Count(counters) => Change::PutCounters(counters.clone()),
        Intent::Append(event) => Change::Append(event.clone()),
        Intent::Member(intent) => members::change(intent, reader),
    }
}

fn queries() -> impl Strategy<Value = EventQuery> {
    (0..12_u64, vec(select(&EventType::ALL[..]), 0..3), of(0..FEW), of(-5..5_i64), 0..8_usize).prop_map(
        |(from, types, subject, since, limit)| EventQuery {
            from: EventSeq::from_number(from),
            types,
            subject: subject.map(|subject| id(subject).to_string()),
            since: since.map(at),
            limit,
        },
    )
}

/// Asks both everything; the first event is each one's own.
fn compare(one: &Nib, other: &Nib, query: &EventQuery) {
    let (one, other) = (&one.reader, &other.reader);
    macro_rules! same {
        ($reader:ident => $question:expr) => {{
            let ask = |$reader: &Box<dyn NibReader>| $question.unwrap();
            assert_eq!(ask(one), ask(other), stringify!($question));
        }};
    }
    members::compare(&**one, &**other);
    same!(reader => reader.devices(None, None, usize::MAX));
    same!(reader => reader.count_devices());
    same!(reader => reader.next_device());
    same!(reader => reader.next_event());
    same!(reader => reader.facts(id(0), id(u32::MAX)));
    same!(reader => reader.counters(id(0), id(u32::MAX)));
    let after_first = EventQuery { from: EventSeq::from_number(1), ..EventQuery::default() };
    same!(reader => reader.events(&after_first));
    let query = EventQuery { from: query.from.max(after_first.from), ..query.clone() };
    same!(reader => reader.events(&query));
    for event_type in EventType::ALL {
        same!(reader => reader.last_event(event_type).map(|last| last.filter(|last| last.seq != EventSeq::FIRST)));
    }
    for number in 0..=FEW {
        same!(reader => reader.device_by_mac(mac(number)));
        same!(reader => reader.devices_by_address(address(number)));
        same!(reader => reader.facts(id(number), id(number + 1)));
        for status in DeviceStatus::ALL {
            same!(reader => reader.devices(Some(status), Some(id(number)), 2));
        }
    }
}

/// Makes the same commits on both, and asks both everything after each batch.
fn run(model: &mut Nib, nib: &mut Nib, batches: Vec<(Vec<Vec<Intent>>, EventQuery)>) {
    for (batch, query) in batches {
        let commits: Vec<Vec<Change>> =
            batch.iter().map(|intents| intents.iter().map(|intent| change(intent, &*model.reader)).collect()).collect();
        let commits: Vec<&[Change]> = commits.iter().map(Vec::as_slice).collect();
        let (wanted, found) = (model.store.commit_each(&commits), nib.store.commit_each(&commits));
        assert_eq!(format!("{wanted:?}"), format!("{found:?}"));
        compare(model, nib, &query);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_commits_have_the_same_answers_and_the_same_result(
        batches in vec((vec(vec(intents(), 0..4), 0..5), queries()), 1..12),
    ) {
        run(&mut memory(), &mut sqlite(), batches);
    }

    #[test]
    fn random_controllers_streams_and_policies_have_the_same_answers_and_the_same_result(
        batches in vec((vec(vec(members::intents().prop_map(Intent::Member), 1..3), 1..4), queries()), 1..20),
    ) {
        let (mut model, mut nib) = (memory(), sqlite());
        model.write(members::beginning());
        nib.write(members::beginning());
        run(&mut model, &mut nib, batches);
    }
}
