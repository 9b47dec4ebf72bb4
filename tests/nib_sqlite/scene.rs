//! A directory with a NIB in it.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use pdsno::domain::fact::{Fact, FactRow, SnmpUptime};
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::{Change, NibStore};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::samples::{NOW, address, append, at, id, insert};

pub const MIGRATE: OpenMode<'static> = OpenMode::Migrate { actor: "standalone", at: NOW };

pub struct Scene {
    pub path: PathBuf,
    directory: TempDir,
}

impl Scene {
    /// No NIB yet.
    pub fn empty() -> Self {
        let directory = TempDir::new().unwrap();
        Self { path: directory.path().join("nib.sqlite"), directory }
    }

    /// A NIB that was just made and closed.
    pub fn new() -> Self {
        Self::with_devices(0)
    }

    /// A closed NIB of devices from 1, each with a fact and an event.
    pub fn with_devices(devices: u32) -> Self {
        let scene = Self::empty();
        let mut nib = SqliteNib::open(&scene.path, MIGRATE).unwrap();
        let changes: Vec<Change> =
            (1..=devices).flat_map(|number| [insert(number), uptime(number), append(number)]).collect();
        nib.commit(&changes).unwrap();
        drop(nib);
        scene
    }

    /// The names of all files, ascending.
    pub fn files(&self) -> Vec<String> {
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
        let mut files: Vec<String> = fs::read_dir(self.directory.path()).unwrap().map(name).collect();
        files.sort_unstable();
        files
    }

    /// Where in the file the rows are: behind the pages that an empty NIB has.
    pub fn rows(&self) -> Range<u64> {
        let length = |path: &Path| fs::metadata(path).unwrap().len();
        length(&Self::new().path)..length(&self.path)
    }

    /// The NIB as somebody with a SQLite shell sees it.
    pub fn sql(&self) -> Connection {
        Connection::open(&self.path).unwrap()
    }

    /// Does what somebody with a SQLite shell could do.
    pub fn alter(&self, sql: &str) {
        let connection = self.sql();
        connection.pragma_update(None, "foreign_keys", false).unwrap();
        connection.execute_batch(sql).unwrap();
    }

    /// The statements that made the schema.
    pub fn schema(&self) -> Vec<String> {
        let sql = self.sql();
        let mut statement = sql.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

pub fn uptime(number: u32) -> Change {
    Change::PutFact(FactRow {
        device: id(number),
        fact: Fact::SnmpUptime(SnmpUptime { uptime_seconds: 1 }),
        source: address(number).to_string(),
        protocol: None,
        observed_at: at(-1),
        observer: None,
    })
}

/// Inverts every seventh byte of a file's range.
pub fn flip_bytes(path: &Path, range: Range<u64>) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    for place in range.step_by(7) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, place).unwrap();
        file.write_all_at(&[!byte[0]], place).unwrap();
    }
}
