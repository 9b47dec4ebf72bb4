//! A consistent copy of a NIB, also while a controller writes to it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::nib::sqlite::draft::Draft;
use crate::nib::sqlite::open::{self, OpenError};

/// Why there is no copy. What was at the target is still there, and nothing else.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The NIB cannot be read.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// The target exists; a backup replaces nothing.
    #[error("{} exists; name a file that does not", target.display())]
    TargetExists {
        /// The target.
        target: PathBuf,
    },
    /// The copy could not be made or written.
    #[error("the NIB {} could not be copied to {}", path.display(), target.display())]
    Copy {
        /// The NIB.
        path: PathBuf,
        /// The target.
        target: PathBuf,
        /// What the system says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The copy is damaged, as the NIB then is.
    #[error("the copy of the NIB {} is damaged: {detail}; look at it with `pdsno nib check`", path.display())]
    Damaged {
        /// The NIB.
        path: PathBuf,
        /// The first damage.
        detail: String,
    },
}

/// Copies the NIB at `path`, as it is at one moment, to the new file `target`, and checks the copy.
/// Returns its size in bytes. The target appears whole and on disk, or not at all.
///
/// # Errors
/// [`BackupError`].
pub fn backup(path: &Path, target: &Path) -> Result<u64, BackupError> {
    let exists = || BackupError::TargetExists { target: target.to_owned() };
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| BackupError::Copy {
        path: path.to_owned(),
        target: target.to_owned(),
        source,
    };
    if target.symlink_metadata().is_ok() {
        return Err(exists());
    }
    let draft = Draft::of(target).map_err(|error| failed(error.into()))?;
    let mut reading = open::identify(path)?;
    copy(&reading.connection, draft.path()).map_err(|error| failed(error.into()))?;
    if reading.at_rest && open::is_in_use(path) {
        // A controller opened it meanwhile, and it was read without locks: once more, with them.
        reading = open::identify(path)?;
        copy(&reading.connection, draft.path()).map_err(|error| failed(error.into()))?;
    }
    let verdict = quick_check(draft.path()).map_err(|error| failed(error.into()))?;
    if verdict != "ok" {
        return Err(BackupError::Damaged { path: path.to_owned(), detail: verdict });
    }
    let size = fs::metadata(draft.path()).map_err(|error| failed(error.into()))?.len();
    draft.place().map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(),
        _ => failed(error.into()),
    })?;
    Ok(size)
}

/// Copies all pages in one step, so that they are of one moment.
fn copy(from: &Connection, to: &Path) -> Result<(), rusqlite::Error> {
    let mut copy = Connection::open(to)?;
    let step = Backup::new(from, &mut copy)?.step(-1)?;
    let done = copy.close().map_err(|(_, error)| error);
    match step {
        StepResult::Done => done,
        _ => Err(rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY), None)),
    }
}

fn quick_check(path: &Path) -> Result<String, rusqlite::Error> {
    open::at_rest(path)?.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
}
