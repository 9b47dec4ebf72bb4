//! The program in front of a simulated fleet.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{PDSNO, Tested, run, without_settings};

/// The built simulator: `cargo test` and `cargo build --examples` build it beside the program.
fn simulator() -> Tested<PathBuf> {
    let fleet = Path::new(PDSNO).with_file_name("examples").join("fleet");
    if fleet.exists() {
        Ok(fleet)
    } else {
        Err(format!("{} is not built: cargo build --examples", fleet.display()).into())
    }
}

/// A fleet by its options.
pub struct Fleet<'a> {
    pub prefix: &'a str,
    pub options: &'a [&'a str],
}

impl Fleet<'_> {
    /// What the simulator tells of it.
    pub fn truth(&self) -> Tested<Value> {
        run(Command::new(simulator()?).args(["truth", "--prefix", self.prefix]).args(self.options))?.json()
    }

    /// A command in front of it.
    pub fn command(&self, command: &[&str]) -> Tested<Command> {
        let mut fleet = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/fleet.sh"));
        without_settings(&mut fleet).env("FLEET", simulator()?).args(["--prefix", self.prefix]).args(self.options);
        fleet.arg("--").args(command);
        Ok(fleet)
    }

    /// One scan of all its addresses, with these arguments more.
    pub fn scan(&self, arguments: &[&str]) -> Tested<Value> {
        let scan = [PDSNO, "scan", self.prefix, "--probe-rate", "10000", "--format", "json"];
        run(&mut self.command(&[&scan[..], arguments].concat())?)?.json()
    }
}

/// The MAC addresses of a list of hosts or devices.
pub fn macs(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(|host| host["mac"].to_string()).collect()
}
