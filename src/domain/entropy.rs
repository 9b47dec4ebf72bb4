//! Where randomness comes from. `app` has the system's, tests have a seeded one.

/// The system gave no randomness; nothing that needs it is done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers: {detail}")]
pub struct NoEntropy {
    /// Why.
    pub detail: String,
}

/// A source of randomness that nobody can guess.
pub trait Entropy: Send + Sync {
    /// Fills all of these octets.
    ///
    /// # Errors
    /// [`NoEntropy`].
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy>;
}

/// Some random octets.
///
/// # Errors
/// [`NoEntropy`].
pub fn octets<const N: usize>(source: &dyn Entropy) -> Result<[u8; N], NoEntropy> {
    let mut octets = [0; N];
    source.fill(&mut octets)?;
    Ok(octets)
}
