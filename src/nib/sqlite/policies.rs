//! Policies, as SQL.

use rusqlite::{Connection, Error, Row, params};

use crate::domain::number::PolicyVersion;
use crate::domain::policy::PolicyRow;
use crate::domain::registry::SignedDocument;
use crate::domain::time::Timestamp;
use crate::nib::change::registry::taken;
use crate::nib::sqlite::SqliteReader;
use crate::nib::sqlite::check::{CheckReport, each};
use crate::nib::sqlite::read::rows_at_most;
use crate::nib::sqlite::rows::{BadRow, cell, shown, unsigned};
use crate::nib::sqlite::values::number;
use crate::nib::sqlite::write::Refused;
use crate::nib::{self, NibError, PolicyReader};

const PUT_POLICY: &str = "INSERT INTO policies (version, document, issued_at, expires_at, taken_at) \
     SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM policies WHERE version >= ?1)";

macro_rules! select_policies {
    ($rest:literal) => {
        concat!("SELECT version, document, issued_at, expires_at, taken_at FROM policies ", $rest)
    };
}

pub(super) fn put(connection: &Connection, policy: &PolicyRow) -> Result<(), Refused> {
    let PolicyRow { version, document, issued_at, expires_at, taken_at } = policy;
    let changed = connection.prepare_cached(PUT_POLICY)?.execute(params![
        number(version.number()),
        document.as_str(),
        issued_at.as_millis(),
        expires_at.as_millis(),
        taken_at.as_millis()
    ])?;
    if changed == 1 { Ok(()) } else { Err(taken(nib::Row::Policy(*version), None).into()) }
}

impl PolicyReader for SqliteReader {
    fn policy(&self) -> Result<Option<PolicyRow>, NibError> {
        self.one(select_policies!("ORDER BY version DESC LIMIT 1"), [], policy)
    }

    fn policies(&self, after: PolicyVersion, limit: usize) -> Result<Vec<PolicyRow>, NibError> {
        let sql = select_policies!("WHERE version > ?1 ORDER BY version LIMIT ?2");
        self.all(sql, (number(after.number()), rows_at_most(limit)), policy)
    }
}

fn policy(row: &Row<'_>) -> Result<PolicyRow, BadRow> {
    let read = || {
        Ok(PolicyRow {
            version: PolicyVersion::from_number(unsigned(row, 0)?),
            document: SignedDocument::from_text(cell(row, 1)?),
            issued_at: Timestamp::from_millis(cell(row, 2)?),
            expires_at: Timestamp::from_millis(cell(row, 3)?),
            taken_at: Timestamp::from_millis(cell(row, 4)?),
        })
    };
    read().map_err(|cell| BadRow { table: "policies", key: shown(row, 0), cell })
}

pub(super) fn check(connection: &Connection, report: &mut CheckReport) -> Result<(), Error> {
    each(connection, select_policies!("ORDER BY version"), |row| {
        report.read(policy(row));
        Ok(())
    })
}
