//! When waiting items are sent, and sent again.

use std::time::Duration;

use crate::algorithms::trust::backoff::Backoff;
use crate::domain::number::StreamSeq;
use crate::domain::stream::StreamPosition;

/// At most so many items are on their way.
pub const WINDOW: u64 = 8;

/// More waiting items than this are replaced by a snapshot.
pub const MOST_WAITING: u64 = 1_000;

/// How long an acknowledgement is waited for at least. On top comes a wait that is drawn anew and grows
/// while there is silence: many who reported at the same instant, and were not heard, do not do so again.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What of a stream is on its way. It is rebuilt from the stream's position: after a restart, nothing
/// is known to be on its way.
#[derive(Debug)]
pub struct Pace {
    /// All up to this one was sent, and not lost as far as is known.
    sent: StreamSeq,
    acknowledged: StreamSeq,
    backoff: Backoff,
    /// Counted as by [`crate::domain::time::Clock::elapsed`].
    due: Option<Duration>,
}

impl Pace {
    /// Nothing is on its way; the seed is the controller's own.
    pub fn new(seed: u64) -> Self {
        let zero = StreamSeq::from_number(0);
        Self { sent: zero, acknowledged: zero, backoff: Backoff::new(seed), due: None }
    }

    /// After which item to go on, and how many may be sent now. `position` is what the store says, at
    /// `now` by [`crate::domain::time::Clock::elapsed`].
    pub fn next(&mut self, position: StreamPosition, now: Duration) -> (StreamSeq, usize) {
        self.acknowledge(position.acknowledged);
        if self.due.is_some_and(|due| due <= now) {
            self.sent = self.acknowledged;
            self.due = None;
        }
        let window = self.acknowledged.number().saturating_add(WINDOW);
        let room = window.min(position.last.number()).saturating_sub(self.sent.number());
        (self.sent, usize::try_from(room).unwrap_or(0))
    }

    /// An item left at `now`.
    pub fn sent(&mut self, seq: StreamSeq, now: Duration) {
        self.sent = self.sent.max(seq);
        if self.due.is_none() {
            self.due = Some(now.saturating_add(PATIENCE + self.backoff.wait()));
        }
    }

    /// All up to this one was taken.
    fn acknowledge(&mut self, up_to: StreamSeq) {
        if up_to > self.acknowledged {
            self.acknowledged = up_to;
            self.sent = self.sent.max(up_to);
            self.answered();
        }
    }

    /// The parent misses what comes after this number: it is sent again.
    pub fn rewind(&mut self, to: StreamSeq) {
        self.sent = self.sent.min(to).max(self.acknowledged);
        self.answered();
    }

    /// What was on its way is as good as lost, and may be sent again: the parent is there again.
    pub fn resume(&mut self) {
        self.sent = self.acknowledged;
        self.answered();
    }

    /// All up to this one is skipped, for a snapshot that comes after it replaces it.
    pub fn skip(&mut self, to: StreamSeq) {
        self.sent = to;
        self.acknowledged = self.acknowledged.max(to);
        self.answered();
    }

    fn answered(&mut self) {
        self.backoff.reset();
        self.due = None;
    }

    /// When to look again, if nothing happens.
    pub const fn due(&self) -> Option<Duration> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seq(number: u64) -> StreamSeq {
        StreamSeq::from_number(number)
    }

    fn position(last: u64, acknowledged: u64) -> StreamPosition {
        StreamPosition { last: seq(last), acknowledged: seq(acknowledged) }
    }

    /// Sends all that may be sent; the numbers.
    fn send(pace: &mut Pace, position: StreamPosition, now: Duration) -> Vec<u64> {
        let (after, room) = pace.next(position, now);
        let numbers: Vec<u64> = (after.number() + 1..).take(room).collect();
        numbers.iter().for_each(|number| pace.sent(seq(*number), now));
        numbers
    }

    #[test]
    fn at_most_a_window_is_on_its_way_and_acknowledgements_make_room() {
        let mut pace = Pace::new(1);
        assert_eq!(send(&mut pace, position(20, 0), at(0)), (1..=8).collect::<Vec<_>>());
        assert_eq!(send(&mut pace, position(20, 0), at(1)), [0; 0]);
        assert_eq!(send(&mut pace, position(20, 3), at(2)), [9, 10, 11]);
        assert_eq!(send(&mut pace, position(20, 20), at(3)), [0; 0]);
        assert_eq!(pace.due(), None);
    }

    #[test]
    fn silence_is_waited_for_thirty_seconds_and_then_longer_and_longer() {
        let mut pace = Pace::new(1);
        let mut now = at(0);
        let mut waits = Vec::new();
        for _ in 0..40 {
            assert_eq!(send(&mut pace, position(2, 0), now), [1, 2]);
            let due = pace.due().unwrap();
            assert_eq!(send(&mut pace, position(2, 0), due - Duration::from_millis(1)), [0; 0]);
            waits.push(due - now);
            now = due;
        }
        assert!(waits.iter().all(|wait| *wait >= PATIENCE && *wait <= PATIENCE + Backoff::CAP), "{waits:?}");
        assert!(waits[0] < at(31) && waits[1] < at(32) && waits[2] < at(34), "{waits:?}");
        assert!(waits[20..].iter().any(|wait| *wait > at(60)), "{waits:?}");
        assert_eq!(send(&mut pace, position(3, 2), now), [3]);
        assert!(pace.due().is_some_and(|due| due >= now + PATIENCE && due < now + at(31)), "it begins anew");
    }

    #[test]
    fn fifty_that_were_not_heard_at_once_are_not_heard_at_once_again() {
        let due = |seed| {
            let mut pace = Pace::new(seed);
            send(&mut pace, position(1, 0), at(0));
            pace.due().unwrap().as_millis() / 100
        };
        let mut slots = [0; 10];
        (0..50).for_each(|seed| slots[usize::try_from(due(seed) - 300).unwrap()] += 1);
        // Each of the ten slots of the first second gets five on average, with a deviation of 2.1.
        assert!(slots.iter().all(|slot| *slot <= 15), "{slots:?}");
    }

    #[test]
    fn what_is_missed_is_sent_again_and_what_is_acknowledged_is_not() {
        let mut pace = Pace::new(1);
        send(&mut pace, position(6, 0), at(0));
        pace.rewind(seq(3));
        assert_eq!(send(&mut pace, position(6, 0), at(1)), [4, 5, 6]);
        pace.next(position(6, 5), at(2));
        pace.rewind(seq(0));
        assert_eq!(send(&mut pace, position(6, 5), at(2)), [6]);
        pace.resume();
        assert_eq!(send(&mut pace, position(6, 5), at(3)), [6]);
    }

    #[test]
    fn what_a_snapshot_replaces_is_not_waited_for() {
        let mut pace = Pace::new(1);
        send(&mut pace, position(1_001, 0), at(0));
        pace.skip(seq(1_001));
        assert_eq!(send(&mut pace, position(1_003, 0), at(1)), [1_002, 1_003]);
    }

    proptest! {
        /// Whatever is lost, what waits is sent at some time.
        #[test]
        fn everything_is_sent_until_it_is_acknowledged(losses in proptest::collection::vec(any::<bool>(), 0..60)) {
            let (mut pace, mut acknowledged, mut now) = (Pace::new(7), 0, at(0));
            for lost in losses.into_iter().chain(std::iter::repeat_n(false, 10)) {
                let sent = send(&mut pace, position(30, acknowledged), now);
                prop_assert!(sent.iter().all(|number| *number > acknowledged && *number <= acknowledged + WINDOW));
                if let (false, Some(first)) = (lost, sent.first()) && *first == acknowledged + 1 {
                    acknowledged = *sent.last().unwrap();
                }
                now = pace.due().unwrap_or(now);
            }
            prop_assert_eq!(acknowledged, 30);
        }
    }
}
