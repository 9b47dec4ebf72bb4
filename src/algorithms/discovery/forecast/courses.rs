//! The courses of a sweep, from how many are asked and how.

use std::sync::Arc;
use std::time::Duration;

use super::{ASSUMED_ROWS, Course, Courses, Traffic};
use crate::algorithms::discovery::credentials::PreparedCredential;
use crate::algorithms::discovery::pacing::{Pacer, RttEstimator};
use crate::algorithms::discovery::sweep::SweepSettings;
use crate::algorithms::discovery::sweep::footprint::{self, Lengths};
use crate::domain::protocol::Protocol;

/// The first question to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum First {
    /// By ARP, in frames; an echo to who answers.
    Arp,
    /// The echo itself, through the kernel.
    Echo(Held),
}

/// What the kernel's neighbour table holds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// Addresses on link that are asked.
    pub near: usize,
    /// How many of them may be asked at once.
    pub most: usize,
}

impl First {
    /// So many first questions to each of so many addresses, then so many echoes to each.
    fn course(self, first: u64, echoes: u64, lengths: &Lengths) -> Course {
        let echo = on_wire(lengths.echo);
        match self {
            Self::Arp => Course {
                arp: Traffic::of(first, on_wire(lengths.resolution)),
                icmp: Traffic::of(echoes, echo),
                ..Course::default()
            },
            Self::Echo(_) => Course { icmp: Traffic::of(first, echo), ..Course::default() },
        }
    }

    fn held_up(self) -> Duration {
        match self {
            Self::Arp => Duration::ZERO,
            Self::Echo(Held { near, most }) => footprint::held_up(near, most),
        }
    }
}

pub(super) fn courses(addresses: usize, first: First, settings: &SweepSettings) -> Courses {
    if addresses == 0 {
        return Courses::default();
    }
    let wants = |protocol| u64::from(settings.protocols.contains(&protocol));
    // Through the kernel the echo has been answered already.
    let echo = wants(Protocol::Icmp) * u64::from(first == First::Arp);
    let agent = wants(Protocol::Snmp) * u64::from(!settings.credentials.is_empty());
    // Where each credential is for some subnets, there may be addresses that nobody is asked at.
    let anywhere = agent * u64::from(settings.credentials.iter().any(PreparedCredential::is_for_all));
    let attempts = u64::from(settings.probing.attempts.max(1));
    let most_attempts = u64::from(footprint::most_attempts(settings.probing.attempts, addresses));
    let each = addresses as u64;
    let lengths = Lengths::of(Arc::clone(&settings.credentials), settings.wanted(), ASSUMED_ROWS);
    let questions: Vec<u64> = lengths.first_questions.iter().flatten().map(|frame| on_wire(*frame)).collect();
    let rounds = || lengths.first_questions.iter();
    let heaviest = Traffic {
        packets: rounds().map(Vec::len).max().unwrap_or(0) as u64,
        octets: rounds().map(|round| round.iter().map(|frame| on_wire(*frame)).sum()).max().unwrap_or(0),
    };
    let first_attempts = Traffic { packets: questions.len() as u64, octets: questions.iter().sum() }
        .and(heaviest.times(lengths.corrections));
    let table = Traffic::of(lengths.further_questions, on_wire(lengths.further_question));
    let (rate, held_up) = (settings.probing.rate, first.held_up());

    let mut everybody_answers = Course {
        snmp: Traffic::of(each * anywhere, questions.iter().copied().min().unwrap_or(0)),
        memory: footprint::octets(addresses, addresses),
        ..first.course(each, each * echo, &lengths)
    };
    everybody_answers.duration =
        flow(everybody_answers.total().packets, rate).saturating_sub(Pacer::BURST).max(held_up);
    let mut nobody_answers =
        Course { memory: footprint::octets(addresses, 0), ..first.course(each * attempts, 0, &lengths) };
    nobody_answers.duration = flow(nobody_answers.total().packets, rate).max(held_up) + unmeasured_waits(settings);
    let mut slowest = Course {
        snmp: first_attempts.and(table).times(each * agent * most_attempts),
        memory: footprint::octets(addresses, addresses),
        ..first.course(each * most_attempts, each * echo * most_attempts, &lengths)
    };
    // In a row: the address, then one question to the agent after the other, and the echo beside these.
    let rounds = lengths.first_questions.len() as u64 + lengths.corrections;
    let in_a_row = 1 + (agent * (rounds + lengths.further_questions)).max(echo);
    let waits = u32::try_from(in_a_row * most_attempts).unwrap_or(u32::MAX);
    slowest.duration = flow(slowest.total().packets, rate) + held_up + settings.probing.timeout.saturating_mul(waits);
    Courses::new(everybody_answers, nobody_answers, slowest)
}

/// How long an even flow of so many packets takes, from the first to the last.
///
/// A sweep is no longer than the flow of all its packets, the longest chain of waits, and what holds up
/// first questions: at any instant it sends, or is held up, or everybody is waited for.
fn flow(packets: u64, rate: u32) -> Duration {
    let seconds = packets.saturating_sub(1) as f64 / f64::from(rate.max(1));
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

/// All waits for one address on a link where nobody ever answers, so that nothing is measured.
fn unmeasured_waits(settings: &SweepSettings) -> Duration {
    let estimator = RttEstimator::new(settings.probing.timeout);
    (0..settings.probing.attempts.max(1)).map(|attempt| estimator.wait(attempt)).sum()
}

/// The octets of a frame on the wire: with the check sequence at least 64 (IEEE 802.3 clause 4A.4.2,
/// `minFrameSize`).
fn on_wire(frame: usize) -> u64 {
    const CHECK_SEQUENCE: usize = 4;
    const SHORTEST: usize = 64;
    (frame + CHECK_SEQUENCE).max(SHORTEST) as u64
}
