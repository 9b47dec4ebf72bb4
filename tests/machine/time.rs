//! Virtual time and seeded randomness.

use std::sync::Mutex;
use std::time::Duration;

use pdsno::domain::entropy::{Entropy, NoEntropy};
use pdsno::domain::time::{Clock, Timestamp};
use tokio::time::Instant;

/// When every run begins: 2027-01-15T08:00:00Z.
const BEGIN: i64 = 1_800_000_000_000;

/// One machine's clock: the runtime's paused one, ahead or behind by a fixed span.
pub struct MachineClock {
    began: Instant,
    skew_ms: i64,
}

impl MachineClock {
    /// A clock of a run that began at this instant.
    pub const fn new(began: Instant, skew_ms: i64) -> Self {
        Self { began, skew_ms }
    }
}

impl Clock for MachineClock {
    fn now(&self) -> Timestamp {
        let since = i64::try_from(self.began.elapsed().as_millis()).unwrap();
        Timestamp::from_millis(BEGIN + self.skew_ms + since)
    }

    fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Randomness that a seed decides.
pub struct Seeded(Mutex<fastrand::Rng>);

impl Seeded {
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Entropy for Seeded {
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy> {
        self.0.lock().unwrap().fill(octets);
        Ok(())
    }
}
