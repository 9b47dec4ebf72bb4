//! Opening: which files are NIBs, and why the others are not touched.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, Error, ErrorCode, OpenFlags};

use crate::domain::time::Timestamp;
use crate::nib::sqlite::BUSY_TIMEOUT;
use crate::nib::sqlite::draft::Draft;
use crate::nib::sqlite::migrate::{self, Migrated, Standing};

/// "pdNB", in the header of each NIB file (`PRAGMA application_id`); `V1` writes it.
pub(super) const APPLICATION_ID: i64 = 0x7064_4e42;

/// How many statements a connection keeps prepared: all that are in use every second.
const STATEMENTS: usize = 64;

/// What may be done to a file so that it can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode<'a> {
    /// Create it when it is missing, migrate it when it is older; both with an event.
    Migrate {
        /// Who does it: a controller's name.
        actor: &'a str,
        /// When.
        at: Timestamp,
    },
    /// Nothing: it must be there and current.
    Current,
}

/// Why a NIB was not opened. The file is as it was.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no file.
    #[error("there is no NIB at {}; create it with `pdsno init`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a pdsno NIB: {why}; name another file, or move this one away", path.display())]
    NotANib {
        /// The file.
        path: PathBuf,
        /// What it is.
        why: String,
    },
    /// The file has yet to be migrated.
    #[error("the NIB {} has schema {found}, this pdsno needs {known}; migrate it with `pdsno init`", path.display())]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema of this program.
        known: i64,
    },
    /// A newer program has migrated the file.
    #[error("the NIB {} has schema {found}, this pdsno knows up to {known}; use the pdsno that wrote it, or a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema of this program.
        known: i64,
    },
    /// Another program has migrated the file.
    #[error("the NIB {} was made by another {migration} than this pdsno has; use the pdsno that wrote it", path.display())]
    Divergent {
        /// The file.
        path: PathBuf,
        /// Its first migration that differs.
        migration: String,
    },
    /// The file is damaged.
    #[error("the NIB {} is damaged: {detail}; restore a backup, or look at it with `pdsno nib check`", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// The first damage that was found.
        detail: String,
    },
    /// The file may be read only.
    #[error("the NIB {} may not be written; let this user write it and its directory", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// The file may not be read.
    #[error("the NIB {} cannot be read; let this user read it and enter its directory", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Another process holds it.
    #[error("the NIB {} is locked by another process; stop that one, or try again", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// Anything else that the system refused.
    #[error("the NIB {}: the attempt {attempted} failed", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was attempted.
        attempted: &'static str,
        /// What the system says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A file that is a NIB, open for reading.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) connection: Connection,
    /// Nobody had it open, so it is read without locks: SQLite would otherwise have to create its
    /// shared memory beside it, and could not remove it.
    pub(super) at_rest: bool,
}

pub(super) fn for_writing(path: &Path, mode: OpenMode<'_>) -> Result<(Connection, Option<Migrated>), OpenError> {
    let open = || writing(path).map_err(|error| refusal(path, "to open it", error));
    match (identify(path), mode) {
        (Err(OpenError::Missing { .. }), OpenMode::Migrate { actor, at }) => {
            let migrated = create(path, actor, at)?;
            Ok((open()?, migrated))
        }
        (Err(error), _) => Err(error),
        (Ok(reading), mode) => match (sound_standing(path, &reading.connection)?, mode) {
            (Standing::Older(_), OpenMode::Migrate { actor, at }) => {
                let connection = open()?;
                let migrated = migrate(path, &connection, actor, at)?;
                Ok((connection, migrated))
            }
            (standing, _) => {
                current(path, standing)?;
                Ok((open()?, None))
            }
        },
    }
}

pub(super) fn for_reading(path: &Path) -> Result<Reading, OpenError> {
    let reading = identify(path)?;
    current(path, standing(path, &reading.connection)?)?;
    Ok(reading)
}

/// The file, if it is a NIB of any schema.
pub(super) fn identify(path: &Path) -> Result<Reading, OpenError> {
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing { path: path.to_owned() },
        _ => OpenError::Unreadable { path: path.to_owned(), source: Box::new(error) },
    })?;
    let not_a_nib = |why: String| OpenError::NotANib { path: path.to_owned(), why };
    if !metadata.is_file() {
        return Err(not_a_nib("it is no regular file".to_owned()));
    }
    let opened = |connection: Result<Connection, Error>| connection.map_err(|error| refusal(path, "to open it", error));
    // Without locks and without its log, so that a file of somebody else stays untouched.
    let mut reading = Reading { connection: opened(at_rest(path))?, at_rest: true };
    let mut id = application_id(&reading.connection);
    let may_be_ours = match &id {
        Ok(id) => *id == APPLICATION_ID,
        Err(error) => error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt),
    };
    if may_be_ours && is_in_use(path) {
        // A checkpoint may be under way, or have stopped half-way: the log has the other half.
        reading = Reading { connection: opened(beside_others(path))?, at_rest: false };
        id = application_id(&reading.connection);
    }
    match id {
        Ok(APPLICATION_ID) => Ok(reading),
        Ok(_) if metadata.len() == 0 => Err(not_a_nib("it is empty".to_owned())),
        Ok(id) => Err(not_a_nib(format!("it is an SQLite database with application id {id}"))),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(not_a_nib("it is no SQLite database".to_owned()))
        }
        Err(error) => Err(refusal(path, "to read its header", error)),
    }
}

fn application_id(connection: &Connection) -> Result<i64, Error> {
    connection.pragma_query_value(None, "application_id", |row| row.get(0))
}

/// A read-only connection to a file that others may be writing.
pub(super) fn beside_others(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Whether somebody has the file open, or left it without closing it: there is a write-ahead log.
pub(super) fn is_in_use(path: &Path) -> bool {
    let mut log = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).into_os_string();
    log.push("-wal");
    Path::new(&log).exists()
}

/// A read-only connection to a file that nobody writes (`immutable=1`): no locks, nothing created.
pub(super) fn at_rest(path: &Path) -> Result<Connection, Error> {
    let mut uri = OsString::from("file:");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte).to_string());
            }
            _ => uri.push(format!("%{byte:02x}")),
        }
    }
    uri.push("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags)
}

/// The writing connection to a file that exists, with the settings that the NIB's promises need.
fn writing(path: &Path) -> Result<Connection, Error> {
    configured(Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

fn configured(connection: Connection) -> Result<Connection, Error> {
    if connection.is_readonly("main")? {
        return Err(Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_READONLY), None));
    }
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // No temp_store=memory: it makes SQLite keep what undoes a statement in pieces of 1 KiB, which
    // costs a fifth of the time of a large commit.
    connection.pragma_update(None, "cache_size", -16_384)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // The first read creates the shared memory that read-only connections need.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

fn create(path: &Path, actor: &str, at: Timestamp) -> Result<Option<Migrated>, OpenError> {
    let refused = |error| refusal(path, "to create it", error);
    let failed =
        |error: io::Error| OpenError::Io { path: path.to_owned(), attempted: "to create it", source: Box::new(error) };
    let draft = Draft::of(path).map_err(failed)?;
    let connection = Connection::open(draft.path()).and_then(configured).map_err(refused)?;
    let migrated = migrate(path, &connection, actor, at)?;
    connection.close().map_err(|(_, error)| refused(error))?;
    draft.place().map_err(failed)?;
    Ok(migrated)
}

fn migrate(path: &Path, connection: &Connection, actor: &str, at: Timestamp) -> Result<Option<Migrated>, OpenError> {
    migrate::migrate(connection, &migrate::known(), actor, at, &path.to_string_lossy())
        .map_err(|error| refusal(path, "to migrate it", error))
}

/// The standing of a file whose pages and indexes are sound.
fn sound_standing(path: &Path, connection: &Connection) -> Result<Standing, OpenError> {
    let found = connection
        .query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0))
        .map_err(|error| refusal(path, "to check it", error))?;
    if found != "ok" {
        return Err(OpenError::Corrupt { path: path.to_owned(), detail: found });
    }
    standing(path, connection)
}

pub(super) fn standing(path: &Path, connection: &Connection) -> Result<Standing, OpenError> {
    migrate::standing(connection, &migrate::known()).map_err(|error| match error.sqlite_error_code() {
        // No such table, a NULL where there is none: not what any pdsno wrote.
        None | Some(ErrorCode::Unknown) => {
            OpenError::Corrupt { path: path.to_owned(), detail: format!("its history of migrations: {error}") }
        }
        Some(_) => refusal(path, "to read its schema", error),
    })
}

/// Refuses what is not current.
pub(super) fn current(path: &Path, standing: Standing) -> Result<(), OpenError> {
    let (path, known) = (path.to_owned(), migrate::newest(&migrate::known()));
    match standing {
        Standing::Current => Ok(()),
        Standing::Older(found) => Err(OpenError::Older { path, found, known }),
        Standing::Newer(found) => Err(OpenError::Newer { path, found, known }),
        Standing::Divergent(migration) => Err(OpenError::Divergent { path, migration }),
    }
}

/// What SQLite's refusal means for who wants to open the file.
pub(super) fn refusal(path: &Path, attempted: &'static str, error: Error) -> OpenError {
    let path = path.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            OpenError::Corrupt { path, detail: error.to_string() }
        }
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => OpenError::Locked { path },
        Some(ErrorCode::ReadOnly) => OpenError::ReadOnly { path },
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) if path.exists() => {
            OpenError::Unreadable { path, source: Box::new(error) }
        }
        _ => OpenError::Io { path, attempted, source: Box::new(error) },
    }
}
