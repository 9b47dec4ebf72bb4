//! Our notion of an engine's clock (RFC 3414 sections 2.3 and 3.2 step 7b).

use std::time::Duration;

use crate::wire::usm::security::SecurityParameters;

/// How far a message may be behind, in seconds.
const WINDOW: u32 = 150;

/// How often an engine has started, and how long ago the last time was.
#[derive(Debug, Clone)]
pub(super) struct EngineClock {
    boots: u32,
    time: u32,
    /// When it said so, by our clock.
    at: Duration,
    /// Whether that was authenticated.
    authentic: bool,
}

impl EngineClock {
    /// What an engine says of itself before anything is authenticated: good enough to ask by, for a
    /// wrong one is corrected by an authenticated report.
    pub fn hearsay(security: &SecurityParameters, now: Duration) -> Self {
        Self { boots: security.boots, time: security.time, at: now, authentic: false }
    }

    /// How often the engine has started.
    pub fn boots(&self) -> u32 {
        self.boots
    }

    /// Boots and time as the engine has them now.
    pub fn at(&self, now: Duration) -> (u32, u32) {
        let passed = u32::try_from(now.saturating_sub(self.at).as_secs()).unwrap_or(u32::MAX);
        (self.boots, self.time.saturating_add(passed).min(SecurityParameters::MOST))
    }

    /// Sets it by an authenticated report that it was wrong; `false` for an old report.
    pub fn set(&mut self, security: &SecurityParameters, now: Duration) -> bool {
        let newer = !self.authentic || (security.boots, security.time) > (self.boots, self.time);
        if newer {
            *self = Self { authentic: true, ..Self::hearsay(security, now) };
        }
        newer
    }

    /// Whether an authenticated message is of now; if so, the clock is set by it.
    pub fn admits(&mut self, security: &SecurityParameters, now: Duration) -> bool {
        self.set(security, now);
        let (boots, time) = self.at(now);
        // An engine that cannot count its starts any further is not to be believed any more.
        security.boots == boots && boots < SecurityParameters::MOST && security.time.saturating_add(WINDOW) >= time
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(boots: u32, time: u32) -> SecurityParameters {
        SecurityParameters { boots, time, ..SecurityParameters::default() }
    }

    #[test]
    fn the_engines_time_goes_on_between_messages() {
        let clock = EngineClock::hearsay(&said(3, 100), Duration::from_secs(10));
        assert_eq!(clock.at(Duration::from_millis(12_900)), (3, 102));
        assert_eq!(clock.at(Duration::ZERO), (3, 100));
    }

    #[test]
    fn hearsay_is_replaced_by_whatever_is_authentic_and_that_by_newer_only() {
        let mut clock = EngineClock::hearsay(&said(900, 5), Duration::ZERO);
        assert!(clock.admits(&said(3, 100), Duration::ZERO));
        assert!(!clock.set(&said(2, 4_000), Duration::ZERO));
        assert_eq!(clock.at(Duration::ZERO), (3, 100));
        assert!(clock.set(&said(4, 1), Duration::ZERO));
        assert_eq!(clock.boots(), 4);
    }

    #[test]
    fn a_message_may_be_150_seconds_old_and_of_no_earlier_start() {
        let later = Duration::from_secs(200);
        let mut clock = EngineClock::hearsay(&said(3, 0), Duration::ZERO);
        assert!(clock.set(&said(3, 100), Duration::ZERO));
        assert!(!clock.admits(&said(3, 90), later));
        assert!(clock.admits(&said(3, 150), later));
        assert!(!clock.admits(&said(2, 9_999), later));
        assert!(!clock.admits(&said(SecurityParameters::MOST, 9), later));
    }
}
