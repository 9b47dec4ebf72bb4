//! The system's randomness.

use crate::domain::entropy::{Entropy, NoEntropy};

/// getrandom(2) on Linux.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(octets).map_err(|error| NoEntropy { detail: error.to_string() })
    }
}
