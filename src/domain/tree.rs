//! The values of the log's Merkle tree: its heads, and what is stored of it.

use crate::domain::digest::Digest;

/// The hashes in a full tile (C2SP tlog-tiles, height 8).
pub const TILE_WIDTH: u64 = 256;

/// What a tree of one size is: whoever knows it knows every entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// How many entries the tree has.
    pub size: u64,
    /// The Merkle tree hash of them (RFC 6962 section 2.1).
    pub root: Digest,
}

/// A hash that is stored beside the leaves, so that a proof needs few of them.
///
/// It is a hash of a tile of C2SP tlog-tiles at level 1 or above: the Merkle tree hash of the
/// complete subtree of the `256^level` entries from entry `index * 256^level` on. Level 0 are the
/// leaf hashes, which are stored with their events. So one hash is stored beside 256 events, one
/// more beside 65,536, and none of them ever changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileHash {
    /// The tile level; 1 to 7, since there are fewer than 2⁶⁴ entries.
    pub level: u8,
    /// The position among the hashes of its level, from 0.
    pub index: u64,
    /// The hash.
    pub hash: Digest,
}
