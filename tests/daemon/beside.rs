//! What others may do on the data folder while the daemon runs.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::thread;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::handle::{Daemon, quiet};
use crate::lab::{Lab, LabPlan};
use crate::program::{LIMIT, PDSNO, Ran, Tested, listing, pdsno, run, without_settings};

const SUBNET: &str = "10.0.1.0/29";

/// A lab of five hosts with a daemon that has ended its first cycle.
fn running() -> Tested<(Daemon, Lab, TempDir)> {
    let lab = Lab::start(&LabPlan { hosts: 5, snmp: 1, silent: 1, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let mut daemon = Daemon::start(&lab, &quiet(SUBNET, &folder.path().join("data")))?;
    daemon.await_cycle()?;
    Ok((daemon, lab, folder))
}

#[test]
fn a_second_daemon_is_refused_and_told_who_is_there() -> Tested {
    let (mut daemon, lab, folder) = running()?;
    let data = folder.path().join("data");
    let before = listing(&data)?;
    let second = run(without_settings(&mut lab.command(PDSNO)).args(quiet(SUBNET, &data)))?;
    assert_eq!(second.code(), Some(2), "{second:?}");
    let (process, data_text) = (format!("(process {})", daemon.number_in_lab()?), data.display().to_string());
    for part in [process.as_str(), &data_text, "--data-dir"] {
        assert!(second.err.contains(part), "{part}: {second:?}");
    }
    let saving =
        run(without_settings(&mut lab.command(PDSNO)).args(["scan", SUBNET, "--save", "--data-dir"]).arg(&data))?;
    assert_eq!(saving.code(), Some(2), "{saving:?}");
    assert_eq!(listing(&data)?, before, "who is refused writes nothing");
    // A scan that is not saved disturbs nobody.
    let scan = run(without_settings(&mut lab.command(PDSNO)).args(["scan", SUBNET, "--data-dir"]).arg(&data))?;
    assert_eq!(scan.code(), Some(0), "{scan:?}");
    daemon.signal(Signal::USR1)?;
    daemon.await_cycle()?;
    Ok(())
}

#[test]
fn the_nib_is_read_while_it_runs() -> Tested {
    let (daemon, _lab, folder) = running()?;
    let data = folder.path().join("data");
    let read = |arguments: &[&str]| -> Tested<Ran> { run(pdsno(arguments).arg("--data-dir").arg(&data)) };

    let devices = read(&["devices", "--format", "json"])?.json()?;
    assert_eq!(devices["devices"].as_array().map(Vec::len), Some(5));
    assert_eq!(read(&["devices"])?.printed()?.lines().count(), 1 + 5);
    assert_eq!(read(&["devices", "--status", "inactive"])?.printed()?.lines().count(), 1);
    let id = devices["devices"][0]["device_id"].as_str().ok_or("no id")?;
    assert!(read(&["device", id])?.printed()?.contains("sysDescr"));
    let events = read(&["events", "--type", "device_discovered", "--format", "json"])?.json_lines()?;
    assert_eq!(events.len(), 5);
    assert!(read(&["events", "--since", "1h"])?.printed()?.contains("DISCOVERY_CYCLE_COMPLETED"));

    let status = read(&["status", "--format", "json"])?.json()?;
    assert_eq!((&status["running"], &status["devices"]["active"]), (&Value::Bool(true), &Value::from(5)));
    assert_eq!(status["pid"], daemon.process().as_raw_nonzero().get());
    assert!(read(&["status"])?.printed()?.contains("running (process "));
    assert!(read(&["nib", "check"])?.printed()?.contains(", 5 devices, "));

    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy)?;
    let target = copy.join("pdsno.db");
    read(&["nib", "backup", target.to_str().ok_or("no text")?])?.printed()?;
    let copied = run(pdsno(&["devices", "--format", "json", "--data-dir"]).arg(&copy))?.json()?;
    assert_eq!(copied, devices);
    let again = read(&["nib", "backup", target.to_str().ok_or("no text")?])?;
    assert_eq!(again.code(), Some(2), "{again:?}");
    Ok(())
}

/// A process that is ended with the test.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn events_are_followed_as_they_come_and_over_a_restart() -> Tested {
    let (mut daemon, lab, folder) = running()?;
    let data = folder.path().join("data");
    let mut follow = pdsno(&["events", "--follow", "--format", "json", "--data-dir"]);
    let mut follower = Follower(follow.arg(&data).stdout(Stdio::piped()).spawn()?);
    let stdout = follower.0.stdout.take().ok_or("no stdout")?;
    let (told, lines) = channel();
    thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).try_for_each(|line| told.send(line)));
    let mut seen: Vec<Value> = Vec::new();
    let mut await_type = |event_type: &str| -> Tested {
        loop {
            let line = lines.recv_timeout(LIMIT).map_err(|_| format!("no {event_type} after {seen:?}"))?;
            seen.push(serde_json::from_str(&line)?);
            if seen.last().is_some_and(|event| event["event_type"] == event_type) {
                return Ok(());
            }
        }
    };
    await_type("DISCOVERY_CYCLE_COMPLETED")?;
    lab.verb(&["add", "h6", "plain"])?;
    daemon.signal(Signal::USR1)?;
    await_type("DEVICE_DISCOVERED")?;
    await_type("DISCOVERY_CYCLE_COMPLETED")?;
    daemon.signal(Signal::TERM)?;
    await_type("CONTROLLER_STOPPED")?;
    daemon.end()?;
    daemon = Daemon::start(&lab, &quiet(SUBNET, &data))?;
    daemon.await_cycle()?;
    await_type("CONTROLLER_STARTED")?;
    await_type("DISCOVERY_CYCLE_COMPLETED")?;
    let numbers: Vec<_> = seen.iter().filter_map(|event| event["seq"].as_u64()).collect();
    assert_eq!(numbers, (0..seen.len() as u64).collect::<Vec<_>>(), "each once and in order");
    Ok(())
}
