//! What a discovery cycle tells about itself.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::names::named;
use crate::domain::protocol::Protocol;
use crate::domain::subnet::Subnet;
use crate::domain::time::Timestamp;

/// Why a cycle ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The first one after the start.
    Bootstrap,
    /// The interval passed.
    Scheduled,
    /// Somebody asked.
    OnDemand,
    /// Something happened on the network: to a link of this host, or to a neighbour.
    EventDriven,
}

named!(Trigger, TriggerError, "trigger",
    Bootstrap => "bootstrap", Scheduled => "scheduled", OnDemand => "on_demand",
    EventDriven => "event_driven");

/// How far a cycle came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Completeness {
    /// Every protocol worked on every target.
    Complete,
    /// A protocol failed on some link and the others went on, or the sweep was ended before its time.
    Partial,
    /// No protocol worked on any target.
    Failed,
}

named!(Completeness, CompletenessError, "completeness",
    Complete => "complete", Partial => "partial", Failed => "failed");

/// What one protocol did in a cycle. What is not told is nothing: events leave zeroes out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProtocolStats {
    /// Packets sent, repetitions included.
    pub sent: u64,
    /// Usable replies received.
    pub received: u64,
    /// Packets among `sent` that repeated an unanswered one.
    pub retried: u64,
    /// Replies that came twice.
    pub duplicates: u64,
    /// Replies that came after their target had been given up; they still count as answers.
    pub late: u64,
    /// Packets that claimed to be replies and were not: wrong id, address not asked, malformed.
    pub rejected: u64,
    /// ICMP errors of routers: host or net unreachable, prohibited.
    pub unreachable: u64,
    /// Hosts that answered.
    pub hosts: u64,
    /// From the protocol's first packet to its last reply or last timeout, in milliseconds.
    pub duration_ms: f64,
    /// Why the protocol could not be used, in full or on some link.
    pub error: Option<String>,
}

impl ProtocolStats {
    /// Adds what the protocol did on another link at the same time.
    pub fn absorb(&mut self, other: &Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.retried += other.retried;
        self.duplicates += other.duplicates;
        self.late += other.late;
        self.rejected += other.rejected;
        self.unreachable += other.unreachable;
        self.hosts += other.hosts;
        self.duration_ms = self.duration_ms.max(other.duration_ms);
        if self.error.is_none() {
            self.error.clone_from(&other.error);
        }
    }
}

/// The distribution of round-trip times over the hosts of a cycle, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RttSummary {
    /// The shortest.
    pub min_ms: f64,
    /// Half of the hosts were faster.
    pub median_ms: f64,
    /// All but a twentieth of the hosts were faster.
    pub p95_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl RttSummary {
    /// The summary of some round-trip times; `None` of none.
    pub fn of(mut samples: Vec<Duration>) -> Option<Self> {
        samples.sort_unstable();
        let at = |percent: usize| {
            let rank = (samples.len() * percent).div_ceil(100).clamp(1, samples.len());
            samples.get(rank - 1).map(|sample| millis(*sample))
        };
        let (first, last) = (samples.first()?, samples.last()?);
        Some(Self { min_ms: millis(*first), median_ms: at(50)?, p95_ms: at(95)?, max_ms: millis(*last) })
    }
}

/// A span in milliseconds with microseconds behind the point, as it is printed.
pub fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}

/// How many devices a cycle changed, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeltaCounts {
    /// Seen for the first time.
    pub new: u64,
    /// Seen, and different.
    pub updated: u64,
    /// Seen as they were.
    pub unchanged: u64,
    /// Not seen, within what policy allows.
    pub missed: u64,
    /// Not seen once more than policy allows: now inactive.
    pub inactive: u64,
}

/// A whole cycle: as a log line, as metrics, as an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CycleReport {
    /// Why it ran.
    pub trigger: Trigger,
    /// How far it came.
    pub completeness: Completeness,
    /// When it began.
    pub started_at: Timestamp,
    /// From its begin to the end of its commit, in milliseconds.
    pub duration_ms: f64,
    /// The subnets that it covered.
    pub subnets: Vec<Subnet>,
    /// How many addresses were to be asked: those of the subnets without this host's own.
    pub targets: u64,
    /// What each protocol did.
    pub protocols: BTreeMap<Protocol, ProtocolStats>,
    /// Address resolution on behalf of the other protocols, when ARP itself was not asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub address_resolution: Option<ProtocolStats>,
    /// Round-trip times.
    pub rtt: Option<RttSummary>,
    /// Devices that answered.
    pub hosts: u64,
    /// What changed in the NIB; all zero when nothing was written.
    pub delta: DeltaCounts,
    /// The commit, in milliseconds; `None` when nothing was written, and in the event, which is part
    /// of that commit.
    pub nib_commit_ms: Option<f64>,
    /// Nothing while the cycle fits into half of the interval.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub too_long: Option<TooLong>,
}

/// What a cycle asks for that takes more than half of the interval from one to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TooLong {
    /// The interval, in seconds.
    pub interval_seconds: u64,
    /// Among how many Local Controllers the subnets would have to be shared at the observed rate.
    pub controllers: u64,
}

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the cycle takes more than half of policy.discovery_interval ({} s): raise the interval or \
             policy.probe_rate, or share the subnets among {} Local Controllers",
            self.interval_seconds, self.controllers
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_of_the_sorted_samples() {
        let samples = (1..=100).rev().map(Duration::from_millis).collect();
        let summary = RttSummary::of(samples).unwrap();
        assert_eq!(summary, RttSummary { min_ms: 1.0, median_ms: 50.0, p95_ms: 95.0, max_ms: 100.0 });
        assert_eq!(RttSummary::of(Vec::new()), None);
        let one = RttSummary::of(vec![Duration::from_micros(250)]).unwrap();
        assert_eq!((one.min_ms, one.median_ms, one.p95_ms, one.max_ms), (0.25, 0.25, 0.25, 0.25));
    }

    #[test]
    fn protocols_of_two_links_run_at_the_same_time() {
        let mut total = ProtocolStats { sent: 3, duration_ms: 20.0, ..ProtocolStats::default() };
        total.absorb(&ProtocolStats { sent: 4, duration_ms: 10.0, error: Some("link down".into()), ..total.clone() });
        assert_eq!((total.sent, total.duration_ms, total.error.as_deref()), (7, 20.0, Some("link down")));
    }
}
