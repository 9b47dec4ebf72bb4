//! A simulated fleet with this program once more in front of it.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs::{self, File};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::program::PDSNO;

/// What the bench is called with in front of a fleet.
const INSIDE: &str = "inside";

/// Whether this is a program in front of a fleet: what it is to do there, where it finds with what,
/// and where it leaves what it saw.
pub fn is_inside() -> Option<(String, PathBuf, PathBuf)> {
    let mut arguments = env::args().skip_while(|argument| argument != INSIDE).skip(1);
    Some((arguments.next()?, arguments.next()?.into(), arguments.next()?.into()))
}

/// What has been left in a file.
pub fn read<T: DeserializeOwned>(path: &Path) -> anyhow::Result<T> {
    serde_json::from_reader(File::open(path)?).with_context(|| format!("{} cannot be read", path.display()))
}

/// Leaves it in a file.
pub fn leave<T: Serialize>(value: &T, path: &Path) -> anyhow::Result<()> {
    Ok(fs::write(path, serde_json::to_vec(value)?)?)
}

/// Builds the simulator beside the program, and as that was built.
pub fn build() -> anyhow::Result<()> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--release", "--quiet", "--example", "fleet", "--manifest-path"]);
    let status = cargo.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).status()?;
    ensure!(status.success(), "the simulator cannot be built: {status}");
    ensure!(simulator().exists(), "the simulator was not built beside {PDSNO}");
    Ok(())
}

fn simulator() -> PathBuf {
    Path::new(PDSNO).with_file_name("examples").join("fleet")
}

/// A fleet by its options: those of `fleet run`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fleet(Vec<String>);

impl Fleet {
    pub fn of(line: &str) -> Self {
        Self(line.split_whitespace().map(str::to_owned).collect())
    }

    pub fn with(&self, line: &str) -> Self {
        Self(self.0.iter().cloned().chain(Self::of(line).0).collect())
    }

    /// As one would type it.
    pub fn command(&self) -> String {
        format!("tests/lab/fleet.sh {} -- …", self.0.join(" "))
    }

    /// Runs this program in front of the fleet; returns what it saw there.
    pub fn before<I: Serialize, O: DeserializeOwned>(&self, part: &str, input: &I) -> anyhow::Result<O> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let (given, seen) = (folder.path().join("given"), folder.path().join("seen"));
        leave(input, &given)?;
        let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/fleet.sh"));
        script.args(&self.0).arg("--").arg(env::current_exe()?).args(["--bench", INSIDE, part]).args([&given, &seen]);
        let status = script.env("FLEET", simulator()).stdin(Stdio::null()).status().context("no fleet")?;
        ensure!(status.success(), "not measured: {status}");
        read(&seen)
    }

    /// Who lives where.
    pub fn truth(&self) -> anyhow::Result<Truth> {
        let output = Command::new(simulator()).arg("truth").args(&self.0).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "fleet truth: {}", output.status);
        serde_json::from_slice(&output.stdout).context("the fleet's truth cannot be read")
    }
}

/// What the simulator tells of its fleet, as far as it is needed.
#[derive(Debug, Deserialize)]
pub struct Truth {
    scanner: Ipv4Addr,
    hosts: Vec<Host>,
}

#[derive(Debug, Deserialize)]
struct Host {
    addresses: Vec<Ipv4Addr>,
    mac: String,
    agent: Option<Facts>,
}

/// What an agent tells. The fleet and pdsno have the same names for it.
#[derive(Debug, PartialEq, Deserialize)]
pub struct Facts {
    pub sys_descr: Option<String>,
    pub sys_object_id: Option<String>,
    pub sys_name: Option<String>,
    pub sys_location: Option<String>,
    /// Its interfaces, of which the number is compared.
    pub interfaces: Option<Vec<IgnoredAny>>,
}

impl Truth {
    /// Addresses that somebody has.
    pub fn hosts(&self) -> BTreeSet<Ipv4Addr> {
        self.hosts.iter().flat_map(|host| host.addresses.iter().copied()).collect()
    }

    /// What the agents tell.
    pub fn agents(&self) -> BTreeMap<Ipv4Addr, &Facts> {
        let agents = self.hosts.iter().filter_map(|host| Some((host, host.agent.as_ref()?)));
        agents.flat_map(|(host, facts)| host.addresses.iter().map(move |address| (*address, facts))).collect()
    }

    /// The address from which it is scanned.
    pub fn scanner(&self) -> Ipv4Addr {
        self.scanner
    }

    /// The station by which the first host is reached: the way to all of them where one answers for all.
    pub fn first_station(&self) -> &str {
        self.hosts.first().map_or("", |host| &host.mac)
    }
}
