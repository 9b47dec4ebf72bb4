//! How a daemon ends.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use ipnet::Ipv4Net;
use rusqlite::{Connection, TransactionBehavior};
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::handle::{Daemon, quiet};
use crate::lab::{Lab, LabPlan};
use crate::program::{LIMIT, Tested, pdsno, run};

/// What the issue allows a drain to take.
const DRAIN: Duration = Duration::from_secs(5);

/// How many frames have left the scanner (`/proc/net/dev`: the tenth number of a line).
fn frames_sent(lab: &Lab) -> Tested<u64> {
    let text = fs::read_to_string(format!("/proc/{}/net/dev", lab.first_process()))?;
    let numbers = text.lines().find_map(|line| line.trim().strip_prefix("lab0:")).ok_or("no lab0")?;
    Ok(numbers.split_whitespace().nth(9).ok_or("no tenth number")?.parse()?)
}

/// A daemon in the middle of a sweep that would take half a minute.
fn in_a_long_sweep(lab: &Lab, folder: &TempDir) -> Tested<Daemon> {
    let before = frames_sent(lab)?;
    let daemon = Daemon::start(lab, &quiet("10.0.0.0/16", folder.path()))?;
    let deadline = Instant::now() + LIMIT;
    while frames_sent(lab)? < before + 500 {
        assert!(Instant::now() < deadline, "it does not sweep");
    }
    Ok(daemon)
}

fn wide() -> Tested<Lab> {
    let subnet = "10.0.0.0/16".parse::<Ipv4Net>()?;
    Ok(Lab::start(&LabPlan { hosts: 3, snmp: 1, silent: 0, subnet, ..LabPlan::default() })?)
}

/// The events of one type, in order.
fn events(folder: &TempDir, event_type: &str) -> Tested<Vec<Value>> {
    run(pdsno(&["events", "--format", "json", "--type", event_type, "--data-dir"]).arg(folder.path()))?.json_lines()
}

/// The types of all events, in order.
fn event_types(folder: &TempDir) -> Tested<Vec<String>> {
    let events = run(pdsno(&["events", "--format", "json", "--data-dir"]).arg(folder.path()))?.json_lines()?;
    Ok(events.iter().map(|event| event["event_type"].as_str().unwrap_or_default().to_owned()).collect())
}

fn ends_in_order_in_a_sweep_by(signal: Signal, name: &str) -> Tested {
    let (lab, folder) = (wide()?, TempDir::new()?);
    let daemon = in_a_long_sweep(&lab, &folder)?;
    let asked = Instant::now();
    daemon.signal(signal)?;
    let (status, log) = daemon.end()?;
    assert!(asked.elapsed() < DRAIN, "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(0), "{log:?}");
    // What was seen until then is half of the truth, and is written as that.
    let cycle = events(&folder, "DISCOVERY_CYCLE_COMPLETED")?;
    assert_eq!((cycle.len(), &cycle[0]["payload"]["completeness"]), (1, &Value::from("partial")), "{cycle:?}");
    assert_eq!(event_types(&folder)?.last().map(String::as_str), Some("CONTROLLER_STOPPED"));
    assert_eq!(events(&folder, "CONTROLLER_STOPPED")?[0]["payload"]["signal"], name);
    let files: Vec<_> = fs::read_dir(folder.path())?.map(|entry| Ok(entry?.file_name())).collect::<Tested<_>>()?;
    assert_eq!(files, ["pdsno.db"], "nothing is left beside the NIB");
    Ok(())
}

#[test]
fn sigterm_ends_it_in_order_in_the_middle_of_a_sweep() -> Tested {
    ends_in_order_in_a_sweep_by(Signal::TERM, "SIGTERM")
}

#[test]
fn sigint_ends_it_in_order_in_the_middle_of_a_sweep() -> Tested {
    ends_in_order_in_a_sweep_by(Signal::INT, "SIGINT")
}

#[test]
fn between_two_cycles_it_ends_in_order_and_starts_again() -> Tested {
    let (lab, folder) = (wide()?, TempDir::new()?);
    for _ in 0..2 {
        let mut daemon = Daemon::start(&lab, &quiet("10.0.0.0/29", folder.path()))?;
        daemon.await_cycle()?;
        daemon.signal(Signal::TERM)?;
        let (status, log) = daemon.end()?;
        assert_eq!(status.code(), Some(0), "{log:?}");
        assert_eq!(event_types(&folder)?.last().map(String::as_str), Some("CONTROLLER_STOPPED"));
    }
    let types = event_types(&folder)?;
    let count = |name: &str| types.iter().filter(|other| *other == name).count();
    assert_eq!((count("NIB_MIGRATED"), count("CONTROLLER_STARTED"), count("DEVICE_DISCOVERED")), (1, 2, 3));
    Ok(())
}

#[test]
fn a_second_signal_ends_it_at_once() -> Tested {
    let (lab, folder) = (wide()?, TempDir::new()?);
    let mut daemon = Daemon::start(&lab, &quiet("10.0.0.0/29", folder.path()))?;
    daemon.await_cycle()?;
    // Whoever holds the NIB's lock holds up the drain, whose last act is to write an event.
    let mut sql = Connection::open(folder.path().join("pdsno.db"))?;
    let lock = sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
    daemon.signal(Signal::TERM)?;
    daemon.await_message("stopping")?;
    let asked = Instant::now();
    daemon.signal(Signal::TERM)?;
    let (status, log) = daemon.end()?;
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert_eq!(status.code(), Some(128 + 15), "{log:?}");
    assert!(log.iter().any(|line| line.contains("second signal: ending at once")), "{log:?}");
    drop(lock);
    drop(sql);
    assert_eq!(run(pdsno(&["nib", "check", "--data-dir"]).arg(folder.path()))?.code(), Some(0));
    Ok(())
}

#[test]
fn a_drain_that_cannot_be_finished_is_given_up_and_told() -> Tested {
    let (lab, folder) = (wide()?, TempDir::new()?);
    let mut daemon = Daemon::start(&lab, &quiet("10.0.0.0/29", folder.path()))?;
    daemon.await_cycle()?;
    let mut sql = Connection::open(folder.path().join("pdsno.db"))?;
    let lock = sql.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let asked = Instant::now();
    daemon.signal(Signal::TERM)?;
    let (status, log) = daemon.end()?;
    assert!(asked.elapsed() < DRAIN + Duration::from_secs(2), "{:?}: {log:?}", asked.elapsed());
    assert_eq!((status.code(), status.signal()), (Some(1), None), "{log:?}");
    drop(lock);
    Ok(())
}

#[test]
fn its_log_is_json_lines_in_a_pipe() -> Tested {
    let (lab, folder) = (wide()?, TempDir::new()?);
    let mut daemon = Daemon::start(&lab, &quiet("10.0.0.0/29", folder.path()))?;
    daemon.await_cycle()?;
    daemon.signal(Signal::TERM)?;
    let (_, log) = daemon.end()?;
    for line in &log {
        let line: Value = serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))?;
        for key in ["timestamp", "level", "message", "target"] {
            assert!(line[key].is_string(), "{key} in {line}");
        }
    }
    let messages: Vec<_> = log.iter().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect();
    let messages: Vec<_> = messages.iter().map(|line| line["message"].as_str().unwrap_or_default()).collect();
    assert_eq!(messages, ["local controller started", "discovery cycle ended", "stopping", "stopped"]);
    Ok(())
}
