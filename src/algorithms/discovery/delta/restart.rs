//! Whether an agent has started again since it was last heard.
//!
//! `snmpEngineBoots` says so by itself (RFC 3414 section 2.2). Without it there is `sysUpTime`, which
//! falls back to zero at a restart, and also after 2^32 hundredths of a second, 497 days, for no
//! other reason than that it is full.

use std::time::Duration;

use crate::domain::fact::{SnmpEngine, SnmpUptime};
use crate::domain::time::Timestamp;

/// When `sysUpTime` begins again at zero: 2^32 hundredths of a second.
const WRAP: f64 = 42_949_672.96;

/// What an agent told once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told<'a> {
    pub uptime: Option<SnmpUptime>,
    pub engine: Option<&'a SnmpEngine>,
    pub at: Timestamp,
}

/// Whether the agent started again between two answers.
pub(super) fn restarted(before: Told<'_>, now: Told<'_>) -> bool {
    match (before.engine, now.engine) {
        // Another engine's count says nothing about this one.
        (Some(known), Some(told)) if known.engine_id == told.engine_id => told.boots > known.boots,
        _ => match (before.uptime, now.uptime) {
            (Some(known), Some(told)) => fell_back(known, told, now.at.since(before.at)),
            _ => false,
        },
    }
}

/// Whether an uptime is less than the one before, and a wrap in the time between does not explain it.
fn fell_back(before: SnmpUptime, now: SnmpUptime, passed: Duration) -> bool {
    if now.uptime_seconds >= before.uptime_seconds {
        return false;
    }
    let tolerance = tolerance(passed).as_secs_f64();
    let passed = passed.as_secs_f64();
    let seconds = |uptime: SnmpUptime| Duration::from_secs(uptime.uptime_seconds).as_secs_f64();
    let wrapped = seconds(before) + passed - WRAP;
    (seconds(now) - wrapped).abs() > tolerance
}

/// By how much an agent's clock may be off after so long: clocks of agents run fast and slow, and ours is
/// set now and then.
pub fn tolerance(passed: Duration) -> Duration {
    Duration::from_secs(60) + passed / 100
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 86_400;

    fn told(uptime_seconds: u64, at: u64, engine: Option<&SnmpEngine>) -> Told<'_> {
        let at = Timestamp::from_millis(i64::try_from(at * 1_000).unwrap());
        Told { uptime: Some(SnmpUptime { uptime_seconds }), engine, at }
    }

    #[test]
    fn an_uptime_that_falls_back_is_a_restart_unless_it_wrapped() {
        for (before, passed, after, expected) in [
            (1_000, 300, 1_300, false),
            (1_000, 300, 20, true),
            // Three minutes before the wrap, and two after it.
            (42_949_500, 300, 128, false),
            (42_949_500, 300, 130, false),
            // It was due, and it is not that long ago.
            (42_949_500, 300 + DAY, 60, true),
            // Not due.
            (496 * DAY, 300, 5, true),
            // Seen weeks ago: the wrap is where it should be, by a clock that is one per cent off.
            (490 * DAY, 20 * DAY, 20 * DAY + 490 * DAY - 42_949_673, false),
        ] {
            assert_eq!(restarted(told(before, 0, None), told(after, passed, None)), expected, "{before} {after}");
        }
    }

    #[test]
    fn the_count_of_starts_is_believed_before_the_uptime() {
        let engine = |id: &str, boots| SnmpEngine { engine_id: id.parse().unwrap(), boots };
        let (three, four) = (engine("80001f8804", 3), engine("80001f8804", 4));
        let other = engine("80001f8805", 1);
        assert!(restarted(told(10, 0, Some(&three)), told(400, 300, Some(&four))));
        assert!(!restarted(told(1_000, 0, Some(&three)), told(5, 300, Some(&three))));
        assert!(restarted(told(1_000, 0, Some(&three)), told(5, 300, Some(&other))));
        assert!(!restarted(told(1_000, 0, Some(&three)), told(1_300, 300, None)));
    }
}
