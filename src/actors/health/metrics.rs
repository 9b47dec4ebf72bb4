//! What is counted, by the names and units that Prometheus recommends.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::domain::cycle::CycleReport;
use crate::domain::time::Timestamp;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByProtocol {
    protocol: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByResult {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByChange {
    change: &'static str,
}

/// The metrics of one controller; there may be several in a process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    cycles: Family<ByResult, Counter>,
    cycle_duration: Histogram,
    commit_duration: Histogram,
    sent: Family<ByProtocol, Counter>,
    received: Family<ByProtocol, Counter>,
    retried: Family<ByProtocol, Counter>,
    rejected: Family<ByProtocol, Counter>,
    changes: Family<ByChange, Counter>,
    targets: Gauge,
    hosts: Gauge,
}

impl Metrics {
    /// Registers everything under the prefix `pdsno`.
    pub fn new(version: &'static str, started_at: Timestamp) -> Self {
        let mut registry = Registry::with_prefix("pdsno");
        // 10 ms to 82 s; 100 µs to 0.4 s.
        let cycle_duration = Histogram::new(exponential_buckets(0.01, 2.0, 14));
        let commit_duration = Histogram::new(exponential_buckets(0.0001, 2.0, 13));
        let start: Gauge = Gauge::default();
        start.set(started_at.as_millis() / 1_000);
        let metrics = Self {
            cycles: Family::default(),
            cycle_duration: cycle_duration.clone(),
            commit_duration: commit_duration.clone(),
            sent: Family::default(),
            received: Family::default(),
            retried: Family::default(),
            rejected: Family::default(),
            changes: Family::default(),
            targets: Gauge::default(),
            hosts: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("build", "The version of the program", Info::new([("version", version)]));
        registry.register_with_unit("start_time", "When the controller was started, Unix time", Unit::Seconds, start);
        registry.register("discovery_cycles", "Discovery cycles that ended", metrics.cycles.clone());
        registry.register_with_unit(
            "discovery_cycle_duration",
            "From the begin of a discovery cycle to the end of its commit",
            Unit::Seconds,
            cycle_duration,
        );
        registry.register_with_unit(
            "nib_commit_duration",
            "The commit at the end of a discovery cycle",
            Unit::Seconds,
            commit_duration,
        );
        registry.register("discovery_packets_sent", "Probes sent", metrics.sent.clone());
        registry.register("discovery_packets_received", "Usable replies received", metrics.received.clone());
        registry.register("discovery_packets_retried", "Probes that repeated an earlier one", metrics.retried.clone());
        registry.register("discovery_packets_rejected", "Packets that were no replies", metrics.rejected.clone());
        registry.register("discovery_devices", "Devices by what a cycle did to them", metrics.changes.clone());
        registry.register("discovery_targets", "Addresses that the last cycle covered", metrics.targets.clone());
        registry.register("discovery_hosts", "Devices that answered in the last cycle", metrics.hosts.clone());
        Self { registry, ..metrics }
    }

    /// Counts a cycle that was written.
    pub fn cycle_ended(&self, report: &CycleReport) {
        self.cycles.get_or_create(&ByResult { result: report.completeness.as_str() }).inc();
        self.cycle_duration.observe(report.duration_ms / 1_000.0);
        if let Some(commit) = report.nib_commit_ms {
            self.commit_duration.observe(commit / 1_000.0);
        }
        for (protocol, stats) in &report.protocols {
            let label = ByProtocol { protocol: protocol.as_str() };
            self.sent.get_or_create(&label).inc_by(stats.sent);
            self.received.get_or_create(&label).inc_by(stats.received);
            self.retried.get_or_create(&label).inc_by(stats.retried);
            self.rejected.get_or_create(&label).inc_by(stats.rejected);
        }
        let delta = report.delta;
        for (change, count) in [
            ("new", delta.new),
            ("updated", delta.updated),
            ("unchanged", delta.unchanged),
            ("missed", delta.missed),
            ("inactive", delta.inactive),
        ] {
            self.changes.get_or_create(&ByChange { change }).inc_by(count);
        }
        self.targets.set(i64::try_from(report.targets).unwrap_or(i64::MAX));
        self.hosts.set(i64::try_from(report.hosts).unwrap_or(i64::MAX));
    }

    /// Counts a cycle that changed nothing because something broke.
    pub fn cycle_broke(&self) {
        self.cycles.get_or_create(&ByResult { result: "error" }).inc();
    }

    /// Everything in the text format of OpenMetrics.
    ///
    /// # Errors
    /// Never in practice: formatting into a string fails only when a value's formatter does.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::cycle::{Completeness, DeltaCounts, ProtocolStats, Trigger};
    use crate::domain::protocol::Protocol;
    use std::collections::BTreeMap;

    #[test]
    fn a_cycle_is_a_histogram_in_seconds_and_counters_with_total() {
        let metrics = Metrics::new("1.2.3", Timestamp::from_millis(1_000_500));
        let stats = ProtocolStats { sent: 462, ..ProtocolStats::default() };
        metrics.cycle_ended(&CycleReport {
            trigger: Trigger::Bootstrap,
            completeness: Completeness::Complete,
            started_at: Timestamp::from_millis(0),
            duration_ms: 850.0,
            subnets: Vec::new(),
            targets: 254,
            protocols: BTreeMap::from([(Protocol::Arp, stats)]),
            address_resolution: None,
            rtt: None,
            hosts: 150,
            delta: DeltaCounts { new: 150, ..DeltaCounts::default() },
            nib_commit_ms: Some(3.5),
            too_long: None,
        });
        metrics.cycle_broke();
        let text = metrics.render().unwrap();
        for line in [
            "pdsno_build_info{version=\"1.2.3\"} 1",
            "pdsno_start_time_seconds 1000",
            "pdsno_discovery_cycles_total{result=\"complete\"} 1",
            "pdsno_discovery_cycles_total{result=\"error\"} 1",
            "pdsno_discovery_cycle_duration_seconds_sum 0.85",
            "pdsno_discovery_cycle_duration_seconds_bucket{le=\"1.28\"} 1",
            "pdsno_nib_commit_duration_seconds_count 1",
            "pdsno_discovery_packets_sent_total{protocol=\"arp\"} 462",
            "pdsno_discovery_devices_total{change=\"new\"} 150",
            "pdsno_discovery_hosts 150",
        ] {
            assert!(text.lines().any(|present| present == line), "{line} is missing in\n{text}");
        }
    }
}
