//! Instants. Time is a parameter everywhere: only `app` reads a clock.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// An instant in milliseconds since the Unix epoch, UTC.
///
/// At the edges it is RFC 3339 with milliseconds; inside it is an integer.
///
/// ```
/// use pdsno::domain::time::Timestamp;
///
/// let at: Timestamp = "2026-11-21T10:00:00.250Z".parse()?;
/// assert_eq!(at.as_millis(), 1_795_255_200_250);
/// assert_eq!(at.to_string(), "2026-11-21T10:00:00.250Z");
/// # Ok::<(), pdsno::domain::time::TimestampError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Timestamp(i64);

/// Why a text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an RFC 3339 time such as 2026-11-21T10:00:00Z")]
pub struct TimestampError {
    text: String,
}

impl Timestamp {
    /// The instant this many milliseconds after the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// The instant `span` later; saturates at the end of time.
    pub fn saturating_add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// The instant `span` earlier; saturates at the beginning of time.
    pub fn saturating_sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Jiff's range ends in the year 9999; beyond it the number itself is the honest answer.
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{}ms", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = TimestampError;

    fn from_str(text: &str) -> Result<Self, TimestampError> {
        text.parse::<jiff::Timestamp>()
            .map(|at| Self(at.as_millisecond()))
            .map_err(|_| TimestampError { text: text.to_owned() })
    }
}

impl TryFrom<String> for Timestamp {
    type Error = TimestampError;

    fn try_from(text: String) -> Result<Self, TimestampError> {
        text.parse()
    }
}

impl From<Timestamp> for String {
    fn from(at: Timestamp) -> Self {
        at.to_string()
    }
}

/// Where time comes from. `app` has the machine's clock, tests have their own.
pub trait Clock: Send + Sync {
    /// The wall clock: what is written down.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start that never goes back: what deadlines are made of.
    fn elapsed(&self) -> Duration;
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(millis in -62_135_596_800_000_i64..=253_402_200_000_000) {
            let at = Timestamp::from_millis(millis);
            prop_assert_eq!(at.to_string().parse::<Timestamp>(), Ok(at));
        }
    }

    #[test]
    fn an_earlier_instant_is_no_time_ago() {
        let (early, late) = (Timestamp::from_millis(1_000), Timestamp::from_millis(4_500));
        assert_eq!(late.since(early), Duration::from_millis(3_500));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early.saturating_add(Duration::from_millis(3_500)), late);
    }

    #[test]
    fn a_refusal_names_the_text() {
        let refusal = "yesterday".parse::<Timestamp>().unwrap_err();
        assert!(refusal.to_string().contains("\"yesterday\""));
    }
}
