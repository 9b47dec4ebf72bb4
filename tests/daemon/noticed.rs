//! What happens on the network makes a cycle begin, long before the interval has passed.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::handle::{Daemon, quiet};
use crate::lab::{Lab, LabPlan};
use crate::program::{Ran, Tested, pdsno, run};

const SUBNET: &str = "10.0.1.0/28";

/// A lab of three hosts with a daemon that has ended its first cycle; the next one is five minutes away.
fn running() -> Tested<(Daemon, Lab, TempDir)> {
    let lab = Lab::start(&LabPlan { hosts: 3, snmp: 0, silent: 0, ..LabPlan::default() })?;
    let folder = TempDir::new()?;
    let mut daemon = Daemon::start(&lab, &quiet(SUBNET, &folder.path().join("data")))?;
    assert_eq!(daemon.await_cycle()?["trigger"], "bootstrap");
    Ok((daemon, lab, folder))
}

fn ip(lab: &Lab, arguments: &str) -> Tested {
    run(lab.command("ip").args(arguments.split(' ')))?.printed()?;
    Ok(())
}

fn told(folder: &TempDir, arguments: &[&str]) -> Tested<Ran> {
    run(pdsno(arguments).args(["--format", "json", "--data-dir"]).arg(folder.path().join("data")))
}

/// Why each cycle ran that is in the log, in order.
fn triggers(folder: &TempDir) -> Tested<Vec<Value>> {
    let events = told(folder, &["events"])?.json_lines()?;
    let cycles = events.into_iter().filter(|event| {
        matches!(event["event_type"].as_str(), Some("DISCOVERY_CYCLE_COMPLETED" | "DISCOVERY_CYCLE_FAILED"))
    });
    Ok(cycles.map(|event| event["payload"]["trigger"].clone()).collect())
}

#[test]
fn a_link_that_goes_and_comes_makes_one_cycle_however_often() -> Tested {
    let (mut daemon, lab, folder) = running()?;
    for _ in 0..5 {
        ip(&lab, "link set lab0 down")?;
        ip(&lab, "link set lab0 up")?;
    }
    let begun = daemon.await_message("discovery cycle begun for what happened on the network")?;
    assert_eq!(begun["reason"], "lab0 changed");
    let cycle = daemon.await_cycle()?;
    assert_eq!(
        (&cycle["trigger"], &cycle["hosts"], &cycle["missed"]),
        (&json!("event_driven"), &json!(3), &json!(0)),
        "{cycle}"
    );
    // A cycle that is asked for afterwards is the next one: there was no second one for the same.
    daemon.signal(Signal::USR1)?;
    assert_eq!(daemon.await_cycle()?["trigger"], "on_demand");
    assert_eq!(triggers(&folder)?, ["bootstrap", "event_driven", "on_demand"]);
    Ok(())
}

#[test]
fn a_link_that_stays_away_is_told_and_no_device_changes() -> Tested {
    let (mut daemon, lab, folder) = running()?;
    let before = told(&folder, &["devices"])?.json()?;
    ip(&lab, "link set lab0 down")?;
    let cycle = daemon.await_cycle()?;
    assert_eq!((&cycle["trigger"], &cycle["completeness"]), (&json!("event_driven"), &json!("failed")), "{cycle}");
    assert_eq!(triggers(&folder)?, ["bootstrap", "event_driven"]);
    let failed = told(&folder, &["events", "--type", "SCAN_PROTOCOL_FAILED"])?.json_lines()?;
    assert!(failed.iter().any(|event| event.to_string().contains("lab0 is down")), "{failed:?}");
    assert_eq!(told(&folder, &["devices"])?.json()?, before);
    Ok(())
}

#[test]
fn another_address_of_the_link_makes_a_cycle() -> Tested {
    let (mut daemon, lab, _folder) = running()?;
    ip(&lab, "address add 10.0.1.240/24 dev lab0")?;
    assert_eq!(daemon.await_cycle()?["trigger"], "event_driven");
    Ok(())
}

#[test]
fn who_announces_himself_is_found_within_seconds() -> Tested {
    let (mut daemon, lab, folder) = running()?;
    lab.verb(&["add", "h9", "plain"])?;
    // The kernel announces an address when its hardware address changes (ip-sysctl, arp_notify).
    lab.verb(&["exec", "h9", "sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify"])?;
    ip(&lab, "-n h9 link set eth0 address 02:00:00:00:99:99")?;
    let begun = daemon.await_message("discovery cycle begun for what happened on the network")?;
    assert_eq!(begun["reason"], "10.0.1.9 is at 02:00:00:00:99:99");
    let cycle = daemon.await_cycle()?;
    assert_eq!((&cycle["trigger"], &cycle["new"]), (&json!("event_driven"), &json!(1)), "{cycle}");
    let devices = told(&folder, &["devices"])?.json()?;
    assert!(devices.to_string().contains("02:00:00:00:99:99"), "{devices}");
    Ok(())
}

#[test]
fn a_neighbour_that_the_kernel_has_learnt_is_found_and_a_known_one_is_no_news() -> Tested {
    let (mut daemon, lab, folder) = running()?;
    let ping = |address: &str| -> Tested {
        run(lab.command("ping").args(["-n", "-c1", "-W2", address]))?.printed()?;
        Ok(())
    };
    ping("10.0.1.1")?;
    lab.verb(&["add", "h7", "plain"])?;
    ping("10.0.1.7")?;
    let begun = daemon.await_message("discovery cycle begun for what happened on the network")?;
    assert!(begun["reason"].as_str().is_some_and(|reason| reason.starts_with("10.0.1.7 is at ")), "{begun}");
    assert_eq!(daemon.await_cycle()?["new"], 1);
    assert_eq!(triggers(&folder)?, ["bootstrap", "event_driven"]);
    Ok(())
}

#[test]
fn a_link_of_subnets_that_were_read_again_is_watched_at_once() -> Tested {
    let lab = Lab::start(&LabPlan { hosts: 1, snmp: 0, silent: 0, ..LabPlan::default() })?;
    ip(&lab, "link add lab1 type veth peer name lab1 netns switch")?;
    ip(&lab, "-n switch link set lab1 up")?;
    ip(&lab, "link set lab1 up")?;
    ip(&lab, "address add 10.3.0.1/28 dev lab1")?;
    let folder = TempDir::new()?;
    let (file, data) = (folder.path().join("pdsno.yaml"), folder.path().join("data"));
    let text = |subnets: &str| {
        format!(
            "controller: {{role: local, subnets: [{subnets}]}}\ncommunication: {{listen: none}}\n\
             policy: {{discovery_interval: 86400, discovery_protocols: [arp], probe_timeout_ms: 150}}\n"
        )
    };
    fs::write(&file, text(SUBNET))?;
    let arguments = ["--config".as_ref(), file.as_os_str(), "--data-dir".as_ref(), data.as_os_str()];
    let mut daemon = Daemon::start(&lab, &arguments)?;
    assert_eq!(daemon.await_cycle()?["targets"], 14);
    fs::write(&file, text("10.3.0.0/28"))?;
    daemon.signal(Signal::HUP)?;
    daemon.await_message("configuration read again and taken over")?;
    // No cycle has covered it yet: the next one of the clock is a day away.
    ip(&lab, "link set lab1 down")?;
    let begun = daemon.await_message("discovery cycle begun for what happened on the network")?;
    assert_eq!(begun["reason"], "lab1 changed");
    daemon.await_cycle()?;
    assert_eq!(triggers(&folder)?, ["bootstrap", "event_driven"]);
    // What is covered no longer is no reason any more.
    ip(&lab, "link set lab0 down")?;
    daemon.signal(Signal::USR1)?;
    daemon.await_cycle()?;
    assert_eq!(triggers(&folder)?, ["bootstrap", "event_driven", "on_demand"]);
    Ok(())
}
