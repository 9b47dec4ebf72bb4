//! How many addresses on link may be asked through the kernel at once.

use std::collections::VecDeque;
use std::time::Duration;

/// Lets so many through in any span of [`Window::SPAN`].
///
/// The kernel makes an entry of its neighbour table for each address on link that is asked, and
/// takes it away for another one only when it is five seconds old (`neigh_forced_gc`). When the
/// table is full of younger ones, nobody can be asked, also by others on this host.
#[derive(Debug)]
pub(super) struct Window {
    most: usize,
    asked: VecDeque<Duration>,
}

impl Window {
    /// For how long an entry cannot be taken away.
    pub const SPAN: Duration = Duration::from_secs(5);

    /// A window for so many, at least one.
    pub fn new(most: usize) -> Self {
        Self { most: most.max(1), asked: VecDeque::new() }
    }

    /// How long at least it takes from the first to the last when so many are asked through a window for
    /// `most`, and how long they are held up at most.
    pub fn span_of(asked: usize, most: usize) -> Duration {
        let windows = asked.saturating_sub(1) / most.max(1);
        Self::SPAN.saturating_mul(u32::try_from(windows).unwrap_or(u32::MAX))
    }

    /// The instant from which on one more may be asked.
    pub fn opens_at(&self) -> Duration {
        match self.asked.front() {
            Some(first) if self.asked.len() >= self.most => *first + Self::SPAN,
            _ => Duration::ZERO,
        }
    }

    /// One was asked.
    pub fn ask(&mut self, now: Duration) {
        if self.asked.len() >= self.most {
            self.asked.pop_front();
        }
        self.asked.push_back(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_span_sees_more_than_the_window_holds(most in 1_usize..40, waits in prop::collection::vec(0_u64..700, 1..300)) {
            let mut window = Window::new(most);
            let mut now = Duration::ZERO;
            let mut asked: Vec<Duration> = Vec::new();
            for wait in waits {
                now = (now + Duration::from_millis(wait)).max(window.opens_at());
                window.ask(now);
                asked.push(now);
                let within = asked.iter().filter(|at| **at + Window::SPAN > now).count();
                prop_assert!(within <= most, "{within} of {most}");
            }
            let took = now.saturating_sub(asked[0]);
            prop_assert!(took >= Window::span_of(asked.len(), most), "{took:?}");
        }
    }

    #[test]
    fn what_fits_is_not_held_up() {
        let mut window = Window::new(3);
        for _ in 0..3 {
            assert_eq!(window.opens_at(), Duration::ZERO);
            window.ask(Duration::from_secs(1));
        }
        assert_eq!(window.opens_at(), Duration::from_secs(6));
        assert_eq!([0, 3, 4, 6, 7].map(|asked| Window::span_of(asked, 3).as_secs()), [0, 0, 5, 5, 10]);
    }
}
