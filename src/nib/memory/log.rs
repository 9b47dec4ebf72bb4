//! The event log as plain maps.

use std::collections::BTreeSet;

use crate::domain::digest::Digest;
use crate::domain::entry::EventId;
use crate::domain::event::{Event, EventSeq, NewEvent};
use crate::domain::log::{Edge, Evidence, LogChange, Sealer, StoredEntry, StoredHead};
use crate::domain::origin::Origin;
use crate::nib::memory::MemoryReader;
use crate::nib::memory::journal::{Journal, List, Single, Table};
use crate::nib::seal::{self, InEffect};
use crate::nib::{LogReader, NibError};

/// What a NIB in memory knows of logs.
#[derive(Debug, Default)]
pub(super) struct Log {
    /// Whose it is, once it is open.
    origin: Single<Option<Origin>>,
    edge: Single<Edge>,
    entries: List<StoredEntry>,
    by_id: Table<EventId, usize>,
    tiles: Table<(u8, u64), Digest>,
    heads: Table<(Origin, u64), StoredHead>,
    evidence: List<Evidence>,
}

impl Log {
    /// Opens it for a sealer.
    pub(super) fn open(&mut self, sealer: &dyn Sealer) -> Result<(), NibError> {
        match &*self.origin {
            Some(origin) => seal::same_log(origin, sealer),
            None => {
                self.origin.set(Some(sealer.origin().clone()));
                Ok(())
            }
        }
    }

    /// The events that are no entries yet.
    pub(super) fn backlog(&self, events: &[Event]) -> Vec<NewEvent> {
        events.iter().skip(self.entries.len()).cloned().map(Event::into_new).collect()
    }

    /// Seals what a commit appended, if the log is open.
    pub(super) fn seal<'e>(
        &mut self,
        sealer: Option<&mut (dyn Sealer + 'static)>,
        in_effect: InEffect,
        events: impl Iterator<Item = &'e NewEvent>,
    ) -> Result<(), NibError> {
        let mut events = events.peekable();
        if self.origin.is_none() || events.peek().is_none() {
            return Ok(());
        }
        let sealed = seal::seal(sealer.ok_or_else(seal::locked)?, &self.edge, in_effect, events)?;
        for sealed in sealed.entries {
            let at = self.entries.len();
            if self.by_id.contains_key(&sealed.event_id) {
                return Err(NibError::Invalid { detail: format!("the event id {} was used", sealed.event_id) });
            }
            self.by_id.put(sealed.event_id, at);
            self.entries.push(StoredEntry { seq: EventSeq::from_number(at as u64), sealed });
        }
        for tile in sealed.growth.tiles {
            self.tiles.put((tile.level, tile.index), tile.hash);
        }
        self.edge.set(sealed.growth.edge);
        Ok(())
    }

    pub(super) fn apply(&mut self, change: &LogChange) -> Result<(), NibError> {
        match change {
            LogChange::PutHead { head, after } => {
                seal::follows(head, *after, self.newest(&head.origin).map(|head| head.size))?;
                self.heads.put((head.origin.clone(), head.size), head.clone());
            }
            LogChange::PutEvidence(evidence) => self.evidence.push(evidence.clone()),
        }
        Ok(())
    }

    fn journals(&mut self) -> [&mut dyn Journal; 7] {
        [
            &mut self.origin,
            &mut self.edge,
            &mut self.entries,
            &mut self.by_id,
            &mut self.tiles,
            &mut self.heads,
            &mut self.evidence,
        ]
    }

    fn newest(&self, origin: &Origin) -> Option<&StoredHead> {
        let all = (origin.clone(), 0)..=(origin.clone(), u64::MAX);
        self.heads.range(all).next_back().map(|(_, head)| head)
    }
}

impl Journal for Log {
    fn keep(&mut self) {
        self.journals().into_iter().for_each(Journal::keep);
    }

    fn take_back(&mut self) {
        self.journals().into_iter().for_each(Journal::take_back);
    }
}

impl LogReader for MemoryReader {
    fn edge(&self) -> Result<Edge, NibError> {
        Ok((*self.state().log.edge).clone())
    }

    fn entries(&self, from: EventSeq, limit: usize) -> Result<Vec<StoredEntry>, NibError> {
        let Ok(from) = usize::try_from(from.number()) else { return Ok(Vec::new()) };
        Ok(self.state().log.entries.iter().skip(from).take(limit).cloned().collect())
    }

    fn entry(&self, id: EventId) -> Result<Option<StoredEntry>, NibError> {
        let state = self.state();
        let log = &state.log;
        Ok(log.by_id.get(&id).and_then(|at| log.entries.get(*at)).cloned())
    }

    fn tile_hashes(&self, level: u8, first: u64, count: usize) -> Result<Vec<Digest>, NibError> {
        let state = self.state();
        let log = &state.log;
        if level == 0 {
            let Ok(first) = usize::try_from(first) else { return Ok(Vec::new()) };
            return Ok(log.entries.iter().skip(first).take(count).map(|entry| entry.sealed.leaf).collect());
        }
        Ok(log.tiles.range((level, first)..=(level, u64::MAX)).take(count).map(|(_, hash)| *hash).collect())
    }

    fn head(&self, origin: &Origin) -> Result<Option<StoredHead>, NibError> {
        Ok(self.state().log.newest(origin).cloned())
    }

    fn heads(&self, origin: &Origin, after: u64, limit: usize) -> Result<Vec<StoredHead>, NibError> {
        let Some(first) = after.checked_add(1) else { return Ok(Vec::new()) };
        let wanted = (origin.clone(), first)..=(origin.clone(), u64::MAX);
        Ok(self.state().log.heads.range(wanted).take(limit).map(|(_, head)| head.clone()).collect())
    }

    fn origins(&self) -> Result<Vec<Origin>, NibError> {
        let origins: BTreeSet<Origin> = self.state().log.heads.keys().map(|(origin, _)| origin.clone()).collect();
        Ok(origins.into_iter().collect())
    }

    fn evidence(&self) -> Result<Vec<Evidence>, NibError> {
        Ok(self.state().log.evidence.to_vec())
    }
}
