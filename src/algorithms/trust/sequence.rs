//! The numbers of a sender's messages: what is old, and who is two.

use std::collections::{BTreeMap, VecDeque};

use crate::domain::controller::ControllerId;
use crate::domain::message::BootId;
use crate::domain::number::MessageSeq;
use crate::domain::time::Timestamp;

/// How far a message may be behind the sender's highest one (RFC 4303 section 3.4.3 recommends 64).
pub const WINDOW: u64 = 128;

/// The runs of a sender that are remembered beside the present one.
const PAST_RUNS: usize = 8;

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Its number was here.
    Repeated,
    /// It is too far behind.
    Behind,
    /// It is from a run that ended.
    EarlierRun,
    /// A run that had ended goes on: there are two.
    Cloned,
}

/// The present run of each sender and what came of it.
#[derive(Debug, Default)]
pub struct SequenceWindows {
    senders: BTreeMap<ControllerId, Sender>,
}

#[derive(Debug)]
struct Sender {
    boot: BootId,
    // The newest timestamp of the present run.
    newest: Timestamp,
    highest: u64,
    // Bit n: the number `highest - n` was here.
    seen: u128,
    past: VecDeque<BootId>,
}

impl SequenceWindows {
    /// Takes a message once, in about the order of the numbers.
    ///
    /// A message from another run is the first of a new one when it was made after all that came
    /// before. When the "new" run is one that had ended, two processes send under one name.
    ///
    /// # Errors
    /// The refusal of a number that was there before or is too old to tell, and of a run that had ended.
    pub fn admit(
        &mut self,
        sender: &ControllerId,
        boot: BootId,
        seq: MessageSeq,
        timestamp: Timestamp,
    ) -> Result<(), Refusal> {
        let seq = seq.number();
        if seq == 0 {
            return Err(Refusal::Behind);
        }
        let Some(known) = self.senders.get_mut(sender) else {
            let first = Sender { boot, newest: timestamp, highest: seq, seen: 1, past: VecDeque::new() };
            self.senders.insert(sender.clone(), first);
            return Ok(());
        };
        if boot != known.boot {
            return known.change(boot, seq, timestamp);
        }
        known.take(seq)?;
        known.newest = known.newest.max(timestamp);
        Ok(())
    }
}

impl Sender {
    fn change(&mut self, boot: BootId, seq: u64, timestamp: Timestamp) -> Result<(), Refusal> {
        if timestamp <= self.newest {
            return Err(Refusal::EarlierRun);
        }
        if self.past.contains(&boot) {
            return Err(Refusal::Cloned);
        }
        self.past.push_front(self.boot);
        self.past.truncate(PAST_RUNS);
        (self.boot, self.newest, self.highest, self.seen) = (boot, timestamp, seq, 1);
        Ok(())
    }

    fn take(&mut self, seq: u64) -> Result<(), Refusal> {
        if let Some(ahead) = seq.checked_sub(self.highest).filter(|ahead| *ahead > 0) {
            let shift = u32::try_from(ahead).unwrap_or(u32::MAX);
            self.seen = self.seen.checked_shl(shift).unwrap_or(0) | 1;
            self.highest = seq;
            return Ok(());
        }
        let behind = self.highest - seq;
        if behind >= WINDOW {
            return Err(Refusal::Behind);
        }
        let bit = 1 << behind;
        if self.seen & bit != 0 {
            return Err(Refusal::Repeated);
        }
        self.seen |= bit;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn name() -> ControllerId {
        "local_cntl_zoneA_1".parse().unwrap()
    }

    fn boot(number: u8) -> BootId {
        BootId::new([number; 16])
    }

    fn admit(windows: &mut SequenceWindows, run: u8, seq: u64, millis: i64) -> Result<(), Refusal> {
        windows.admit(&name(), boot(run), MessageSeq::from_number(seq), Timestamp::from_millis(millis))
    }

    #[test]
    fn messages_may_overtake_each_other_a_little() {
        let mut windows = SequenceWindows::default();
        for seq in [1, 3, 2, 200, 73] {
            assert_eq!(admit(&mut windows, 1, seq, 0), Ok(()), "{seq}");
        }
        assert_eq!(admit(&mut windows, 1, 3, 0), Err(Refusal::Behind));
        assert_eq!(admit(&mut windows, 1, 72, 0), Err(Refusal::Behind));
        assert_eq!(admit(&mut windows, 1, 73, 0), Err(Refusal::Repeated));
        assert_eq!(admit(&mut windows, 1, 0, 0), Err(Refusal::Behind));
        assert_eq!(admit(&mut windows, 1, u64::MAX, 0), Ok(()));
        assert_eq!(admit(&mut windows, 1, u64::MAX, 0), Err(Refusal::Repeated));
    }

    #[test]
    fn a_restart_begins_anew_and_what_was_sent_before_is_late() {
        let mut windows = SequenceWindows::default();
        assert_eq!(admit(&mut windows, 1, 900, 1_000), Ok(()));
        assert_eq!(admit(&mut windows, 2, 1, 2_000), Ok(()));
        assert_eq!(admit(&mut windows, 1, 901, 1_500), Err(Refusal::EarlierRun));
        assert_eq!(admit(&mut windows, 2, 2, 2_001), Ok(()));
    }

    #[test]
    fn two_that_send_under_one_name_are_noticed() {
        let mut windows = SequenceWindows::default();
        assert_eq!(admit(&mut windows, 1, 1, 1_000), Ok(()));
        assert_eq!(admit(&mut windows, 2, 1, 2_000), Ok(()));
        assert_eq!(admit(&mut windows, 1, 2, 3_000), Err(Refusal::Cloned));
    }

    proptest! {
        #[test]
        fn no_number_is_taken_twice(numbers in prop::collection::vec(1_u64..400, 1..300)) {
            let (mut windows, mut taken, mut highest) = (SequenceWindows::default(), BTreeSet::new(), 0);
            for number in numbers {
                let answer = admit(&mut windows, 1, number, 0);
                if answer.is_ok() {
                    prop_assert!(taken.insert(number));
                    highest = highest.max(number);
                } else {
                    prop_assert!(taken.contains(&number) || number + WINDOW <= highest);
                }
            }
        }
    }
}
