//! Chance from one seed. Every question about every place has its own answer, whatever was asked
//! before: a network is the same in each run, and a frame is lost or not regardless of what other
//! hosts do meanwhile.

use crate::fault::Fault;

/// What is drawn, beside faults. The numbers stay what they are: with them a seed would be another fleet.
#[derive(Debug, Clone, Copy)]
pub enum Question {
    Live,
    Agent,
    ArpOnly,
    Closed,
    Model,
    Lldp,
    SmallMessages,
    Uptime,
    HugeTable,
    MultiAddress,
    Addresses,
    ProxyArp,
    LossIn = 18,
    LossOut,
    Jitter,
    Late,
    Duplicate,
    Versions,
    User,
    Boots,
}

/// Where the numbers of faults begin.
const FAULTS: u64 = 0x40;

/// Where all chance comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Seed {
    /// A number of 64 bits.
    pub fn number(self, question: Question, place: u64) -> u64 {
        self.drawn(question as u64, place)
    }

    fn drawn(self, what: u64, place: u64) -> u64 {
        mix(mix(self.0 ^ ((what + 1) << 56)).wrapping_add(place))
    }

    /// A number from 0 up to 1, without 1.
    pub fn unit(self, question: Question, place: u64) -> f64 {
        unit(self.number(question, place))
    }

    /// Whether what happens in such a share of cases happens in this one.
    pub fn happens(self, share: f64, question: Question, place: u64) -> bool {
        share > 0.0 && self.unit(question, place) < share
    }

    /// Whether a fault that such a share has is at this place.
    pub fn strikes(self, share: f64, fault: Fault, place: u64) -> bool {
        share > 0.0 && unit(self.drawn(FAULTS + fault as u64, place)) < share
    }
}

fn unit(number: u64) -> f64 {
    // The 53 bits that an f64 can tell apart.
    (number >> 11) as f64 / (1_u64 << 53) as f64
}

/// SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_come_true() {
        for share in [0.0, 0.05, 0.3, 1.0] {
            let happened = (0..100_000).filter(|place| Seed(7).happens(share, Question::Live, *place)).count();
            let off = (happened as f64 / 100_000.0 - share).abs();
            assert!(off < 0.005 && (off == 0.0 || share.fract() > 0.0), "{share}: {happened}");
        }
    }

    #[test]
    fn questions_and_seeds_do_not_follow_each_other() {
        let drawn = |seed, question| (0..10_000).map(move |place| Seed(seed).happens(0.5, question, place));
        for (one, other) in [((1, Question::Live), (2, Question::Live)), ((1, Question::Live), (1, Question::Agent))] {
            let same = drawn(one.0, one.1).zip(drawn(other.0, other.1)).filter(|(one, other)| one == other).count();
            assert!((4_800..5_200).contains(&same), "{same}");
        }
    }
}
