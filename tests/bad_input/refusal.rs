//! A lab with a working folder, and the proof that a run was refused and left the folder alone.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::lab::{Lab, LabPlan};
use crate::program::{PDSNO, Ran, Tested, listing, run, without_settings};

/// The scanner's network; 10.0.1.1 answers.
pub const SUBNET: &str = "10.0.1.0/28";

pub struct Bench {
    pub lab: Lab,
    folder: TempDir,
}

impl Bench {
    pub fn new() -> Tested<Self> {
        let lab = Lab::start(&LabPlan { hosts: 1, snmp: 0, silent: 0, ..LabPlan::default() })?;
        Ok(Self { lab, folder: TempDir::new()? })
    }

    /// The folder that everything runs in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A program of the machine, in the lab's scanner and the folder.
    pub fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = self.lab.command(program);
        without_settings(&mut command).args(arguments).current_dir(self.folder());
        command
    }

    /// The program.
    pub fn pdsno(&self, arguments: &[&str]) -> Command {
        self.command(PDSNO, arguments)
    }

    /// The program without any capability, whoever runs the test; permissions of files hold for it.
    pub fn unprivileged(&self, arguments: &[&str]) -> Command {
        self.with_capabilities("-all", arguments)
    }

    /// The program with no more than the capability that `setcap` gives it.
    pub fn as_installed(&self, arguments: &[&str]) -> Command {
        self.with_capabilities("-all,+net_raw", arguments)
    }

    fn with_capabilities(&self, bounds: &str, arguments: &[&str]) -> Command {
        let mut command = self.command("setpriv", &["--bounding-set", bounds, "--inh-caps=-all", PDSNO]);
        command.args(arguments);
        command
    }

    /// Asserts that the arguments are refused, with a text that has all of these parts.
    pub fn refuses(&self, arguments: &[&str], parts: &[&str]) -> Tested<Ran> {
        self.refuses_run(&mut self.pdsno(arguments), parts)
    }

    /// Asserts that a run is refused, with a text that has all of these parts.
    pub fn refuses_run(&self, command: &mut Command, parts: &[&str]) -> Tested<Ran> {
        let before = listing(self.folder())?;
        let ran = run(command)?;
        assert_eq!(ran.code(), Some(2), "{command:?}: {ran:?}");
        assert_eq!(ran.out, "", "{command:?}: what is refused prints nothing: {ran:?}");
        for part in parts {
            assert!(ran.err.contains(part), "{command:?} does not say {part:?}: {ran:?}");
        }
        assert_eq!(listing(self.folder())?, before, "{command:?} wrote something");
        Ok(ran)
    }
}
