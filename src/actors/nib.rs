//! The actor that owns the NIB.
//!
//! ```text
//!   DiscoveryActor ──CommitFrom─┐
//!   app ───────────────Commit──►NibActor ──► writer thread (nib::writer)
//!   all others ───────Ask──────────►    └───────► a reader, off the actor's thread
//! ```
//!
//! Other actors talk to it through a [`Nib`]: look, decide, commit, and again if somebody else was
//! faster.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use tokio::sync::Semaphore;

use super::Ping;
use super::log_check::chain;
use crate::algorithms::audit::startup::Fault;
use crate::domain::change::Change;
use crate::domain::counters::Readings;
use crate::domain::device::{Device, DeviceId, Version};
use crate::domain::fact::FactRow;
use crate::domain::log::Sealer;
use crate::nib::writer::{CloseError, NibWriter, SubmitError};
use crate::nib::{Committed, NibReader, NibStore, Source};

mod handle;
mod page;

pub use crate::nib::NibError;
pub use handle::Nib;
pub use page::{EventFilter, MOST_ROWS};

/// How many questions are worked on at once; each has a reader of its own.
pub const READERS: usize = 2;

/// Devices are read in pages, so that a page and not a network is what a query holds.
const PAGE: usize = 1_000;

/// Owns the NIB of a controller.
pub struct NibActor {
    /// None once it is closed.
    writer: Option<Writer>,
    readers: Arc<Readers>,
    /// Why nothing may be written any more.
    frozen: Option<String>,
}

/// Where commits are made.
enum Writer {
    Thread(NibWriter),
    /// On the actor's own thread: for a store in memory.
    Here(Box<dyn NibStore>),
}

struct Readers {
    free: Mutex<Vec<Box<dyn NibReader>>>,
    permits: Semaphore,
    /// How many there are.
    count: u32,
    /// Whether a question may hold its thread up.
    blocking: bool,
}

/// Asks a question of a reader; the answer leaves by a way of its own.
#[derive(Message)]
#[rtype(result = "Result<(), NibError>")]
pub struct Ask(Question);

type Question = Box<dyn FnOnce(&dyn NibReader) + Send>;

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ask")
    }
}

/// Seals what is not an entry of the log yet, and from then on each event in its commit.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NibError>")]
pub struct OpenLog(pub Box<dyn Sealer>);

/// Writes all changes or none.
#[derive(Debug, Message)]
#[rtype(result = "Result<Committed, NibError>")]
pub struct Commit(pub Vec<Change>);

/// Writes all changes that the source makes, or none. It makes them where they are written.
#[derive(Debug, Message)]
#[rtype(result = "Result<Committed, NibError>")]
pub struct CommitFrom(pub Source);

/// Refuses every commit from now on as [`NibError::Corrupt`]: the event log is not what was sealed, and
/// nothing is to be built on it. Questions are answered as before.
#[derive(Debug, Clone, PartialEq, Eq, Message)]
#[rtype(result = "()")]
pub struct Freeze {
    /// What was found: it names the first bad entry.
    pub reason: String,
}

impl Freeze {
    /// For what a check of the log found.
    pub fn because(fault: &Fault) -> Self {
        Self { reason: chain(fault) }
    }
}

/// Writes what is queued, and closes the NIB. It takes no commit and no question after this.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<(), CloseError>")]
pub struct Close;

/// Asks for all devices with their facts, and what their interfaces counted.
#[derive(Debug, Clone, Copy, Message)]
#[rtype(result = "Result<DeviceTable, NibError>")]
pub struct LoadDevices;

/// All devices, ascending, each with its facts, and the id of the next one.
#[derive(Debug, Clone, PartialEq)]
pub struct DeviceTable {
    /// The rows.
    pub devices: Vec<(Device, Vec<FactRow>)>,
    /// The lowest id that has never been used.
    pub next: DeviceId,
    /// What their interfaces counted when they were last read.
    pub readings: BTreeMap<DeviceId, Readings>,
}

impl DeviceTable {
    /// Whether there is such a row.
    pub fn has(&self, (id, version): (DeviceId, Version)) -> bool {
        self.devices
            .binary_search_by_key(&id, |(device, _)| device.id)
            .is_ok_and(|place| self.devices.get(place).is_some_and(|(device, _)| device.version == version))
    }
}

impl NibActor {
    /// An actor over a writer and some readers, at most [`READERS`] of which are used at once.
    pub fn new(writer: NibWriter, readers: Vec<Box<dyn NibReader>>) -> Self {
        Self::over(Writer::Thread(writer), readers, true)
    }

    /// An actor over a store that never waits for a disk: it uses no other thread, so that with a
    /// paused clock everything happens in one order.
    ///
    /// # Errors
    /// When the store gives no reader.
    pub fn in_memory(store: Box<dyn NibStore>) -> Result<Self, NibError> {
        let reader = store.reader()?;
        Ok(Self::over(Writer::Here(store), vec![reader], false))
    }

    fn over(writer: Writer, readers: Vec<Box<dyn NibReader>>, blocking: bool) -> Self {
        let (permits, count) = (Semaphore::new(readers.len()), u32::try_from(readers.len()).unwrap_or(u32::MAX));
        let readers = Arc::new(Readers { free: Mutex::new(readers), permits, count, blocking });
        Self { writer: Some(writer), readers, frozen: None }
    }

    /// Whether it may be written.
    fn thawed(&self) -> Result<(), NibError> {
        match &self.frozen {
            Some(reason) => Err(NibError::Corrupt { detail: reason.clone() }),
            None => Ok(()),
        }
    }
}

impl Actor for NibActor {
    type Context = Context<Self>;
}

impl Handler<Ping> for NibActor {
    type Result = ();

    fn handle(&mut self, _: Ping, _: &mut Self::Context) {}
}

impl Handler<Commit> for NibActor {
    type Result = ResponseFuture<Result<Committed, NibError>>;

    fn handle(&mut self, Commit(changes): Commit, _: &mut Self::Context) -> Self::Result {
        if let Err(frozen) = self.thawed() {
            return Box::pin(std::future::ready(Err(frozen)));
        }
        match &mut self.writer {
            None => Box::pin(std::future::ready(Err(SubmitError::Ended.into()))),
            Some(Writer::Here(store)) => Box::pin(std::future::ready(store.commit(&changes))),
            Some(Writer::Thread(writer)) => {
                let submitted = writer.submit(changes);
                Box::pin(async move { submitted?.await })
            }
        }
    }
}

impl Handler<CommitFrom> for NibActor {
    type Result = ResponseFuture<Result<Committed, NibError>>;

    fn handle(&mut self, CommitFrom(source): CommitFrom, _: &mut Self::Context) -> Self::Result {
        if let Err(frozen) = self.thawed() {
            return Box::pin(std::future::ready(Err(frozen)));
        }
        match &mut self.writer {
            None => Box::pin(std::future::ready(Err(SubmitError::Ended.into()))),
            Some(Writer::Here(store)) => Box::pin(std::future::ready(store.commit_from(source))),
            Some(Writer::Thread(writer)) => {
                let submitted = writer.submit_from(source);
                Box::pin(async move { submitted?.await })
            }
        }
    }
}

impl Handler<Freeze> for NibActor {
    type Result = ();

    fn handle(&mut self, Freeze { reason }: Freeze, _: &mut Self::Context) {
        // The first finding is the one that is told.
        self.frozen.get_or_insert(reason);
    }
}

impl Handler<Close> for NibActor {
    type Result = ResponseFuture<Result<(), CloseError>>;

    fn handle(&mut self, _: Close, _: &mut Self::Context) -> Self::Result {
        let (writer, readers) = (self.writer.take(), Arc::clone(&self.readers));
        Box::pin(async move {
            // Who closes the file last removes its write-ahead log, which a reader may not: questions
            // that are being answered are waited for.
            if let Ok(all) = readers.permits.acquire_many(readers.count).await {
                all.forget();
            }
            readers.permits.close();
            if let Ok(mut free) = readers.free.lock() {
                free.clear();
            }
            let writer = match writer {
                None => return Ok(()),
                Some(Writer::Here(mut store)) => return Ok(store.close()?),
                Some(Writer::Thread(writer)) => writer,
            };
            let closed = tokio::task::spawn_blocking(move || writer.close()).await;
            closed.unwrap_or_else(|panic| Err(CloseError::Panicked { message: panic.to_string() }))
        })
    }
}

impl Handler<OpenLog> for NibActor {
    type Result = ResponseFuture<Result<(), NibError>>;

    fn handle(&mut self, OpenLog(sealer): OpenLog, _: &mut Self::Context) -> Self::Result {
        if let Err(frozen) = self.thawed() {
            return Box::pin(std::future::ready(Err(frozen)));
        }
        match &mut self.writer {
            None => Box::pin(std::future::ready(Err(SubmitError::Ended.into()))),
            Some(Writer::Here(store)) => Box::pin(std::future::ready(store.open_log(sealer))),
            Some(Writer::Thread(writer)) => {
                let submitted = writer.open_log(sealer);
                Box::pin(async move { submitted?.await })
            }
        }
    }
}

impl Handler<Ask> for NibActor {
    type Result = ResponseFuture<Result<(), NibError>>;

    fn handle(&mut self, Ask(question): Ask, _: &mut Self::Context) -> Self::Result {
        let readers = Arc::clone(&self.readers);
        Box::pin(async move {
            readers
                .run(|reader| {
                    question(reader);
                    Ok(())
                })
                .await
        })
    }
}

impl Handler<LoadDevices> for NibActor {
    type Result = ResponseFuture<Result<DeviceTable, NibError>>;

    fn handle(&mut self, _: LoadDevices, _: &mut Self::Context) -> Self::Result {
        let readers = Arc::clone(&self.readers);
        let load =
            |reader: &dyn NibReader| Ok(DeviceTable { readings: load_readings(reader)?, ..load_devices(reader)? });
        Box::pin(async move { readers.run(load).await })
    }
}

impl Readers {
    /// Asks a question on a thread where waiting for a disk holds nobody up.
    async fn run<T: Send + 'static>(
        self: Arc<Self>,
        question: impl FnOnce(&dyn NibReader) -> Result<T, NibError> + Send + 'static,
    ) -> Result<T, NibError> {
        let unavailable = || NibError::Unavailable { attempted: "to read", source: None };
        let _permit = self.permits.acquire().await.map_err(|_| unavailable())?;
        let reader = self.free.lock().map_err(|_| unavailable())?.pop().ok_or_else(unavailable)?;
        let asked = move || {
            let answer = question(reader.as_ref());
            (reader, answer)
        };
        let (reader, answer) = match self.blocking {
            true => tokio::task::spawn_blocking(asked).await.map_err(|_| unavailable())?,
            false => asked(),
        };
        self.free.lock().map_err(|_| unavailable())?.push(reader);
        answer
    }
}

/// Reads what is compared with what interfaces count now.
fn load_readings(reader: &dyn NibReader) -> Result<BTreeMap<DeviceId, Readings>, NibError> {
    let mut readings = BTreeMap::new();
    let page = u32::try_from(PAGE).unwrap_or(u32::MAX);
    let (mut first, next) = (0, reader.next_device()?.number());
    while first < next {
        let last = first.saturating_add(page);
        let counters = reader.counters(DeviceId::from_number(first), DeviceId::from_number(last))?;
        readings.extend(counters.into_iter().map(|counters| (counters.device, Readings::from(counters))));
        first = last.saturating_add(1);
    }
    Ok(readings)
}

/// Reads all devices with their facts, without what their interfaces counted.
pub(super) fn load_devices(reader: &dyn NibReader) -> Result<DeviceTable, NibError> {
    let mut table = DeviceTable { devices: Vec::new(), next: reader.next_device()?, readings: BTreeMap::new() };
    loop {
        let after = table.devices.last().map(|(device, _)| device.id);
        let page = reader.devices(None, after, PAGE)?;
        let (Some(first), Some(last)) = (page.first(), page.last()) else { return Ok(table) };
        let mut facts = reader.facts(first.id, last.id)?.into_iter().peekable();
        for device in page {
            let mut own = Vec::new();
            while let Some(row) = facts.next_if(|row| row.device <= device.id) {
                if row.device == device.id {
                    own.push(row);
                }
            }
            table.devices.push((device, own));
        }
    }
}
