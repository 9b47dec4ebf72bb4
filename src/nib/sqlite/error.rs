//! What SQLite's errors mean: the one place that knows.

use std::error::Error as StdError;
use std::sync::Arc;

use rusqlite::{Error, ErrorCode};

use crate::nib::NibError;

type Source = Option<Box<dyn StdError + Send + Sync>>;

/// The answer to what failed before a COMMIT, so that nothing was written.
pub(super) fn nib_error(error: Error, attempted: &'static str) -> NibError {
    meaning(&Arc::new(error), attempted)
}

fn meaning(error: &Arc<Error>, attempted: &'static str) -> NibError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => NibError::Full { attempted },
        Some(
            ErrorCode::DatabaseCorrupt
            | ErrorCode::NotADatabase
            | ErrorCode::ConstraintViolation
            | ErrorCode::TypeMismatch
            | ErrorCode::Unknown,
        ) => NibError::Corrupt { detail: error.to_string() },
        // A string beyond SQLite's limit of 1,000,000,000 bytes.
        Some(ErrorCode::TooBig) => NibError::Invalid { detail: error.to_string() },
        // Busy, I/O error, read-only, out of memory, not to be opened: the file may be sound.
        _ => NibError::Unavailable { attempted, source: source(error) },
    }
}

fn source(error: &Arc<Error>) -> Source {
    Some(Box::new(Arc::clone(error)))
}

/// A transaction that ended otherwise than by our COMMIT or ROLLBACK, for all that took part.
#[derive(Debug)]
pub(super) struct Lost {
    error: Arc<Error>,
    attempted: &'static str,
    in_commit: bool,
}

impl Lost {
    /// It was rolled back before its end.
    pub(super) fn before_commit(error: Error, attempted: &'static str) -> Self {
        Self { error: Arc::new(error), attempted, in_commit: false }
    }

    /// COMMIT itself failed.
    pub(super) fn in_commit(error: Error) -> Self {
        Self { error: Arc::new(error), attempted: "to commit", in_commit: true }
    }

    /// What each of them is told.
    pub(super) fn answer(&self) -> NibError {
        // Without room or without a lock no commit frame is in the log. After an I/O error, of
        // fsync say, one may be there, and the next start would replay it.
        let surely_not = matches!(
            self.error.sqlite_error_code(),
            Some(ErrorCode::DiskFull | ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::ReadOnly)
        );
        if self.in_commit && !surely_not {
            return NibError::MaybeCommitted { source: source(&self.error) };
        }
        meaning(&self.error, self.attempted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    fn sqlite(code: i32) -> Error {
        Error::SqliteFailure(ffi::Error::new(code), None)
    }

    #[test]
    fn an_error_of_the_store_becomes_what_the_caller_can_do_about_it() {
        for code in
            [ffi::SQLITE_IOERR, ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_BUSY, ffi::SQLITE_READONLY, ffi::SQLITE_CANTOPEN]
        {
            let answer = nib_error(sqlite(code), "to commit");
            assert!(matches!(answer, NibError::Unavailable { source: Some(_), .. }), "{code}: {answer:?}");
        }
        assert!(matches!(nib_error(sqlite(ffi::SQLITE_FULL), "to commit"), NibError::Full { .. }));
        for code in [ffi::SQLITE_CORRUPT, ffi::SQLITE_NOTADB] {
            assert!(matches!(nib_error(sqlite(code), "to read"), NibError::Corrupt { .. }), "{code}");
        }
    }

    #[test]
    fn only_an_error_of_commit_that_may_come_after_its_frame_leaves_doubt() {
        let in_doubt = |code| matches!(Lost::in_commit(sqlite(code)).answer(), NibError::MaybeCommitted { .. });
        assert!(in_doubt(ffi::SQLITE_IOERR_FSYNC));
        assert!(!in_doubt(ffi::SQLITE_FULL));
        assert!(!in_doubt(ffi::SQLITE_BUSY));
        let before = Lost::before_commit(sqlite(ffi::SQLITE_IOERR_WRITE), "to write").answer();
        assert!(matches!(before, NibError::Unavailable { .. }), "{before:?}");
    }
}
