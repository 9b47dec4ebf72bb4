//! The data folder: made when it is missing, and held by one process at a time.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

/// A data folder that no other process writes to as long as this exists.
///
/// The folder itself is locked (flock(2)), so that there is no lock file to be left behind.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

/// Why a data folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error(
        "another pdsno{} works on the data folder {}; stop it, or give this one a folder of its own with --data-dir",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        path.display()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The process, where the system tells.
        pid: Option<u32>,
    },
    /// It cannot be made.
    #[error("cannot make the data folder {}; make it yourself, or name another with --data-dir", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It cannot be used.
    #[error("cannot use the data folder {}; let this user read and write it, or name another with --data-dir", path.display())]
    Unusable {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl DataFolder {
    /// Takes the folder, and makes it when it is missing: readable by its owner only.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        if !path.exists() {
            let create = DirBuilder::new().recursive(true).mode(0o700).create(path);
            create.map_err(|source| FolderError::Create { path: path.to_owned(), source })?;
        }
        let unusable = |source| FolderError::Unusable { path: path.to_owned(), source };
        let folder = File::open(path).map_err(unusable)?;
        let metadata = folder.metadata().map_err(unusable)?;
        if !metadata.is_dir() {
            return Err(unusable(io::Error::from(io::ErrorKind::NotADirectory)));
        }
        let access = rustix::fs::Access::READ_OK | rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(path, access).map_err(|error| unusable(error.into()))?;
        match lock(&folder) {
            Ok(()) => Ok(Self { path: path.to_owned(), lock: folder }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(FolderError::InUse { path: path.to_owned(), pid: holder(metadata.ino()) })
            }
            Err(error) => Err(unusable(error.into())),
        }
    }

    /// The process that works on a folder now, if one does.
    pub fn user(path: &Path) -> Option<FolderUser> {
        let folder = File::open(path).ok()?;
        match flock(&folder, FlockOperation::NonBlockingLockShared) {
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Some(FolderUser { pid: folder.metadata().ok().and_then(|metadata| holder(metadata.ino())) })
            }
            _ => None,
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder itself, open and under the same lock: that one ends when all of these are closed.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.lock.try_clone()
    }
}

/// Whoever only asks who works on a folder holds its lock for an instant, too; that one is waited for.
fn lock(folder: &File) -> rustix::io::Result<()> {
    const ASKED: u32 = 5;
    const INSTANT: Duration = Duration::from_millis(10);
    for _ in 1..ASKED {
        match flock(folder, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => std::thread::park_timeout(INSTANT),
            answer => return answer,
        }
    }
    flock(folder, FlockOperation::NonBlockingLockExclusive)
}

/// A process that works on a data folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FolderUser {
    /// Its number, where the system tells.
    pub pid: Option<u32>,
}

/// Who holds the lock of an inode: the fifth and sixth column of /proc/locks (proc(5)).
fn holder(inode: u64) -> Option<u32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let held = |line: &str| {
        let mut columns = line.split_whitespace().skip(1);
        let kind = columns.next()?;
        let (pid, place) = (columns.nth(2)?, columns.next()?);
        let same = kind == "FLOCK" && place.rsplit(':').next()?.parse() == Ok(inode);
        same.then(|| pid.parse().ok().filter(|pid| *pid > 0)).flatten()
    };
    locks.lines().find_map(held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_folder_is_made_private_and_held_by_one() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("new/data");
        let held = DataFolder::take(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        let refusal = DataFolder::take(&path).unwrap_err();
        assert!(matches!(refusal, FolderError::InUse { .. }), "{refusal}");
        assert!(refusal.to_string().contains("--data-dir"), "{refusal}");
        assert_eq!(DataFolder::user(&path), Some(FolderUser { pid: Some(std::process::id()) }));
        drop(held);
        assert_eq!(DataFolder::user(&path), None);
        assert!(DataFolder::take(&path).is_ok());
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0, "taking a folder leaves nothing in it");
    }

    #[test]
    fn a_file_is_no_folder() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(matches!(DataFolder::take(file.path()), Err(FolderError::Unusable { .. })));
        let below = file.path().join("data");
        assert!(matches!(DataFolder::take(&below), Err(FolderError::Create { .. })));
    }
}
