//! SIGHUP: the file is read again.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::handle::Daemon;
use crate::lab::{Lab, LabPlan};
use crate::program::{Tested, pdsno, run};

/// A configuration file, the daemon that has read it, and its NIB.
struct Configured {
    daemon: Daemon,
    folder: TempDir,
    _lab: Lab,
}

impl Configured {
    fn start(subnet: &str, interval: &str) -> Tested<Self> {
        let lab = Lab::start(&LabPlan { hosts: 3, snmp: 0, silent: 0, ..LabPlan::default() })?;
        let folder = TempDir::new()?;
        let (file, data) = (folder.path().join("pdsno.yaml"), folder.path().join("data"));
        fs::write(&file, text(subnet, interval))?;
        let arguments = ["--config".as_ref(), file.as_os_str(), "--data-dir".as_ref(), data.as_os_str()];
        Ok(Self { daemon: Daemon::start(&lab, &arguments)?, folder, _lab: lab })
    }

    fn reread(&mut self, text: &str, then: &str) -> Tested<Value> {
        fs::write(self.folder.path().join("pdsno.yaml"), text)?;
        self.daemon.signal(Signal::HUP)?;
        self.daemon.await_message(then)
    }

    /// The events of one type.
    fn events(&self, event_type: &str) -> Tested<Vec<Value>> {
        let mut events = pdsno(&["events", "--format", "json", "--type", event_type, "--data-dir"]);
        run(events.arg(self.folder.path().join("data")))?.json_lines()
    }
}

fn text(subnet: &str, interval: &str) -> String {
    format!(
        "controller:\n  role: local\n  subnets: [{subnet}]\ncommunication:\n  listen: none\n\
         policy:\n  discovery_interval: {interval}\n  probe_timeout_ms: 150\n"
    )
}

const TAKEN: &str = "configuration read again and taken over";
const REFUSED: &str = "configuration read again and refused; the old values stay";

#[test]
fn new_values_hold_from_the_next_cycle_on() -> Tested {
    let mut configured = Configured::start("10.0.1.0/28", "86400")?;
    let first = configured.daemon.await_cycle()?;
    assert_eq!((&first["trigger"], &first["targets"]), (&json!("bootstrap"), &json!(14)));
    configured.reread(&text("10.0.1.0/29", "1"), TAKEN)?;
    for _ in 0..2 {
        let next = configured.daemon.await_cycle()?;
        assert_eq!((&next["trigger"], &next["targets"]), (&json!("scheduled"), &json!(6)));
    }
    let told = configured.events("CONFIG_RELOADED")?;
    assert_eq!(told.iter().map(|event| &event["payload"]).collect::<Vec<_>>(), [&json!({"needs_restart": []})]);
    Ok(())
}

#[test]
fn what_needs_a_restart_is_named_and_waits_for_it() -> Tested {
    let mut configured = Configured::start("10.0.1.0/28", "86400")?;
    configured.daemon.await_cycle()?;
    let other = text("10.0.1.0/29", "86400").replace("listen: none", "listen: 127.0.0.1:8088");
    configured.reread(&other, TAKEN)?;
    configured.daemon.signal(Signal::USR1)?;
    assert_eq!(configured.daemon.await_cycle()?["targets"], 6);
    let told = configured.events("CONFIG_RELOADED")?;
    assert_eq!(told[0]["payload"], json!({"needs_restart": ["communication.listen"]}));
    Ok(())
}

#[test]
fn a_bad_file_is_refused_and_the_old_values_stay() -> Tested {
    let mut configured = Configured::start("10.0.1.0/28", "1")?;
    configured.daemon.await_cycle()?;
    let bad = text("10.0.1.0/29", "soon").replace("role", "rule");
    configured.reread(&bad, REFUSED)?;
    for _ in 0..2 {
        let next = configured.daemon.await_cycle()?;
        assert_eq!((&next["trigger"], &next["targets"]), (&json!("scheduled"), &json!(14)));
    }
    let told = configured.events("CONFIG_REJECTED")?;
    assert_eq!(told.len(), 1, "{told:?}");
    let problems = told[0]["payload"]["problems"].to_string();
    for part in ["pdsno.yaml:2:3: controller.rule: no such key", "pdsno.yaml:7:3: policy.discovery_interval"] {
        assert!(problems.contains(part), "{problems}");
    }
    assert_eq!(configured.events("CONFIG_RELOADED")?, [Value::Null; 0]);
    Ok(())
}

#[test]
fn a_subnet_that_could_not_be_started_with_is_refused_too() -> Tested {
    let mut configured = Configured::start("10.0.1.0/28", "1")?;
    configured.daemon.await_cycle()?;
    configured.reread(&text("192.0.2.0/24", "1"), REFUSED)?;
    assert_eq!(configured.daemon.await_cycle()?["targets"], 14);
    let told = configured.events("CONFIG_REJECTED")?;
    assert!(told[0]["payload"].to_string().contains("no route to 192.0.2.0/24"), "{told:?}");
    Ok(())
}
