//! The messages that were here, so that none is taken twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::domain::controller::ControllerId;
use crate::domain::message::MessageId;
use crate::domain::time::Timestamp;

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It was here.
    Replayed,
    /// There is no room to remember it.
    Full,
}

/// The ids of a sender's messages, for as long as their timestamps would let them in again.
///
/// No id is forgotten to make room: whoever sends too much is refused, and nobody else.
#[derive(Debug)]
pub struct ReplayCache {
    kept: Duration,
    quota: usize,
    senders: BTreeMap<ControllerId, Ids>,
}

#[derive(Debug, Default)]
struct Ids {
    known: BTreeSet<MessageId>,
    by_time: BTreeSet<(Timestamp, MessageId)>,
}

impl ReplayCache {
    /// A cache that keeps an id until its message is older than `kept`, and `quota` of them a sender.
    pub const fn new(kept: Duration, quota: usize) -> Self {
        Self { kept, quota, senders: BTreeMap::new() }
    }

    /// Takes a message once. Its signature has been verified and its timestamp is acceptable.
    ///
    /// # Errors
    /// The refusal of a message that was taken before, or of a sender whose quota is used up.
    pub fn admit(
        &mut self,
        sender: &ControllerId,
        id: MessageId,
        timestamp: Timestamp,
        now: Timestamp,
    ) -> Result<(), Refusal> {
        let ids = self.senders.entry(sender.clone()).or_default();
        while let Some((oldest, gone)) = ids.by_time.first().copied()
            && oldest.saturating_add(self.kept) < now
        {
            ids.by_time.pop_first();
            ids.known.remove(&gone);
        }
        if ids.known.contains(&id) {
            return Err(Refusal::Replayed);
        }
        if ids.known.len() >= self.quota {
            return Err(Refusal::Full);
        }
        ids.known.insert(id);
        ids.by_time.insert((timestamp, id));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEPT: Duration = Duration::from_secs(300);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn id(millis: i64, number: u32) -> MessageId {
        let [a, b, c, d] = number.to_be_bytes();
        MessageId::new(at(millis), [0, 0, 0, 0, 0, 0, a, b, c, d])
    }

    fn name(number: u32) -> ControllerId {
        format!("local_cntl_zoneA_{number}").parse().unwrap()
    }

    #[test]
    fn a_message_is_taken_once_also_after_ten_thousand_others() {
        let mut cache = ReplayCache::new(KEPT, 16_384);
        assert_eq!(cache.admit(&name(1), id(0, 0), at(0), at(0)), Ok(()));
        for number in 1..=10_000 {
            assert_eq!(cache.admit(&name(1), id(0, number), at(0), at(1)), Ok(()));
        }
        assert_eq!(cache.admit(&name(1), id(0, 0), at(0), at(2)), Err(Refusal::Replayed));
        assert_eq!(cache.admit(&name(1), id(0, 0), at(0), at(300_000)), Err(Refusal::Replayed));
        // The same id of another sender is another message.
        assert_eq!(cache.admit(&name(2), id(0, 0), at(0), at(2)), Ok(()));
    }

    #[test]
    fn one_who_floods_refuses_himself_only() {
        let mut cache = ReplayCache::new(KEPT, 100);
        let taken = (0..1_000).filter(|number| cache.admit(&name(1), id(0, *number), at(0), at(0)).is_ok()).count();
        assert_eq!(taken, 100);
        assert_eq!(cache.admit(&name(1), id(0, 5_000), at(0), at(1)), Err(Refusal::Full));
        // What it did take is still known, and others are served.
        assert_eq!(cache.admit(&name(1), id(0, 0), at(0), at(1)), Err(Refusal::Replayed));
        assert_eq!(cache.admit(&name(2), id(0, 0), at(0), at(1)), Ok(()));
        // Room comes with time.
        assert_eq!(cache.admit(&name(1), id(300_001, 0), at(300_001), at(300_001)), Ok(()));
    }

    proptest! {
        /// Against a model that forgets nothing: within the window nothing is taken twice.
        #[test]
        fn nothing_is_taken_twice_within_the_window(
            steps in prop::collection::vec((0_u32..3, 0_u32..40, 0_i64..20_000), 1..300),
        ) {
            let mut cache = ReplayCache::new(KEPT, 10_000);
            let (mut now, mut taken) = (1_000_000, BTreeSet::new());
            for (sender, number, step) in steps {
                now += step;
                // The timestamp is the message's own, so a replay has the old one.
                let made = i64::from(number) * 10_000 + 900_000;
                if !(now - 300_000..=now + 60_000).contains(&made) {
                    continue;
                }
                let fresh = taken.insert((sender, number));
                let answer = cache.admit(&name(sender), id(made, number), at(made), at(now));
                prop_assert_eq!(answer.is_ok(), fresh);
            }
        }
    }
}
