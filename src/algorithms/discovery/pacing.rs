//! How fast probes may leave, and how long a reply is waited for.

use std::time::Duration;

/// A token bucket in its virtual-scheduling form (ITU-T I.371, generic cell rate algorithm): one
/// instant instead of a count, and no timer.
///
/// In any span of time it lets through at most `rate × span` packets and one burst of
/// [`Pacer::BURST`].
#[derive(Debug, Clone)]
pub struct Pacer {
    interval: Duration,
    // When the next packet would leave if all left evenly.
    due: Duration,
}

impl Pacer {
    /// How far ahead of an even flow packets may run: long enough that the sender need not wake
    /// for each one, short enough that no switch sees more than a few at once.
    pub const BURST: Duration = Duration::from_millis(5);

    /// A pacer of `rate` packets a second, at least 1.
    pub fn new(rate: u32) -> Self {
        // Rounded up: a rate is a promise not to exceed it.
        let interval = Duration::from_nanos(1_000_000_000_u64.div_ceil(u64::from(rate.max(1))));
        Self { interval, due: Duration::ZERO }
    }

    /// The earliest instant at which the next packet may leave.
    pub fn ready_at(&self) -> Duration {
        self.due.saturating_sub(Self::BURST)
    }

    /// When to look again if nothing may leave now: when half a burst may leave at once. Nothing of the
    /// rate is lost, for what was due meanwhile leaves together; and a fast sweep does not wake for
    /// each packet.
    pub fn worth_waking_at(&self) -> Duration {
        self.due.saturating_sub(Self::BURST / 2)
    }

    /// Takes the right to send one packet now, if there is one.
    pub fn take(&mut self, now: Duration) -> bool {
        if now < self.ready_at() {
            return false;
        }
        self.due = self.due.max(now) + self.interval;
        true
    }
}

/// The retransmission timeout of RFC 6298, from the round-trip times that a link shows.
#[derive(Debug, Clone)]
pub struct RttEstimator {
    smoothed: Option<(Duration, Duration)>,
    cap: Duration,
}

impl RttEstimator {
    /// The shortest wait: a host that is busy or asleep takes its time even on a fast link.
    pub const FLOOR: Duration = Duration::from_millis(100);
    /// The wait while nothing has been measured.
    pub const INITIAL: Duration = Duration::from_millis(500);

    /// An estimator that never waits longer than `cap`.
    pub fn new(cap: Duration) -> Self {
        Self { smoothed: None, cap }
    }

    /// Learns from one reply. Only replies that belong to one certain packet may be given (Karn's
    /// algorithm, RFC 6298 section 3).
    pub fn sample(&mut self, rtt: Duration) {
        // RFC 6298 section 2.2 and 2.3: alpha = 1/8, beta = 1/4.
        self.smoothed = Some(match self.smoothed {
            None => (rtt, rtt / 2),
            Some((srtt, var)) => ((srtt * 7 + rtt) / 8, (var * 3 + srtt.abs_diff(rtt)) / 4),
        });
    }

    /// How long to wait for a reply to the packet of this attempt, counted from 0: doubled with
    /// each (RFC 6298 section 5.5).
    pub fn wait(&self, attempt: u8) -> Duration {
        let base = self.smoothed.map_or(Self::INITIAL, |(srtt, var)| (srtt + var * 4).max(Self::FLOOR));
        (base * (1 << attempt.min(10))).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    proptest! {
        #[test]
        fn no_span_sees_more_than_the_rate_and_one_burst(
            rate in 1_u32..100_000,
            waits in prop::collection::vec(0_u64..20_000, 1..300),
        ) {
            let mut pacer = Pacer::new(rate);
            let mut now = Duration::ZERO;
            let mut sent = Vec::new();
            for wait in waits {
                now += Duration::from_micros(wait);
                while sent.len() < 3_000 && pacer.take(now) {
                    sent.push(now);
                }
            }
            for (at, from) in sent.iter().enumerate().step_by(7) {
                for (later, to) in sent.iter().enumerate().skip(at).step_by(11) {
                    let packets = (later - at + 1) as f64;
                    let allowed = (*to - *from + Pacer::BURST).as_secs_f64() * f64::from(rate) + 1.0;
                    prop_assert!(packets <= allowed * 1.000_001, "{packets} in {:?}, allowed {allowed}", *to - *from);
                }
            }
        }

        #[test]
        fn a_refused_packet_may_leave_at_the_instant_that_was_told(rate in 1_u32..100_000, tries in 1_usize..50) {
            let mut pacer = Pacer::new(rate);
            let mut now = Duration::ZERO;
            for _ in 0..tries {
                if !pacer.take(now) {
                    now = pacer.ready_at();
                    prop_assert!(pacer.take(now));
                }
            }
        }

        #[test]
        fn who_wakes_when_it_is_worth_it_wakes_seldom_and_loses_nothing_of_the_rate(rate in 1_u32..100_000) {
            let mut pacer = Pacer::new(rate);
            let (mut now, mut sent, mut woken) = (Duration::ZERO, 0_u32, 0_u32);
            while sent < 2 * rate {
                now = pacer.worth_waking_at().max(now);
                woken += 1;
                while pacer.take(now) {
                    sent += 1;
                }
            }
            prop_assert!(now <= Duration::from_secs(2) + pacer.interval, "{sent} in {now:?}");
            let halves = (now.as_secs_f64() / (Pacer::BURST / 2).as_secs_f64()).ceil() as u32;
            prop_assert!(woken <= sent.min(halves + 2), "woken {woken} times for {sent}");
        }

        #[test]
        fn every_wait_lies_between_floor_and_cap(rtts in prop::collection::vec(0_u64..5_000, 0..50), attempt in 0_u8..20) {
            let mut estimator = RttEstimator::new(MS(1_000));
            for rtt in rtts {
                estimator.sample(MS(rtt));
            }
            let wait = estimator.wait(attempt);
            prop_assert!(wait >= RttEstimator::FLOOR && wait <= MS(1_000), "{wait:?}");
            prop_assert!(estimator.wait(attempt + 1) >= wait);
        }
    }

    #[test]
    fn a_fast_link_is_waited_for_briefly_and_longer_with_each_attempt() {
        let mut estimator = RttEstimator::new(MS(1_000));
        assert_eq!(estimator.wait(0), MS(500));
        for _ in 0..10 {
            estimator.sample(MS(2));
        }
        assert_eq!(
            [0, 1, 2, 3, 4].map(|attempt| estimator.wait(attempt)),
            [MS(100), MS(200), MS(400), MS(800), MS(1_000)]
        );
    }
}
