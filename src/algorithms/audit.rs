//! The event log as an outsider checks it: an RFC 6962 Merkle tree with SHA-256, its proofs, the
//! rules of a witness, and the verifier.
//!
//! What is stored of the tree are the hashes of the tiles of C2SP tlog-tiles: the leaf hashes, with
//! their events, and one further hash for every 256 of them, for every 65,536, and so on
//! ([`crate::domain::tree::TileHash`]). None of them ever changes, so an append writes its own leaf
//! and, once in 256 times, one row more; a proof reads O(log n) short runs of them; and what lies
//! in the store is what a tiled log serves.

pub mod anchor;
pub mod build;
pub mod examine;
pub mod frontier;
pub mod hash;
pub mod keys;
pub mod meaning;
pub mod own;
pub mod proof;
pub mod seal;
pub mod startup;
pub mod stored;
#[cfg(test)]
mod tests;
pub mod verify;
pub mod witness;
