//! When to try again to be validated.

use std::time::Duration;

/// Waits that double, each drawn anew from nothing to its limit, so that many who lost their parent
/// at once do not come back at once ("full jitter").
#[derive(Debug, Clone)]
pub struct Backoff {
    limit: Duration,
    random: fastrand::Rng,
}

impl Backoff {
    /// The limit of the first wait.
    pub const FIRST: Duration = Duration::from_secs(1);
    /// The limit that is never passed.
    pub const CAP: Duration = Duration::from_secs(300);

    /// The waits of one controller; the seed is its own.
    pub fn new(seed: u64) -> Self {
        Self { limit: Self::FIRST, random: fastrand::Rng::with_seed(seed) }
    }

    /// How long to wait before the next attempt.
    pub fn wait(&mut self) -> Duration {
        let limit = self.limit;
        self.limit = (limit * 2).min(Self::CAP);
        limit.mul_f64(self.random.f64())
    }

    /// Begins again with the first wait: an attempt succeeded.
    pub fn reset(&mut self) {
        self.limit = Self::FIRST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_wait_is_below_its_limit(seed: u64) {
            let mut backoff = Backoff::new(seed);
            for limit in [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300] {
                prop_assert!(backoff.wait() < Duration::from_secs(limit));
            }
            backoff.reset();
            prop_assert!(backoff.wait() < Backoff::FIRST);
        }
    }

    #[test]
    fn fifty_who_lost_their_parent_at_once_come_back_apart() {
        let mut waits: Vec<Duration> = (0..50)
            .map(|seed| {
                let mut backoff = Backoff::new(seed);
                (0..6).map(|_| backoff.wait()).sum()
            })
            .collect();
        waits.sort_unstable();
        let busiest = waits
            .iter()
            .map(|from| waits.iter().filter(|wait| (*from..*from + Duration::from_secs(1)).contains(*wait)).count());
        assert!(busiest.max().unwrap() <= 10, "{waits:?}");
    }
}
