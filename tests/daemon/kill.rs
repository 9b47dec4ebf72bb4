//! `kill -9`: whatever it interrupts, the NIB is sound and the next start works.

use std::fs;
use std::path::Path;
use std::time::Instant;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::handle::{Daemon, quiet};
use crate::lab::{Lab, LabPlan};
use crate::program::{LIMIT, Tested, pdsno, run};

/// How often it is killed; each time it goes on with the same NIB.
const KILLS: usize = 12;

/// The length of the write-ahead log and of the file: they change while a commit is written.
fn written(data: &Path) -> (u64, u64) {
    let length = |name: &str| fs::metadata(data.join(name)).map_or(0, |file| file.len());
    (length("pdsno.db-wal"), length("pdsno.db"))
}

/// Waits until the daemon, which is asked for cycle after cycle, has begun to write another time.
fn await_writing(daemon: &Daemon, data: &Path, times: usize) -> Tested {
    let deadline = Instant::now() + LIMIT;
    let (mut seen, mut before) = (0, written(data));
    while seen < times {
        daemon.signal(Signal::USR1)?;
        let now = written(data);
        if now != before {
            (seen, before) = (seen + 1, now);
        }
        if Instant::now() > deadline {
            return Err(format!("it wrote {seen} times, {before:?}").into());
        }
    }
    Ok(())
}

#[test]
fn a_nib_survives_a_kill_in_the_middle_of_a_commit() -> Tested {
    // All addresses of the subnet answer, so that a cycle is hardly more than its commit.
    let lab =
        Lab::start(&LabPlan { hosts: 5, snmp: 0, silent: 0, subnet: "10.0.1.0/29".parse()?, communities: Vec::new() })?;
    let folder = TempDir::new()?;
    let data = folder.path();
    let mut events = 0;
    for kill in 0..KILLS {
        let daemon = Daemon::start(&lab, &quiet("10.0.1.0/29", data))?;
        await_writing(&daemon, data, 1 + kill * 2)?;
        daemon.kill()?;
        let check = run(pdsno(&["nib", "check", "--data-dir"]).arg(data))?;
        assert_eq!(check.code(), Some(0), "after kill {kill}: {check:?}");
        let all = run(pdsno(&["events", "--format", "json", "--data-dir"]).arg(data))?.json_lines()?;
        assert!(all.len() > events, "what was told once stays: {events} events, then {}", all.len());
        assert!(all.iter().zip(0_u64..).all(|(event, seq)| event["seq"] == seq), "gapless");
        events = all.len();
    }
    let mut daemon = Daemon::start(&lab, &quiet("10.0.1.0/29", data))?;
    assert_eq!(daemon.await_cycle()?["hosts"], 5);
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.end()?.0.code(), Some(0));
    let devices = run(pdsno(&["devices", "--format", "json", "--data-dir"]).arg(data))?.json()?;
    let devices = devices["devices"].as_array().ok_or("no devices")?;
    assert_eq!(devices.len(), 5, "nobody is there twice");
    let discovered =
        run(pdsno(&["events", "--type", "DEVICE_DISCOVERED", "--format", "json", "--data-dir"]).arg(data))?;
    assert_eq!(discovered.json_lines()?.len(), 5, "row and event of a commit are both there or not");
    Ok(())
}
