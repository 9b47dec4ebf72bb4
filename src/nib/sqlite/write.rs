//! Changes as SQL, within a transaction.

use rusqlite::{CachedStatement, Connection, Error, OptionalExtension, ffi, params};

use crate::domain::device::{Device, DeviceId, Version};
use crate::domain::event::{EventSeq, NewEvent};
use crate::domain::fact::{Fact, FactRow};
use crate::domain::log::Sealer;
use crate::nib::change::told_of;
use crate::nib::sqlite::error::{Lost, nib_error};
use crate::nib::sqlite::log;
use crate::nib::sqlite::sealing::Sealing;
use crate::nib::sqlite::signing::{Desk, Signatures};
use crate::nib::sqlite::values::{Buffers, DeviceRow, fact_json, json, nanos};
use crate::nib::sqlite::{counters, policies, registry, streams};
use crate::nib::{Change, Committed, NibError, Row, seal};

const COUNTERS: &str = "SELECT next_device, (SELECT coalesce(max(seq) + 1, 0) FROM events), \
     CAST(unixepoch('subsec') * 1000 AS INTEGER) FROM counters";

const INSERT_DEVICE: &str = "INSERT INTO devices (mac, addresses, hostname, vendor, device_type, firmware, region, \
     local_controller, status, first_seen, last_seen, missed_cycles, methods, rtt_ns, version, updated_at, number) \
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";

const UPDATE_DEVICE: &str = "UPDATE devices SET mac = ?1, addresses = ?2, hostname = ?3, vendor = ?4, \
     device_type = ?5, firmware = ?6, region = ?7, local_controller = ?8, status = ?9, first_seen = ?10, \
     last_seen = ?11, missed_cycles = ?12, methods = ?13, rtt_ns = ?14, version = ?15, updated_at = ?16 \
     WHERE number = ?17 AND version = ?18";

const TOUCH_DEVICE: &str = "UPDATE devices SET last_seen = ?1, methods = ?2, rtt_ns = ?3, missed_cycles = 0, \
     version = ?4, updated_at = ?5 WHERE number = ?6 AND version = ?7";

const PUT_FACT: &str = "INSERT INTO device_facts (device, kind, source, value, protocol, observed_at, observer, \
     withheld) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (device, kind, source) DO UPDATE SET \
     value = excluded.value, protocol = excluded.protocol, observed_at = excluded.observed_at, \
     observer = excluded.observer, withheld = excluded.withheld \
     WHERE excluded.observed_at >= device_facts.observed_at";

const APPEND: &str =
    "INSERT INTO events (seq, event_type, actor, subject, timestamp, payload) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

/// Appends one event outside of a [`Session`].
pub(super) fn append(connection: &Connection, event: &NewEvent) -> Result<(), Error> {
    const NEXT: &str = "INSERT INTO events (seq, event_type, actor, subject, timestamp, payload) \
         SELECT coalesce(max(seq) + 1, 0), ?1, ?2, ?3, ?4, ?5 FROM events";
    let NewEvent { event_type, actor, subject, timestamp, payload } = event;
    connection
        .execute(NEXT, params![event_type.as_str(), actor, subject, timestamp.as_millis(), payload.to_string()])
        .map(drop)
}

/// Why a change was not made.
pub(super) enum Refused {
    /// For what it asks; the transaction goes on.
    Change(NibError),
    /// By the store; the transaction may be gone.
    Store(Error),
}

impl From<NibError> for Refused {
    fn from(error: NibError) -> Self {
        Self::Change(error)
    }
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// The statements and counters of one transaction.
pub(super) struct Session<'c> {
    connection: &'c Connection,
    insert_device: CachedStatement<'c>,
    update_device: CachedStatement<'c>,
    touch_device: CachedStatement<'c>,
    put_fact: CachedStatement<'c>,
    append: CachedStatement<'c>,
    buffers: Buffers,
    counters: Counters,
    sealing: Sealing<'c>,
    stored_next_device: i64,
    /// The store's clock when the transaction began, in milliseconds.
    now: i64,
}

#[derive(Clone, Copy)]
struct Counters {
    next_device: i64,
    next_event: i64,
}

impl<'c> Session<'c> {
    /// Within a transaction that has begun.
    pub(super) fn begin(
        connection: &'c Connection,
        sealer: Option<&'c mut (dyn Sealer + 'static)>,
        desk: &'c Desk,
    ) -> Result<Self, Error> {
        let (next_device, next_event, now) =
            connection.prepare_cached(COUNTERS)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(Self {
            connection,
            insert_device: connection.prepare_cached(INSERT_DEVICE)?,
            update_device: connection.prepare_cached(UPDATE_DEVICE)?,
            touch_device: connection.prepare_cached(TOUCH_DEVICE)?,
            put_fact: connection.prepare_cached(PUT_FACT)?,
            append: connection.prepare_cached(APPEND)?,
            buffers: Buffers::default(),
            counters: Counters { next_device, next_event },
            sealing: Sealing::begin(connection, sealer, desk)?,
            stored_next_device: next_device,
            now,
        })
    }

    /// Writes the only commit of the transaction. When it is refused, the transaction must be
    /// rolled back: it may have been written in part.
    ///
    /// # Errors
    /// [`Lost`] when the transaction is gone.
    pub(super) fn write_all(&mut self, changes: &[Change]) -> Result<Result<Committed, NibError>, Lost> {
        let refused = self.make(changes).err();
        self.answer(refused)
    }

    /// Writes one of several commits: in a savepoint, so that it can fail alone.
    ///
    /// # Errors
    /// [`Lost`] when the transaction is gone, with all commits in it.
    pub(super) fn write_apart(&mut self, changes: &[Change]) -> Result<Result<Committed, NibError>, Lost> {
        let lost = |error| Lost::before_commit(error, "to write");
        self.execute("SAVEPOINT one").map_err(lost)?;
        let (before, place) = (self.counters, self.sealing.place());
        let refused = self.make(changes).err();
        let answer = self.answer(refused)?;
        if answer.is_err() {
            self.counters = before;
            self.sealing.go_back(place);
            self.execute("ROLLBACK TO one").map_err(lost)?;
        }
        self.execute("RELEASE one").map_err(lost)?;
        Ok(answer)
    }

    /// Makes the changes of a commit, and drafts the entries of its events.
    fn make(&mut self, changes: &[Change]) -> Result<(), Refused> {
        changes.iter().try_for_each(|change| self.apply(change))?;
        self.sealing.draft(seal::events(changes))
    }

    /// Writes down the entries of what was written so far, and forgets them.
    pub(super) fn settle(&mut self, signatures: Signatures) -> Result<(), Error> {
        self.sealing.settle(signatures)
    }

    /// What the commits so far come to.
    pub(super) fn committed(&self) -> Committed {
        Committed { next_event: EventSeq::from_number(self.counters.next_event.unsigned_abs()) }
    }

    /// Writes down what was counted and signed, before COMMIT.
    pub(super) fn finish(self, signatures: Signatures) -> Result<(), Error> {
        self.sealing.finish(signatures)?;
        if self.counters.next_device != self.stored_next_device {
            self.connection
                .prepare_cached("UPDATE counters SET next_device = ?1")?
                .execute([self.counters.next_device])?;
        }
        Ok(())
    }

    fn execute(&self, sql: &'static str) -> Result<(), Error> {
        self.connection.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn answer(&self, refused: Option<Refused>) -> Result<Result<Committed, NibError>, Lost> {
        match refused {
            None => Ok(Ok(self.committed())),
            Some(Refused::Change(error)) => Ok(Err(error)),
            // Some errors, a full disk among them, make SQLite roll back everything.
            Some(Refused::Store(error)) if self.connection.is_autocommit() => {
                Err(Lost::before_commit(error, "to write"))
            }
            Some(Refused::Store(error)) => Ok(Err(nib_error(error, "to write"))),
        }
    }

    fn apply(&mut self, change: &Change) -> Result<(), Refused> {
        change.validate()?;
        match change {
            Change::InsertDevice(device) => self.insert_device(device),
            Change::UpdateDevice(device) => self.update_device(device),
            Change::TouchDevice { id, version, last_seen, methods, rtt } => {
                let methods = json(&mut self.buffers.methods, methods)?;
                let rtt = nanos(*rtt);
                let (next, version_number) = (version.next().number(), version.number());
                let changed = self.touch_device.execute(params![
                    last_seen.as_millis(),
                    methods,
                    rtt,
                    next,
                    self.now,
                    id.number(),
                    version_number
                ])?;
                self.expect_one(changed, *id, *version)
            }
            Change::RemoveDevice { id, version } => self.remove_device(*id, *version),
            Change::PutFact(fact) => self.put_fact(fact),
            Change::PutCounters(counters) => counters::put(self.connection, counters),
            Change::Append(event) => self.append(event),
            Change::Registry(change) => registry::write(self.connection, self.now, change),
            Change::Stream(change) => streams::write(self.connection, self.now, change),
            Change::PutSighting(sighting) => streams::put_sighting(self.connection, sighting),
            Change::DropSighting { reporter, reported } => streams::drop_sighting(self.connection, reporter, *reported),
            Change::PutPolicy(policy) => policies::put(self.connection, policy),
            Change::Log(change) => log::write(self.connection, change),
        }
    }

    fn insert_device(&mut self, device: &Device) -> Result<(), Refused> {
        let number = i64::from(device.id.number());
        if number < self.counters.next_device {
            let found = self.version_of(device.id)?;
            return Err(NibError::Conflict { row: Row::Device(device.id), expected: None, found }.into());
        }
        let row = DeviceRow::new(&mut self.buffers, device, Version::FIRST, self.now)?;
        self.insert_device.execute(row.params()).map_err(|error| taken_mac(error, device, None))?;
        self.counters.next_device = number + 1;
        Ok(())
    }

    fn update_device(&mut self, device: &Device) -> Result<(), Refused> {
        let row = DeviceRow::new(&mut self.buffers, device, device.version.next(), self.now)?;
        let expected = device.version.number();
        let changed = self
            .update_device
            .execute(&[&row.params()[..], &[&expected]].concat()[..])
            .map_err(|error| taken_mac(error, device, Some(device.version)))?;
        self.expect_one(changed, device.id, device.version)
    }

    fn remove_device(&self, id: DeviceId, version: Version) -> Result<(), Refused> {
        counters::remove(self.connection, id)?;
        self.connection.prepare_cached("DELETE FROM device_facts WHERE device = ?1")?.execute([id.number()])?;
        let removed = self
            .connection
            .prepare_cached("DELETE FROM devices WHERE number = ?1 AND version = ?2")?
            .execute([id.number(), version.number()]);
        match removed {
            Ok(changed) => self.expect_one(changed, id, version),
            Err(error) if violates(&error, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Err(told_of(id).into()),
            Err(error) => Err(error.into()),
        }
    }

    fn put_fact(&mut self, row: &FactRow) -> Result<(), Refused> {
        let value = fact_json(&mut self.buffers.json, &row.fact)?;
        let protocol = row.protocol.map(|protocol| protocol.as_str());
        let put = self.put_fact.execute(params![
            row.device.number(),
            row.fact.kind().as_str(),
            row.source,
            value,
            protocol,
            row.observed_at.as_millis(),
            row.observer.as_ref().map(|observer| observer.as_str()),
            matches!(row.fact, Fact::Withheld(_))
        ]);
        match put {
            Ok(_) => Ok(()),
            Err(error) if violates(&error, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => {
                Err(NibError::NotFound(Row::Device(row.device)).into())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn append(&mut self, event: &NewEvent) -> Result<(), Refused> {
        let payload = json(&mut self.buffers.json, &event.payload)?;
        self.append.execute(params![
            self.counters.next_event,
            event.event_type.as_str(),
            event.actor,
            event.subject,
            event.timestamp.as_millis(),
            payload
        ])?;
        self.counters.next_event += 1;
        Ok(())
    }

    /// Whether the write that asked for this version changed its row; if not, why not.
    fn expect_one(&self, changed: usize, id: DeviceId, version: Version) -> Result<(), Refused> {
        if changed == 1 {
            return Ok(());
        }
        let row = Row::Device(id);
        Err(match self.version_of(id)? {
            None => NibError::NotFound(row),
            found => NibError::Conflict { row, expected: Some(version), found },
        }
        .into())
    }

    fn version_of(&self, id: DeviceId) -> Result<Option<Version>, Error> {
        self.connection
            .prepare_cached("SELECT version FROM devices WHERE number = ?1")?
            .query_row([id.number()], |row| row.get(0).map(Version::from_number))
            .optional()
    }
}

fn taken_mac(error: Error, device: &Device, expected: Option<Version>) -> Refused {
    match device.mac {
        Some(mac) if violates(&error, ffi::SQLITE_CONSTRAINT_UNIQUE) => {
            NibError::Conflict { row: Row::Mac(mac), expected, found: None }.into()
        }
        _ => error.into(),
    }
}

pub(super) fn violates(error: &Error, constraint: i32) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == constraint)
}
