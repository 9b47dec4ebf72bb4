//! A lab with a data folder.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::lab::{Lab, LabPlan};
use crate::program::{PDSNO, Ran, Tested, pdsno, run, without_settings};

/// What most tests scan: no more addresses than they need.
pub const SUBNET: &str = "10.0.1.0/28";

pub struct Site {
    pub lab: Lab,
    folder: TempDir,
}

impl Site {
    /// A lab of so many hosts, of which some have an agent and some are silent.
    pub fn new(hosts: u16, snmp: u16, silent: u16) -> Tested<Self> {
        Self::of(&LabPlan { hosts, snmp, silent, ..LabPlan::default() })
    }

    pub fn of(plan: &LabPlan) -> Tested<Self> {
        Ok(Self { lab: Lab::start(plan)?, folder: TempDir::new()? })
    }

    /// The data folder; the first scan that is saved makes it.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The folder that the program is run in.
    pub fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }

    /// The program in the scanner, with these arguments.
    pub fn program(&self, arguments: &[&str]) -> Command {
        let mut command = self.lab.command(PDSNO);
        without_settings(&mut command).args(arguments).current_dir(self.folder.path());
        command
    }

    /// One cycle over the subnet that ends in the NIB; returns its JSON.
    pub fn scan(&self) -> Tested<Value> {
        self.scan_with(&[SUBNET])
    }

    /// One cycle that ends in the NIB.
    pub fn scan_with(&self, arguments: &[&str]) -> Tested<Value> {
        let mut scan = self.program(&["scan", "--save", "--format", "json", "--data-dir"]);
        run(scan.arg(self.data()).args(arguments))?.json()
    }

    /// What a command that reads the NIB ended with.
    pub fn read(&self, arguments: &[&str]) -> Tested<Ran> {
        run(pdsno(arguments).arg("--data-dir").arg(self.data()))
    }

    /// All devices of the NIB.
    pub fn devices(&self) -> Tested<Vec<Value>> {
        let list = self.read(&["devices", "--format", "json"])?.json()?;
        Ok(list["devices"].as_array().ok_or("no list of devices")?.clone())
    }

    /// The one device that an id, an address or a MAC address names.
    pub fn device(&self, key: impl ToString) -> Tested<Value> {
        let list = self.read(&["device", &key.to_string(), "--format", "json"])?.json()?;
        match list["devices"].as_array().map(Vec::as_slice) {
            Some([device]) => Ok(device.clone()),
            _ => Err(format!("not one device: {list}").into()),
        }
    }

    /// The events whose types begin so, in order.
    pub fn events(&self, prefix: &str) -> Tested<Vec<Value>> {
        let events = self.read(&["events", "--format", "json"])?.json_lines()?;
        let meant = |event: &Value| event["event_type"].as_str().is_some_and(|name| name.starts_with(prefix));
        Ok(events.into_iter().filter(meant).collect())
    }

    /// The name of the types of the events that follow the first so many with this prefix.
    pub fn types_after(&self, prefix: &str, known: usize) -> Tested<Vec<String>> {
        let name = |event: &Value| event["event_type"].as_str().unwrap_or_default().to_owned();
        Ok(self.events(prefix)?.iter().skip(known).map(name).collect())
    }
}

/// The device of a list that has an address.
pub fn at(devices: &[Value], address: impl ToString) -> Tested<&Value> {
    let address = address.to_string();
    let has =
        |device: &&Value| device["ip_addresses"].as_array().is_some_and(|all| all.iter().any(|one| *one == address));
    devices.iter().find(has).ok_or_else(|| format!("nobody has {address}").into())
}

/// The devices of a scan.
pub fn found(scan: &Value) -> Tested<&[Value]> {
    Ok(scan["devices"].as_array().ok_or("no devices")?)
}

/// The first address of each device.
pub fn addresses(devices: &[Value]) -> Vec<&str> {
    devices.iter().filter_map(|device| device["ip_addresses"][0].as_str()).collect()
}
