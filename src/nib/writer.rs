//! The thread that writes: it owns the store, and puts the commits that wait into one transaction.
//!
//! ```text
//! callers ── submit ──▶ queue of 512 ──▶ thread: up to 256 at once ──▶ NibStore::commit_each
//!    ▲                                      │
//!    └───────────── Pending ◀───────────────┘
//! ```

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::task::{Context, Poll};
use std::thread::{self, JoinHandle};

use tokio::sync::oneshot;

use crate::domain::log::Sealer;
use crate::nib::{Change, Committed, NibError, NibStore, Source};

/// Commits that may wait.
pub const QUEUE: usize = 512;

/// Commits that one transaction takes at most.
pub const BATCH: usize = 256;

enum Job {
    Commit(Commit),
    CommitFrom(Source, oneshot::Sender<Result<Committed, NibError>>),
    OpenLog(Box<dyn Sealer>, oneshot::Sender<Result<(), NibError>>),
}

struct Commit {
    changes: Vec<Change>,
    answer: oneshot::Sender<Result<Committed, NibError>>,
}

/// The only way to a store that is being written to. Dropping it lets the thread finish what it
/// was given; [`NibWriter::close`] also waits for it.
#[derive(Debug)]
pub struct NibWriter {
    queue: SyncSender<Job>,
    thread: JoinHandle<Result<(), NibError>>,
}

/// Why a commit was not taken; nothing was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// The store does not keep up.
    #[error("{QUEUE} commits wait already")]
    QueueFull,
    /// The thread ended: a bug in the store ended it.
    #[error("the NIB's writer has ended")]
    Ended,
}

impl From<SubmitError> for NibError {
    fn from(error: SubmitError) -> Self {
        Self::Unavailable { attempted: "to queue a commit", source: Some(Box::new(error)) }
    }
}

/// Why the writer did not end in order.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The store could not be tidied; what was committed is safe.
    #[error("the NIB was not closed in order")]
    Store(#[from] NibError),
    /// The store panicked.
    #[error("the NIB's writer had ended before: {message}")]
    Panicked {
        /// What it said.
        message: String,
    },
}

impl NibWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(store: Box<dyn NibStore>) -> io::Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        let thread = thread::Builder::new().name("nib-writer".to_owned()).spawn(move || run(store, &jobs))?;
        Ok(Self { queue, thread })
    }

    /// Queues a commit, without waiting. It is made, or not, also when the answer is not awaited.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn submit(&self, changes: Vec<Change>) -> Result<Pending<Committed>, SubmitError> {
        let (answer, pending) = oneshot::channel();
        self.queue(Job::Commit(Commit { changes, answer }))?;
        Ok(Pending(pending))
    }

    /// Queues [`NibStore::commit_from`], in a transaction of its own: the source does its work on the
    /// writer's thread.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn submit_from(&self, source: Source) -> Result<Pending<Committed>, SubmitError> {
        let (answer, pending) = oneshot::channel();
        self.queue(Job::CommitFrom(source, answer))?;
        Ok(Pending(pending))
    }

    /// Queues [`NibStore::open_log`], behind the commits that wait already.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn open_log(&self, sealer: Box<dyn Sealer>) -> Result<Pending<()>, SubmitError> {
        let (answer, pending) = oneshot::channel();
        self.queue(Job::OpenLog(sealer, answer))?;
        Ok(Pending(pending))
    }

    fn queue(&self, job: Job) -> Result<(), SubmitError> {
        self.queue.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => SubmitError::QueueFull,
            TrySendError::Disconnected(_) => SubmitError::Ended,
        })
    }

    /// Waits until everything that was queued is written, and closes the store. Blocks.
    ///
    /// # Errors
    /// [`CloseError`].
    pub fn close(self) -> Result<(), CloseError> {
        drop(self.queue);
        match self.thread.join() {
            Ok(closed) => Ok(closed?),
            Err(panic) => {
                let text = panic.downcast_ref::<&str>().copied();
                let message = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
                Err(CloseError::Panicked { message: message.unwrap_or("it said nothing").to_owned() })
            }
        }
    }
}

/// The answer of the writer, once there is one.
#[derive(Debug)]
#[must_use = "a commit can fail"]
pub struct Pending<T>(oneshot::Receiver<Result<T, NibError>>);

impl<T> Pending<T> {
    /// Waits, on a thread that may block.
    ///
    /// # Errors
    /// As [`NibStore::commit`]; [`NibError::MaybeCommitted`] when the writer ended without an answer.
    pub fn wait(self) -> Result<T, NibError> {
        self.0.blocking_recv().unwrap_or_else(|lost| Err(without_answer(lost)))
    }
}

impl<T> Future for Pending<T> {
    type Output = Result<T, NibError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(context);
        answer.map(|answer| answer.unwrap_or_else(|lost| Err(without_answer(lost))))
    }
}

/// A panic in the store drops the jobs in hand; how far they came is not known.
fn without_answer(lost: oneshot::error::RecvError) -> NibError {
    NibError::MaybeCommitted { source: Some(Box::new(lost)) }
}

fn run(mut store: Box<dyn NibStore>, jobs: &Receiver<Job>) -> Result<(), NibError> {
    let mut waiting = None;
    while let Some(first) = waiting.take().or_else(|| jobs.recv().ok()) {
        let first = match first {
            Job::Commit(first) => first,
            Job::CommitFrom(source, answer) => {
                let _told = answer.send(store.commit_from(source));
                continue;
            }
            Job::OpenLog(sealer, answer) => {
                let _told = answer.send(store.open_log(sealer));
                continue;
            }
        };
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match jobs.try_recv() {
                Ok(Job::Commit(next)) => batch.push(next),
                // It must not overtake the commits before it.
                Ok(other) => {
                    waiting = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        let commits: Vec<&[Change]> = batch.iter().map(|job| job.changes.as_slice()).collect();
        let answers = store.commit_each(&commits);
        for (job, answer) in batch.into_iter().zip(answers) {
            // Nobody may be waiting any more.
            let _told = job.answer.send(answer);
        }
    }
    store.close()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::{EventSeq, EventType, NewEvent};
    use crate::domain::time::Timestamp;
    use crate::nib::memory::MemoryNib;
    use crate::nib::{EventQuery, NibReader};
    use std::sync::{Arc, Mutex};

    /// A store that waits for a word before each batch, notes its size, and panics at a word.
    struct Scripted {
        nib: MemoryNib,
        words: Receiver<&'static str>,
        batches: Arc<Mutex<Vec<usize>>>,
    }

    impl NibStore for Scripted {
        fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
            assert_ne!(self.words.recv(), Ok("panic"), "as scripted");
            self.batches.lock().unwrap().push(commits.len());
            self.nib.commit_each(commits)
        }

        fn open_log(&mut self, sealer: Box<dyn crate::domain::log::Sealer>) -> Result<(), NibError> {
            self.nib.open_log(sealer)
        }

        fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
            self.nib.reader()
        }

        fn close(&mut self) -> Result<(), NibError> {
            self.batches.lock().unwrap().push(0);
            Ok(())
        }
    }

    /// A writer to a scripted store, and what the test sees of it.
    struct Stage {
        writer: NibWriter,
        say: SyncSender<&'static str>,
        /// The sizes of the batches; 0 when it was closed.
        batches: Arc<Mutex<Vec<usize>>>,
        reader: Box<dyn NibReader>,
    }

    fn stage() -> Stage {
        let (say, words) = sync_channel(2 * QUEUE);
        let (batches, nib) = (Arc::default(), MemoryNib::new());
        let reader = nib.reader().unwrap();
        let store = Scripted { nib, words, batches: Arc::clone(&batches) };
        Stage { writer: NibWriter::start(Box::new(store)).unwrap(), say, batches, reader }
    }

    fn append(subject: usize) -> Vec<Change> {
        vec![Change::Append(NewEvent {
            event_type: EventType::ControllerStarted,
            actor: "standalone".to_owned(),
            subject: subject.to_string(),
            timestamp: Timestamp::from_millis(0),
            payload: serde_json::json!({}),
        })]
    }

    /// Fills the queue while the store waits with one commit in hand.
    fn fill(writer: &NibWriter) -> Vec<Pending<Committed>> {
        let mut pending = Vec::new();
        loop {
            match writer.submit(append(pending.len())) {
                Ok(one) => pending.push(one),
                // The thread takes the first one when it pleases: 512 or 513 find room.
                Err(refusal) if pending.len() > QUEUE => {
                    assert_eq!(refusal, SubmitError::QueueFull);
                    return pending;
                }
                Err(_) => thread::yield_now(),
            }
        }
    }

    #[test]
    fn a_full_queue_refuses_and_what_it_held_is_written_in_order_and_in_batches() {
        let Stage { writer, say, batches, reader } = stage();
        let pending = fill(&writer);
        let total = pending.len();
        for _ in 0..total {
            say.send("go").unwrap();
        }
        for (position, pending) in pending.into_iter().enumerate() {
            let next_event = EventSeq::from_number(position as u64 + 1);
            assert_eq!(pending.wait().unwrap(), Committed { next_event });
        }
        writer.close().unwrap();
        let batches = batches.lock().unwrap();
        let (closing, batches) = batches.split_last().unwrap();
        assert_eq!(*closing, 0, "the store is closed after the last batch");
        assert_eq!(batches.iter().sum::<usize>(), total);
        assert!(batches.contains(&BATCH) && batches.iter().all(|size| *size <= BATCH), "{batches:?}");
        let written = reader.events(&EventQuery::default()).unwrap();
        assert!(written.iter().enumerate().all(|(position, event)| event.subject == position.to_string()));
    }

    #[test]
    fn what_was_queued_is_written_before_it_closes_though_nobody_waits() {
        let Stage { writer, say, reader, .. } = stage();
        let pending = fill(&writer);
        let total = pending.len() as u64;
        drop(pending);
        for _ in 0..total {
            say.send("go").unwrap();
        }
        writer.close().unwrap();
        assert_eq!(reader.next_event().unwrap(), EventSeq::from_number(total));
    }

    #[test]
    fn a_panic_in_the_store_leaves_nobody_waiting() {
        let Stage { writer, say, reader, .. } = stage();
        let pending = fill(&writer);
        say.send("panic").unwrap();
        for pending in pending {
            let answer = pending.wait();
            assert!(matches!(answer, Err(NibError::MaybeCommitted { .. })), "{answer:?}");
        }
        while !matches!(writer.submit(append(0)), Err(SubmitError::Ended)) {
            thread::yield_now();
        }
        assert!(matches!(NibError::from(SubmitError::Ended), NibError::Unavailable { .. }));
        let error = writer.close().unwrap_err().to_string();
        assert!(error.contains("as scripted"), "{error}");
        assert_eq!(reader.next_event().unwrap(), EventSeq::FIRST);
    }

    #[test]
    fn an_answer_can_be_awaited() {
        let writer = NibWriter::start(Box::new(MemoryNib::new())).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(writer.submit(append(0)).unwrap()).unwrap();
        assert_eq!(answer.next_event, EventSeq::from_number(1));
        writer.close().unwrap();
    }
}
