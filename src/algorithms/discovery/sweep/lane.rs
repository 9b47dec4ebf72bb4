//! The state of one protocol in a sweep: its counters, its round-trip time, and who is waited for.

use std::collections::VecDeque;
use std::time::Duration;

use crate::algorithms::discovery::pacing::RttEstimator;
use crate::domain::cycle::{ProtocolStats, millis};
use crate::domain::policy::Probing;

/// A packet that was sent and may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The position of who was asked.
    pub who: u32,
    /// Which of that one's questions it was, where there are several in a row.
    pub question: u32,
    /// When it left.
    pub sent_at: Duration,
}

/// One protocol.
///
/// Packets of one attempt leave in the order of time and wait equally long, so a queue for each
/// attempt is all the timers there are; and since the wait is computed when it is looked at, what is
/// learnt about the link applies to packets that are already under way.
#[derive(Debug)]
pub(super) struct Lane {
    pub stats: ProtocolStats,
    pub rtt: RttEstimator,
    /// How many have been or will be asked and have neither answered nor been given up.
    pub open: usize,
    waiting: Vec<VecDeque<Waiting>>,
    first: Option<Duration>,
    last: Duration,
}

impl Lane {
    pub fn new(probing: &Probing) -> Self {
        Self {
            stats: ProtocolStats::default(),
            rtt: RttEstimator::new(probing.timeout),
            open: 0,
            waiting: vec![VecDeque::new(); usize::from(probing.attempts.max(1))],
            first: None,
            last: Duration::ZERO,
        }
    }

    /// A packet leaves and nothing is to be waited for: another of the same attempt follows.
    pub fn sent(&mut self, attempt: u8, now: Duration) {
        self.stats.sent += 1;
        self.stats.retried += u64::from(attempt > 0);
        self.first.get_or_insert(now);
        self.last = now;
    }

    /// From now on an answer to this attempt is waited for.
    pub fn wait_for(&mut self, attempt: u8, waiting: Waiting) {
        if let Some(queue) = self.waiting.get_mut(usize::from(attempt)) {
            queue.push_back(waiting);
        }
    }

    /// A usable answer came to a packet that left at `sent_at`; `None` when it is not certain which.
    pub fn answered(&mut self, sent_at: Option<Duration>, now: Duration) {
        self.stats.received += 1;
        self.heard(sent_at, now);
    }

    /// Something came back, if not the answer that was asked for.
    pub fn heard(&mut self, sent_at: Option<Duration>, now: Duration) {
        self.last = now;
        if let Some(sent_at) = sent_at {
            self.rtt.sample(now.saturating_sub(sent_at));
        }
    }

    /// Takes out the next one whose wait is over, with its attempt and whether that was the last.
    /// Those for whom `settled` holds need no answer any more and are dropped.
    pub fn overdue(&mut self, now: Duration, settled: impl Fn(&Waiting) -> bool) -> Option<(Waiting, u8, bool)> {
        let attempts = self.waiting.len();
        for (attempt, queue) in (0_u8..).zip(&mut self.waiting) {
            let wait = self.rtt.wait(attempt);
            while let Some(front) = queue.front() {
                if settled(front) {
                    queue.pop_front();
                } else if front.sent_at + wait <= now {
                    self.last = now;
                    let last = usize::from(attempt) + 1 == attempts;
                    return queue.pop_front().map(|waiting| (waiting, attempt, last));
                } else {
                    break;
                }
            }
        }
        None
    }

    /// When the next wait ends, if nothing is learnt until then.
    pub fn next_due(&self) -> Option<Duration> {
        let dues = (0_u8..)
            .zip(&self.waiting)
            .filter_map(|(attempt, queue)| queue.front().map(|front| front.sent_at + self.rtt.wait(attempt)));
        dues.min()
    }

    /// The counters, with the time from the first packet to the last thing that happened.
    pub fn finish(mut self) -> ProtocolStats {
        self.stats.duration_ms = self.first.map_or(0.0, |first| millis(self.last.saturating_sub(first)));
        self.stats
    }
}
