//! A file that is made under another name and takes its own only when it is whole.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// A file to be; it is removed unless it is placed.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    target: PathBuf,
}

impl Draft {
    /// A name for it, in the directory of its target: `.nib.sqlite.new-5f3a91c0`.
    pub(super) fn of(target: &Path) -> io::Result<Self> {
        let Some(name) = target.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it ends in no file name"));
        };
        let mut draft = OsString::from(".");
        draft.push(name);
        draft.push(format!(".new-{:08x}", getrandom::u32().map_err(|error| io::Error::other(error.to_string()))?));
        Ok(Self { path: target.with_file_name(draft), target: target.to_owned() })
    }

    /// Where it is made.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives it its name, durably. No file of that name is replaced.
    pub(super) fn place(self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        renameat_with(CWD, &self.path, CWD, &self.target, RenameFlags::NOREPLACE)?;
        let directory = self.target.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let mut path = self.path.clone().into_os_string();
            path.push(suffix);
            // It was placed, or never made; what cannot be removed harms nobody.
            let _removed = fs::remove_file(path);
        }
    }
}
