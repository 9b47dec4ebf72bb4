//! Making, checking and copying a NIB.

use std::path::{Path, PathBuf};

use crate::app::clock::SystemClock;
use crate::app::config::Config;
use crate::app::controller::actor;
use crate::app::failure::Failure;
use crate::app::folder::DataFolder;
use crate::domain::time::Clock;
use crate::nib::sqlite::{OpenMode, SqliteNib};

pub use crate::nib::sqlite::{BackupError, CheckReport, Migrated, backup, check};

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
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let _folder = DataFolder::take(folder).map_err(Failure::usage)?;
    let actor = actor(config);
    let mode = OpenMode::Migrate { actor: actor.as_str(), at: SystemClock::start().now() };
    let mut nib = SqliteNib::open(path, mode).map_err(Failure::usage)?;
    let migrated = nib.migrated().cloned();
    crate::nib::NibStore::close(&mut nib).map_err(Failure::failed)?;
    Ok(Initialised { path: path.to_owned(), migrated })
}
