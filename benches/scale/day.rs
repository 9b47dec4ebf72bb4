//! A day of a daemon, a cycle after the other: memory, files and the time of a cycle.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

use anyhow::{Context, ensure};
use pdsno::app::clock::SystemClock;
use pdsno::domain::time::Clock;
use rusqlite::{Connection, OpenFlags};
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::look::octets_in;
use crate::plot::{Line, Panel};
use crate::program::PDSNO;
use crate::report::{Figure, Spread, rounded};

/// The name of this part in front of a fleet.
pub const DAY: &str = "day";

/// The daemon.
pub const LINE: &str = "pdsno --role local --subnets 10.1.0.0/24 --probe-rate 20000 --listen none --data-dir DIR";

/// All of its addresses are alive, and whoever has no agent says so: no cycle waits for silence.
pub const FLEET: &str = "--prefix 10.1.0.0/24 --live 1 --snmp 0.4 --closed 1";

/// The devices of that fleet: all addresses but the scanner's.
const HOSTS: u64 = 253;

/// What of the NIB is its log, and what is not, in octets of its pages.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Pages {
    log: f64,
    rest: f64,
}

/// How it was after a cycle.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Cycle {
    /// From the signal, or the start, to the end of the cycle, in seconds.
    pub time: f64,
    /// Resident, in octets.
    pub resident: f64,
    /// All files of the data folder, in octets.
    pub disk: f64,
    /// What the NIB has in it, after some of the cycles.
    pub pages: Option<Pages>,
}

/// Watches so many cycles of one daemon, in front of the fleet.
pub fn watch(cycles: &usize) -> anyhow::Result<Vec<Cycle>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let data = folder.path().join("nib");
    let mut daemon = Command::new(PDSNO);
    daemon.args(LINE.split_whitespace().skip(1).filter(|word| *word != "DIR")).arg(&data);
    daemon.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let clock = SystemClock::start();
    let mut child = daemon.spawn().context("pdsno cannot be run")?;
    let mut log = BufReader::new(child.stderr.take().context("no pipe")?);
    let mut seen = Vec::new();
    for cycle in 1..=*cycles {
        let begun = clock.elapsed();
        if cycle > 1 {
            signal(&child, Signal::USR1)?;
        }
        await_cycle(&mut log).with_context(|| format!("cycle {cycle}"))?;
        let time = (clock.elapsed() - begun).as_secs_f64();
        let pages = (TOLD.contains(&cycle) || cycle == *cycles).then(|| pages(&data)).transpose()?;
        seen.push(Cycle { time, resident: resident(&child)?, disk: octets_in(&data)?, pages });
    }
    signal(&child, Signal::TERM)?;
    let mut rest = String::new();
    log.read_to_string(&mut rest)?;
    let status = child.wait()?;
    ensure!(status.success(), "the daemon ended with {status}: {rest}");
    Ok(seen)
}

/// Reads the log to the end of the next cycle, which must have found everybody.
fn await_cycle(log: &mut BufReader<ChildStderr>) -> anyhow::Result<()> {
    let mut line = String::new();
    while !line.contains("\"discovery cycle ended\"") {
        line.clear();
        ensure!(log.read_line(&mut line)? > 0, "the daemon ended");
    }
    let told: serde_json::Value = serde_json::from_str(&line)?;
    let hosts = told.get("hosts").and_then(serde_json::Value::as_u64);
    ensure!(hosts == Some(HOSTS), "found {hosts:?} of {HOSTS} hosts");
    Ok(())
}

/// Counts the pages of the NIB while its daemon runs.
fn pages(data: &Path) -> anyhow::Result<Pages> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let nib = Connection::open_with_flags(data.join("pdsno.db"), flags)?;
    // The tables of the log: events, and in a log that is sealed their entries.
    let of_log = "SELECT total(CASE WHEN is_log THEN pgsize END), total(CASE WHEN NOT is_log THEN pgsize END) FROM \
         (SELECT pgsize, name LIKE 'events%' OR name LIKE '%log_entries%' OR name = 'log_tiles' AS is_log FROM dbstat)";
    Ok(nib.query_row(of_log, [], |row| Ok(Pages { log: row.get(0)?, rest: row.get(1)? }))?)
}

/// VmRSS of proc(5).
fn resident(child: &Child) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.split_whitespace().next().unwrap_or_default().parse::<f64>()? * 1024.0)
}

fn signal(child: &Child, signal: Signal) -> anyhow::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
    Ok(kill_process(pid, signal)?)
}

/// The cycles that are told of.
const TOLD: [usize; 5] = [1, 10, 72, 144, 288];

/// How far a day may be from flat.
const FLAT: f64 = 1.1;

/// How far the NIB without its log may be from flat: a page or two, for versions that grow a digit.
const SAME: f64 = 1.02;

/// The most octets that the log may get in a cycle that finds nothing new: those of the one event that
/// tells of it.
const EVENT: f64 = 1_000.0;

/// One row for each of the cycles that are told of. The time is the median of those since the row
/// before it.
pub fn table(cycles: &[Cycle]) -> Vec<Vec<String>> {
    let heading = ["after cycle", "time of a cycle", "resident", "data folder", "NIB without its log", "its log"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    let mut before = 0;
    for at in TOLD {
        let (Some(cycle), Some(since)) = (cycles.get(at - 1), cycles.get(before..at)) else { break };
        let time = Spread::of(since.iter().map(|cycle| cycle.time * 1e3));
        let (resident, disk) = (rounded(cycle.resident / 1e6), rounded(cycle.disk / 1e6));
        let mut row = vec![at.to_string(), time.text("ms"), format!("{resident} MB"), format!("{disk} MB")];
        row.extend(cycle.pages.iter().flat_map(|pages| [pages.rest, pages.log]).map(kilobytes));
        rows.push(row);
        before = at;
    }
    rows
}

fn kilobytes(octets: f64) -> String {
    format!("{} KB", rounded(octets / 1e3))
}

/// What the NIB has in it at the end of the day beside after its first cycle.
fn pages_of(cycles: &[Cycle]) -> Vec<Figure> {
    let Some((first, last)) =
        cycles.first().and_then(|cycle| cycle.pages).zip(cycles.last().and_then(|cycle| cycle.pages))
    else {
        return Vec::new();
    };
    let grown = (last.log - first.log) / (cycles.len().max(2) - 1) as f64;
    vec![
        Figure {
            name: format!("NIB without its log after {} cycles", cycles.len()),
            goal: format!("≤ {SAME} of that after the first"),
            measured: kilobytes(last.rest),
            beside: format!("after the first: {}", kilobytes(first.rest)),
            ratio: rounded(last.rest / first.rest),
            reached: last.rest <= SAME * first.rest,
        },
        Figure {
            name: "its log, for each cycle that finds nothing new".to_owned(),
            goal: format!("≤ {EVENT:.0} octets, one event"),
            measured: format!("{grown:.0} octets"),
            beside: String::new(),
            ratio: rounded(grown / EVENT),
            reached: grown <= EVENT,
        },
    ]
}

/// The last quarter of the day beside the second: in the first everybody is inserted, and SQLite's log
/// grows to the size at which it is emptied.
pub fn figures(cycles: &[Cycle]) -> Vec<Figure> {
    let quarter = cycles.len() / 4;
    let early = cycles.get(quarter..2 * quarter).unwrap_or_default();
    let late = cycles.get(cycles.len() - quarter..).unwrap_or_default();
    let figure = |what: &str, unit: &str, of: fn(&Cycle) -> f64| {
        let [before, after] = [early, late].map(|cycles| Spread::of(cycles.iter().map(of)));
        let ratio = after.median / before.median;
        Figure {
            name: format!("{what}, last quarter of {} cycles", cycles.len()),
            goal: format!("≤ {FLAT} of the second quarter"),
            measured: after.text(unit),
            beside: format!("second quarter: {}", before.text(unit)),
            ratio: rounded(ratio),
            reached: ratio <= FLAT,
        }
    };
    let mut figures = vec![
        figure("time of a cycle", "ms", |cycle| cycle.time * 1e3),
        figure("resident memory", "MB", |cycle| cycle.resident / 1e6),
        figure("data folder", "MB", |cycle| cycle.disk / 1e6),
    ];
    figures.extend(pages_of(cycles));
    figures
}

pub fn panels(cycles: &[Cycle]) -> Vec<Panel> {
    let number = |place: usize| u32::try_from(place).map_or(f64::NAN, f64::from);
    let quarters = [0, 1, 2, 3, 4].map(|quarter| (cycles.len() * quarter / 4).max(1));
    let panel = |title: &str, of: fn(&Cycle) -> f64| Panel {
        title: title.to_owned(),
        across: "cycle".to_owned(),
        ticks: quarters.iter().map(|at| (number(*at), at.to_string())).collect(),
        lines: vec![Line {
            name: String::new(),
            points: cycles.iter().enumerate().map(|(place, cycle)| (number(place + 1), of(cycle))).collect(),
        }],
    };
    vec![
        panel("Time of a cycle, ms", |cycle| cycle.time * 1e3),
        panel("Resident memory, MB", |cycle| cycle.resident / 1e6),
        panel("Data folder, MB", |cycle| cycle.disk / 1e6),
    ]
}
