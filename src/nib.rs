//! Layer 2: the Network Information Base. One write verb, a few questions, several backends.
//!
//! Everything that a controller must not forget is written by [`NibStore::commit`]: all or nothing,
//! the events of a decision in the same commit as its rows. `tests/nib_contract.rs` is the suite
//! that every backend passes.

mod change;
pub mod memory;
mod question;
mod seal;
mod source;
pub mod sqlite;
pub mod writer;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::domain::address::MacAddr;
pub use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::counters::Counters;
use crate::domain::device::{Device, DeviceId, DeviceStatus, Version};
use crate::domain::event::{Event, EventSeq, EventType};
use crate::domain::fact::{FactRow, FactVersions};
use crate::domain::key::PublicKey;
use crate::domain::log::Sealer;
use crate::domain::number::{PolicyVersion, Serial, StreamSeq};
use crate::domain::origin::Origin;
use crate::domain::stream::Stream;
use crate::domain::time::Timestamp;
use crate::domain::token::TokenId;
pub use crate::nib::question::{LogReader, PolicyReader, RegistryReader, StreamReader};
pub use crate::nib::source::{Sink, Source};

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// The position that the next event will have.
    pub next_event: EventSeq,
}

/// A row, named in an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Row {
    /// A device by its id.
    #[error("device {0}")]
    Device(DeviceId),
    /// A device by its hardware address, which another device has.
    #[error("device with MAC {0}")]
    Mac(MacAddr),
    /// A bootstrap token.
    #[error("bootstrap token {0}")]
    Token(TokenId),
    /// A controller.
    #[error("controller {0}")]
    Controller(ControllerId),
    /// A controller by a key, which another controller has.
    #[error("controller with key {0}")]
    Key(PublicKey),
    /// The number of a new controller's name, which is not the next one.
    #[error("the name {0}")]
    Name(ControllerId),
    /// The number of a certificate, which is not the next one, or not the controller's.
    #[error("certificate number {0}")]
    Serial(Serial),
    /// Who this controller is.
    #[error("the controller's own name")]
    Membership,
    /// A policy whose version is not higher than that of the one in effect.
    #[error("policy version {0}")]
    Policy(PolicyVersion),
    /// What was taken of a controller's stream.
    #[error("item {2} of the {1} of {0}")]
    Stream(ControllerId, Stream, StreamSeq),
    /// The last item that was written to a stream of this controller.
    #[error("the last item of its own {0}")]
    Outbox(Stream),
    /// The newest head of a log.
    #[error("the newest head of {0}")]
    Head(Origin),
}

/// Why the NIB did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NibError {
    /// The row is not what the change was computed from: read again, decide again.
    #[error("{row} changed meanwhile: computed from version {expected:?}, found {found:?}")]
    Conflict {
        /// The row.
        row: Row,
        /// The version that the change was computed from; `None` for an insert.
        expected: Option<Version>,
        /// The version that the NIB has; `None` where another row holds the key.
        found: Option<Version>,
    },
    /// The row does not exist.
    #[error("{0} is not in the NIB")]
    NotFound(Row),
    /// The store cannot be reached or is busy; nothing was written.
    #[error("the NIB cannot be used now, {attempted}")]
    Unavailable {
        /// What was attempted.
        attempted: &'static str,
        /// The store's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// No room is left; nothing was written.
    #[error("no space is left for the NIB, {attempted}; nothing was written")]
    Full {
        /// What was attempted.
        attempted: &'static str,
    },
    /// The store's content contradicts itself; nothing was written.
    #[error("the NIB is corrupt, {detail}; restore a backup, or look at it with `pdsno nib check`")]
    Corrupt {
        /// What was found.
        detail: String,
    },
    /// A change that no version of the NIB could take: a bug in the caller.
    #[error("refused: {detail}")]
    Invalid {
        /// What is wrong with it.
        detail: String,
    },
    /// It is not known whether the commit took place: read again, do not guess.
    #[error("it is not known whether the commit took place; read again")]
    MaybeCommitted {
        /// The store's own error.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
}

impl NibError {
    /// Whether the same may succeed when it is read and decided again, or a little later.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Conflict { .. } | Self::Unavailable { .. } | Self::MaybeCommitted { .. })
    }
}

/// The writing side of a backend. There is one in a process.
pub trait NibStore: Send {
    /// Writes all changes or none.
    ///
    /// # Errors
    /// [`NibError`] of the first change that cannot be made; then nothing was written, except after
    /// [`NibError::MaybeCommitted`].
    fn commit(&mut self, changes: &[Change]) -> Result<Committed, NibError> {
        self.commit_each(&[changes])
            .pop()
            .unwrap_or(Err(NibError::Unavailable { attempted: "to commit", source: None }))
    }

    /// Writes several commits at the price of one: each is all or nothing by itself, one that fails
    /// does not undo its neighbours, and none is durable before this returns. Answers in order.
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>>;

    /// Writes all changes that the source makes, or none: one commit, of which no more than what the
    /// source hands over at a time needs to be in memory. Nobody sees any of it before this returns,
    /// and after a crash it is there to the end or not at all. Entries of the log say what is in
    /// effect where they were handed over.
    ///
    /// # Errors
    /// As [`NibStore::commit`]; [`NibError::Invalid`] when the source was given up.
    fn commit_from(&mut self, source: Source) -> Result<Committed, NibError> {
        self.commit(&source.collect()?)
    }

    /// A reader of the same NIB. It sees every commit that has returned.
    ///
    /// # Errors
    /// [`NibError::Unavailable`] when no further reader can be opened.
    fn reader(&self) -> Result<Box<dyn NibReader>, NibError>;

    /// Seals every event that is not an entry of the log yet, in batches, and from then on each event
    /// in the commit that appends it. Called once there is a name, at each start before the first
    /// event, and with each new key.
    ///
    /// A store whose log was opened once takes no event before it was opened again:
    /// [`NibError::Unavailable`]. So no event stays unsealed in the middle of the log.
    ///
    /// # Errors
    /// As [`NibStore::commit`]; [`NibError::Invalid`] for a log of another origin, or an event that
    /// has no entry. Batches that were sealed before an error stay.
    fn open_log(&mut self, sealer: Box<dyn Sealer>) -> Result<(), NibError>;

    /// Tidies up before the last use: nothing that has been committed depends on it.
    ///
    /// # Errors
    /// [`NibError::Unavailable`] when the store could not be tidied.
    fn close(&mut self) -> Result<(), NibError> {
        Ok(())
    }
}

/// The reading side of a backend: any number, beside the writer.
pub trait NibReader: RegistryReader + StreamReader + PolicyReader + LogReader + Send {
    /// One device.
    ///
    /// # Errors
    /// [`NibError::Unavailable`], [`NibError::Corrupt`]; the same for every question below.
    fn device(&self, id: DeviceId) -> Result<Option<Device>, NibError>;

    /// The device that has this hardware address.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn device_by_mac(&self, mac: MacAddr) -> Result<Option<Device>, NibError>;

    /// The devices that have this address, ascending; more than one while an address is in dispute.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn devices_by_address(&self, address: Ipv4Addr) -> Result<Vec<Device>, NibError>;

    /// At most `limit` devices, ascending by id, those after `after`, of one status or of all.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn devices(
        &self,
        status: Option<DeviceStatus>,
        after: Option<DeviceId>,
        limit: usize,
    ) -> Result<Vec<Device>, NibError>;

    /// The facts of the devices from `first` to `last`, by device, kind and source, ascending.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn facts(&self, first: DeviceId, last: DeviceId) -> Result<Vec<FactRow>, NibError>;

    /// Which facts of the devices from `first` to `last` are known, without their values.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn fact_versions(&self, first: DeviceId, last: DeviceId) -> Result<BTreeMap<DeviceId, FactVersions>, NibError>;

    /// What the interfaces of the devices from `first` to `last` counted, ascending; nothing of devices
    /// of which that is not known.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn counters(&self, first: DeviceId, last: DeviceId) -> Result<Vec<Counters>, NibError>;

    /// How many devices there are of each status; a status without devices is left out.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn count_devices(&self) -> Result<BTreeMap<DeviceStatus, u64>, NibError>;

    /// The lowest id that has never been used.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn next_device(&self) -> Result<DeviceId, NibError>;

    /// Events as the query asks, in the order of their positions.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn events(&self, query: &EventQuery) -> Result<Vec<Event>, NibError>;

    /// The newest event of a type.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn last_event(&self, event_type: EventType) -> Result<Option<Event>, NibError>;

    /// The position that the next event will have, which is also the number of events.
    ///
    /// # Errors
    /// As [`NibReader::device`].
    fn next_event(&self) -> Result<EventSeq, NibError>;
}

/// Which events are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventQuery {
    /// From this position on.
    pub from: EventSeq,
    /// Only these types; all when empty.
    pub types: Vec<EventType>,
    /// Only about this subject.
    pub subject: Option<String>,
    /// Only those not older than this.
    pub since: Option<Timestamp>,
    /// At most this many: the first of them, in the order of their positions.
    pub limit: usize,
}

impl Default for EventQuery {
    /// Everything, up to 1,000 events.
    fn default() -> Self {
        Self { from: EventSeq::FIRST, types: Vec::new(), subject: None, since: None, limit: 1_000 }
    }
}
