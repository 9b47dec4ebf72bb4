//! Discovery of a /24 of 150 live hosts, 60 with an SNMP agent, beside nmap and arp-scan.

mod cost;
#[path = "discovery/found.rs"]
mod found;
mod lab;
mod printed;
mod program;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use cost::{Cost, run};
use found::{Real, Scan};
use lab::{AGENTS, HOSTS, SUBNET, Truth};
use printed::{described, listed, reported_up};
use program::{PDSNO, version};
use report::{DISCOVERY, Figure, Section, Spread, rounded};

/// How often everything is measured.
const ROUNDS: usize = 9;

const NMAP_HOSTS: [&str; 5] = ["nmap", "-sn", "-n", "-T5", SUBNET];
const NMAP_AGENTS: [&str; 7] = ["nmap", "-n", "-sU", "-p161", "--script", "snmp-sysdescr", SUBNET];
const ARP_SCAN: [&str; 7] = ["arp-scan", "-q", "-x", "--retry=2", "-I", "lab0", SUBNET];
const SCAN: [&str; 7] = ["pdsno", "scan", SUBNET, "--save", "--format", "json", "--data-dir"];

/// How the runs are called in the document.
const NMAP: &str = "nmap, both";
const FIRST: &str = "pdsno, first cycle";
const SECOND: &str = "pdsno, second cycle";

fn main() -> anyhow::Result<()> {
    cost::if_started_for_one()?;
    if !report::is_wanted() {
        return Ok(());
    }
    lab::within(|truth| {
        let mut rounds = Vec::new();
        for round in 1..=ROUNDS {
            eprintln!("round {round} of {ROUNDS}");
            rounds.push(measure(truth)?);
        }
        publish(&rounds)
    })
}

/// What was seen in one round.
struct Round {
    /// The programs by their names, in the order in which they ran.
    runs: Vec<(&'static str, Run)>,
    /// What the first cycle of pdsno tells of itself.
    first: Scan,
    /// What it took as a process.
    first_wall: Duration,
}

/// What one program found, and what that took.
struct Run {
    cost: Cost,
    hosts: usize,
    agents: usize,
}

fn measure(truth: &Truth) -> anyhow::Result<Round> {
    let real = Real::of(truth);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let data = folder.path().join("nib");
    let data = data.to_str().context("the path of the target folder is not UTF-8")?;
    let scan = || -> anyhow::Result<(Scan, Run)> {
        let arguments: Vec<&str> = SCAN.into_iter().skip(1).chain([data]).collect();
        let (printed, cost) = run(PDSNO, &arguments, &[0])?;
        let scan = Scan::read(&printed)?;
        let run = Run { cost, hosts: real.hosts(scan.up())?, agents: real.agents(scan.described())? };
        Ok((scan, run))
    };

    let (printed, cost) = call(&NMAP_HOSTS)?;
    let sn = Run { cost, hosts: real.hosts(reported_up(&printed))?, agents: 0 };
    let (printed, cost) = call(&NMAP_AGENTS)?;
    let su = Run { cost, hosts: real.hosts(reported_up(&printed))?, agents: real.agents(described(&printed))? };
    let both = Run { cost: one_then_other(sn.cost, su.cost), hosts: sn.hosts, agents: su.agents };
    let (first, first_run) = scan()?;
    let first_wall = first_run.cost.wall;
    let (_, second_run) = scan()?;
    let (printed, cost) = call(&ARP_SCAN)?;
    let arp = Run { cost, hosts: real.hosts(listed(&printed))?, agents: 0 };
    let runs = vec![
        ("nmap -sn", sn),
        ("nmap -sU", su),
        (NMAP, both),
        (FIRST, first_run),
        (SECOND, second_run),
        ("arp-scan", arp),
    ];
    Ok(Round { runs, first, first_wall })
}

/// What both take, one after the other.
fn one_then_other(one: Cost, other: Cost) -> Cost {
    Cost { wall: one.wall + other.wall, cpu: one.cpu + other.cpu, peak: one.peak.max(other.peak) }
}

fn call(line: &[&str]) -> anyhow::Result<(String, Cost)> {
    let (program, arguments) = line.split_first().context("an empty command")?;
    run(program, arguments, &[0])
}

/// A program's runs of all rounds.
struct Series {
    wall: Spread,
    cpu: Spread,
    peak: Spread,
    least_hosts: usize,
    least_agents: usize,
}

impl Series {
    fn of(runs: &[&Run]) -> Self {
        let spread = |part: fn(&Cost) -> f64| Spread::of(runs.iter().map(|run| part(&run.cost)));
        Self {
            wall: spread(|cost| cost.wall.as_secs_f64() * 1e3),
            cpu: spread(|cost| cost.cpu.as_secs_f64() * 1e3),
            peak: spread(|cost| cost.peak as f64 / 1e6),
            least_hosts: runs.iter().map(|run| run.hosts).min().unwrap_or_default(),
            least_agents: runs.iter().map(|run| run.agents).min().unwrap_or_default(),
        }
    }

    fn row(&self, name: &str) -> Vec<String> {
        let count = |found: usize| if found == 0 { "–".to_owned() } else { found.to_string() };
        let (hosts, agents) = (count(self.least_hosts), count(self.least_agents));
        vec![name.to_owned(), self.wall.text("ms"), self.cpu.text("ms"), self.peak.text("MB"), hosts, agents]
    }
}

fn publish(rounds: &[Round]) -> anyhow::Result<()> {
    let mut runs: BTreeMap<&str, Vec<&Run>> = BTreeMap::new();
    for (name, run) in rounds.iter().flat_map(|round| &round.runs) {
        runs.entry(name).or_default().push(run);
    }
    let series: BTreeMap<&str, Series> = runs.iter().map(|(name, runs)| (*name, Series::of(runs))).collect();
    let of = |name: &str| series.get(name).with_context(|| format!("nothing was measured of {name}"));
    let (nmap, first, second) = (of(NMAP)?, of(FIRST)?, of(SECOND)?);

    let heading = ["program", "time", "processor time", "peak memory", "hosts", "agents"].map(str::to_owned).to_vec();
    let mut programs = vec![heading];
    for (name, _) in rounds.iter().take(1).flat_map(|round| &round.runs) {
        programs.push(of(name)?.row(name));
    }
    Section {
        title: DISCOVERY,
        bench: "discovery",
        about: format!(
            "A subnet of {HOSTS} live hosts, each its own network namespace on one bridge, {AGENTS} of them with Debian's \
             snmpd (`tests/lab`). In each of {ROUNDS} rounds the programs ran one after the other, the first cycle of \
             pdsno in a fresh data folder on a disk, the second in the same folder. The time is that of the whole \
             process, from before its start to after its end; its processor time (user and system) and the most memory \
             that it had resident are from wait4(2). What was found is compared with the lab's own list, address by \
             address; of several rounds the worst is shown. A host counts as found by pdsno when it answered both ARP and \
             ICMP."
        ),
        figures: vec![
            against("ARP + ICMP + SNMP + commit, first cycle", "≤ 0.5 of nmap's time", 0.5, first, ("nmap, both commands", nmap)),
            against("the second cycle", "≤ 1.05 of the first: no slower, 5 % for noise", 1.05, second, ("the first cycle", first)),
            found_all("hosts found in every round", HOSTS, [first, second, nmap].map(|series| series.least_hosts)),
            found_all("agents read in every round", AGENTS, [first, second, nmap].map(|series| series.least_agents)),
        ],
        tables: vec![programs, phases(rounds)],
        commands: vec![
            NMAP_HOSTS.join(" "),
            NMAP_AGENTS.join(" "),
            format!("{} DIR    # twice", SCAN.join(" ")),
            ARP_SCAN.join(" "),
        ],
        versions: vec![
            version(PDSNO, "--version")?,
            version("nmap", "--version")?,
            version("arp-scan", "--version")?,
            version("snmpd", "-v")?,
        ],
    }
    .publish()?;
    Ok(())
}

/// Where the time of the first cycle goes, as it tells of itself.
fn phases(rounds: &[Round]) -> Vec<Vec<String>> {
    let spread = |part: fn(&Scan) -> f64| Spread::of(rounds.iter().map(|round| part(&round.first)));
    let sent = |part: fn(&Scan) -> u64| Spread::of(rounds.iter().map(|round| part(&round.first) as f64)).median;
    let cycle = spread(|scan| scan.duration_ms);
    let around = Spread::of(rounds.iter().map(|round| round.first_wall.as_secs_f64() * 1e3 - round.first.duration_ms));
    let row = |name: &str, spread: Spread, sent: f64| vec![name.to_owned(), spread.text("ms"), format!("{sent:.0}")];
    vec![
        ["within the first cycle", "time", "packets sent"].map(str::to_owned).to_vec(),
        row(
            "ARP, first to last packet or timeout",
            spread(|scan| scan.protocols.arp.duration_ms),
            sent(|scan| scan.protocols.arp.sent),
        ),
        row("ICMP", spread(|scan| scan.protocols.icmp.duration_ms), sent(|scan| scan.protocols.icmp.sent)),
        row("SNMP", spread(|scan| scan.protocols.snmp.duration_ms), sent(|scan| scan.protocols.snmp.sent)),
        vec![
            "reading, deciding and committing".to_owned(),
            spread(|scan| scan.nib_commit_ms).text("ms"),
            String::new(),
        ],
        vec!["the whole cycle".to_owned(), cycle.text("ms"), String::new()],
        vec!["starting and ending the process".to_owned(), around.text("ms"), String::new()],
    ]
}

fn against(name: &str, goal: &str, limit: f64, ours: &Series, (other, theirs): (&str, &Series)) -> Figure {
    let ratio = ours.wall.median / theirs.wall.median;
    Figure {
        name: name.to_owned(),
        goal: goal.to_owned(),
        measured: ours.wall.text("ms"),
        beside: format!("{other}: {}", theirs.wall.text("ms")),
        ratio: rounded(ratio),
        reached: ratio <= limit,
    }
}

fn found_all(name: &str, all: usize, [first, second, nmap]: [usize; 3]) -> Figure {
    let ours = first.min(second);
    Figure {
        name: name.to_owned(),
        goal: format!("{all} of {all}"),
        measured: ours.to_string(),
        beside: format!("nmap: {nmap}"),
        ratio: rounded(ours as f64 / all as f64),
        reached: ours == all,
    }
}
