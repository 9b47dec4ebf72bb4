//! Who belongs here, in memory.

use std::collections::BTreeMap;
use std::ops::Bound;

use crate::domain::controller::{ControllerId, Region, RegionSlug, Role};
use crate::domain::key::PublicKey;
use crate::domain::number::Serial;
use crate::domain::registry::{Blocked, ControllerRow, Membership, RegistryChange, Standing};
use crate::domain::token::{TokenId, TokenRow, TokenUse};
use crate::nib::change::registry::{FIRST_SERIAL, Names, keys, membership_after, succeed, taken};
use crate::nib::memory::journal::{Journal, Single, Table};
use crate::nib::memory::{MemoryReader, after};
use crate::nib::{NibError, RegistryReader, Row};

#[derive(Debug)]
pub(super) struct Registry {
    pub(super) membership: Single<Option<Membership>>,
    tokens: Table<TokenId, TokenRow>,
    names: Table<RegionSlug, Names>,
    next_serial: Single<Serial>,
    controllers: Table<ControllerId, ControllerRow>,
    by_key: Table<PublicKey, ControllerId>,
    blocklist: Table<Blocked, String>,
}

impl Default for Registry {
    fn default() -> Self {
        Self {
            membership: Single::default(),
            tokens: Table::default(),
            names: Table::default(),
            next_serial: Single::new(FIRST_SERIAL),
            controllers: Table::default(),
            by_key: Table::default(),
            blocklist: Table::default(),
        }
    }
}

impl Journal for Registry {
    fn keep(&mut self) {
        self.journals().into_iter().for_each(Journal::keep);
    }

    fn take_back(&mut self) {
        self.journals().into_iter().for_each(Journal::take_back);
    }
}

impl Registry {
    fn journals(&mut self) -> [&mut dyn Journal; 7] {
        [
            &mut self.membership,
            &mut self.tokens,
            &mut self.names,
            &mut self.next_serial,
            &mut self.controllers,
            &mut self.by_key,
            &mut self.blocklist,
        ]
    }

    pub(super) fn apply(&mut self, change: &RegistryChange) -> Result<(), NibError> {
        match change {
            RegistryChange::IssueToken(token) if self.tokens.contains_key(&token.id) => {
                return Err(taken(Row::Token(token.id), None));
            }
            RegistryChange::IssueToken(token) => self.tokens.put(token.id, token.clone()),
            RegistryChange::WrongProof { token, from } => self.amend_token(
                *token,
                |row| row.used.is_none() && row.wrong_attempts == *from,
                |row| row.wrong_attempts = from.saturating_add(1),
            )?,
            RegistryChange::RevokeToken { token, at } => self.amend_token(
                *token,
                |row| row.used.is_none() && row.revoked_at.is_none(),
                |row| row.revoked_at = Some(*at),
            )?,
            RegistryChange::Admit { used, number, controller } => self.admit(used, *number, controller)?,
            RegistryChange::UpdateController(controller) => self.update(controller)?,
            RegistryChange::Block { blocked, reason, .. } => self.blocklist.put(blocked.clone(), reason.clone()),
            RegistryChange::Unblock(blocked) => self.blocklist.remove(blocked),
            RegistryChange::SetMembership(membership) => {
                let found = self.membership.as_ref().map(|found| found.version);
                let version = membership_after(found, membership.version)?;
                self.membership.set(Some(Membership { version, ..(**membership).clone() }));
            }
        }
        Ok(())
    }

    fn amend_token(
        &mut self,
        id: TokenId,
        may: impl FnOnce(&TokenRow) -> bool,
        amend: impl FnOnce(&mut TokenRow),
    ) -> Result<(), NibError> {
        let mut token = self.tokens.get(&id).ok_or(NibError::NotFound(Row::Token(id)))?.clone();
        if !may(&token) {
            return Err(taken(Row::Token(id), None));
        }
        amend(&mut token);
        self.tokens.put(id, token);
        Ok(())
    }

    fn admit(&mut self, used: &TokenUse, number: u32, controller: &ControllerRow) -> Result<(), NibError> {
        let may = |row: &TokenRow| {
            row.used.is_none() && row.revoked_at.is_none() && row.wrong_attempts < TokenRow::MAX_WRONG_ATTEMPTS
        };
        self.amend_token(controller.token, may, |row| row.used = Some(used.clone()))?;
        let slug = controller.region.slug();
        let given = self.names.get(&slug).cloned();
        let mut names = given.unwrap_or_else(|| Names::none_of(controller.region.clone()));
        names.give(controller, number)?;
        self.names.put(slug, names);
        self.take_serial(controller.serial, None)?;
        self.put(controller.clone(), None)
    }

    fn update(&mut self, controller: &ControllerRow) -> Result<(), NibError> {
        let row = || Row::Controller(controller.id.clone());
        let before = self.controllers.get(&controller.id).ok_or_else(|| NibError::NotFound(row()))?;
        let serial = succeed(before, controller)?;
        let old: Vec<PublicKey> = keys(before).collect();
        if let Some(serial) = serial {
            self.take_serial(serial, Some(controller))?;
        }
        old.iter().for_each(|key| self.by_key.remove(key));
        self.put(ControllerRow { version: controller.version.next(), ..controller.clone() }, Some(controller))
    }

    fn take_serial(&mut self, serial: Serial, updated: Option<&ControllerRow>) -> Result<(), NibError> {
        if serial != *self.next_serial {
            return Err(taken(Row::Serial(serial), updated.map(|row| row.version)));
        }
        self.next_serial.set(serial.next());
        Ok(())
    }

    fn put(&mut self, controller: ControllerRow, updated: Option<&ControllerRow>) -> Result<(), NibError> {
        for key in keys(&controller) {
            if self.by_key.contains_key(&key) {
                return Err(taken(Row::Key(key), updated.map(|row| row.version)));
            }
            self.by_key.put(key, controller.id.clone());
        }
        self.controllers.put(controller.id.clone(), controller);
        Ok(())
    }
}

impl RegistryReader for MemoryReader {
    fn membership(&self) -> Result<Option<Membership>, NibError> {
        Ok(self.state().registry.membership.clone())
    }

    fn token(&self, id: TokenId) -> Result<Option<TokenRow>, NibError> {
        Ok(self.state().registry.tokens.get(&id).cloned())
    }

    fn tokens(&self, after_id: Option<TokenId>, limit: usize) -> Result<Vec<TokenRow>, NibError> {
        let state = self.state();
        Ok(state
            .registry
            .tokens
            .range((after(after_id), Bound::Unbounded))
            .map(|(_, row)| row)
            .take(limit)
            .cloned()
            .collect())
    }

    fn controller(&self, id: &ControllerId) -> Result<Option<ControllerRow>, NibError> {
        Ok(self.state().registry.controllers.get(id).cloned())
    }

    fn controller_by_key(&self, key: &PublicKey) -> Result<Option<ControllerRow>, NibError> {
        let Registry { by_key, controllers, .. } = &self.state().registry;
        Ok(by_key.get(key).and_then(|id| controllers.get(id)).cloned())
    }

    fn controllers(&self, after_id: Option<&ControllerId>, limit: usize) -> Result<Vec<ControllerRow>, NibError> {
        let state = self.state();
        let page = state.registry.controllers.range((after(after_id.cloned()), Bound::Unbounded));
        Ok(page.map(|(_, row)| row).take(limit).cloned().collect())
    }

    fn count_controllers(&self, role: Role, region: &Region) -> Result<u32, NibError> {
        let state = self.state();
        let counted =
            |row: &&ControllerRow| row.role == role && row.region == *region && row.standing != Standing::Revoked;
        let count = state.registry.controllers.values().filter(counted).count();
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn regions(&self) -> Result<BTreeMap<RegionSlug, Region>, NibError> {
        let state = self.state();
        Ok(state.registry.names.iter().map(|(slug, names)| (slug.clone(), names.region.clone())).collect())
    }

    fn next_name(&self, role: Role, slug: &RegionSlug) -> Result<u32, NibError> {
        Ok(self.state().registry.names.get(slug).map_or(1, |names| names.next(role)))
    }

    fn next_serial(&self) -> Result<Serial, NibError> {
        Ok(*self.state().registry.next_serial)
    }

    fn blocklist(&self) -> Result<Vec<(Blocked, String)>, NibError> {
        let state = self.state();
        Ok(state.registry.blocklist.iter().map(|(blocked, reason)| (blocked.clone(), reason.clone())).collect())
    }
}
