//! The backends, each with a fresh NIB whose log has one event: that it was made.

use pdsno::domain::device::{Device, Version};
use pdsno::domain::event::{EventSeq, EventType, NewEvent};
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::{Change, Committed, NibError, NibReader, NibStore, Row};
use tempfile::TempDir;

use crate::samples::{NOW, id};

/// A NIB to be tested.
pub struct Nib {
    pub store: Box<dyn NibStore>,
    pub reader: Box<dyn NibReader>,
    /// Removed after the others are gone.
    _directory: Option<TempDir>,
}

pub fn memory() -> Nib {
    let mut store = MemoryNib::new();
    let made = NewEvent {
        event_type: EventType::NibMigrated,
        actor: "standalone".to_owned(),
        subject: "memory".to_owned(),
        timestamp: NOW,
        payload: serde_json::json!({}),
    };
    store.commit(&[Change::Append(made)]).unwrap();
    Nib { reader: store.reader().unwrap(), store: Box::new(store), _directory: None }
}

pub fn sqlite() -> Nib {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("nib.sqlite");
    let store = SqliteNib::open(&path, OpenMode::Migrate { actor: "standalone", at: NOW }).unwrap();
    Nib { reader: store.reader().unwrap(), store: Box::new(store), _directory: Some(directory) }
}

impl Nib {
    pub fn commit(&mut self, changes: impl AsRef<[Change]>) -> Result<Committed, NibError> {
        self.store.commit(changes.as_ref())
    }

    /// Commits what must succeed.
    pub fn write(&mut self, changes: impl AsRef<[Change]>) {
        self.commit(changes).unwrap();
    }

    pub fn device(&self, number: u32) -> Device {
        self.reader.device(id(number)).unwrap().unwrap()
    }

    pub fn next_event(&self) -> u64 {
        self.reader.next_event().unwrap().number()
    }

    /// The numbers of all devices.
    pub fn numbers(&self) -> Vec<u32> {
        numbers(&self.reader.devices(None, None, usize::MAX).unwrap())
    }
}

pub fn numbers(devices: &[Device]) -> Vec<u32> {
    devices.iter().map(|device| device.id.number()).collect()
}

pub fn position(number: u64) -> Committed {
    Committed { next_event: EventSeq::from_number(number) }
}

/// A conflict as a value: the row and the two versions.
pub fn conflict(answer: Result<Committed, NibError>) -> (Row, Option<Version>, Option<Version>) {
    match answer {
        Err(NibError::Conflict { row, expected, found }) => (row, expected, found),
        other => panic!("not a conflict: {other:?}"),
    }
}

pub fn not_found(answer: Result<Committed, NibError>) -> Row {
    match answer {
        Err(NibError::NotFound(row)) => row,
        other => panic!("found: {other:?}"),
    }
}

pub fn invalid(answer: Result<Committed, NibError>) -> String {
    match answer {
        Err(NibError::Invalid { detail }) => detail,
        other => panic!("not refused: {other:?}"),
    }
}
