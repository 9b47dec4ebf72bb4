//! `kill -9`: whatever it interrupts, the NIB is sound and the next start works.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::time::{Instant, SystemTime};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::handle::{Daemon, quiet};
use crate::lab::{Lab, LabPlan};
use crate::program::{LIMIT, Tested, pdsno, run};

/// How often it is killed; each time it goes on with the same NIB.
const KILLS: usize = 25;

/// All of its addresses answer at once, so that a cycle is hardly more than its commit.
const SUBNET: &str = "10.0.1.0/28";
const HOSTS: u16 = 14;

/// The length of the write-ahead log, and when it was written last: both change in a commit.
fn written(data: &Path) -> Option<(u64, SystemTime)> {
    let log = fs::metadata(data.join("pdsno.db-wal")).ok()?;
    Some((log.len(), log.modified().ok()?))
}

/// Returns as soon as the daemon, asked for cycles, has begun to write what one of them found.
fn await_writing(daemon: &mut Daemon, data: &Path, cycles_before: usize) -> Tested {
    daemon.await_cycle()?;
    for _ in 0..cycles_before {
        daemon.signal(Signal::USR1)?;
        daemon.await_cycle()?;
    }
    let (deadline, before) = (Instant::now() + LIMIT, written(data));
    // More than one, so that it is asked in the middle of a cycle, too.
    (0..5).try_for_each(|_| daemon.signal(Signal::USR1))?;
    while written(data) == before {
        assert!(Instant::now() < deadline, "it writes nothing after {before:?}");
    }
    Ok(())
}

#[test]
fn a_nib_survives_a_kill_in_the_middle_of_a_commit() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: HOSTS, snmp: 0, silent: 0, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let data = folder.path();
    // A kernel limits how often it says that a port is closed; without SNMP no cycle waits for that.
    let arguments = [&quiet(SUBNET, data)[..], &["--protocols", "arp,icmp"].map(OsStr::new)].concat();
    let mut events = 0;
    for kill in 0..KILLS {
        let mut daemon = Daemon::start(&lab, &arguments)?;
        await_writing(&mut daemon, data, kill % 3)?;
        daemon.kill()?;
        let check = run(pdsno(&["nib", "check", "--data-dir"]).arg(data))?;
        assert_eq!(check.code(), Some(0), "after kill {kill}: {check:?}");
        let all = run(pdsno(&["events", "--format", "json", "--data-dir"]).arg(data))?.json_lines()?;
        assert!(all.len() > events, "what was told once stays: {events} events, then {}", all.len());
        assert!(all.iter().zip(0_u64..).all(|(event, seq)| event["seq"] == seq), "gapless");
        events = all.len();
    }
    let mut daemon = Daemon::start(&lab, &arguments)?;
    assert_eq!(daemon.await_cycle()?["hosts"], HOSTS);
    daemon.signal(Signal::TERM)?;
    assert_eq!(daemon.end()?.0.code(), Some(0));
    let devices = run(pdsno(&["devices", "--format", "json", "--data-dir"]).arg(data))?.json()?;
    let devices = devices["devices"].as_array().ok_or("no devices")?;
    assert_eq!(devices.len(), usize::from(HOSTS), "nobody is there twice");
    let discovered =
        run(pdsno(&["events", "--type", "DEVICE_DISCOVERED", "--format", "json", "--data-dir"]).arg(data))?;
    assert_eq!(discovered.json_lines()?.len(), usize::from(HOSTS), "row and event of a commit are both there or not");
    Ok(())
}
