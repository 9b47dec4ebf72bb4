//! Changes that are written at once.

use crate::domain::change::Change;

/// Rows whose changes are written at once, about: some hundred kilobytes.
pub const BATCH: usize = 1_000;

/// Changes that wait until there are enough of them to be written.
#[derive(Debug, Default)]
pub struct Batch {
    changes: Vec<Change>,
    rows: usize,
}

impl Batch {
    /// Takes changes out of a list.
    pub fn take(&mut self, changes: &mut Vec<Change>) {
        self.rows += changes.iter().map(rows).sum::<usize>();
        self.changes.append(changes);
    }

    /// Whether there are enough of them.
    pub const fn is_full(&self) -> bool {
        self.rows >= BATCH
    }

    /// The changes, in the order in which they came.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Forgets them: they were written.
    pub fn clear(&mut self) {
        self.changes.clear();
        self.rows = 0;
    }
}

/// How many rows a change writes, about.
fn rows(change: &Change) -> usize {
    match change {
        Change::PutCounters(counters) => 1 + counters.interfaces.len(),
        _ => 1,
    }
}
