//! Instants as people give them.

use std::time::Duration;

use crate::app::clock::SystemClock;
use crate::domain::time::{Clock, Timestamp};

/// A text that is no instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is neither a time (2026-11-21T10:00:00Z) nor a span back from now (90s, 15m, 2h, 7d)")]
pub struct SinceError {
    text: String,
}

/// The instant that a text names: an RFC 3339 time, or a span before now.
///
/// # Errors
/// [`SinceError`] for anything else.
pub fn since(text: &str) -> Result<Timestamp, SinceError> {
    before(text, SystemClock::start().now())
}

fn before(text: &str, now: Timestamp) -> Result<Timestamp, SinceError> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let refuse = || SinceError { text: text.to_owned() };
    let span: jiff::Span = text.parse().map_err(|_| refuse())?;
    // A day here is 24 hours: a span back from now knows no time zone.
    let duration = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| refuse())?;
    let duration = Duration::try_from(duration.abs()).map_err(|_| refuse())?;
    Ok(now.saturating_sub(duration))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_spans_are_read() {
        let now = Timestamp::from_millis(1_000_000_000);
        let ago = |text| now.since(before(text, now).unwrap()).as_secs();
        assert_eq!((ago("90s"), ago("15m"), ago("2h"), ago("7d"), ago("1h 30m")), (90, 900, 7_200, 604_800, 5_400));
        assert_eq!(before("1970-01-01T00:00:05Z", now), Ok(Timestamp::from_millis(5_000)));
        assert!(before("yesterday", now).unwrap_err().to_string().contains("\"yesterday\""));
    }
    #[test]
    fn a_span_with_a_sign_is_a_span_back_all_the_same_and_one_that_is_too_long_ends_at_the_beginning() {
        let now = Timestamp::from_millis(1_000_000_000);
        assert_eq!(before("-15m", now), before("15m", now));
        assert_eq!(before("0s", now), Ok(now));
        assert!(before("7000d", now).unwrap() < Timestamp::from_millis(0));
    }

    #[test]
    fn what_has_no_certain_length_or_no_unit_is_refused_by_its_text() {
        let now = Timestamp::from_millis(0);
        for text in ["", " ", "15", "1y", "1mo", "2026-11-21", "2026-11-21T10:00:00", "15 minuts", "99999999999999999d"]
        {
            let refusal = before(text, now).unwrap_err().to_string();
            assert!(refusal.contains(&format!("{text:?}")) && refusal.contains("15m"), "{refusal}");
        }
    }
}
