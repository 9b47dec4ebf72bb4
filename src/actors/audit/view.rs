//! What the cores of the log need to see of the NIB.

use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::stored::TileHashes;
use crate::domain::digest::Digest;
use crate::domain::log::Edge;
use crate::nib::{NibError, NibReader};

/// The stored hashes of a NIB's log.
#[derive(Clone, Copy)]
pub struct Tiles<'a>(pub &'a dyn NibReader);

impl TileHashes for Tiles<'_> {
    type Error = NibError;

    fn read(&self, level: u8, first: u64, count: usize) -> Result<Vec<Digest>, NibError> {
        self.0.tile_hashes(level, first, count)
    }
}

/// The tree of a stored edge.
pub(super) fn frontier(edge: Edge) -> Result<Frontier, NibError> {
    Frontier::from_peaks(edge.size, edge.peaks).map_err(|error| NibError::Corrupt { detail: error.to_string() })
}
