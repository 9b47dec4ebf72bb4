//! Proofs from what is stored of a tree.

use crate::algorithms::audit::stored::{TileHashes, Unread, subtree};
use crate::domain::digest::Digest;

/// Why a proof was not built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError<E: std::error::Error + 'static> {
    /// An entry that the tree does not have.
    #[error("a tree of {size} entries has no entry {index}")]
    NoSuchEntry {
        /// The entry.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A tree does not come before a smaller one.
    #[error("a tree of {old} entries is not the beginning of one of {new}")]
    Backwards {
        /// The size of the tree that is to be the beginning.
        old: u64,
        /// The size of the other.
        new: u64,
    },
    /// The stored hashes.
    #[error(transparent)]
    Unread(#[from] Unread<E>),
}

/// The proof that entry `index` is in the tree of the first `size` entries: the audit path of
/// RFC 6962 section 2.1.1, from the leaf's sibling up.
///
/// # Errors
/// [`BuildError`] when there is no such entry, or the store does not have the hashes.
pub fn inclusion<S: TileHashes>(store: &S, index: u64, size: u64) -> Result<Vec<Digest>, BuildError<S::Error>> {
    if index >= size {
        return Err(BuildError::NoSuchEntry { index, size });
    }
    let mut siblings = Vec::new();
    let (mut begin, mut end) = (0, size);
    while end - begin > 1 {
        let middle = begin + left_half(end - begin);
        if index < middle {
            siblings.push((middle, end));
            end = middle;
        } else {
            siblings.push((begin, middle));
            begin = middle;
        }
    }
    hashes(store, &siblings)
}

/// The proof that the tree of the first `old` entries is the beginning of that of the first `new`:
/// RFC 6962 section 2.1.2. Empty when either is the other or `old` is 0.
///
/// # Errors
/// [`BuildError`] when `old` is the larger, or the store does not have the hashes.
pub fn consistency<S: TileHashes>(store: &S, old: u64, new: u64) -> Result<Vec<Digest>, BuildError<S::Error>> {
    if old > new {
        return Err(BuildError::Backwards { old, new });
    }
    let mut parts = Vec::new();
    if old == 0 {
        return hashes(store, &parts);
    }
    // Down to the subtree that ends where the old tree ends.
    let (mut begin, mut end) = (0, new);
    while old < end {
        let middle = begin + left_half(end - begin);
        if old <= middle {
            parts.push((middle, end));
            end = middle;
        } else {
            parts.push((begin, middle));
            begin = middle;
        }
    }
    // One that begins at 0 is the old tree itself, whose root the verifier has.
    if begin > 0 {
        parts.push((begin, end));
    }
    hashes(store, &parts)
}

/// The largest power of two below `length`, which is at least 2: the left half is always complete.
const fn left_half(length: u64) -> u64 {
    1 << (u64::BITS - 1 - (length - 1).leading_zeros())
}

/// The hashes of these runs of entries, which were found from the root down, from the leaf up.
fn hashes<S: TileHashes>(store: &S, runs: &[(u64, u64)]) -> Result<Vec<Digest>, BuildError<S::Error>> {
    runs.iter().rev().map(|(begin, end)| Ok(subtree(store, *begin, *end)?)).collect()
}
