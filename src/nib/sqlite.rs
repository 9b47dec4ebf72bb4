//! The NIB in one SQLite file: what a controller on one machine uses.
//!
//! One connection writes; readers have their own, read-only ones and never wait for it (WAL). A
//! commit is on disk when it returns (`synchronous=FULL`): the event log is evidence.

mod backup;
mod check;
mod counters;
mod draft;
mod error;
mod log;
mod migrate;
mod open;
mod policies;
mod read;
mod registry;
mod rows;
mod sealing;
mod signing;
mod streams;
mod values;
mod write;

pub use backup::{BackupError, backup};
pub use check::{CheckReport, Problem, check};
pub use migrate::Migrated;
pub use open::{OpenError, OpenMode};
pub use read::SqliteReader;

/// The version of SQLite that is built in.
pub fn engine_version() -> &'static str {
    rusqlite::version()
}

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};

use crate::domain::log::Sealer;
use crate::nib::{Change, Committed, NibError, NibReader, NibStore, Source, seal};
use error::{Lost, nib_error};
use signing::{Desk, Signatures};
use write::Session;

/// What is attempted when entries are written.
const LOG: &str = "to write the event log";

/// How long a lock that another process holds is waited for.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// The writing connection of a NIB file.
#[derive(Debug)]
pub struct SqliteNib {
    connection: Connection,
    path: PathBuf,
    migrated: Option<Migrated>,
    sealer: Option<Box<dyn Sealer>>,
}

impl SqliteNib {
    /// Opens the NIB at `path` for writing. The file is checked (`PRAGMA quick_check`) and, if it
    /// is refused, left as it was.
    ///
    /// # Errors
    /// [`OpenError`]; each says what to do.
    pub fn open(path: &Path, mode: OpenMode<'_>) -> Result<Self, OpenError> {
        let (connection, migrated) = open::for_writing(path, mode)?;
        Ok(Self { connection, path: path.to_owned(), migrated, sealer: None })
    }

    /// What opening did to the file; `None` when it was current. The same is in the NIB as the
    /// event `NIB_MIGRATED`.
    pub const fn migrated(&self) -> Option<&Migrated> {
        self.migrated.as_ref()
    }

    /// Lets the file grow to this many pages (`PRAGMA max_page_count`), so that a full disk can be
    /// tested without one.
    ///
    /// # Errors
    /// As [`NibStore::commit`].
    #[doc(hidden)]
    pub fn limit_pages(&self, pages: u32) -> Result<(), NibError> {
        self.connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(|error| nib_error(error, "to limit its size"))
    }

    fn write(&mut self, commits: &[&[Change]], answers: &mut Vec<Result<Committed, NibError>>) -> Result<(), Lost> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(|error| Lost::before_commit(error, "to begin a commit"))?;
        let desk = Desk::new(self.sealer.as_ref().map(|sealer| sealer.signer()));
        let events = commits.iter().map(|changes| seal::events(changes).count()).sum();
        let (session, signatures) = desk.sign_beside(events, || {
            let mut session = Session::begin(&self.connection, self.sealer.as_deref_mut(), &desk)
                .map_err(|error| Lost::before_commit(error, "to begin a commit"))?;
            match commits {
                [only] => answers.push(session.write_all(only)?),
                several => {
                    for changes in several {
                        answers.push(session.write_apart(changes)?);
                    }
                }
            }
            Ok(session)
        });
        let session = session?;
        if answers.iter().all(Result::is_err) {
            return Ok(());
        }
        session.finish(signatures).map_err(|error| Lost::before_commit(error, LOG))?;
        transaction.commit().map_err(Lost::in_commit)
    }

    /// As [`SqliteNib::write`], for one commit that comes in batches: each is signed while it is written,
    /// and what is kept of it until COMMIT is a digest for each event.
    fn write_from(&mut self, source: Source) -> Result<Result<Committed, NibError>, Lost> {
        let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)
            .map_err(|error| Lost::before_commit(error, "to begin a commit"))?;
        let desk = Desk::new(self.sealer.as_ref().map(|sealer| sealer.signer()));
        let mut session = Session::begin(&self.connection, self.sealer.as_deref_mut(), &desk)
            .map_err(|error| Lost::before_commit(error, "to begin a commit"))?;
        let mut lost = None;
        let made = source.run(&mut |changes| {
            let (written, signatures) = desk.sign_beside(seal::events(changes).count(), || session.write_all(changes));
            let settled = written.and_then(|written| match written {
                Ok(_) => session.settle(signatures).map(Ok).map_err(|error| Lost::before_commit(error, LOG)),
                Err(refused) => Ok(Err(refused)),
            });
            settled.unwrap_or_else(|error| {
                let answer = error.answer();
                lost = Some(error);
                Err(answer)
            })
        });
        if let Some(lost) = lost {
            return Err(lost);
        }
        if let Err(refused) = made {
            return Ok(Err(refused));
        }
        let committed = session.committed();
        session.finish(Signatures::new()).map_err(|error| Lost::before_commit(error, LOG))?;
        transaction.commit().map_err(Lost::in_commit)?;
        Ok(Ok(committed))
    }
}

impl NibStore for SqliteNib {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        let mut answers = Vec::with_capacity(commits.len());
        if commits.is_empty() {
            return answers;
        }
        if let Err(lost) = self.write(commits, &mut answers) {
            // The transaction is gone, and with it what had succeeded within it.
            for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
                *answer = Err(lost.answer());
            }
            answers.resize_with(commits.len(), || Err(lost.answer()));
        }
        answers
    }

    fn commit_from(&mut self, source: Source) -> Result<Committed, NibError> {
        self.write_from(source).unwrap_or_else(|lost| Err(lost.answer()))
    }

    fn open_log(&mut self, mut sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        sealing::open(&self.connection, sealer.as_ref())?;
        while sealing::seal_backlog(&self.connection, sealer.as_mut())? {}
        self.sealer = Some(sealer);
        Ok(())
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        let reader = SqliteReader::beside_writer(&self.path).map_err(|error| nib_error(error, "to open a reader"))?;
        Ok(Box::new(reader))
    }

    /// Moves what is in the write-ahead log into the file.
    fn close(&mut self) -> Result<(), NibError> {
        self.connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
            .map_err(|error| nib_error(error, "to close it"))
    }
}
