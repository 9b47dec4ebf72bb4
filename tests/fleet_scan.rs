//! The program in front of a simulated fleet: what it says is compared with the fleet's own truth,
//! host by host; Net-SNMP in front of it, too. `tests/fleet/simulator.rs` says what a fleet is; the tests
//! of its parts run here.

#[path = "fleet/answer.rs"]
mod answer;
#[path = "fleet/ber.rs"]
mod ber;
#[path = "fleet/draw.rs"]
mod draw;
#[path = "fleet/engine.rs"]
mod engine;
#[path = "fleet/fault.rs"]
mod fault;
#[path = "fleet/frames.rs"]
mod frames;
#[path = "fleet/model.rs"]
mod model;
#[path = "fleet/network.rs"]
mod network;
#[path = "fleet/objects.rs"]
mod objects;
#[path = "fleet/options.rs"]
mod options;
#[path = "fleet/queue.rs"]
mod queue;
#[path = "fleet/snmp.rs"]
mod snmp;
#[path = "fleet/storm.rs"]
mod storm;
#[path = "fleet/truth.rs"]
mod truth;
#[path = "fleet/users.rs"]
mod users;
#[path = "fleet/version.rs"]
mod version;

#[path = "fleet_scan/net_snmp.rs"]
mod net_snmp;
#[path = "fleet_scan/versions.rs"]
mod versions;

#[expect(dead_code, reason = "only the waiting is used: the fleet has a script of its own")]
#[path = "lab/handle.rs"]
mod lab;
#[expect(dead_code, reason = "the handle also serves the tests of what is written")]
#[path = "program/run.rs"]
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::program::{PDSNO, Ran, Tested, run, without_settings};

const PREFIX: &str = "10.1.0.0/22";

/// What is wrong with hosts and links in ways that leave no doubt about what is to be seen.
const TROUBLE: [&str; 24] = [
    "--seed",
    "22",
    "--wrong-id",
    "0.05",
    "--malformed",
    "0.05",
    "--truncated",
    "0.05",
    "--non-utf8",
    "0.2",
    "--looping",
    "0.2",
    "--multi-address",
    "0.1",
    "--closed",
    "0.5",
    "--arp-only",
    "0.1",
    "--duplicates",
    "0.2",
    "--huge-table",
    "200",
    "--foreign-source",
    "0.1",
];

/// The built simulator: `cargo test` and `cargo build --examples` build it beside the program.
fn simulator() -> PathBuf {
    Path::new(PDSNO).with_file_name("examples").join("fleet")
}

/// What the simulator tells of a fleet.
fn truth(options: &[&str]) -> Tested<Value> {
    let fleet = simulator();
    if !fleet.exists() {
        return Err(format!("{} is not built: cargo build --example fleet", fleet.display()).into());
    }
    run(Command::new(fleet).args(["truth", "--prefix", PREFIX]).args(options))?.json()
}

/// A command in front of the fleet.
fn in_front(options: &[&str], command: &[&str]) -> Command {
    let mut fleet = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/fleet.sh"));
    without_settings(&mut fleet).env("FLEET", simulator()).args(["--prefix", PREFIX]).args(options);
    fleet.arg("--").args(command);
    fleet
}

/// One scan of all its addresses.
fn scan(options: &[&str]) -> Tested<Ran> {
    run(&mut in_front(options, &SCAN))
}

/// The program's arguments for a scan of the whole fleet.
const SCAN: [&str; 7] = [PDSNO, "scan", PREFIX, "--probe-rate", "10000", "--format", "json"];

/// What is compared of a host: addresses, what answered, and what SNMP told.
#[derive(Debug, PartialEq)]
struct Seen {
    addresses: Value,
    methods: Value,
    reason: Value,
    system: Value,
    engine: Value,
    interfaces: Vec<Value>,
}

/// What should be seen, by MAC address.
fn expected(truth: &Value) -> Tested<BTreeMap<String, Seen>> {
    let hosts = truth["hosts"].as_array().ok_or("no hosts")?;
    Ok(hosts.iter().map(|host| (host["mac"].to_string(), expected_of(host))).collect())
}

fn expected_of(host: &Value) -> Seen {
    let answers = |protocol: &str| host["answers"].as_array().is_some_and(|all| all.iter().any(|one| one == protocol));
    let agent = if answers("snmp") { &host["agent"] } else { &Value::Null };
    let has = |fault: &str| has_fault(host, fault);
    // A frame that is cut off is dropped before anybody sees that it is SNMP; what is malformed is
    // from an agent, unless it bears an id or an address that nobody asked with.
    let reason = match () {
        () if answers("snmp") && has("looping") => json!("table_loops"),
        () if answers("snmp") => Value::Null,
        () if !host["agent"].is_null() && has("malformed") && !has("truncated") && !has("foreign_source") => {
            json!("malformed")
        }
        () if host["closed"] == true && !has("malformed") && !has("truncated") && !has("foreign_source") => {
            json!("port_unreachable")
        }
        () => json!("timeout"),
    };
    Seen {
        addresses: host["addresses"].clone(),
        methods: host["answers"].clone(),
        reason,
        system: json!(["sys_descr", "sys_object_id", "sys_name", "sys_location"].map(|key| &agent[key])),
        engine: Value::Null,
        interfaces: interfaces(&agent["interfaces"]),
    }
}

fn has_fault(host: &Value, fault: &str) -> bool {
    host["faults"].as_array().is_some_and(|faults| faults.iter().any(|one| one == fault))
}

fn seen(scan: &Value) -> Tested<BTreeMap<String, Seen>> {
    let devices = scan["devices"].as_array().ok_or("no devices")?;
    Ok(devices.iter().map(|device| (device["mac"].to_string(), seen_of(device))).collect())
}

fn seen_of(device: &Value) -> Seen {
    let told = &device["snmp"];
    Seen {
        addresses: device["ip_addresses"].clone(),
        methods: device["methods"].clone(),
        reason: told["reason"].clone(),
        system: json!(["sys_descr", "sys_object_id", "sys_name", "sys_location"].map(|key| &told[key])),
        engine: told["engine"].clone(),
        interfaces: interfaces(&told["interfaces"]),
    }
}

fn interfaces(told: &Value) -> Vec<Value> {
    let keys = ["index", "name", "mac", "admin_up", "oper_up"];
    told.as_array().into_iter().flatten().map(|row| json!(keys.map(|key| &row[key]))).collect()
}

fn all_are_seen(expected: BTreeMap<String, Seen>, mut seen: BTreeMap<String, Seen>) {
    for (mac, host) in expected {
        assert_eq!(seen.remove(&mac), Some(host), "{mac}");
    }
    assert_eq!(seen, BTreeMap::new(), "nobody else");
}

fn compare(options: &[&str]) -> Tested {
    let truth = truth(options)?;
    let scan = scan(options)?.json()?;
    all_are_seen(expected(&truth)?, seen(&scan)?);
    assert_eq!(scan["targets"], 1_021);
    assert_eq!(scan["protocols"]["arp"]["hosts"], truth["live_addresses"]);
    Ok(())
}

#[test]
fn a_fleet_is_found_as_it_is() -> Tested {
    compare(&[])
}

#[test]
fn a_fleet_with_faults_is_found_as_it_is() -> Tested {
    compare(&TROUBLE)
}

/// The kernel keeps 1,024 neighbours by default: a scan that needed its table would lose hosts, and drive
/// out the neighbours of others.
#[test]
fn the_kernels_neighbour_table_stays_as_it_was() -> Tested {
    let shell = |then: &str| -> Tested<Ran> {
        let line = format!("{} >/dev/null; {then}; ip -json neighbour show dev lab0", SCAN.join(" "));
        run(&mut in_front(&["--live", "0.9"], &["bash", "-c", &line]))
    };
    assert_eq!(shell("true")?.json()?, json!([]), "after a scan of 900 hosts and 360 agents");
    let pinged = shell("ping -c 1 -W 1 10.1.0.1 >/dev/null || true")?.json()?;
    assert_eq!(pinged[0]["dst"], "10.1.0.1", "as it is where the kernel asks");
    Ok(())
}

/// A proxy answers ARP for those behind it: all that is seen of their hardware is its own.
#[test]
fn hosts_behind_a_proxy_are_one_device_with_it() -> Tested {
    let options = ["--snmp", "0.8", "--proxy-arp", "0.3", "--multi-address", "0.1"];
    let truth = truth(&options)?;
    let mut stations: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for host in truth["hosts"].as_array().ok_or("no hosts")? {
        stations.entry(host["mac"].to_string()).or_default().push(host);
    }
    let mut seen = seen(&scan(&options)?.json()?)?;
    assert_eq!(seen.len(), stations.len());
    let (mut several, mut spoken_for) = (0, 0);
    for (mac, hosts) in stations {
        let device = seen.remove(&mac).ok_or("a station that was not seen")?;
        let addresses = |list: &Value| list.as_array().into_iter().flatten().map(Value::to_string).collect();
        let all: BTreeSet<String> =
            hosts.iter().flat_map(|host| -> Vec<String> { addresses(&host["addresses"]) }).collect();
        assert_eq!(all, addresses(&device.addresses).into_iter().collect(), "{mac}");
        let own = hosts.iter().find(|host| host["own_mac"].is_null()).ok_or("no proxy")?;
        let named = |host: &Value| host["agent"]["sys_name"].clone();
        if own["agent"].is_null() {
            let others: Vec<Value> = hosts.iter().map(|host| named(host)).collect();
            assert!(others.contains(&device.system[2]), "{mac}: {others:?}");
            spoken_for += usize::from(!device.system[2].is_null());
        } else {
            assert_eq!(device.system[2], named(own), "its own agent speaks for it");
        }
        several += usize::from(hosts.len() > 1);
    }
    assert!(several > 20 && spoken_for > 2, "{several} {spoken_for}");
    Ok(())
}

#[test]
fn the_script_says_what_is_wrong_with_its_arguments() -> Tested {
    for (options, code) in [(vec!["--live", "2"], 1), (vec!["--prefix", "10.1.0.0/9x"], 2), (vec!["--tap", "x"], 2)] {
        let refused = scan(&options)?;
        assert_eq!(refused.code(), Some(code), "{options:?}: {refused:?}");
        assert!(refused.out.is_empty() && refused.err.contains("fleet: "), "{refused:?}");
    }
    Ok(())
}
