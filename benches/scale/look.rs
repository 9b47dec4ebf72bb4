//! One program's look at a fleet: what it found, and what that took.

use std::env;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use crate::cost;
use crate::fleet::{Facts, Fleet, Truth};
use crate::printed::{described, listed, reported_up};
use crate::program::PDSNO;

/// In a command: a fresh data folder.
const FOLDER: &str = "DIR";
/// In a command: the station that answers for all hosts.
const ROUTER: &str = "ROUTER";

/// The scanners beside pdsno.
const OTHERS: [&str; 5] = ["arp-scan", "nmap", "zmap", "masscan", "fping"];

/// What a program prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Prints {
    /// Lines that begin with an address.
    List,
    /// Lines that end with an address.
    Discovered,
    /// Reports of nmap.
    Nmap,
    /// The scan of pdsno.
    Scan,
}

/// A program that is to look at a fleet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Look {
    /// What it is called in the document.
    pub name: String,
    /// Its command, as one would type it.
    pub line: String,
    pub prints: Prints,
}

/// What it found, and what that took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Seen {
    /// Seconds.
    pub time: f64,
    /// Seconds of its own and of the kernel's for it.
    pub cpu: f64,
    /// The most memory that was resident at once, in octets.
    pub peak: f64,
    /// What it left on the disk, in octets.
    pub disk: f64,
    /// Hosts that are there.
    pub hosts: usize,
    /// Agents of which it tells what they are.
    pub agents: usize,
    /// Packets sent, as it tells itself.
    pub sent: u64,
}

/// Looks at a fleet one after the other, in front of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Looks {
    pub fleet: Fleet,
    pub looks: Vec<Look>,
}

/// The name of this part in front of a fleet.
pub const LOOKS: &str = "looks";

impl Look {
    pub fn new(name: &str, line: &str, prints: Prints) -> Self {
        Self { name: name.to_owned(), line: line.to_owned(), prints }
    }

    /// Which of the other scanners it is.
    pub fn other(&self) -> Option<&str> {
        self.line.split_whitespace().find(|word| OTHERS.contains(word))
    }

    /// Looks once; `None` where the program is not installed.
    fn at(&self, truth: &Truth) -> anyhow::Result<Option<Seen>> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let data = folder.path().join("nib");
        let data = data.to_str().context("the path of the target folder is not UTF-8")?;
        let words: Vec<&str> = self.line.split_whitespace().collect();
        let words = words.into_iter().map(|word| match word {
            "pdsno" => PDSNO,
            FOLDER => data,
            ROUTER => truth.first_station(),
            word => word,
        });
        let words: Vec<&str> = words.collect();
        if self.other().is_some_and(|other| !installed(other)) {
            return Ok(None);
        }
        let (program, arguments) = words.split_first().context("an empty command")?;
        // fping ends with 1 when somebody did not answer, timeout with 124 when it was needed.
        let codes: &[i32] = match *program {
            "fping" => &[0, 1],
            "timeout" => &[0, 124],
            _ => &[0],
        };
        let (printed, cost) = cost::run(program, arguments, codes)?;
        let disk = octets_in(Path::new(data))?;
        let (hosts, agents, sent) = self.count(truth, &printed)?;
        let (time, cpu) = (cost.wall.as_secs_f64(), cost.cpu.as_secs_f64());
        Ok(Some(Seen { time, cpu, peak: cost.peak as f64, disk, hosts, agents, sent }))
    }

    /// How many hosts that are there, and agents that were read, are in what it printed; and the packets
    /// that it tells of. Whoever is not there must not be in it.
    fn count(&self, truth: &Truth, printed: &str) -> anyhow::Result<(usize, usize, u64)> {
        let hosts = |found: &mut dyn Iterator<Item = Ipv4Addr>| {
            let mut found: Vec<_> = found.filter(|address| *address != truth.scanner()).collect();
            found.sort_unstable();
            found.dedup();
            let real = truth.hosts();
            ensure!(found.iter().all(|address| real.contains(address)), "{} found what is not there", self.name);
            Ok(found.len())
        };
        match self.prints {
            Prints::List => Ok((hosts(&mut listed(printed))?, 0, 0)),
            Prints::Discovered => Ok((hosts(&mut discovered(printed))?, 0, 0)),
            Prints::Nmap => {
                Ok((hosts(&mut reported_up(printed))?, hosts(&mut described(printed)).unwrap_or_default(), 0))
            }
            Prints::Scan => {
                let scan: Scan = serde_json::from_str(printed).context("pdsno printed what is no scan")?;
                let found = scan.devices.iter().filter(|device| !device.methods.is_empty());
                let up = hosts(&mut found.flat_map(|device| device.ip_addresses.iter().copied()))?;
                let real = truth.agents();
                let read = |device: &&Device| {
                    let real = device.ip_addresses.iter().find_map(|address| real.get(address).copied());
                    real.is_some() && real == device.snmp.as_ref()
                };
                let agents = scan.devices.iter().filter(read).count();
                Ok((up, agents, scan.protocols.values().map(|protocol| protocol.sent).sum()))
            }
        }
    }
}

/// Looks once with each, in front of the fleet.
pub fn all(looks: &Looks) -> anyhow::Result<Vec<Option<Seen>>> {
    let truth = looks.fleet.truth()?;
    looks.looks.iter().map(|look| look.at(&truth)).collect()
}

/// What is needed of `pdsno scan --format json`.
#[derive(Deserialize)]
struct Scan {
    protocols: std::collections::BTreeMap<String, Protocol>,
    devices: Vec<Device>,
}

#[derive(Deserialize)]
struct Protocol {
    sent: u64,
}

#[derive(Deserialize)]
struct Device {
    ip_addresses: Vec<Ipv4Addr>,
    methods: Vec<String>,
    /// None where SNMP was not asked for.
    snmp: Option<Facts>,
}

/// The hosts that masscan tells of: `Discovered open port 0/icmp on 10.1.0.1`.
fn discovered(printed: &str) -> impl Iterator<Item = Ipv4Addr> {
    let told = printed.lines().filter(|line| line.starts_with("Discovered "));
    told.filter_map(|line| line.split_whitespace().next_back()?.parse().ok())
}

/// Whether there is such a program.
pub fn installed(program: &str) -> bool {
    let folders = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&folders).chain(["/usr/sbin".into(), "/sbin".into()]).any(|folder| folder.join(program).is_file())
}

/// The octets of all files in a folder; none where there is no folder.
pub fn octets_in(folder: &Path) -> anyhow::Result<f64> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(0.0) };
    let mut octets = 0.0;
    for entry in entries {
        let entry = entry?;
        // What SQLite took away meanwhile is not there.
        let Ok(metadata) = entry.metadata() else { continue };
        octets += if metadata.is_dir() { octets_in(&entry.path())? } else { metadata.len() as f64 };
    }
    Ok(octets)
}
