//! How often one source may ask.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::domain::controller::ControllerId;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;

/// A source's right to ask is one request a second, and five at once.
const INTERVAL: Duration = Duration::from_secs(1);
const BURST: u32 = 5;
/// The sources that are counted at once. One that has been quiet for [`BURST`] seconds is not.
const SOURCES: usize = 4_096;

/// Counts what each source asks.
#[derive(Debug, Default)]
pub struct Attempts {
    sources: BTreeMap<String, Source>,
}

#[derive(Debug)]
struct Source {
    // When its next request would come if all came evenly (generic cell rate algorithm).
    due: Timestamp,
    // Whether it has been told about since it last behaved.
    told: bool,
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is looked at.
    Allowed(Permit),
    /// It is not, and that is news.
    LimitReached,
    /// It is not; it has been told already.
    Limited,
}

/// The right of a source to have one request looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Permit {
    source: String,
}

impl Permit {
    /// Whose right it is.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl Attempts {
    /// Asks for the right to have one request looked at. Ask before anything is computed for it.
    pub fn ask(&mut self, source: &str, now: Timestamp) -> Attempt {
        if !self.sources.contains_key(source) && self.sources.len() >= SOURCES {
            self.sources.retain(|_, quiet| quiet.due > now);
            // Nobody who is counted is forgotten to make room.
            if self.sources.len() >= SOURCES {
                return Attempt::Limited;
            }
        }
        let counted = self.sources.entry(source.to_owned()).or_insert(Source { due: now, told: false });
        let due = counted.due.max(now).saturating_add(INTERVAL);
        if due > now.saturating_add(INTERVAL * BURST) {
            let told = std::mem::replace(&mut counted.told, true);
            return if told { Attempt::Limited } else { Attempt::LimitReached };
        }
        if counted.due <= now {
            counted.told = false;
        }
        counted.due = due;
        Attempt::Allowed(Permit { source: source.to_owned() })
    }
}

/// What is told when a source begins to ask too often.
pub fn limit_reached(source: &str, own: &ControllerId, now: Timestamp) -> NewEvent {
    NewEvent {
        event_type: EventType::AttemptsLimited,
        actor: own.to_string(),
        subject: source.to_owned(),
        timestamp: now,
        payload: json!({ "reason": Reason::TooManyAttempts, "source": source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn allowed(attempts: &mut Attempts, source: &str, millis: i64) -> bool {
        matches!(attempts.ask(source, Timestamp::from_millis(millis)), Attempt::Allowed(permit) if permit.source() == source)
    }

    #[test]
    fn five_at_once_and_one_a_second() {
        let mut attempts = Attempts::default();
        assert_eq!((0..10_000).filter(|_| allowed(&mut attempts, "a", 0)).count(), 5);
        assert!(!allowed(&mut attempts, "a", 999));
        assert!(allowed(&mut attempts, "a", 1_000));
        assert!(!allowed(&mut attempts, "a", 1_999));
        assert!(allowed(&mut attempts, "b", 0));
        assert_eq!((0..10_000).filter(|_| allowed(&mut attempts, "a", 60_000)).count(), 5);
    }

    #[test]
    fn the_limit_is_told_once() {
        let mut attempts = Attempts::default();
        let answers: Vec<Attempt> = (0..8).map(|_| attempts.ask("a", Timestamp::from_millis(0))).collect();
        assert_eq!(answers[5..], [Attempt::LimitReached, Attempt::Limited, Attempt::Limited]);
        let later: Vec<Attempt> = (0..7).map(|_| attempts.ask("a", Timestamp::from_millis(60_000))).collect();
        assert_eq!(later[5..], [Attempt::LimitReached, Attempt::Limited]);
    }

    #[test]
    fn many_sources_take_bounded_memory_and_push_nobody_out() {
        let mut attempts = Attempts::default();
        while allowed(&mut attempts, "a", 0) {}
        for number in 0..10_000 {
            attempts.ask(&number.to_string(), Timestamp::from_millis(0));
        }
        assert!(attempts.sources.len() <= SOURCES);
        assert!(!allowed(&mut attempts, "a", 0));
        assert!(allowed(&mut attempts, "z", 5_000));
    }

    proptest! {
        #[test]
        fn no_span_sees_more_than_the_rate_and_one_burst(waits in prop::collection::vec(0_i64..3_000, 1..200)) {
            let (mut attempts, mut now, mut taken) = (Attempts::default(), 0, Vec::new());
            for wait in waits {
                now += wait;
                if allowed(&mut attempts, "a", now) {
                    taken.push(now);
                }
            }
            for (index, from) in taken.iter().enumerate() {
                for (later, to) in taken.iter().enumerate().skip(index) {
                    prop_assert!((later - index + 1) as i64 <= (to - from) / 1_000 + i64::from(BURST));
                }
            }
        }
    }
}
