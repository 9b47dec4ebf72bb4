//! A lab that a test or a bench holds: [`Lab::start`] builds it with `lab.sh`, dropping it takes it
//! down. A crate includes it with
//! `#[expect(dead_code, reason = "…")] #[path = "lab/handle.rs"] mod lab;`, as each uses a part of it.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use ipnet::Ipv4Net;
use pdsno::domain::address::MacAddr;
use pdsno::domain::subnet::Subnet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;

/// What a lab consists of. The first hosts have an SNMP agent, the last are silent, those between
/// answer ARP and ICMP.
#[derive(Debug, Clone)]
pub struct LabPlan {
    /// Devices in all.
    pub hosts: u16,
    /// Of these, with an SNMP v2c agent.
    pub snmp: u16,
    /// Of these, answering nothing but ARP.
    pub silent: u16,
    /// Their subnet; the scanner has its address 250, or the last one.
    pub subnet: Ipv4Net,
    /// Communities other than `public`, and how many agents take each.
    pub communities: Vec<(String, u16)>,
    /// A subnet behind the router `gw`, and how many devices are there.
    pub routed: Option<(Ipv4Net, u16)>,
}

impl Default for LabPlan {
    /// Twelve hosts on 10.0.1.0/24, five with an agent, two silent.
    fn default() -> Self {
        let subnet = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 1, 0), 24);
        Self { hosts: 12, snmp: 5, silent: 2, subnet, communities: Vec::new(), routed: None }
    }
}

/// Why there is no lab, or why it did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The script could not be run.
    #[error("cannot run {}", script().display())]
    Script(#[source] io::Error),
    /// The script said why it built no lab, or took the lab down again.
    #[error("no lab ({status}): {text}")]
    NotBuilt {
        /// How the script ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        text: String,
    },
    /// A verb failed.
    #[error("lab.sh {verb} ({status}): {text}")]
    Verb {
        /// The verb with its arguments.
        verb: String,
        /// How it ended.
        status: ExitStatus,
        /// What it wrote to its standard error.
        text: String,
    },
    /// The truth could not be read.
    #[error("lab.sh truth wrote what is not the JSON of a lab")]
    Truth(#[from] serde_json::Error),
    /// A command of the lab ended, or did not begin in time.
    #[error("process {0} runs no program in the lab")]
    NoProgram(u32),
}

/// The lab as the kernel has it.
#[derive(Debug, Clone, Deserialize)]
pub struct Truth {
    /// The subnet of all hosts.
    pub subnet: Subnet,
    /// Where commands run.
    pub scanner: Scanner,
    /// The hosts by number.
    pub hosts: Vec<Host>,
}

/// The side of the lab that looks at the hosts.
#[derive(Debug, Clone, Deserialize)]
pub struct Scanner {
    /// Its interface.
    pub interface: String,
    /// Its address.
    pub address: Ipv4Addr,
    /// Its hardware address.
    pub mac: MacAddr,
}

/// What a host answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostKind {
    /// ARP, ICMP and SNMP.
    Snmp,
    /// ARP and ICMP; UDP ports are closed.
    Plain,
    /// ARP only.
    Silent,
}

/// A host.
#[derive(Debug, Clone, Deserialize)]
pub struct Host {
    /// `h` and a number.
    pub name: String,
    /// What it answers.
    pub kind: HostKind,
    /// Its hardware address.
    pub mac: MacAddr,
    /// Its addresses, the first one first.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether its switch port is up.
    pub plugged: bool,
    /// Its agent, for a host that was made with one.
    pub snmp: Option<Agent>,
}

/// An SNMP agent, as it was configured.
#[derive(Debug, Clone, Deserialize)]
pub struct Agent {
    /// The line of the script's models, for example `cisco-router`.
    pub model: String,
    /// Whether snmpd runs.
    pub running: bool,
    /// The v2c community that it answers to.
    pub community: String,
    /// sysDescr.
    pub sys_descr: String,
    /// sysObjectID, without a leading dot.
    pub sys_object_id: String,
    /// sysName.
    pub sys_name: String,
    /// sysLocation.
    pub sys_location: String,
    /// sysServices (RFC 3418): the sum of 2^(layer-1).
    pub sys_services: u8,
}

impl Truth {
    /// The host of this name.
    pub fn host(&self, name: &str) -> Option<&Host> {
        self.hosts.iter().find(|host| host.name == name)
    }
}

/// A lab that runs. Dropping it ends every process in it and waits for that.
#[derive(Debug)]
pub struct Lab {
    holder: Child,
    stdin: Option<ChildStdin>,
    stderr: Option<ChildStderr>,
    first: u32,
}

impl Lab {
    /// Builds a lab; when it returns, all hosts and agents answer.
    ///
    /// # Errors
    /// [`LabError::NotBuilt`] with the script's own words where a tool is missing, the machine
    /// permits no namespaces, or a step failed; [`LabError::Script`] where it cannot be run.
    pub fn start(plan: &LabPlan) -> Result<Self, LabError> {
        let mut holding = Command::new(script());
        holding.arg("hold").args(plan.options());
        holding.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = holding.spawn().map_err(LabError::Script)?;
        let (stdin, stdout, mut stderr) = (holder.stdin.take(), holder.stdout.take(), holder.stderr.take());
        let mut said = String::new();
        if let Some(stdout) = stdout {
            BufReader::new(stdout).read_line(&mut said).map_err(LabError::Script)?;
        }
        if let Some(first) = said.strip_prefix("ready ").and_then(|pid| pid.trim().parse().ok()) {
            return Ok(Self { holder, stdin, stderr, first });
        }
        drop(stdin);
        let mut text = said;
        if let Some(stderr) = &mut stderr {
            stderr.read_to_string(&mut text).map_err(LabError::Script)?;
        }
        Err(LabError::NotBuilt { status: holder.wait().map_err(LabError::Script)?, text })
    }

    /// A command that will run in the scanner, with this process's environment and folder. Its
    /// process is the one that waits for the program; [`Lab::program_of`] finds the program's own.
    /// When the waiting process or the lab ends, so does the program.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut entering = Command::new(script());
        entering.arg("enter").arg(self.first.to_string()).arg(program);
        entering
    }

    /// The process id, as it is outside the lab, of the program that a [`Lab::command`] runs: for
    /// signals and for what `/proc` tells about it.
    ///
    /// # Errors
    /// [`LabError::NoProgram`] where the command ended, or runs nothing in the lab after 5 s.
    pub fn program_of(&self, command: &Child) -> Result<Pid, LabError> {
        let waiting = command.id();
        let no_program = || LabError::NoProgram(waiting);
        let lab = pid_namespace(self.first).ok_or_else(no_program)?;
        for _ in 0..5_000 {
            let children = fs::read_to_string(format!("/proc/{waiting}/task/{waiting}/children")).unwrap_or_default();
            let inside = children.split_whitespace().filter_map(|pid| pid.parse().ok());
            let found = inside.filter(|pid: &i32| pid_namespace(pid).as_ref() == Some(&lab)).find_map(Pid::from_raw);
            match found {
                Some(program) => return Ok(program),
                None if ends_within(waiting, Duration::from_millis(1)) => break,
                None => {}
            }
        }
        Err(no_program())
    }

    /// Runs a verb of the script, for example `["unplug", "h3"]`, and returns what it printed.
    ///
    /// # Errors
    /// [`LabError::Verb`] with the script's own words where it failed; [`LabError::Script`] where it
    /// cannot be run.
    pub fn verb(&self, verb: &[&str]) -> Result<String, LabError> {
        let output = self.command(script()).args(verb).stdin(Stdio::null()).output().map_err(LabError::Script)?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(LabError::Verb { verb: verb.join(" "), status: output.status, text })
    }

    /// All hosts as they are now.
    ///
    /// # Errors
    /// As [`Lab::verb`]; [`LabError::Truth`] where the text is not what this file expects.
    pub fn truth(&self) -> Result<Truth, LabError> {
        Ok(serde_json::from_str(&self.verb(&["truth"])?)?)
    }

    /// The process id of the lab's first process, as it is outside the lab.
    pub fn first_process(&self) -> u32 {
        self.first
    }

    /// The process id of the script that holds the lab.
    pub fn holder(&self) -> u32 {
        self.holder.id()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        drop(self.stdin.take());
        if !ends_within(self.holder.id(), Duration::from_secs(10)) {
            // The kernel ends the lab with its holder.
            let _ = self.holder.kill();
        }
        let _ = self.holder.wait();
        ends_within(self.first, Duration::from_secs(10));
    }
}

impl LabPlan {
    fn options(&self) -> Vec<String> {
        let numbers = [("--hosts", self.hosts), ("--snmp", self.snmp), ("--silent", self.silent)];
        let mut options: Vec<String> =
            numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]).collect();
        options.extend(["--subnet".to_owned(), self.subnet.to_string()]);
        if let Some((subnet, count)) = self.routed {
            options.extend(["--routed".to_owned(), format!("{subnet}:{count}")]);
        }
        for (community, count) in &self.communities {
            options.extend(["--community".to_owned(), format!("{community}:{count}")]);
        }
        options
    }
}

/// The script that builds labs.
pub fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/lab.sh")
}

/// The PID namespace of a process, `None` where the process is gone.
pub fn pid_namespace(process: impl std::fmt::Display) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{process}/ns/pid")).ok()
}

/// Waits for the end of a process; `true` where it ended in time, or is not there.
pub fn ends_within(process: u32, limit: Duration) -> bool {
    let Some(process) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return true };
    let Ok(handle) = pidfd_open(process, PidfdFlags::empty()) else { return true };
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
    matches!(poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&limit)), Ok(1..))
}
