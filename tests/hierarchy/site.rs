//! A lab with a data folder for three controllers, and what the command line tells of them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::handle::Daemon;
use crate::lab::{Lab, LabPlan};
use crate::program::{LIMIT, Ran, Tested, pdsno, run};

pub const GLOBAL: &str = "global_cntl_1";
pub const REGIONAL: &str = "regional_cntl_zoneA_1";
pub const LOCAL: &str = "local_cntl_zoneA_1";

/// The tiers, as `--as` takes them.
pub const TIERS: [&str; 3] = ["global", "regional", "local"];

/// Five hosts, all of which answer at once.
pub const SUBNET: &str = "10.0.1.0/29";
pub const HOSTS: usize = 5;

pub struct Site {
    pub lab: Lab,
    folder: TempDir,
    protocols: &'static str,
}

impl Site {
    pub fn new() -> Tested<Self> {
        Self::with_agents(0, "arp,icmp")
    }

    /// A site where so many hosts have an SNMP agent, and discovery uses these protocols.
    pub fn with_agents(snmp: u16, protocols: &'static str) -> Tested<Self> {
        let lab = Lab::start(&LabPlan { hosts: 5, snmp, silent: 0, ..LabPlan::default() })?;
        Ok(Self { lab, folder: TempDir::new()?, protocols })
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Starts the three controllers with these flags more, and waits for nothing.
    pub fn begin(&self, more: &[&str]) -> Tested<Daemon> {
        let data = self.data();
        let flags = ["--role", "all", "--region", "zone-A", "--subnets", SUBNET, "--protocols", self.protocols];
        let mut arguments: Vec<&OsStr> = flags.iter().chain(more).map(OsStr::new).collect();
        arguments.extend([OsStr::new("--data-dir"), data.as_os_str()]);
        Daemon::begin(&self.lab, &arguments)
    }

    /// Starts them without HTTP over TCP, and waits until each has its name.
    pub fn start(&self) -> Tested<Daemon> {
        let mut daemon = self.begin(&["--listen", "none"])?;
        await_names(&mut daemon)?;
        Ok(daemon)
    }

    /// Runs a verb on the folder, from outside the lab: the sockets are files.
    pub fn verb(&self, arguments: &[&str]) -> Tested<Ran> {
        run(pdsno(arguments).arg("--data-dir").arg(self.data()))
    }

    pub fn json(&self, arguments: &[&str]) -> Tested<Value> {
        self.verb(&[arguments, &["--format", "json"]].concat())?.json()
    }

    /// The events of a tier of one type, in order.
    pub fn events(&self, tier: &str, event_type: &str) -> Tested<Vec<Value>> {
        self.verb(&["events", "--as", tier, "--type", event_type, "--format", "json"])?.json_lines()
    }

    /// The devices of a tier, as soon as there are so many.
    pub fn await_devices(&self, tier: &str, count: usize) -> Tested<Vec<Value>> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let told = self.json(&["devices", "--as", tier])?;
            let devices = told["devices"].as_array().ok_or("no devices")?;
            if devices.len() == count {
                return Ok(devices.clone());
            }
            assert!(Instant::now() < deadline, "{tier}: {told}");
        }
    }

    /// The files and sockets that there are, by their paths in the data folder.
    pub fn files(&self) -> Tested<BTreeSet<String>> {
        let data = self.data();
        let listed = crate::program::listing(&data)?;
        let files = listed.iter().filter(|(_, content)| content.is_some()).map(|(path, _)| path);
        let relative = |path: &PathBuf| Ok(path.strip_prefix(&data)?.to_string_lossy().into_owned());
        files.map(relative).collect()
    }

    pub fn nib(&self, tier: &str) -> PathBuf {
        self.data().join(tier).join(Path::new("pdsno.db"))
    }
}

/// Waits until each of the three has a name.
pub fn await_names(daemon: &mut Daemon) -> Tested {
    let mut named = BTreeSet::new();
    while named.len() < TIERS.len() {
        let line = daemon.await_message("validated")?;
        named.insert(line["span"]["id"].as_str().ok_or("a line without a name")?.to_owned());
    }
    assert_eq!(named, BTreeSet::from([GLOBAL, LOCAL, REGIONAL].map(str::to_owned)));
    Ok(())
}
