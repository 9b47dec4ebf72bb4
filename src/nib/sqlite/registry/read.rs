//! Questions about who belongs here.

use std::collections::BTreeMap;

use rusqlite::Row;

use crate::domain::controller::{ControllerId, Region, RegionSlug, Role};
use crate::domain::key::PublicKey;
use crate::domain::number::Serial;
use crate::domain::registry::{Blocked, ControllerRow, Membership};
use crate::domain::token::{TokenId, TokenRow};
use crate::nib::sqlite::SqliteReader;
use crate::nib::sqlite::read::rows_at_most;
use crate::nib::sqlite::registry::rows::{self, select_controllers, select_names, select_tokens};
use crate::nib::sqlite::rows::{BadRow, cell, unsigned};
use crate::nib::{NibError, RegistryReader};

impl RegistryReader for SqliteReader {
    fn membership(&self) -> Result<Option<Membership>, NibError> {
        self.one(rows::SELECT_MEMBERSHIP, [], rows::membership)
    }

    fn token(&self, id: TokenId) -> Result<Option<TokenRow>, NibError> {
        self.one(select_tokens!("WHERE token_id = ?1"), [id.as_bytes()], rows::token)
    }

    fn tokens(&self, after: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, NibError> {
        // Shorter than any id, so before all of them.
        let after = after.map_or_else(Vec::new, |id| id.as_bytes().to_vec());
        let sql = select_tokens!("WHERE token_id > ?1 ORDER BY token_id LIMIT ?2");
        self.all(sql, (after, rows_at_most(limit)), rows::token)
    }

    fn controller(&self, id: &ControllerId) -> Result<Option<ControllerRow>, NibError> {
        self.one(select_controllers!("WHERE c.controller_id = ?1"), [id.as_str()], rows::controller)
    }

    fn controller_by_key(&self, key: &PublicKey) -> Result<Option<ControllerRow>, NibError> {
        let sql = select_controllers!(
            "WHERE c.controller_id = (SELECT controller_id FROM certificates WHERE public_key = ?1)"
        );
        self.one(sql, [key.to_string()], rows::controller)
    }

    fn controllers(&self, after: Option<&ControllerId>, limit: usize) -> Result<Vec<ControllerRow>, NibError> {
        let after = after.map_or("", ControllerId::as_str);
        let sql = select_controllers!("WHERE c.controller_id > ?1 ORDER BY c.controller_id LIMIT ?2");
        self.all(sql, (after, rows_at_most(limit)), rows::controller)
    }

    fn count_controllers(&self, role: Role, region: &Region) -> Result<u32, NibError> {
        let sql = "SELECT count(*) FROM controllers WHERE region = ?1 AND role = ?2 AND standing <> 'revoked'";
        let counted = |row: &Row<'_>| {
            cell(row, 0).map_err(|cell| BadRow { table: "controllers", key: "by region".to_owned(), cell })
        };
        Ok(self.one(sql, (region.as_str(), role.as_str()), counted)?.unwrap_or(0))
    }

    fn regions(&self) -> Result<BTreeMap<RegionSlug, Region>, NibError> {
        let names = self.all(select_names!("ORDER BY slug"), [], rows::names)?;
        Ok(names.into_iter().map(|(slug, names)| (slug, names.region)).collect())
    }

    fn next_name(&self, role: Role, slug: &RegionSlug) -> Result<u32, NibError> {
        let names = self.one(select_names!("WHERE slug = ?1"), [slug.as_str()], rows::names)?;
        Ok(names.map_or(1, |(_, names)| names.next(role)))
    }

    fn next_serial(&self) -> Result<Serial, NibError> {
        let serial = |row: &Row<'_>| {
            let serial = unsigned(row, 0).map(Serial::from_number);
            serial.map_err(|cell| BadRow { table: "counters", key: "row".to_owned(), cell })
        };
        self.one("SELECT next_serial FROM counters", [], serial)?
            .ok_or_else(|| NibError::Corrupt { detail: "counters is empty".to_owned() })
    }

    fn blocklist(&self) -> Result<Vec<(Blocked, String)>, NibError> {
        let mut blocklist = self.all(rows::SELECT_BLOCKLIST, [], rows::blocked)?;
        // SQLite would sort keys by their text.
        blocklist.sort_unstable();
        Ok(blocklist)
    }
}
