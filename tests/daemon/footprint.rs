//! What a running daemon has: rights, threads, descriptors.

use std::fs;
use std::process::{Child, Stdio};
use std::time::Instant;

use rustix::process::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::handle::{Daemon, quiet};
use crate::lab::{Lab, LabPlan};
use crate::program::{LIMIT, PDSNO, Tested, run, without_settings};

/// A line of the status of each thread of a process (proc_pid_status(5)).
fn of_each_thread(process: Pid, key: &str) -> Tested<Vec<String>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let status = fs::read_to_string(thread?.path().join("status"))?;
        let value = status.lines().find_map(|line| line.strip_prefix(key)).ok_or("no such line")?;
        found.push(value.trim().to_owned());
    }
    Ok(found)
}

/// That a process has so many threads at least, and none of them a capability or a way to one.
fn assert_no_rights(process: Pid, threads: usize) -> Tested {
    for key in ["CapEff:", "CapPrm:", "CapInh:", "CapAmb:"] {
        let sets = of_each_thread(process, key)?;
        assert!(sets.len() >= threads, "main, sweeper, with a NIB its writer: {sets:?}");
        assert!(sets.iter().all(|set| set == "0000000000000000"), "{key} {sets:?}");
    }
    assert!(of_each_thread(process, "NoNewPrivs:")?.iter().all(|set| set == "1"));
    Ok(())
}

/// A process that is ended with the test.
struct Scanning(Child);

impl Drop for Scanning {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_scan_has_no_right_left_while_it_sends() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: 1, snmp: 0, silent: 0, ..LabPlan::default() })?;
    // Of 253 addresses one answers: at ten packets a second it goes on for longer than this test looks.
    let mut scan = lab.command(PDSNO);
    without_settings(&mut scan).args(["scan", "10.0.1.0/24", "--probe-rate", "10"]);
    let scan = Scanning(scan.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
    let program = lab.program_of(&scan.0)?;
    // What it sends is counted by the interface; the lab's own programs send nothing.
    let sent = || run(lab.command("cat").arg("/sys/class/net/lab0/statistics/tx_packets"))?.printed();
    let (before, deadline) = (sent()?, Instant::now() + LIMIT);
    while sent()? == before {
        assert!(Instant::now() < deadline, "nothing is sent");
    }
    assert_no_rights(program, 2)
}

#[test]
fn no_thread_has_a_right_that_it_does_not_need() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: 3, snmp: 1, silent: 0, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let mut daemon = Daemon::start(&lab, &quiet("10.0.1.0/29", folder.path()))?;
    // By its end a cycle has used every kind of thread.
    daemon.await_cycle()?;
    assert_no_rights(daemon.process(), 3)?;
    // Without rights it still sweeps: the sockets were opened before.
    daemon.signal(rustix::process::Signal::USR1)?;
    assert_eq!(daemon.await_cycle()?["hosts"], 3);
    Ok(())
}

#[test]
fn without_the_right_to_send_frames_it_says_so_once_and_works_by_pings() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: 3, snmp: 1, silent: 1, ..LabPlan::default() })?;
    let script = "echo '0 0' >/proc/sys/net/ipv4/ping_group_range";
    assert!(lab.command("sh").args(["-c", script]).status()?.success());
    let folder = TempDir::new()?;
    let mut daemon = Daemon::start_unprivileged(&lab, &quiet("10.0.1.0/29", folder.path()))?;
    let warning = |line: &Value| line["level"] == "WARN" && line.to_string().contains("no permission to send frames");
    daemon.await_line("what is lost", warning)?;
    for _ in 0..2 {
        assert_eq!(daemon.await_cycle()?["hosts"], 2, "h3 answers ARP only");
        daemon.signal(rustix::process::Signal::USR1)?;
    }
    Ok(())
}

#[test]
fn descriptors_and_threads_do_not_grow_with_hosts() -> Tested {
    /// More than what a first question to the NIB and the server of the admin socket open, which comes
    /// up beside; fewer than hosts.
    const SOME: usize = 14;
    /// What a further reader of the NIB opens with its first question: the log of writes and its index.
    /// The watch over the network asks one when it is quiet, who it was that resolved our address.
    const READER: usize = 2;
    let subnet = "10.0.1.0/26".parse()?;
    let lab = Lab::start(&LabPlan { hosts: 30, snmp: 4, silent: 2, subnet, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let mut daemon = Daemon::start(&lab, &quiet("10.0.1.0/26", folder.path()))?;
    let count = |daemon: &Daemon, name: &str| -> Tested<usize> { Ok(fs::read_dir(daemon.proc(name))?.count()) };
    let before = (count(&daemon, "fd")?, count(&daemon, "task")?);
    let (mut most, mut looks) = (before, 0);
    while !daemon.has_logged("discovery cycle ended") {
        most = (most.0.max(count(&daemon, "fd")?), most.1.max(count(&daemon, "task")?));
        looks += 1;
    }
    assert!(looks > 10, "the cycle was over after {looks} looks");
    assert!(most.0 <= before.0 + SOME && most.1 <= before.1 + SOME, "descriptors and threads: {before:?}, {most:?}");
    for _ in 0..2 {
        daemon.signal(rustix::process::Signal::USR1)?;
        assert_eq!(daemon.await_cycle()?["hosts"], 30);
    }
    let after = (count(&daemon, "fd")?, count(&daemon, "task")?);
    assert!(after.0 <= most.0 + READER && after.1 <= most.1 + 1, "descriptors and threads: {most:?}, {after:?}");
    Ok(())
}
