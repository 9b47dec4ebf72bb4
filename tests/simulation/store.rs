//! A store that ends its controller at a commit: from that instant nothing of it is written.

use std::sync::{Arc, Mutex, MutexGuard};

use pdsno::domain::change::Change;
use pdsno::domain::log::Sealer;
use pdsno::domain::registry::RegistryChange;
use pdsno::nib::memory::MemoryNib;
use pdsno::nib::{Committed, NibError, NibReader, NibStore, Source};

use crate::monitor::Monitor;

/// What shall become of a controller, and what became of it.
#[derive(Debug, Default)]
pub struct Fate {
    /// At how many further commits it ends; 0 is the next one.
    pub ends_in: Option<u64>,
    /// Whether that commit still reaches the store.
    pub after_it: bool,
    /// Whether it ends at the commit by which it takes its next key, after that.
    pub ends_with_next_key: bool,
    /// Whether it has ended.
    pub is_dead: bool,
}

/// A fate that store, carrier and test share.
pub type Shared = Arc<Mutex<Fate>>;

pub fn locked(fate: &Shared) -> MutexGuard<'_, Fate> {
    fate.lock().unwrap()
}

/// A NIB in memory that outlives its controller, whose commits are watched.
#[derive(Debug)]
pub struct MortalNib {
    pub nib: MemoryNib,
    pub fate: Shared,
    pub monitor: Monitor,
    pub node: usize,
}

impl NibStore for MortalNib {
    fn commit_each(&mut self, commits: &[&[Change]]) -> Vec<Result<Committed, NibError>> {
        commits.iter().map(|changes| self.commit_one(changes)).collect()
    }

    /// A process may end between two batches of devices, too: then nothing of them is there. The events
    /// of the cycle itself, which come last, are no batch.
    fn commit_from(&mut self, source: Source) -> Result<Committed, NibError> {
        let (mut all, mut batches) = (Vec::new(), 0);
        source.run(&mut |changes| {
            let mut fate = locked(&self.fate);
            let is_further = batches > 0 && changes.iter().any(|change| matches!(change, Change::InsertDevice(_)));
            fate.is_dead |= is_further && fate.ends_in == Some(0);
            if fate.is_dead {
                return Err(dead());
            }
            if is_further {
                fate.ends_in = fate.ends_in.map(|left| left - 1);
            }
            batches += 1;
            all.extend_from_slice(changes);
            Ok(())
        })?;
        self.monitor.handed_over(batches);
        self.commit_one(&all)
    }

    fn open_log(&mut self, sealer: Box<dyn Sealer>) -> Result<(), NibError> {
        match locked(&self.fate).is_dead {
            true => Err(dead()),
            false => self.nib.open_log(sealer),
        }
    }

    fn reader(&self) -> Result<Box<dyn NibReader>, NibError> {
        self.nib.reader()
    }
}

impl MortalNib {
    fn commit_one(&mut self, changes: &[Change]) -> Result<Committed, NibError> {
        let mut fate = locked(&self.fate);
        if fate.is_dead {
            return Err(dead());
        }
        let (ends, reaches) = match fate.ends_in {
            _ if fate.ends_with_next_key && takes_next_key(changes) => (true, true),
            None => (false, true),
            Some(0) => (true, fate.after_it),
            Some(left) => {
                fate.ends_in = Some(left - 1);
                (false, true)
            }
        };
        fate.is_dead = ends;
        drop(fate);
        if !reaches {
            return Err(dead());
        }
        let committed = self.nib.commit(changes);
        if committed.is_ok() {
            self.monitor.committed(self.node, changes);
        }
        if ends { Err(dead()) } else { committed }
    }
}

fn takes_next_key(changes: &[Change]) -> bool {
    let takes = |change: &Change| matches!(change, Change::Registry(RegistryChange::SetMembership(row)) if row.next_chain.is_some());
    changes.iter().any(takes)
}

/// What a process that is no more would have been told.
fn dead() -> NibError {
    NibError::MaybeCommitted { source: None }
}
