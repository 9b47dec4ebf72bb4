//! The state of one protocol in a sweep: its counters, its round-trip time, and who is waited for.

use std::collections::VecDeque;
use std::time::Duration;

use crate::algorithms::discovery::pacing::RttEstimator;
use crate::domain::cycle::{ProtocolStats, millis};
use crate::domain::policy::Probing;

/// A packet that was sent and may be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Waiting {
    /// The place of who was asked.
    pub who: u32,
    /// Which of that one's questions it was, where there are several in a row.
    pub question: u32,
    /// When it left.
    pub sent_at: Duration,
}

/// How many packets a link loses, as seen from who answered only when asked again.
#[derive(Debug, Default)]
pub(super) struct Loss {
    answered: u32,
    again: u32,
}

impl Loss {
    /// Attempts that a link may cost beyond those that were ordered.
    pub const MORE: u8 = 3;

    /// Fewer hosts that had to be asked again tell of themselves, not of their link.
    const TELLING: u32 = 4;

    /// The most that [`Loss::attempts`] can come to when so many are asked.
    pub fn most_attempts(ordered: u8, asked: usize) -> u8 {
        // Who is asked but once is never asked again, and so nobody tells of a loss.
        let can_tell = ordered > 1 && asked >= Self::TELLING as usize;
        if can_tell { ordered + Self::MORE } else { ordered }
    }

    /// A host answered after it had been asked so many times.
    pub fn answered(&mut self, attempts: u8) {
        self.answered = self.answered.saturating_add(1);
        self.again = self.again.saturating_add(u32::from(attempts > 1));
    }

    /// How often somebody is to be asked, so that of all who would answer no larger part than `doubt`
    /// is taken for silent: a question or its answer is lost so often as one was needed again.
    pub fn attempts(&self, ordered: u8, doubt: f64) -> u8 {
        if self.again < Self::TELLING {
            return ordered;
        }
        let lost = f64::from(self.again) / f64::from(self.answered.max(1));
        let most = ordered + Self::MORE;
        (ordered..most).find(|attempts| lost.powi(i32::from(*attempts)) <= doubt).unwrap_or(most)
    }
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
    /// A queue for each attempt that there may be.
    waiting: Vec<VecDeque<Waiting>>,
    /// How many attempts there are on a link that loses nothing.
    attempts: u8,
    /// How many there are on this one.
    granted: u8,
    first: Option<Duration>,
    last: Duration,
}

impl Lane {
    pub fn new(probing: &Probing) -> Self {
        Self {
            stats: ProtocolStats::default(),
            rtt: RttEstimator::new(probing.timeout),
            open: 0,
            waiting: vec![VecDeque::new(); usize::from(probing.attempts.max(1) + Loss::MORE)],
            attempts: probing.attempts.max(1),
            granted: probing.attempts.max(1),
            first: None,
            last: Duration::ZERO,
        }
    }

    /// Takes so many attempts as silence needs to be believed on a link with this loss.
    pub fn reckon_with(&mut self, loss: &Loss, doubt: f64) {
        self.granted = loss.attempts(self.attempts, doubt);
    }

    /// How long an answer to this attempt is waited for: with each that was ordered longer, for hosts
    /// that are slow. Those that only a lossy link has are there because packets are lost, so each waits
    /// no longer than the first.
    fn wait(&self, attempt: u8) -> Duration {
        self.rtt.wait(if attempt < self.attempts { attempt } else { 0 })
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
        for attempt in 0..self.attempts + Loss::MORE {
            let wait = self.wait(attempt);
            let Some(queue) = self.waiting.get_mut(usize::from(attempt)) else { break };
            while let Some(front) = queue.front() {
                if settled(front) {
                    queue.pop_front();
                    tidy(queue);
                } else if front.sent_at + wait <= now {
                    self.last = now;
                    let last = attempt + 1 >= self.granted;
                    let front = queue.pop_front();
                    tidy(queue);
                    return front.map(|waiting| (waiting, attempt, last));
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
            .filter_map(|(attempt, queue)| queue.front().map(|front| front.sent_at + self.wait(attempt)));
        dues.min()
    }

    /// The counters, with the time from the first packet to the last thing that happened.
    pub fn finish(mut self) -> ProtocolStats {
        self.stats.duration_ms = self.first.map_or(0.0, |first| millis(self.last.saturating_sub(first)));
        self.stats
    }
}

/// Gives back the room of an attempt that all have behind them: a target waits in one queue at a time.
fn tidy(queue: &mut VecDeque<Waiting>) {
    const WORTH_KEEPING: usize = 1_024;
    if queue.is_empty() && queue.capacity() > WORTH_KEEPING {
        queue.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(answered: u32, again: u32) -> Loss {
        let mut loss = Loss::default();
        (0..answered).for_each(|number| loss.answered(1 + u8::from(number < again)));
        loss
    }

    #[test]
    fn a_link_costs_more_attempts_the_more_it_loses_and_a_good_one_none() {
        let attempts = [0, 3, 20, 30, 60, 97, 300, 1_000].map(|again| loss(1_000, again).attempts(3, 1e-5));
        assert_eq!(attempts, [3, 3, 3, 4, 5, 5, 6, 6]);
        assert_eq!(loss(1_000, 97).attempts(3, 1e-6), 6);
    }

    #[test]
    fn a_few_slow_hosts_are_not_taken_for_a_lossy_link() {
        assert_eq!(loss(10, 3).attempts(3, 1e-5), 3);
        assert_eq!(loss(0, 0).attempts(1, 1e-5), 1);
    }

    #[test]
    fn no_loss_costs_more_attempts_than_the_most() {
        for (ordered, hosts) in [(1, 100), (3, 0), (3, 3), (3, 4), (2, 1_000)] {
            let again = if ordered > 1 { hosts } else { 0 };
            let attempts = loss(hosts, again).attempts(ordered, 1e-6);
            assert_eq!(attempts, Loss::most_attempts(ordered, hosts as usize), "{ordered} {hosts}");
        }
    }

    #[test]
    fn an_attempt_beyond_the_ordered_waits_as_long_as_the_first() {
        let probing = Probing { rate: 1, attempts: 3, timeout: Duration::from_secs(60) };
        let mut lane = Lane::new(&probing);
        lane.reckon_with(&loss(100, 50), 1e-6);
        let waits = [0, 1, 2, 3, 4, 5].map(|attempt| {
            lane.wait_for(attempt, Waiting { who: 0, question: 0, sent_at: Duration::ZERO });
            let due = lane.next_due().unwrap();
            let (_, overdue, last) = lane.overdue(due, |_| false).unwrap();
            assert_eq!((overdue, last), (attempt, attempt == 5));
            due.as_millis()
        });
        assert_eq!(waits, [500, 1_000, 2_000, 500, 500, 500]);
    }
}
