//! What a cycle that takes too long asks for.

use std::time::Duration;

use crate::domain::cycle::TooLong;

/// How many Local Controllers the observed rate asks for, so that a cycle fits into half of the
/// interval; `None` while it does.
///
/// ```
/// use pdsno::algorithms::discovery::advice::controllers_needed;
/// use std::time::Duration;
///
/// let interval = Duration::from_secs(300);
/// assert_eq!(controllers_needed(Duration::from_secs(149), interval), None);
/// assert_eq!(controllers_needed(Duration::from_secs(310), interval), Some(3));
/// ```
pub fn controllers_needed(cycle: Duration, interval: Duration) -> Option<u64> {
    let half = (interval / 2).max(Duration::from_millis(1));
    let needed = cycle.as_nanos().div_ceil(half.as_nanos());
    (cycle > half).then(|| u64::try_from(needed).unwrap_or(u64::MAX))
}

/// The same for a cycle's report.
pub fn too_long(cycle: Duration, interval: Duration) -> Option<TooLong> {
    let interval_seconds = interval.as_secs();
    controllers_needed(cycle, interval).map(|controllers| TooLong { interval_seconds, controllers })
}
