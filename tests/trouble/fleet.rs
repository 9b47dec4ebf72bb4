//! The program in front of a simulated fleet.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::{PDSNO, Tested, pdsno, run, without_settings};

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

    /// One scan of all its addresses that is saved in a data folder.
    pub fn scan_into(&self, data: &Path) -> Tested<Value> {
        self.scan(&["--save", "--data-dir", data.to_str().ok_or("no text")?])
    }

    /// One scan of all its addresses, with these arguments more.
    pub fn scan(&self, arguments: &[&str]) -> Tested<Value> {
        let scan = [PDSNO, "scan", self.prefix, "--probe-rate", "10000", "--format", "json"];
        run(&mut self.command(&[&scan[..], arguments].concat())?)?.json()
    }
}

/// The devices of the NIB in a data folder, as a list of its own.
pub fn saved(data: &Path) -> Tested<Value> {
    Ok(run(pdsno(&["devices", "--format", "json", "--data-dir"]).arg(data))?.json()?["devices"].take())
}

/// The events of the NIB in a data folder, of a type or of all.
pub fn events(data: &Path, of: Option<&str>) -> Tested<Vec<Value>> {
    let mut events = pdsno(&["events", "--format", "json", "--data-dir"]);
    events.arg(data).args(of.iter().flat_map(|name| ["--type", name]));
    run(&mut events)?.json_lines()
}

/// That a saved scan said of everybody what the NIB in the data folder has of them.
pub fn said_and_stored(scan: &Value, data: &Path) -> Tested {
    let (said, stored) = (by_mac(&scan["devices"]), by_mac(&saved(data)?));
    for (mac, device) in &said {
        assert_eq!(stored.get(mac), Some(device), "what is said is what is stored");
    }
    assert_eq!(stored.len(), said.len(), "and nobody else is");
    Ok(())
}

fn by_mac(list: &Value) -> BTreeMap<String, Value> {
    list.as_array().into_iter().flatten().map(|device| (device["mac"].to_string(), device.clone())).collect()
}

/// The MAC addresses of a list of hosts or devices.
pub fn macs(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(|host| host["mac"].to_string()).collect()
}
