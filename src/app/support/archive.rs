//! A gzip-compressed tar archive in a file of its own.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use crate::app::failure::Failure;
use crate::domain::time::Timestamp;

/// The folder that everything is in.
const FOLDER: &str = "pdsno-support";

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where.
    pub path: PathBuf,
    /// How many octets.
    pub size: u64,
    /// The names of the files in it.
    pub files: Vec<String>,
}

/// An archive in memory: it is small, and a file is written as a whole or not at all.
pub(super) struct Archive {
    builder: Builder<GzEncoder<Vec<u8>>>,
    at: Timestamp,
    files: Vec<String>,
    broken: Option<std::io::Error>,
}

impl Archive {
    pub(super) fn new(at: Timestamp) -> Self {
        let encoder = GzEncoder::new(Vec::new(), Compression::default());
        Self { builder: Builder::new(encoder), at, files: Vec::new(), broken: None }
    }

    /// Adds a file.
    pub(super) fn add(&mut self, name: &str, content: &[u8]) {
        let mut header = Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o600);
        header.set_mtime(u64::try_from(self.at.as_millis()).unwrap_or_default() / 1_000);
        let added = self.builder.append_data(&mut header, format!("{FOLDER}/{name}"), content);
        match added {
            Ok(()) => self.files.push(name.to_owned()),
            Err(error) => self.broken = self.broken.take().or(Some(error)),
        }
    }

    /// Writes it all.
    pub(super) fn finish(self, target: &Path, mut file: File) -> Result<Written, Failure> {
        let packed = match self.broken {
            Some(error) => Err(error),
            None => self.builder.into_inner().and_then(GzEncoder::finish),
        };
        let written = packed.and_then(|octets| {
            file.write_all(&octets)?;
            file.sync_all()?;
            Ok(octets.len() as u64)
        });
        if written.is_err() {
            // What is half a bundle is none.
            let _gone = std::fs::remove_file(target);
        }
        let size = written.with_context(|| format!("cannot write {}", target.display())).map_err(Failure::Failed)?;
        Ok(Written { path: target.to_owned(), size, files: self.files })
    }
}

/// Makes the file, which must not be there yet, for its owner alone.
pub(super) fn create(target: &Path) -> Result<File, Failure> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(target);
    made.with_context(|| format!("cannot make {}", target.display())).map_err(Failure::Usage)
}
