//! Rows of the registry as domain values.

use rusqlite::Row;

use crate::domain::controller::RegionSlug;
use crate::domain::device::Version;
use crate::domain::number::{Epoch, PolicyVersion, Serial};
use crate::domain::registry::{Blocked, ControllerRow, Membership, NextCertificate, SignedDocument};
use crate::domain::time::Timestamp;
use crate::domain::token::{TokenId, TokenRow, TokenUse};
use crate::nib::change::registry::Names;
use crate::nib::sqlite::rows::{
    BadCell, BadRow, bad, cell, json, parsed, parsed_or_none, shown, unsigned, unsigned_or_none,
};

/// A query of whole controllers, for [`controller`].
macro_rules! select_controllers {
    ($rest:literal) => {
        concat!(
            "SELECT c.controller_id, c.role, c.region, c.expires_at, c.standing, c.standing_reason, c.validated_by, ",
            "c.validated_at, c.token_id, c.metadata, c.policy_version, c.last_contact, c.version, ",
            "one.serial, one.public_key, one.certificate, one.delegation, ",
            "next.serial AS next_serial, next.public_key AS next_public_key, next.certificate AS next_certificate, ",
            "next.delegation AS next_delegation FROM controllers AS c ",
            "LEFT JOIN certificates AS one ON one.controller_id = c.controller_id AND one.is_next = 0 ",
            "LEFT JOIN certificates AS next ON next.controller_id = c.controller_id AND next.is_next = 1 ",
            $rest
        )
    };
}

/// A query of whole tokens, for [`token`].
macro_rules! select_tokens {
    ($rest:literal) => {
        concat!(
            "SELECT token_id, secret_hash, role, region, issued_at, expires_at, wrong_attempts, revoked_at, used_at, ",
            "used_by_key, used_as FROM bootstrap_tokens ",
            $rest
        )
    };
}

/// A query of whole rows of names, for [`names`].
macro_rules! select_names {
    ($rest:literal) => {
        concat!("SELECT slug, region, next_regional, next_local FROM names ", $rest)
    };
}

/// The query of the membership, for [`membership`].
pub(super) const SELECT_MEMBERSHIP: &str = "SELECT cluster, controller_id, role, region, parent, pin, chain, serial, \
     key_file, next_key_file, next_chain, epoch, since, version FROM membership";

/// The query of the blocklist, for [`blocked`].
pub(super) const SELECT_BLOCKLIST: &str = "SELECT kind, value, reason FROM blocklist";

pub(super) use {select_controllers, select_names, select_tokens};

pub(super) fn token(row: &Row<'_>) -> Result<TokenRow, BadRow> {
    let read = || {
        let used = match cell::<Option<i64>>(row, 8)? {
            Some(at) => Some(TokenUse {
                public_key: parsed(row, 9)?,
                controller_id: parsed(row, 10)?,
                at: Timestamp::from_millis(at),
            }),
            None => None,
        };
        Ok(TokenRow {
            id: token_id(row, 0)?,
            secret_hash: parsed(row, 1)?,
            role: parsed(row, 2)?,
            region: parsed(row, 3)?,
            issued_at: Timestamp::from_millis(cell(row, 4)?),
            expires_at: Timestamp::from_millis(cell(row, 5)?),
            wrong_attempts: cell(row, 6)?,
            revoked_at: cell::<Option<i64>>(row, 7)?.map(Timestamp::from_millis),
            used,
        })
    };
    read().map_err(|cell| BadRow { table: "bootstrap_tokens", key: token_key(row, 0), cell })
}

pub(super) fn controller(row: &Row<'_>) -> Result<ControllerRow, BadRow> {
    let read = || {
        let next = match unsigned_or_none(row, 17)? {
            Some(serial) => Some(NextCertificate {
                serial: Serial::from_number(serial),
                public_key: parsed(row, 18)?,
                certificate: SignedDocument::from_text(cell(row, 19)?),
                delegation: document_or_none(row, 20)?,
            }),
            None => None,
        };
        let serial = unsigned_or_none(row, 13)?.ok_or_else(|| bad(row, 13, "it has no certificate"))?;
        let serial = Serial::from_number(serial);
        Ok(ControllerRow {
            id: parsed(row, 0)?,
            role: parsed(row, 1)?,
            region: parsed(row, 2)?,
            public_key: parsed(row, 14)?,
            serial,
            certificate: SignedDocument::from_text(cell(row, 15)?),
            delegation: document_or_none(row, 16)?,
            expires_at: Timestamp::from_millis(cell(row, 3)?),
            next,
            standing: parsed(row, 4)?,
            standing_reason: cell(row, 5)?,
            validated_by: parsed(row, 6)?,
            validated_at: Timestamp::from_millis(cell(row, 7)?),
            token: token_id(row, 8)?,
            metadata: json(row, 9)?,
            policy_version: unsigned_or_none(row, 10)?.map(PolicyVersion::from_number),
            last_contact: cell::<Option<i64>>(row, 11)?.map(Timestamp::from_millis),
            version: Version::from_number(cell(row, 12)?),
        })
    };
    read().map_err(|cell| BadRow { table: "controllers", key: shown(row, 0), cell })
}

pub(super) fn names(row: &Row<'_>) -> Result<(RegionSlug, Names), BadRow> {
    let read = || {
        let names = Names { region: parsed(row, 1)?, next_regional: cell(row, 2)?, next_local: cell(row, 3)? };
        let slug: RegionSlug = parsed(row, 0)?;
        if names.region.slug() == slug { Ok((slug, names)) } else { Err(bad(row, 1, "it stands for another region")) }
    };
    read().map_err(|cell| BadRow { table: "names", key: shown(row, 0), cell })
}

pub(super) fn membership(row: &Row<'_>) -> Result<Membership, BadRow> {
    let read = || {
        Ok(Membership {
            cluster: parsed(row, 0)?,
            id: parsed(row, 1)?,
            role: parsed(row, 2)?,
            region: parsed_or_none(row, 3)?,
            parent: parsed_or_none(row, 4)?,
            pin: parsed(row, 5)?,
            chain: SignedDocument::from_text(cell(row, 6)?),
            serial: Serial::from_number(unsigned(row, 7)?),
            key_file: cell(row, 8)?,
            next_key_file: cell(row, 9)?,
            next_chain: document_or_none(row, 10)?,
            epoch: Epoch::from_number(unsigned(row, 11)?),
            since: Timestamp::from_millis(cell(row, 12)?),
            version: Version::from_number(cell(row, 13)?),
        })
    };
    read().map_err(|cell| BadRow { table: "membership", key: shown(row, 1), cell })
}

/// The version of the membership, of a query of it alone.
pub(super) fn membership_version(row: &Row<'_>) -> Result<Version, BadRow> {
    let version = cell(row, 0).map(Version::from_number);
    version.map_err(|cell| BadRow { table: "membership", key: "row".to_owned(), cell })
}

pub(super) fn blocked(row: &Row<'_>) -> Result<(Blocked, String), BadRow> {
    let read = || {
        let blocked = match cell::<String>(row, 0)?.as_str() {
            "key" => Blocked::Key(parsed(row, 1)?),
            _ => Blocked::Source(cell(row, 1)?),
        };
        Ok((blocked, cell(row, 2)?))
    };
    read().map_err(|cell| BadRow { table: "blocklist", key: format!("{} {:?}", shown(row, 0), shown(row, 1)), cell })
}

/// A token's id, of which nothing is trusted.
pub(super) fn token_key(row: &Row<'_>, column: usize) -> String {
    token_id(row, column).map_or_else(|_| shown(row, column), |id| id.to_string())
}

fn token_id(row: &Row<'_>, column: usize) -> Result<TokenId, BadCell> {
    cell(row, column).map(TokenId::new)
}

fn document_or_none(row: &Row<'_>, column: usize) -> Result<Option<SignedDocument>, BadCell> {
    Ok(cell::<Option<String>>(row, column)?.map(SignedDocument::from_text))
}
