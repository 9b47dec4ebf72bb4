//! What is stored of a tree, and the hashes of its inside that are computed from it.

use crate::algorithms::audit::frontier::TILE_HEIGHT;
use crate::algorithms::audit::hash;
use crate::domain::digest::Digest;

/// The stored hashes of a log's tree: those of C2SP tlog-tiles.
pub trait TileHashes {
    /// Why the store could not be read.
    type Error: std::error::Error + 'static;

    /// The hashes `first..first + count` of a tile level, or fewer where the store has no more:
    /// the leaf hashes at level 0, above it those of [`crate::domain::tree::TileHash`]. `count` is
    /// at most 128.
    ///
    /// # Errors
    /// The store's own.
    fn read(&self, level: u8, first: u64, count: usize) -> Result<Vec<Digest>, Self::Error>;
}

/// Why a part of a tree could not be had from its store.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unread<E: std::error::Error + 'static> {
    /// The store could not be read.
    #[error("the stored hashes of the log cannot be read")]
    Store(#[source] E),
    /// The store does not have a hash that a tree of this size has.
    #[error("of {wanted} stored hashes from number {first} on at tile level {level}, {found} are there")]
    Missing {
        /// The tile level.
        level: u8,
        /// The first that was wanted.
        first: u64,
        /// How many were wanted.
        wanted: usize,
        /// How many were there.
        found: usize,
    },
}

/// The root of a complete subtree of `2^level` entries, the one at `index` among those of its
/// level. One read.
pub(in crate::algorithms::audit) fn complete<S: TileHashes>(
    store: &S,
    level: u32,
    index: u64,
) -> Result<Digest, Unread<S::Error>> {
    let inside = level % TILE_HEIGHT;
    let (first, wanted) = (index << inside, 1_usize << inside);
    let level = u8::try_from(level / TILE_HEIGHT).unwrap_or(u8::MAX);
    let mut hashes = store.read(level, first, wanted).map_err(Unread::Store)?;
    let missing = Unread::Missing { level, first, wanted, found: hashes.len() };
    if hashes.len() != wanted {
        return Err(missing);
    }
    while hashes.len() > 1 {
        hashes = hashes.as_chunks().0.iter().map(|[left, right]| hash::node(left, right)).collect();
    }
    hashes.first().copied().ok_or(missing)
}

/// The Merkle tree hash of the entries `begin..end` of a log, for a run that is a subtree of its
/// tree: complete, or the rest at its right edge. A read for each bit of its length that is set.
pub(in crate::algorithms::audit) fn subtree<S: TileHashes>(
    store: &S,
    begin: u64,
    end: u64,
) -> Result<Digest, Unread<S::Error>> {
    let length = end.saturating_sub(begin);
    let mut root = None;
    // From the right and smallest, since the hashes are joined from there.
    for level in (0..u64::BITS).filter(|level| length >> level & 1 == 1) {
        let index = (begin.saturating_add(length) >> level) - 1;
        // What lies to the right of it is shorter, so its bits are below this one.
        let left = complete(store, level, index)?;
        root = Some(root.map_or(left, |right| hash::node(&left, &right)));
    }
    Ok(root.unwrap_or_else(hash::empty))
}
