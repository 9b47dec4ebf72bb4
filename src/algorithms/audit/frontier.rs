//! The right edge of the tree: all that an append needs.

use crate::algorithms::audit::hash;
use crate::algorithms::audit::stored::{TileHashes, Unread, complete};
use crate::domain::digest::Digest;
use crate::domain::log::Edge;
use crate::domain::tree::{TileHash, TreeHead};

/// Tree levels in a tile.
pub(in crate::algorithms::audit) const TILE_HEIGHT: u32 = 8;

/// The most entries that a log can have: what a signed 64-bit number of a store can count.
pub const MAX_SIZE: u64 = u64::MAX >> 1;

/// A tree without its inside: the roots of the complete subtrees that its entries fill, one for
/// each bit of its size that is set, from the left and largest to the right and smallest.
///
/// At most 63 hashes, whatever the size; an append costs one hash on average.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

/// Why some hashes are not the frontier of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrontierError {
    /// A size that no log reaches.
    #[error("a log has at most {MAX_SIZE} entries, not {0}")]
    TooLarge(u64),
    /// Not one hash for each bit of the size that is set.
    #[error("a tree of {size} entries has a frontier of {} hashes, not {found}", size.count_ones())]
    Count {
        /// The size of the tree.
        size: u64,
        /// The hashes that were given.
        found: usize,
    },
}

/// As a store keeps it.
impl From<Frontier> for Edge {
    fn from(Frontier { size, peaks }: Frontier) -> Self {
        Self { size, peaks }
    }
}

impl TryFrom<&Edge> for Frontier {
    type Error = FrontierError;

    fn try_from(edge: &Edge) -> Result<Self, FrontierError> {
        Self::from_peaks(edge.size, edge.peaks.clone())
    }
}

impl Frontier {
    /// The tree without entries.
    pub const fn new() -> Self {
        Self { size: 0, peaks: Vec::new() }
    }

    /// The frontier of a tree of this size, as [`Frontier::peaks`] gave it.
    ///
    /// # Errors
    /// [`FrontierError`] when the hashes cannot be one. Whether they are *the* one shows the root.
    pub fn from_peaks(size: u64, peaks: Vec<Digest>) -> Result<Self, FrontierError> {
        if size > MAX_SIZE {
            Err(FrontierError::TooLarge(size))
        } else if usize::try_from(size.count_ones()) != Ok(peaks.len()) {
            Err(FrontierError::Count { size, found: peaks.len() })
        } else {
            Ok(Self { size, peaks })
        }
    }

    /// The frontier of the tree of the first `size` entries of a log, from what is stored of it:
    /// at most 63 reads of at most 128 hashes.
    ///
    /// # Errors
    /// [`Unread`] when the store cannot be read or has fewer hashes than such a tree.
    pub fn read<S: TileHashes>(store: &S, size: u64) -> Result<Self, Unread<S::Error>> {
        let mut peaks = Vec::with_capacity(usize::try_from(size.count_ones()).unwrap_or_default());
        for level in (0..u64::BITS).rev().filter(|level| size >> level & 1 == 1) {
            // The subtree just before it at this level has its bit cleared.
            peaks.push(complete(store, level, (size >> level) - 1)?);
        }
        Ok(Self { size, peaks })
    }

    /// The entries so far.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, from the left.
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }

    /// Appends the leaf of the next entry, and returns the further hashes that are to be stored in
    /// the same commit: none but once in 256 appends.
    pub fn push(&mut self, leaf: Digest) -> Vec<TileHash> {
        let mut tiles = Vec::new();
        let mut hash = leaf;
        // As in counting: each set bit at the end of the size is a subtree that is now complete.
        for level in 1..=self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = hash::node(&left, &hash);
            if level % TILE_HEIGHT == 0
                && let Ok(tile_level) = u8::try_from(level / TILE_HEIGHT)
            {
                tiles.push(TileHash { level: tile_level, index: self.size >> level, hash });
            }
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
        tiles
    }

    /// The Merkle tree hash of all entries.
    pub fn root(&self) -> Digest {
        let joined = self.peaks.iter().rev().copied().reduce(|right, left| hash::node(&left, &right));
        joined.unwrap_or_else(hash::empty)
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        TreeHead { size: self.size, root: self.root() }
    }
}
