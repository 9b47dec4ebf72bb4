//! The daemon in the lab of 150 hosts: how soon it probes, and how much memory it takes.

mod lab;
mod program;
mod report;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use lab::handle::ends_within;
use lab::{AGENTS, HOSTS, SUBNET, Truth};
use pdsno::app::clock::SystemClock;
use pdsno::domain::time::Clock;
use program::{PDSNO, version};
use report::{DAEMON, Figure, Section, Spread, rounded};
use rustix::process::{Pid, Signal, kill_process};
use socket2::{Domain, Protocol, Socket, Type};

/// How many daemons are measured.
const RUNS: usize = 7;

/// How many cycles follow the first one, to see whether memory grows.
const FURTHER_CYCLES: usize = 3;

/// How long after a cycle the daemon counts as idle.
const SETTLED: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    if !report::is_wanted() {
        return Ok(());
    }
    lab::within(|truth| {
        let mut runs = Vec::new();
        for run in 1..=RUNS {
            eprintln!("daemon {run} of {RUNS}");
            runs.push(measure(truth)?);
        }
        publish(&runs)
    })
}

/// What was seen of one daemon; memory in bytes.
struct Run {
    first_start: Duration,
    second_start: Duration,
    idle: u64,
    peak: u64,
    later: u64,
    later_peak: u64,
}

fn measure(truth: &Truth) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let data = folder.path().join("nib");

    let mut daemon = Daemon::start(truth, &data)?;
    daemon.await_cycle()?;
    let (idle, peak) = daemon.memory()?;
    for _ in 0..FURTHER_CYCLES {
        daemon.signal(Signal::USR1)?;
        daemon.await_cycle()?;
    }
    let (later, later_peak) = daemon.memory()?;
    let first_start = daemon.first_probe;
    daemon.stop()?;

    let daemon = Daemon::start(truth, &data)?;
    let second_start = daemon.first_probe;
    daemon.stop()?;
    Ok(Run { first_start, second_start, idle, peak, later, later_peak })
}

/// A daemon that has sent its first probe.
struct Daemon {
    child: Child,
    log: BufReader<std::process::ChildStderr>,
    first_probe: Duration,
}

impl Daemon {
    fn start(truth: &Truth, data: &Path) -> anyhow::Result<Self> {
        let wire = Wire::tap()?;
        let mut command = Command::new(PDSNO);
        command.args(["--role", "local", "--subnets", SUBNET, "--data-dir"]).arg(data);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let clock = SystemClock::start();
        let mut child = command.spawn().context("pdsno cannot be run")?;
        wire.await_request_of(&truth.scanner.mac.octets())?;
        let first_probe = clock.elapsed();
        let log = BufReader::new(child.stderr.take().context("no pipe")?);
        Ok(Self { child, log, first_probe })
    }

    /// Reads the log to the end of the next cycle, which must have found everybody.
    fn await_cycle(&mut self) -> anyhow::Result<()> {
        let mut line = String::new();
        while !line.contains("\"discovery cycle ended\"") {
            line.clear();
            ensure!(self.log.read_line(&mut line)? > 0, "the daemon ended");
        }
        let cycle: serde_json::Value = serde_json::from_str(&line)?;
        let hosts = cycle.get("hosts").and_then(serde_json::Value::as_u64);
        ensure!(hosts == Some(HOSTS as u64), "a cycle of the daemon found {hosts:?} of {HOSTS} hosts");
        Ok(())
    }

    /// What is resident once it has settled, and what was at most: VmRSS and VmHWM (proc(5)).
    fn memory(&self) -> anyhow::Result<(u64, u64)> {
        ensure!(!ends_within(self.child.id(), SETTLED), "the daemon ended");
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let of = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key));
            let kibibytes = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
            kibibytes.map(|kibibytes| kibibytes * 1024).with_context(|| format!("/proc/PID/status has no {key}"))
        };
        Ok((of("VmRSS")?, of("VmHWM")?))
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        Ok(kill_process(pid, signal)?)
    }

    fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::TERM)?;
        let mut rest = String::new();
        self.log.read_to_string(&mut rest)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the daemon ended with {status}: {rest}");
        Ok(())
    }
}

/// A tap on everything that leaves this network namespace.
struct Wire(Socket);

impl Wire {
    fn tap() -> anyhow::Result<Self> {
        let every = Protocol::from(i32::from((libc::ETH_P_ALL as u16).to_be()));
        let socket = Socket::new_raw(Domain::PACKET, Type::RAW, Some(every)).context("no packet socket")?;
        socket.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self(socket))
    }

    /// Waits for an ARP request from this hardware address.
    fn await_request_of(&self, mac: &[u8; 6]) -> anyhow::Result<()> {
        /// Ethernet type and operation (RFC 826).
        const ARP: &[u8] = &[0x08, 0x06];
        const REQUEST: &[u8] = &[0, 1];
        let mut frame = [0; 2_048];
        loop {
            let length = (&self.0).read(&mut frame).context("the daemon sent no ARP request")?;
            let frame = frame.get(..length).unwrap_or_default();
            if frame.get(6..12) == Some(mac) && frame.get(12..14) == Some(ARP) && frame.get(20..22) == Some(REQUEST) {
                return Ok(());
            }
        }
    }
}

fn publish(runs: &[Run]) -> anyhow::Result<()> {
    let milliseconds = |part: fn(&Run) -> Duration| Spread::of(runs.iter().map(|run| part(run).as_secs_f64() * 1e3));
    let megabytes = |part: fn(&Run) -> u64| Spread::of(runs.iter().map(|run| part(run) as f64 / 1e6));
    let binary = Spread::of([fs::metadata(PDSNO)?.len() as f64 / 1e6]);
    let further = format!("after {FURTHER_CYCLES} further cycles");
    Section {
        title: DAEMON,
        bench: "daemon",
        about: format!(
            "{RUNS} daemons one after the other, each with a fresh data folder, in the lab of {HOSTS} hosts and {AGENTS} \
             agents of the section above; every cycle found all hosts. Start to first probe: from before the process is \
             made to the first ARP request that a packet socket beside it sees leave; the program's way through the \
             loader, the configuration and the creation of the NIB is in it. Memory: VmRSS and VmHWM of \
             `/proc/PID/status`, {} s after the end of a cycle; VmHWM is the peak since the start, so the cycle and the \
             start are in it. 1 MB is 1,000,000 bytes.",
            SETTLED.as_secs()
        ),
        figures: vec![
            at_most("resident when idle after the first cycle", 20.0, "MB", &megabytes(|run| run.idle)),
            at_most("resident at most, to the end of the first cycle", 40.0, "MB", &megabytes(|run| run.peak)),
            at_most("start to first probe, fresh data folder", 150.0, "ms", &milliseconds(|run| run.first_start)),
            at_most("release binary", 20.0, "MB", &binary),
        ],
        tables: vec![vec![
            ["further", "measured"].map(str::to_owned).to_vec(),
            vec!["start to first probe, data folder of before".to_owned(), milliseconds(|run| run.second_start).text("ms")],
            vec![format!("resident when idle {further}"), megabytes(|run| run.later).text("MB")],
            vec![format!("resident at most {further}"), megabytes(|run| run.later_peak).text("MB")],
        ]],
        commands: vec![format!("pdsno --role local --subnets {SUBNET} --data-dir DIR")],
        versions: vec![version(PDSNO, "--version")?],
    }
    .publish()?;
    Ok(())
}

/// A figure that must not exceed a limit.
fn at_most(name: &str, limit: f64, unit: &str, measured: &Spread) -> Figure {
    let ratio = measured.median / limit;
    Figure {
        name: name.to_owned(),
        goal: format!("≤ {limit} {unit}"),
        measured: measured.text(unit),
        beside: String::new(),
        ratio: rounded(ratio),
        reached: ratio <= 1.0,
    }
}
