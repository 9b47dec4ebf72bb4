//! What the daemon serves over HTTP.

use std::collections::BTreeMap;

use serde_json::json;
use tempfile::TempDir;

use crate::handle::{Daemon, await_status, get};
use crate::lab::{Lab, LabPlan};
use crate::program::Tested;
use rustix::process::Signal;

#[test]
fn it_is_ready_when_a_first_cycle_has_ended_and_not_before() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: 3, snmp: 1, silent: 1, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let data = folder.path().to_str().ok_or("no text")?;
    // Fourteen addresses, three attempts: so slow that the cycle takes some seconds.
    let slowly = ["--role", "local", "--subnets", "10.0.1.0/28", "--probe-rate", "15", "--data-dir", data];
    let mut daemon = Daemon::start(&lab, &slowly)?;
    assert_eq!(get(&lab, "/healthz")?.status, 200);
    let early = get(&lab, "/readyz")?;
    assert_eq!((early.status, early.json()?), (503, json!({"silent": [], "discovered": false})));
    assert_eq!(get(&lab, "/api/v1/status")?.json()?["last_cycle"], json!(null));

    daemon.await_cycle()?;
    let ready = await_status(&lab, "/readyz", 200)?;
    assert_eq!(ready.json()?, json!({"silent": [], "discovered": true}));
    assert_eq!((ready.content_type.as_str(), get(&lab, "/healthz")?.status), ("application/json", 200));
    Ok(())
}

#[test]
fn metrics_and_status_tell_of_the_cycles() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: 5, snmp: 2, silent: 1, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let data = folder.path().to_str().ok_or("no text")?;
    let mut daemon = Daemon::start(&lab, &["--role", "local", "--subnets", "10.0.1.0/28", "--data-dir", data])?;
    daemon.await_cycle()?;
    daemon.signal(Signal::USR1)?;
    daemon.await_cycle()?;
    let metrics = loop {
        let metrics = get(&lab, "/metrics")?;
        let read = samples(&metrics.body);
        // The health actor hears of a cycle a moment after the log does.
        if read.get("pdsno_discovery_cycles_total{result=\"complete\"}").is_some_and(|count| *count >= 2.0) {
            break metrics;
        }
    };
    assert_eq!(metrics.status, 200);
    assert_eq!(metrics.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(metrics.body.ends_with("# EOF\n"), "{}", metrics.body);
    let sample = samples(&metrics.body);
    for (name, value) in [
        ("pdsno_discovery_cycle_duration_seconds_count", 2.0),
        ("pdsno_discovery_cycle_duration_seconds_bucket{le=\"+Inf\"}", 2.0),
        ("pdsno_nib_commit_duration_seconds_count", 2.0),
        ("pdsno_discovery_devices_total{change=\"new\"}", 5.0),
        ("pdsno_discovery_devices_total{change=\"unchanged\"}", 5.0),
        ("pdsno_discovery_hosts", 5.0),
        ("pdsno_discovery_targets", 14.0),
        (concat!("pdsno_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"}"), 1.0),
    ] {
        assert_eq!(sample.get(name), Some(&value), "{name} in\n{}", metrics.body);
    }
    let at_least = |name: &str, least: f64| {
        assert!(sample.get(name).is_some_and(|value| *value >= least), "{name} in\n{}", metrics.body);
    };
    at_least("pdsno_discovery_packets_sent_total{protocol=\"arp\"}", 28.0);
    at_least("pdsno_discovery_packets_received_total{protocol=\"icmp\"}", 8.0);
    at_least("pdsno_start_time_seconds", 1_600_000_000.0);
    for unit in ["cycle_duration_seconds seconds", "commit_duration_seconds seconds"] {
        assert!(metrics.body.lines().any(|line| line.starts_with("# UNIT pdsno_") && line.ends_with(unit)), "{unit}");
    }

    let status = get(&lab, "/api/v1/status")?.json()?;
    assert_eq!((&status["role"], &status["subnets"]), (&json!("local"), &json!(["10.0.1.0/28"])));
    assert_eq!((&status["cycles"], &status["version"]), (&json!(2), &json!(env!("CARGO_PKG_VERSION"))));
    assert_eq!((&status["last_cycle"]["trigger"], &status["last_cycle"]["hosts"]), (&json!("on_demand"), &json!(5)));
    assert_eq!((&status["last_cycle"]["delta"]["unchanged"], &status["last_error"]), (&json!(5), &json!(null)));

    let unknown = get(&lab, "/metric")?;
    assert_eq!((unknown.status, unknown.content_type.as_str()), (404, "application/problem+json"));
    assert!(unknown.body.contains("/metrics"), "{unknown:?}");
    Ok(())
}

/// The samples of an exposition, by name and labels.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.rsplit_once(' '))
        .filter_map(|(name, value)| Some((name, value.parse().ok()?)))
        .collect()
}
