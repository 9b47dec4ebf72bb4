//! Run by a user who is not root: with no right at all, with the one to ping, and with the one that
//! `make setcap` gives.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::geteuid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::{Lab, LabPlan};
use crate::program::{PDSNO, Ran, Tested, run, without_settings};

/// `nobody`.
const USER: u32 = 65_534;
const SUBNET: &str = "10.0.1.0/29";

/// A copy of the program that a user can run, in a lab of three hosts of which the last answers ARP only.
struct Site {
    lab: Lab,
    folder: TempDir,
}

impl Site {
    fn new() -> Tested<Self> {
        let lab = Lab::start(&LabPlan { hosts: 3, snmp: 1, silent: 1, ..LabPlan::default() })?;
        let folder = TempDir::new()?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        fs::copy(PDSNO, folder.path().join("pdsno"))?;
        Ok(Self { lab, folder })
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("pdsno")
    }

    /// A folder of the user's own.
    fn home(&self, name: &str) -> Tested<PathBuf> {
        let home = self.folder.path().join(name);
        fs::create_dir(&home)?;
        chown(&home, Some(USER), Some(USER))?;
        Ok(home)
    }

    /// The program in the scanner, as the user.
    fn runs(&self, arguments: &[&str], data: &Path) -> Tested<Ran> {
        let mut command: Command = self.lab.command("setpriv");
        let user = [format!("--reuid={USER}"), format!("--regid={USER}")];
        command.args(user).args(["--clear-groups", "--inh-caps=-all"]).arg(self.program());
        run(without_settings(&mut command).current_dir("/").args(arguments).arg("--data-dir").arg(data))
    }

    /// One cycle that ends in a NIB of the user's, and what is stored then.
    fn scan(&self, data: &Path) -> Tested<(Ran, Vec<Value>)> {
        let ran = self.runs(&["scan", SUBNET, "--save", "--format", "json"], data)?;
        let stored = self.runs(&["devices", "--format", "json"], data)?.json()?;
        assert_eq!(fs::metadata(data.join("pdsno.db"))?.uid(), USER);
        Ok((ran, stored["devices"].as_array().ok_or("no devices")?.clone()))
    }
}

/// The last part of an address and what it answered by.
fn methods(devices: &[Value]) -> Vec<(String, Value)> {
    devices.iter().map(|device| (device["ip_addresses"][0].to_string(), device["methods"].clone())).collect()
}

#[test]
fn a_user_scans_by_pings_and_after_make_setcap_by_frames() -> Tested {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root becomes another user, and gives a file a capability");
        return Ok(());
    }
    let site = Site::new()?;
    let grant = format!("sudo setcap cap_net_raw+ep {}", site.program().display());

    // A group that may not ping (ping_group_range of icmp(7)): nothing can be sent, and that is told.
    let refused = site.runs(&["scan", SUBNET, "--save"], &site.home("refused")?.join("data"))?;
    assert!(refused.code() == Some(2) && refused.err.contains(&grant), "{refused:?}");

    // One that may: who answers pings is found and stored, and one line tells what is lost.
    let allow = format!("echo '{USER} {USER}' >/proc/sys/net/ipv4/ping_group_range");
    run(site.lab.command("sh").args(["-c", &allow]))?.printed()?;
    let data = site.home("pinging")?.join("data");
    let (ran, stored) = site.scan(&data)?;
    let told: Vec<&str> = ran.err.lines().collect();
    assert!(told.len() == 1 && told[0].contains("ARP but no ping") && told[0].contains(&grant), "{ran:?}");
    let scan = ran.json()?;
    assert_eq!(scan["devices"], json!(stored), "what is printed is what is stored");
    let mut known = methods(&stored);
    known.sort_by_key(|(address, _)| address.clone());
    let by_ping = [(r#""10.0.1.1""#, json!(["arp", "icmp", "snmp"])), (r#""10.0.1.2""#, json!(["arp", "icmp"]))];
    assert_eq!(known, by_ping.clone().map(|(address, methods)| (address.to_owned(), methods)));
    let truth = site.lab.truth()?;
    for (device, host) in stored.iter().zip(&truth.hosts) {
        assert_eq!(device["mac"], host.mac.to_string(), "of the kernel's neighbour table");
    }
    let lost = site.runs(&["events", "--type", "SCAN_PROTOCOL_FAILED", "--format", "json"], &data)?.json_lines()?;
    assert!(lost.iter().any(|event| event.to_string().contains("no permission")), "{lost:?}");

    // With the capability of the file everybody is found, and there is nothing to tell.
    let mut make = Command::new("make");
    make.args(["--no-print-directory", "-C", env!("CARGO_MANIFEST_DIR"), "setcap"]);
    run(make.arg(format!("BINARY={}", site.program().display())))?.printed()?;
    let (ran, stored) = site.scan(&site.home("sending")?.join("data"))?;
    assert_eq!((ran.code(), ran.err.as_str()), (Some(0), ""));
    let mut known = methods(&stored);
    known.sort_by_key(|(address, _)| address.clone());
    let by_frames = [&by_ping[..], &[(r#""10.0.1.3""#, json!(["arp"]))]].concat();
    let by_frames: Vec<_> = by_frames.into_iter().map(|(address, methods)| (address.to_owned(), methods)).collect();
    assert_eq!(known, by_frames);
    assert_eq!(ran.json()?["protocols"]["arp"]["error"], Value::Null);
    Ok(())
}
