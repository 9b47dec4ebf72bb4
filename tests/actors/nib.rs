//! The actor that owns the NIB.

use std::net::Ipv4Addr;
use std::sync::mpsc::{Receiver, channel};

use actix::Actor;
use pdsno::actors::nib::{Close, Commit, Freeze, LoadDevices, NibActor, READERS};
use pdsno::algorithms::audit::startup::{Fault, FaultReason};
use pdsno::domain::address::MacAddr;
use pdsno::domain::change::Change;
use pdsno::domain::device::{Device, DeviceId, DeviceStatus, DeviceType, Version};
use pdsno::domain::event::{EventSeq, EventType, NewEvent};
use pdsno::domain::fact::{Fact, FactRow, SnmpUptime};
use pdsno::domain::log::Sealer;
use pdsno::domain::time::Timestamp;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::writer::{NibWriter, QUEUE};
use pdsno::nib::{Committed, NibError, NibReader, NibStore};
use tokio::sync::mpsc::unbounded_channel;

use crate::stage::memory_nib;

fn event() -> Change {
    Change::Append(NewEvent {
        event_type: EventType::ControllerStarted,
        actor: "standalone".to_owned(),
        subject: "standalone".to_owned(),
        timestamp: Timestamp::from_millis(0),
        payload: serde_json::json!({}),
    })
}

pub fn device(number: u32) -> Device {
    let [_, a, b, c] = number.to_be_bytes();
    Device {
        id: DeviceId::from_number(number),
        mac: Some(MacAddr::new([2, 0, 0, a, b, c])),
        addresses: vec![Ipv4Addr::new(10, a, b, c)],
        hostname: None,
        vendor: None,
        device_type: DeviceType::Unknown,
        firmware: None,
        region: None,
        local_controller: None,
        status: DeviceStatus::Active,
        first_seen: Timestamp::from_millis(0),
        last_seen: Timestamp::from_millis(0),
        missed_cycles: 0,
        methods: Vec::new(),
        rtt: None,
        version: Version::FIRST,
    }
}

fn uptime(number: u32, source: &str) -> FactRow {
    FactRow {
        device: DeviceId::from_number(number),
        fact: Fact::SnmpUptime(SnmpUptime { uptime_seconds: u64::from(number) }),
        source: source.to_owned(),
        protocol: None,
        observed_at: Timestamp::from_millis(0),
        observer: None,
    }
}

#[actix::test]
async fn all_devices_are_loaded_page_by_page_each_with_its_own_facts() {
    let (nib, _) = memory_nib();
    let numbers = || (1..=2_345_u32).filter(|number| number % 7 != 0);
    let mut changes: Vec<Change> = numbers().map(|number| Change::InsertDevice(device(number))).collect();
    for number in numbers().filter(|number| number % 3 == 0 || (998..1_003).contains(number)) {
        changes.extend(["a", "b"].map(|source| Change::PutFact(uptime(number, source))));
    }
    nib.send(Commit(changes)).await.unwrap().unwrap();
    let table = nib.send(LoadDevices).await.unwrap().unwrap();
    assert!(table.devices.iter().map(|(device, _)| device.id.number()).eq(numbers()));
    assert_eq!(table.next, DeviceId::from_number(2_346 - u32::from(2_345 % 7 == 0)));
    for (device, facts) in &table.devices {
        let number = device.id.number();
        let expected = if number % 3 == 0 || (998..1_003).contains(&number) { 2 } else { 0 };
        assert_eq!(facts.len(), expected, "{}", device.id);
        assert!(facts.iter().all(|row| row.device == device.id));
    }
    let row = |number| (DeviceId::from_number(number), Version::FIRST);
    assert!(table.has(row(2_344)) && !table.has(row(2_345 + 1)) && !table.has(row(7)));
    assert!(!table.has((DeviceId::from_number(1), Version::FIRST.next())));
}

#[actix::test]
async fn an_empty_nib_is_an_empty_table() {
    let (nib, _) = memory_nib();
    let table = nib.send(LoadDevices).await.unwrap().unwrap();
    assert_eq!((table.devices, table.next), (vec![], DeviceId::from_number(1)));
}

/// A store that waits for a word before each batch.
struct Held(MemoryNib, Receiver<()>);

impl NibStore for Held {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        // Once the test has dropped its end, nothing is held.
        let _ = self.1.recv();
        self.0.commit_each(commits)
    }

    fn open_log(&mut self, sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        self.0.open_log(sealer)
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        self.0.reader()
    }
}

#[actix::test]
async fn a_store_that_does_not_keep_up_is_told_as_unavailable_and_loses_nothing_it_took() {
    let (release, word) = channel();
    let store = MemoryNib::new();
    let reader = store.reader().unwrap();
    let nib = NibActor::new(NibWriter::start(Box::new(Held(store, word))).unwrap(), Vec::new()).start();
    let (tell, mut answers) = unbounded_channel();
    // Twice what the queue and the batch in hand can hold.
    let asked = 2 * (QUEUE + 256);
    for _ in 0..asked {
        let (nib, tell) = (nib.clone(), tell.clone());
        actix::spawn(async move { tell.send(nib.send(Commit(vec![event()])).await.unwrap()).unwrap() });
    }
    let first = answers.recv().await.unwrap().unwrap_err();
    assert!(matches!(first, NibError::Unavailable { .. }) && first.is_retryable(), "{first}");
    let source = std::error::Error::source(&first).unwrap().to_string();
    assert_eq!(source, "512 commits wait already");
    drop(release);
    let mut written = 0;
    for _ in 1..asked {
        written += u64::from(answers.recv().await.unwrap().is_ok());
    }
    assert!(written >= QUEUE as u64, "{written}");
    nib.send(Close).await.unwrap().unwrap();
    assert_eq!(reader.next_event().unwrap(), EventSeq::from_number(written));
}

#[actix::test]
async fn a_nib_that_is_closed_takes_no_commit_and_no_question() {
    let (nib, reader) = memory_nib();
    nib.send(Commit(vec![event()])).await.unwrap().unwrap();
    nib.send(Close).await.unwrap().unwrap();
    let refusal = nib.send(Commit(vec![event()])).await.unwrap().unwrap_err();
    assert!(matches!(refusal, NibError::Unavailable { .. }), "{refusal}");
    assert_eq!(reader.next_event().unwrap(), EventSeq::from_number(1));
    nib.send(Close).await.unwrap().unwrap();
    assert!(matches!(nib.send(LoadDevices).await.unwrap(), Err(NibError::Unavailable { .. })));
}

#[actix::test]
async fn more_questions_than_readers_are_all_answered() {
    let (nib, _) = memory_nib();
    let ask = || {
        let nib = nib.clone();
        actix::spawn(async move { nib.send(LoadDevices).await.unwrap() })
    };
    let asked: Vec<_> = (0..10 * READERS).map(|_| ask()).collect();
    for answer in asked {
        answer.await.unwrap().unwrap();
    }
}

#[actix::test]
async fn a_frozen_nib_says_which_entry_is_bad_and_goes_on_being_read() {
    let nib = NibActor::in_memory(Box::new(MemoryNib::new())).unwrap().start();
    nib.send(Commit(vec![event()])).await.unwrap().unwrap();
    let fault = |seq| Fault { seq: EventSeq::from_number(seq), reason: FaultReason::Event("actor") };
    nib.send(Freeze::because(&fault(5))).await.unwrap();
    nib.send(Freeze::because(&fault(7))).await.unwrap();
    let refusal = nib.send(Commit(vec![event()])).await.unwrap().unwrap_err();
    assert!(matches!(refusal, NibError::Corrupt { .. }), "{refusal:?}");
    let text = refusal.to_string();
    assert!(text.contains("entry 5 of the event log: its event has another actor"), "{text}");
    nib.send(LoadDevices).await.unwrap().unwrap();
}
