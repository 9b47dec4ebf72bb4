//! The whole fleet beside arp-scan, without and with loss.

use anyhow::Context;

use crate::fleet::Fleet;
use crate::look::{Look, Prints, Seen};
use crate::look_with;
use crate::report::{Figure, Spread, rounded};
use crate::series::{self, Series, percent};

/// What arp-scan may fill, and the packets a second that this is: its frames have 64 octets.
const BANDWIDTH: &str = "100M";
pub const BUDGET: u32 = 100_000_000 / (64 * 8);

/// How many times arp-scan's time, and its processor time, pdsno may take.
const TIMES: f64 = 2.0;
const CPU_TIMES: f64 = 1.5;
/// The most memory, in MB.
const MEMORY: f64 = 150.0;
/// The least recall.
const RECALL: f64 = 0.999_9;

fn arp_scan(prefix: &str, retry: u8) -> Look {
    let line = format!("arp-scan -q -x -B {BANDWIDTH} --retry={retry} -I lab0 {prefix}");
    Look::new(&format!("arp-scan, {retry} attempts"), &line, Prints::List)
}

fn pdsno(name: &str, prefix: &str, attempts: Option<u8>, more: &str) -> Look {
    let attempts =
        attempts.map_or_else(String::new, |attempts| format!("env PDSNO_POLICY__PROBE_ATTEMPTS={attempts} "));
    let line = format!("{attempts}pdsno scan {prefix} --probe-rate {BUDGET} --format json {more}");
    Look::new(name, &line, Prints::Scan)
}

const SAVED: &str = "--save --data-dir DIR";

/// Without loss.
pub struct Clean {
    pub looks: Vec<Look>,
    pub hosts: usize,
    pub agents: usize,
    rounds: Vec<Vec<Option<Seen>>>,
}

impl Clean {
    pub fn measure(fleet: &Fleet, prefix: &str, rounds: usize) -> anyhow::Result<Self> {
        let looks = vec![
            arp_scan(prefix, 2),
            pdsno("pdsno, all protocols and the commit", prefix, None, SAVED),
            pdsno("pdsno, the same with 2 attempts", prefix, Some(2), SAVED),
            pdsno("pdsno, ARP alone with 2 attempts", prefix, Some(2), "--protocols arp"),
        ];
        let truth = fleet.truth()?;
        let (hosts, agents) = (truth.hosts().len(), truth.agents().len());
        let rounds = (0..rounds).map(|_| look_with(fleet, &looks)).collect::<anyhow::Result<_>>()?;
        Ok(Self { looks, hosts, agents, rounds })
    }

    fn series(&self) -> Vec<Option<Series>> {
        Series::each(&self.looks, &self.rounds)
    }

    pub fn figures(&self) -> anyhow::Result<Vec<Figure>> {
        let series = self.series();
        let [arp_scan, whole, fewer, arp] = series.as_slice() else { return Ok(Vec::new()) };
        let ours = |series: &'_ Option<Series>| series.as_ref().map(|series| (series.time, series.cpu, series.peak));
        let ((time, _, peak), (fewer, ..), (_, cpu, _)) = ours(whole)
            .zip(ours(fewer))
            .zip(ours(arp))
            .map(|((whole, fewer), arp)| (whole, fewer, arp))
            .context("pdsno did not run")?;
        let theirs = arp_scan.as_ref().map(|series| (series.time, series.cpu)).unzip();
        let all = |found: usize, all: usize| format!("{} of {all}", found);
        let found = whole.as_ref().map_or((0, 0), |series| (series.hosts, series.agents));
        let wanted = (self.hosts * self.rounds.len(), self.agents * self.rounds.len());
        let complete = |name: &str, found: usize, wanted: usize| Figure {
            name: name.to_owned(),
            goal: "100 %".to_owned(),
            measured: percent(found, wanted),
            beside: all(found, wanted),
            ratio: rounded(found as f64 / wanted as f64),
            reached: found == wanted,
        };
        Ok(vec![
            beside("ARP + ICMP + SNMP + commit", TIMES, "s", time, theirs.0, "arp-scan, ARP alone"),
            beside("the same with 2 attempts, as arp-scan", TIMES, "s", fewer, theirs.0, "arp-scan, ARP alone"),
            beside("processor time of ARP alone, 2 attempts", CPU_TIMES, "ms", cpu, theirs.1, "arp-scan"),
            Figure {
                name: "peak memory with all protocols".to_owned(),
                goal: format!("≤ {MEMORY} MB"),
                measured: peak.text("MB"),
                beside: String::new(),
                ratio: rounded(peak.median / MEMORY),
                reached: peak.median <= MEMORY,
            },
            complete("hosts found in all rounds", found.0, wanted.0),
            complete("agents read in all rounds", found.1, wanted.1),
        ])
    }

    pub fn table(&self) -> Vec<Vec<String>> {
        let all = (self.hosts * self.rounds.len(), self.agents * self.rounds.len());
        named(series::table(&self.looks, &self.series(), |_| all), "without loss")
    }
}

/// With loss.
pub struct Lossy {
    pub looks: Vec<Look>,
    hosts: usize,
    agents: usize,
    rounds: Vec<Vec<Option<Seen>>>,
}

impl Lossy {
    pub fn measure(fleet: &Fleet, prefix: &str, seeds: usize) -> anyhow::Result<Self> {
        let looks = vec![arp_scan(prefix, 3), pdsno("pdsno, all protocols and the commit", prefix, None, SAVED)];
        let (mut hosts, mut agents, mut rounds) = (0, 0, Vec::new());
        for seed in 1..=seeds {
            let fleet = fleet.with(&format!("--seed {seed}"));
            let truth = fleet.truth()?;
            hosts += truth.hosts().len();
            agents += truth.agents().len();
            rounds.push(look_with(&fleet, &looks)?);
        }
        Ok(Self { looks, hosts, agents, rounds })
    }

    pub fn figures(&self) -> Vec<Figure> {
        let series = Series::each(&self.looks, &self.rounds);
        let [arp_scan, Some(ours)] = series.as_slice() else { return Vec::new() };
        let recall = |name: &str, found: usize, all: usize, other: Option<usize>| Figure {
            name: format!("{name} over {} seeds, 5 % loss each way", self.rounds.len()),
            goal: format!("≥ {:.2} %", RECALL * 100.0),
            measured: format!("{}, {} missed", percent(found, all), all - found),
            beside: other
                .map_or_else(String::new, |other| format!("arp-scan: {}, {} missed", percent(other, all), all - other)),
            ratio: format!("{:.5}", found as f64 / all as f64),
            reached: found as f64 >= RECALL * all as f64,
        };
        let theirs = arp_scan.as_ref();
        vec![
            recall("hosts found", ours.hosts, self.hosts, theirs.map(|series| series.hosts)),
            recall("agents read", ours.agents, self.agents, None),
            beside(
                "ARP + ICMP + SNMP + commit, loss",
                TIMES,
                "s",
                ours.time,
                theirs.map(|series| series.time),
                "arp-scan, 3 attempts",
            ),
        ]
    }

    pub fn table(&self) -> Vec<Vec<String>> {
        let series = Series::each(&self.looks, &self.rounds);
        named(series::table(&self.looks, &series, |_| (self.hosts, self.agents)), "5 % loss each way")
    }
}

/// The table with this above its programs.
fn named(mut rows: Vec<Vec<String>>, name: &str) -> Vec<Vec<String>> {
    if let Some(cell) = rows.first_mut().and_then(|row| row.first_mut()) {
        *cell = name.to_owned();
    }
    rows
}

/// A time beside another's; without the other there is nothing to reach.
fn beside(name: &str, limit: f64, unit: &str, ours: Spread, theirs: Option<Spread>, other: &str) -> Figure {
    let ratio = theirs.map_or(f64::NAN, |theirs| ours.median / theirs.median);
    Figure {
        name: name.to_owned(),
        goal: format!("≤ {limit} of arp-scan's"),
        measured: ours.text(unit),
        beside: theirs
            .map_or_else(|| format!("{other}: not installed"), |theirs| format!("{other}: {}", theirs.text(unit))),
        ratio: rounded(ratio),
        reached: ratio <= limit,
    }
}
