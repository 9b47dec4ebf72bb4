//! To whom the policy in effect is still to be sent, and when.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::algorithms::trust::backoff::Backoff;
use crate::domain::controller::ControllerId;
use crate::domain::number::PolicyVersion;

/// An answer is given this long before it is asked for again; a wait with full jitter comes on top.
pub const ANSWER: Duration = Duration::from_secs(5);

/// The controllers below that are there, and what each still has to acknowledge.
#[derive(Debug)]
pub struct Distribution {
    in_effect: Option<PolicyVersion>,
    children: BTreeMap<ControllerId, Child>,
    random: fastrand::Rng,
}

#[derive(Debug)]
struct Child {
    has: Option<PolicyVersion>,
    backoff: Backoff,
    due: Duration,
}

impl Distribution {
    /// Nobody is there and nothing is in effect.
    pub fn new(seed: u64) -> Self {
        Self { in_effect: None, children: BTreeMap::new(), random: fastrand::Rng::with_seed(seed) }
    }

    /// This version is in effect: all who are there are to be sent it now.
    pub fn set(&mut self, version: PolicyVersion, now: Duration) {
        self.in_effect = Some(version);
        for child in self.children.values_mut() {
            child.backoff.reset();
            child.due = now;
        }
    }

    /// A controller is there; what it has is not known yet.
    pub fn online(&mut self, id: ControllerId, now: Duration) {
        let backoff = Backoff::new(self.random.u64(..));
        self.children.insert(id, Child { has: None, backoff, due: now });
    }

    /// A controller is away: nothing is sent to it.
    pub fn offline(&mut self, id: &ControllerId) {
        self.children.remove(id);
    }

    /// What a controller runs, as it says or as is written about it.
    pub fn acknowledged(&mut self, id: &ControllerId, has: Option<PolicyVersion>) {
        if let Some(child) = self.children.get_mut(id) {
            child.has = has;
        }
    }

    /// To whom to send now; each is due again after a wait that grows.
    pub fn take_due(&mut self, now: Duration) -> Vec<ControllerId> {
        let in_effect = self.in_effect;
        let due = self.children.iter_mut().filter(|(_, child)| child.has < in_effect && child.due <= now);
        due.map(|(id, child)| {
            child.due = now + ANSWER + child.backoff.wait();
            id.clone()
        })
        .collect()
    }

    /// When somebody is due next.
    pub fn next(&self) -> Option<Duration> {
        self.children.values().filter(|child| child.has < self.in_effect).map(|child| child.due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const fn seconds(number: u64) -> Duration {
        Duration::from_secs(number)
    }

    fn version(number: u64) -> Option<PolicyVersion> {
        Some(PolicyVersion::from_number(number))
    }

    fn id(number: u64) -> ControllerId {
        format!("local_cntl_zoneA_{number}").parse().unwrap()
    }

    #[test]
    fn who_lacks_it_is_sent_it_until_he_acknowledges() {
        let mut distribution = Distribution::new(1);
        distribution.online(id(1), seconds(0));
        assert_eq!((distribution.take_due(seconds(0)), distribution.next()), (vec![], None), "nothing is in effect");
        distribution.set(version(3).unwrap(), seconds(1));
        distribution.online(id(2), seconds(1));
        distribution.acknowledged(&id(2), version(3));
        assert_eq!(distribution.take_due(seconds(1)), [id(1)]);
        assert_eq!(distribution.take_due(seconds(5)), []);
        let due = distribution.next().unwrap();
        assert!(due >= seconds(6) && due < seconds(7), "{due:?}");
        assert_eq!(distribution.take_due(due), [id(1)]);
        distribution.acknowledged(&id(1), version(3));
        assert_eq!(distribution.next(), None);
        distribution.set(version(4).unwrap(), seconds(20));
        assert_eq!(distribution.take_due(seconds(20)), [id(1), id(2)]);
        distribution.offline(&id(1));
        distribution.acknowledged(&id(2), version(4));
        assert_eq!(distribution.next(), None);
    }

    proptest! {
        #[test]
        fn a_silent_child_is_sent_it_ever_less_often(seed: u64) {
            let mut distribution = Distribution::new(seed);
            distribution.set(version(1).unwrap(), seconds(0));
            distribution.online(id(1), seconds(0));
            let mut sent = 0;
            while let Some(due) = distribution.next().filter(|due| *due < seconds(86_400)) {
                prop_assert_eq!(distribution.take_due(due), [id(1)]);
                sent += 1;
            }
            // On average one each 155 seconds; never more often than each five.
            prop_assert!((200..=1_500).contains(&sent), "{sent}");
        }
    }
}
