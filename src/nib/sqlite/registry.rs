//! Who belongs here, as SQL: the changes within a transaction.

pub(super) mod check;
mod read;
mod rows;

use rusqlite::{Connection, Error, OptionalExtension, Params, ffi, params};

use crate::domain::controller::{ControllerId, RegionSlug};
use crate::domain::device::Version;
use crate::domain::key::PublicKey;
use crate::domain::number::Serial;
use crate::domain::registry::{Blocked, ControllerRow, Membership, RegistryChange, SignedDocument};
use crate::domain::time::Timestamp;
use crate::domain::token::{TokenId, TokenRow, TokenUse};
use crate::nib::change::registry::{Names, membership_after, succeed, taken};
use crate::nib::sqlite::rows::BadRow;
use crate::nib::sqlite::values::{number, text_json};
use crate::nib::sqlite::write::{Refused, violates};
use crate::nib::{NibError, Row};
use rows::{select_controllers, select_names};

const ISSUE_TOKEN: &str = "INSERT INTO bootstrap_tokens (token_id, secret_hash, role, region, issued_at, expires_at, \
     wrong_attempts, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";

const WRONG_PROOF: &str = "UPDATE bootstrap_tokens SET wrong_attempts = ?2 + 1, updated_at = ?3 \
     WHERE token_id = ?1 AND used_at IS NULL AND wrong_attempts = ?2";

const REVOKE_TOKEN: &str = "UPDATE bootstrap_tokens SET revoked_at = ?2, updated_at = ?3 \
     WHERE token_id = ?1 AND used_at IS NULL AND revoked_at IS NULL";

const USE_TOKEN: &str = "UPDATE bootstrap_tokens SET used_at = ?2, used_by_key = ?3, used_as = ?4, updated_at = ?5 \
     WHERE token_id = ?1 AND used_at IS NULL AND revoked_at IS NULL AND wrong_attempts < ?6";

const PUT_NAMES: &str = "INSERT INTO names (slug, region, next_regional, next_local) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT (slug) DO UPDATE SET next_regional = excluded.next_regional, next_local = excluded.next_local";

const TAKE_SERIAL: &str = "UPDATE counters SET next_serial = ?1 + 1 WHERE next_serial = ?1";

const INSERT_CONTROLLER: &str = "INSERT INTO controllers (expires_at, standing, standing_reason, metadata, \
     policy_version, last_contact, version, updated_at, controller_id, role, region, validated_by, validated_at, \
     token_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";

const UPDATE_CONTROLLER: &str = "UPDATE controllers SET expires_at = ?1, standing = ?2, standing_reason = ?3, \
     metadata = ?4, policy_version = ?5, last_contact = ?6, version = ?7, updated_at = ?8 WHERE controller_id = ?9";

const PUT_CERTIFICATE: &str = "INSERT INTO certificates (serial, controller_id, is_next, public_key, certificate, \
     delegation) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

const BLOCK: &str = "INSERT INTO blocklist (kind, value, reason, at) VALUES (?1, ?2, ?3, ?4) \
     ON CONFLICT DO UPDATE SET reason = excluded.reason, at = excluded.at";

const PUT_MEMBERSHIP: &str = "INSERT OR REPLACE INTO membership (only, cluster, controller_id, role, region, parent, \
     pin, chain, serial, key_file, next_key_file, next_chain, epoch, since, version, updated_at) \
     VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";

/// Makes a change within a transaction that began at `now`.
pub(super) fn write(connection: &Connection, now: i64, change: &RegistryChange) -> Result<(), Refused> {
    let writing = Writing { connection, now };
    match change {
        RegistryChange::IssueToken(token) => writing.issue(token),
        RegistryChange::WrongProof { token, from } => {
            let changed = writing.execute(WRONG_PROOF, params![token.as_bytes(), from, now])?;
            writing.expect_token(changed, *token)
        }
        RegistryChange::RevokeToken { token, at } => {
            let changed = writing.execute(REVOKE_TOKEN, params![token.as_bytes(), at.as_millis(), now])?;
            writing.expect_token(changed, *token)
        }
        RegistryChange::Admit { used, number, controller } => writing.admit(used, *number, controller),
        RegistryChange::UpdateController(controller) => writing.update(controller),
        RegistryChange::Block { blocked, reason, at } => {
            let (kind, value) = parts(blocked);
            writing.execute(BLOCK, params![kind, value, reason, at.as_millis()]).map(drop)
        }
        RegistryChange::Unblock(blocked) => {
            writing.execute("DELETE FROM blocklist WHERE kind = ?1 AND value = ?2", parts(blocked)).map(drop)
        }
        RegistryChange::SetMembership(membership) => writing.set_membership(membership),
    }
}

struct Writing<'c> {
    connection: &'c Connection,
    now: i64,
}

impl Writing<'_> {
    fn execute(&self, sql: &str, params: impl Params) -> Result<usize, Refused> {
        Ok(self.connection.prepare_cached(sql)?.execute(params)?)
    }

    fn find<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> Result<T, BadRow>,
    ) -> Result<Option<T>, Refused> {
        let found = self.connection.prepare_cached(sql)?.query_row(params, |row| Ok(read(row))).optional()?;
        Ok(found.transpose().map_err(NibError::from)?)
    }

    fn issue(&self, token: &TokenRow) -> Result<(), Refused> {
        let TokenRow { id, secret_hash, role, region, issued_at, expires_at, wrong_attempts, .. } = token;
        let changed = self.execute(
            ISSUE_TOKEN,
            params![
                id.as_bytes(),
                secret_hash.to_string(),
                role.as_str(),
                region.as_str(),
                issued_at.as_millis(),
                expires_at.as_millis(),
                wrong_attempts,
                self.now
            ],
        )?;
        if changed == 1 { Ok(()) } else { Err(taken(Row::Token(*id), None).into()) }
    }

    /// Whether the write that asked for a state of a token changed its row; if not, why not.
    fn expect_token(&self, changed: usize, id: TokenId) -> Result<(), Refused> {
        if changed == 1 {
            return Ok(());
        }
        let sql = "SELECT count(*) FROM bootstrap_tokens WHERE token_id = ?1";
        let found: i64 = self.connection.prepare_cached(sql)?.query_row([id.as_bytes()], |row| row.get(0))?;
        Err(if found == 0 { NibError::NotFound(Row::Token(id)) } else { taken(Row::Token(id), None) }.into())
    }

    fn admit(&self, used: &TokenUse, number: u32, controller: &ControllerRow) -> Result<(), Refused> {
        let changed = self.execute(
            USE_TOKEN,
            params![
                controller.token.as_bytes(),
                used.at.as_millis(),
                used.public_key.to_string(),
                used.controller_id.as_str(),
                self.now,
                TokenRow::MAX_WRONG_ATTEMPTS
            ],
        )?;
        self.expect_token(changed, controller.token)?;
        self.give_name(controller, number)?;
        self.take_serial(controller.serial, None)?;
        let mut values = self.values(controller, Version::FIRST)?;
        values.extend([
            controller.role.as_str().to_owned().into(),
            controller.region.as_str().to_owned().into(),
            controller.validated_by.as_str().to_owned().into(),
            controller.validated_at.as_millis().into(),
            controller.token.as_bytes().to_vec().into(),
        ]);
        self.execute(INSERT_CONTROLLER, rusqlite::params_from_iter(values))?;
        self.put_certificates(controller, None)
    }

    fn give_name(&self, controller: &ControllerRow, number: u32) -> Result<(), Refused> {
        let slug: RegionSlug = controller.region.slug();
        let given = self.find(select_names!("WHERE slug = ?1"), [slug.as_str()], rows::names)?;
        let mut names = given.map_or_else(|| Names::none_of(controller.region.clone()), |(_, names)| names);
        names.give(controller, number)?;
        let Names { region, next_regional, next_local } = names;
        self.execute(PUT_NAMES, params![slug.as_str(), region.as_str(), next_regional, next_local]).map(drop)
    }

    fn take_serial(&self, serial: Serial, expected: Option<Version>) -> Result<(), Refused> {
        match self.execute(TAKE_SERIAL, [number(serial.number())])? {
            1 => Ok(()),
            _ => Err(taken(Row::Serial(serial), expected).into()),
        }
    }

    fn update(&self, controller: &ControllerRow) -> Result<(), Refused> {
        let id = &controller.id;
        let before = self
            .find(select_controllers!("WHERE c.controller_id = ?1"), [id.as_str()], rows::controller)?
            .ok_or_else(|| NibError::NotFound(Row::Controller(id.clone())))?;
        let expected = Some(controller.version);
        if let Some(serial) = succeed(&before, controller)? {
            self.take_serial(serial, expected)?;
        }
        let certificates = |row: &ControllerRow| {
            (row.serial, row.public_key, row.certificate.clone(), row.delegation.clone(), row.next.clone())
        };
        if certificates(&before) != certificates(controller) {
            self.execute("DELETE FROM certificates WHERE controller_id = ?1", [id.as_str()])?;
            self.put_certificates(controller, expected)?;
        }
        let values = self.values(controller, controller.version.next())?;
        self.execute(UPDATE_CONTROLLER, rusqlite::params_from_iter(values)).map(drop)
    }

    /// What may change in a controller's row, and its key at the end.
    fn values(&self, controller: &ControllerRow, version: Version) -> Result<Vec<rusqlite::types::Value>, Refused> {
        Ok(vec![
            controller.expires_at.as_millis().into(),
            controller.standing.as_str().to_owned().into(),
            controller.standing_reason.clone().into(),
            text_json(&controller.metadata)?.into(),
            controller.policy_version.map(|version| number(version.number())).into(),
            controller.last_contact.map(Timestamp::as_millis).into(),
            version.number().into(),
            self.now.into(),
            controller.id.as_str().to_owned().into(),
        ])
    }

    fn put_certificates(&self, controller: &ControllerRow, expected: Option<Version>) -> Result<(), Refused> {
        let ControllerRow { id, serial, public_key, certificate, delegation, next, .. } = controller;
        self.put_certificate(id, false, (*serial, public_key, certificate, delegation.as_ref()), expected)?;
        if let Some(next) = next {
            let certificate = (next.serial, &next.public_key, &next.certificate, next.delegation.as_ref());
            self.put_certificate(id, true, certificate, expected)?;
        }
        Ok(())
    }

    fn put_certificate(
        &self,
        id: &ControllerId,
        is_next: bool,
        (serial, key, certificate, delegation): (Serial, &PublicKey, &SignedDocument, Option<&SignedDocument>),
        expected: Option<Version>,
    ) -> Result<(), Refused> {
        let put = self.connection.prepare_cached(PUT_CERTIFICATE)?.execute(params![
            number(serial.number()),
            id.as_str(),
            is_next,
            key.to_string(),
            certificate.as_str(),
            delegation.map(SignedDocument::as_str)
        ]);
        put.map(drop).map_err(|error| taken_key(error, key, expected))
    }

    fn set_membership(&self, membership: &Membership) -> Result<(), Refused> {
        let found = self.find("SELECT version FROM membership", [], rows::membership_version)?;
        let version = membership_after(found, membership.version)?;
        let Membership { cluster, id, role, region, parent, pin, chain, serial, key_file, .. } = membership;
        self.execute(
            PUT_MEMBERSHIP,
            params![
                cluster.as_str(),
                id.as_str(),
                role.as_str(),
                region.as_ref().map(|region| region.as_str()),
                parent.as_ref().map(|parent| parent.as_str()),
                pin.to_string(),
                chain.as_str(),
                number(serial.number()),
                key_file,
                membership.next_key_file,
                membership.next_chain.as_ref().map(SignedDocument::as_str),
                number(membership.epoch.number()),
                membership.since.as_millis(),
                version.number(),
                self.now
            ],
        )
        .map(drop)
    }
}

fn taken_key(error: Error, key: &PublicKey, expected: Option<Version>) -> Refused {
    if violates(&error, ffi::SQLITE_CONSTRAINT_UNIQUE) { taken(Row::Key(*key), expected).into() } else { error.into() }
}

fn parts(blocked: &Blocked) -> (&'static str, String) {
    match blocked {
        Blocked::Key(key) => ("key", key.to_string()),
        Blocked::Source(source) => ("source", source.clone()),
    }
}
