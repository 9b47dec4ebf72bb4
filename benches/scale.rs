//! Discovery of a /16 of simulated devices, beside other scanners: speed, recall, memory, growth, and
//! a day of cycles.

mod cost;
#[path = "scale/day.rs"]
mod day;
#[path = "scale/fleet.rs"]
mod fleet;
#[path = "scale/goals.rs"]
mod goals;
#[path = "scale/growth.rs"]
mod growth;
#[path = "scale/look.rs"]
mod look;
#[path = "scale/others.rs"]
mod others;
#[path = "scale/plot.rs"]
mod plot;
mod printed;
mod program;
mod report;
#[path = "scale/series.rs"]
mod series;

use std::collections::BTreeSet;
use std::fs;

use anyhow::bail;
use day::Cycle;
use fleet::{Fleet, is_inside, leave, read};
use goals::{Clean, Lossy};
use growth::Growth;
use look::{LOOKS, Look, Looks, Seen, installed};
use others::Others;
use program::{PDSNO, version};
use report::{SCALE, Section, folder, is_quick};

/// How much is measured.
struct Extent {
    /// The fleet.
    prefix: &'static str,
    /// Rounds in front of the fleet without loss.
    rounds: usize,
    /// Seeds of the fleet with loss.
    seeds: usize,
    /// Rounds of the programs beside.
    others: usize,
    /// Parts whose growth is looked at, the small ones first, and how often.
    parts: &'static [u8],
    part_rounds: usize,
    cycles: usize,
}

const FULL: Extent = Extent {
    prefix: "10.1.0.0/16",
    rounds: 7,
    seeds: 10,
    others: 3,
    parts: &[24, 22, 20, 18, 16],
    part_rounds: 3,
    cycles: 288,
};

const QUICK: Extent =
    Extent { prefix: "10.1.0.0/20", rounds: 1, seeds: 2, others: 1, parts: &[24, 22, 20], part_rounds: 1, cycles: 30 };

/// Shares with which a /16 has about 19,700 hosts and 7,900 agents.
const SHARES: &str = "--live 0.301 --snmp 0.4 --delay 2ms";
/// What gets lost.
const LOSS: &str = "--loss-in 0.05 --loss-out 0.05";

fn main() -> anyhow::Result<()> {
    cost::if_started_for_one()?;
    if !report::is_wanted() {
        return Ok(());
    }
    if let Some((part, given, seen)) = is_inside() {
        return match part.as_str() {
            LOOKS => leave(&look::all(&read(&given)?)?, &seen),
            day::DAY => leave(&day::watch(&read(&given)?)?, &seen),
            part => bail!("there is no {part}"),
        };
    }
    fleet::build()?;
    let extent = if is_quick() { QUICK } else { FULL };
    let whole = Fleet::of(&format!("--prefix {} {SHARES}", extent.prefix));
    let measured = Measured {
        clean: Clean::measure(&whole, extent.prefix, extent.rounds)?,
        lossy: Lossy::measure(&whole.with(LOSS), extent.prefix, extent.seeds)?,
        others: Others::measure(&whole, extent.prefix, extent.others)?,
        growth: growth(&whole, &extent)?,
        cycles: Fleet::of(day::FLEET).before(day::DAY, &extent.cycles)?,
    };
    measured.draw()?;
    measured.section(&whole, &extent)?.publish()?;
    Ok(())
}

/// Runs programs of ours one after the other in front of a fleet; they are all there.
fn look_with(fleet: &Fleet, looks: &[Look]) -> anyhow::Result<Vec<Option<Seen>>> {
    let names: Vec<&str> = looks.iter().map(|look| look.name.as_str()).collect();
    eprintln!("{}", names.join("; "));
    fleet.before(LOOKS, &Looks { fleet: fleet.clone(), looks: looks.to_vec() })
}

fn growth(fleet: &Fleet, extent: &Extent) -> anyhow::Result<Growth> {
    let looks: Vec<Look> = extent.parts.iter().map(|prefix| growth::look(*prefix)).collect();
    let mut rounds = Vec::new();
    for _ in 0..extent.part_rounds {
        rounds.push(look_with(fleet, &looks)?.into_iter().flatten().collect());
    }
    Ok(Growth::of(extent.parts, &rounds))
}

/// What was measured.
struct Measured {
    clean: Clean,
    lossy: Lossy,
    others: Others,
    growth: Growth,
    cycles: Vec<Cycle>,
}

/// The pictures beside the document.
const GROWTH: &str = "scale-growth.svg";
const DAY: &str = "scale-day.svg";

impl Measured {
    fn draw(&self) -> anyhow::Result<()> {
        fs::create_dir_all(folder())?;
        let growth = plot::svg("What each further address and device costs", &self.growth.panels());
        fs::write(folder().join(GROWTH), growth)?;
        fs::write(folder().join(DAY), plot::svg("A day of cycles", &day::panels(&self.cycles)))?;
        Ok(())
    }

    fn section(&self, whole: &Fleet, extent: &Extent) -> anyhow::Result<Section> {
        let figures = [self.clean.figures()?, self.lossy.figures(), self.growth.figures(), day::figures(&self.cycles)];
        let looks = self.clean.looks.iter().chain(&self.lossy.looks).chain(&self.others.looks);
        let looks: Vec<&Look> = looks.collect();
        let mut versions = vec![version(PDSNO, "--version")?];
        let beside: BTreeSet<&str> = looks.iter().filter_map(|look| look.other()).collect();
        for program in beside.into_iter().filter(|program| installed(program)) {
            versions.push(version(program, if program == "fping" { "-v" } else { "--version" })?);
        }
        let mut commands = vec![whole.command(), whole.with(LOSS).with("--seed 1…").command()];
        commands.extend(looks.iter().map(|look| look.line.clone()));
        commands.extend(extent.parts.iter().map(|prefix| growth::look(*prefix).line));
        commands.push(Fleet::of(day::FLEET).command());
        commands.push(day::LINE.to_owned());
        let mut seen = BTreeSet::new();
        commands.retain(|command| seen.insert(command.clone()));
        Ok(Section {
            title: SCALE,
            bench: "scale",
            about: self.about(extent),
            figures: figures.into_iter().flatten().collect(),
            tables: vec![
                self.clean.table(),
                self.lossy.table(),
                self.others.table(),
                self.growth.table(),
                day::table(&self.cycles),
            ],
            commands,
            versions,
        })
    }

    fn about(&self, extent: &Extent) -> String {
        let Extent { prefix, rounds, seeds, others, part_rounds, cycles, .. } = extent;
        let budget = goals::BUDGET;
        format!(
            "{hosts} live addresses of the {size}, {agents} with an SNMP agent, all of them simulated by one process behind \
             a TAP interface (`tests/fleet`), which answers 2 ms after it was asked; a host without an agent is silent when \
             asked by SNMP. What was found is compared with the simulator's own list, address by address; an agent counts \
             as read when pdsno tells its sysDescr, sysObjectID, sysName, sysLocation and as many interfaces as it has, and \
             when nmap tells a sysDescr. Time, processor time (user and system) and peak memory are those of the whole \
             process, from wait4(2); 1 MB is 1,000,000 bytes. The simulator has one of the cores for itself as long as it \
             is busy, whoever asks it.\n\n\
             **At once**: {rounds} rounds, in each of them the programs one after the other in front of one fleet. arp-scan \
             fills 100 Mbit/s with frames of 64 octets, {budget} a second, and so may pdsno. **With loss**: 5 % of the \
             requests and 5 % of the replies get lost; {seeds} fleets of as many seeds, in front of each the programs one \
             after the other. Of three attempts all are lost for 9 addresses of 10,000; pdsno has no other settings than \
             without loss, notices how much is lost, and asks up to three times more. \
             **Beside others**: {others} rounds; zmap and masscan send everything to one router, so they ran in front of the \
             same hosts behind one that answers ARP for all of them; nmap's script for SNMP had a /24 of the fleet. \
             **Growth**: {part_rounds} rounds of ever larger parts of the fleet, {rate} packets a second. A scan takes a time \
             that does not depend on its size, the waits for the last silent address, and a time for each address, most of \
             it that of its packets at the rate. The second, as memory and disk for each device, is the difference to the part \
             before, which has the first in it, too; the first is what is left of the smallest part. In parts of up to \
             2,000 addresses the repetitions leave while the first questions are still waited for, so there a further address \
             takes the time of one packet and not of three. \
             **A day**: {cycles} cycles of one daemon with its NIB on a disk, as fast as they can be asked for, in a /24 \
             where all 253 addresses answer, so that no cycle waits for silence. The files of the data folder grow until \
             SQLite has its write-ahead log at the size at which it is emptied, 1,000 pages; from then on by the event that \
             tells of each cycle, which is all that a cycle leaves that finds nothing new.\n\n\
             ![What each further address and device costs, by the size of the part]({GROWTH})\n\n\
             ![Time of a cycle, memory and files in the course of a day]({DAY})",
            hosts = self.clean.hosts,
            agents = self.clean.agents,
            size = prefix.trim_start_matches("10.1.0.0"),
            rate = growth::RATE,
        )
    }
}
