//! Interfaces, cables and addresses that change while somebody scans.

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::begun::Begun;
use crate::handle::{Daemon, quiet};
use crate::program::{Tested, run};
use crate::site::{SUBNET, Site, addresses, found};

/// So slowly that a scan of the subnet takes a second or two.
const SLOWLY: [&str; 3] = [SUBNET, "--probe-rate", "15"];

/// What ip(8) does in the scanner.
pub fn ip(site: &Site, arguments: &str) -> Tested {
    run(site.lab.command("ip").args(arguments.split_whitespace()))?.printed().map(drop)
}

/// That a scan failed because of its link, and that it is nobody's fault who was not heard.
fn failed_and_missed_nobody(site: &Site, scan: Begun) -> Tested {
    let ended = scan.end()?;
    assert_eq!(ended.code(), Some(1), "{ended:?}");
    assert!(ended.err.contains("nothing could be scanned: ") && ended.err.contains("lab0"), "{ended:?}");
    assert!(ended.out.is_empty(), "{ended:?}");
    let told = site.types_after("DISCOVERY_CYCLE", 1)?;
    assert_eq!(told, ["DISCOVERY_CYCLE_FAILED"]);
    assert_eq!(site.events("SCAN_PROTOCOL_FAILED")?.len(), 3, "one for each protocol");
    assert_eq!(site.events("DEVICE_")?.len(), 6, "as they were found first");
    for device in site.devices()? {
        assert_eq!((&device["missed_cycles"], &device["status"]), (&json!(0), &json!("active")));
    }
    Ok(())
}

/// That all are found again as they were.
fn found_as_before(site: &Site) -> Tested {
    let again = site.scan()?;
    assert_eq!(again["changes"], json!({"new": 0, "updated": 0, "unchanged": 6, "missed": 0, "inactive": 0}));
    Ok(())
}

#[test]
fn an_interface_that_goes_down_and_up_in_mid_scan_is_named_and_nobody_is_missed() -> Tested {
    let site = Site::new(6, 1, 1)?;
    site.scan()?;
    let scan = Begun::scan(&site, &SLOWLY, "tx_packets", 5)?;
    ip(&site, "link set lab0 down")?;
    ip(&site, "link set lab0 up")?;
    failed_and_missed_nobody(&site, scan)?;
    found_as_before(&site)
}

#[test]
fn a_cable_that_is_pulled_from_the_bridge_in_mid_scan_is_named_and_nobody_is_missed() -> Tested {
    let site = Site::new(6, 1, 1)?;
    site.scan()?;
    let scan = Begun::scan(&site, &SLOWLY, "tx_packets", 5)?;
    ip(&site, "-n switch link set lab0 down")?;
    failed_and_missed_nobody(&site, scan)?;
    ip(&site, "-n switch link set lab0 up")?;
    run(site.lab.command("bash").args(["-c", FORWARDS]))?.printed()?;
    found_as_before(&site)
}

/// Waits until the scanner's port of the bridge forwards again.
const FORWARDS: &str = "until bridge -n switch link show dev lab0 | grep -q 'state forwarding'; do :; done";

#[test]
fn a_scanner_whose_address_changes_in_mid_scan_still_hears_everybody() -> Tested {
    let site = Site::new(6, 1, 1)?;
    let scan = Begun::scan(&site, &SLOWLY, "tx_packets", 5)?;
    ip(&site, "address del 10.0.1.250/24 dev lab0")?;
    ip(&site, "address add 10.0.1.240/24 dev lab0")?;
    let ended = scan.end()?;
    assert_eq!(ended.err, "", "nothing went wrong");
    let told = ended.json()?;
    assert_eq!((&told["completeness"], found(&told)?.len()), (&json!("complete"), 6));
    let types = ["NIB_MIGRATED"].into_iter().chain(["DEVICE_DISCOVERED"; 6]).chain(["DISCOVERY_CYCLE_COMPLETED"]);
    assert_eq!(site.types_after("", 0)?, types.collect::<Vec<_>>());
    found_as_before(&site)
}

#[test]
fn a_daemon_whose_address_changes_scans_from_the_new_one_or_says_that_it_cannot() -> Tested {
    let site = Site::new(6, 1, 1)?;
    let data = site.data();
    let mut daemon = Daemon::start(&site.lab, &quiet(SUBNET, &data))?;
    assert_eq!(daemon.await_cycle()?["hosts"], 6);
    ip(&site, "address del 10.0.1.250/24 dev lab0")?;
    ip(&site, "address add 10.0.1.240/24 dev lab0")?;
    daemon.signal(Signal::USR1)?;
    let cycle = daemon.await_cycle()?;
    assert_eq!((&cycle["hosts"], &cycle["missed"], &cycle["completeness"]), (&json!(6), &json!(0), &json!("complete")));

    // Nobody of the subnet is on a link any more.
    ip(&site, "address del 10.0.1.240/24 dev lab0")?;
    ip(&site, "address add 10.9.9.1/24 dev lab0")?;
    daemon.signal(Signal::USR1)?;
    assert_eq!(daemon.await_cycle()?["completeness"], "failed");
    let line = daemon.await_message("protocol could not be used")?;
    assert!(line["reason"].as_str().is_some_and(|reason| reason.contains(SUBNET)), "{line}");
    assert_eq!(site.events("DISCOVERY_CYCLE_FAILED")?.len(), 1);
    assert!(site.devices()?.iter().all(|device| device["missed_cycles"] == 0), "who was not asked is not judged");

    ip(&site, "address add 10.0.1.250/24 dev lab0")?;
    daemon.signal(Signal::USR1)?;
    assert_eq!(daemon.await_cycle()?["hosts"], 6);
    assert_eq!(site.events("DEVICE_")?.len(), 6);
    Ok(())
}

#[test]
fn a_neighbour_whose_mac_address_changes_between_two_probes_is_found_as_the_new_one_next_time() -> Tested {
    const NEW: &str = "02:00:00:00:00:99";
    let site = Site::new(1, 0, 0)?;
    let old = site.lab.truth()?.hosts[0].mac.to_string();
    // The next packet leaves a second after the one that told the old address.
    let scan = Begun::scan(&site, &["10.0.1.0/30", "--probe-rate", "1"], "rx_packets", 1)?;
    site.lab.verb(&["exec", "h1", "ip", "link", "set", "eth0", "address", NEW])?;
    let told = scan.end()?.json()?;
    let [device] = found(&told)? else { return Err(format!("not one device: {told}").into()) };
    assert_eq!((&device["mac"], &device["methods"]), (&json!(old), &json!(["arp"])), "what it said while it was that");
    assert_eq!((&device["snmp"]["reachable"], &device["snmp"]["reason"]), (&json!(false), &json!("timeout")));

    let next = site.scan()?;
    assert_eq!(addresses(found(&next)?), ["10.0.1.1"]);
    let new = site.device("10.0.1.1")?;
    assert_eq!((&new["mac"], &new["methods"]), (&json!(NEW), &json!(["arp", "icmp"])));
    let left = site.device(&old)?;
    assert_eq!((&left["ip_addresses"], &left["status"]), (&json!([]), &json!("active")));
    assert_eq!(site.types_after("DEVICE_", 1)?, ["DEVICE_UPDATED", "DEVICE_DISCOVERED"]);
    assert_eq!(site.events("ANOMALY")?, [Value::Null; 0], "it is one device after the other, and no dispute");
    Ok(())
}
