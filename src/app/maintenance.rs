//! Making, checking and copying a NIB.

use std::path::{Path, PathBuf};

use crate::actors::log_check::{chain, check_hashes};
use crate::app::clock::SystemClock;
use crate::app::config::{Config, NibSettings};
use crate::app::controller::actor;
use crate::app::failure::Failure;
use crate::app::folder::DataFolder;
use crate::domain::controller::ControllerId;
use crate::domain::time::{Clock, Timestamp};
use crate::nib::NibStore;
use crate::nib::sqlite::{self, OpenError, OpenMode, SqliteNib, SqliteReader};

pub use crate::nib::sqlite::{BackupError, CheckReport, Migrated, backup};

/// What `init` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Initialised {
    /// The database.
    pub path: PathBuf,
    /// What was done; `None` when it was current already.
    pub migrated: Option<Migrated>,
}

/// Creates the NIB that the configuration names, or brings it up to date.
///
/// # Errors
/// [`Failure::Usage`] when the folder or the file cannot be used; then neither was changed.
pub fn initialise(config: &Config, path: &Path) -> Result<Initialised, Failure> {
    let settings = NibSettings { path: path.to_owned() };
    let (mut nib, _folder) = open_nib(&settings, &actor(config), SystemClock::start().now())?;
    let migrated = nib.migrated().cloned();
    nib.close().map_err(Failure::failed)?;
    Ok(Initialised { path: settings.path, migrated })
}

/// Reads the whole NIB at `path`: its file, its schema, its rows, and of the event log what needs no
/// key: whether the stored hashes are those of the entries, and the events those that were sealed.
///
/// # Errors
/// As [`sqlite::check`].
pub fn check(path: &Path) -> Result<CheckReport, OpenError> {
    let mut report = sqlite::check(path)?;
    match SqliteReader::open(path).map(|reader| check_hashes(&reader)) {
        Ok(Ok(Ok(_))) => {}
        Ok(Ok(Err(fault))) => report.add("log_entries", Some(fault.seq.to_string()), chain(&fault.reason)),
        Ok(Err(error)) => report.add("log_entries", None, chain(&error)),
        // The report says what is wrong with the schema.
        Err(_) => {}
    }
    Ok(report)
}

/// Takes the data folder and opens its NIB for writing; makes and migrates as needed.
pub(super) fn open_nib(
    settings: &NibSettings,
    actor: &ControllerId,
    at: Timestamp,
) -> Result<(SqliteNib, DataFolder), Failure> {
    let folder = DataFolder::take(settings.data_dir()).map_err(Failure::usage)?;
    Ok((open_in(settings, actor, at)?, folder))
}

/// Opens the NIB of a folder that is taken.
pub(super) fn open_in(settings: &NibSettings, actor: &ControllerId, at: Timestamp) -> Result<SqliteNib, Failure> {
    let mode = OpenMode::Migrate { actor: actor.as_str(), at };
    SqliteNib::open(&settings.path, mode).map_err(Failure::usage)
}
