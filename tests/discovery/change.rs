//! What a later cycle finds changed, and what it leaves alone.

use serde_json::{Value, json};

use crate::program::Tested;
use crate::site::{SUBNET, Site};

/// Nobody of these tests answers late.
const QUICKLY: [&str; 3] = [SUBNET, "--timeout", "150"];

#[test]
fn a_cycle_that_finds_nothing_new_tells_of_no_device() -> Tested {
    let site = Site::new(6, 3, 1)?;
    site.scan()?;
    let (before, events) = (site.devices()?, site.events("")?.len());
    let again = site.scan()?;
    assert_eq!(again["changes"], json!({"new": 0, "updated": 0, "unchanged": 6, "missed": 0, "inactive": 0}));
    assert_eq!(site.types_after("", events)?, ["DISCOVERY_CYCLE_COMPLETED"]);
    for (before, after) in before.iter().zip(site.devices()?) {
        assert_eq!(before["device_id"], after["device_id"]);
        assert_eq!(before["first_seen"], after["first_seen"]);
        assert!(before["last_seen"].as_str() < after["last_seen"].as_str(), "{before} {after}");
    }
    Ok(())
}

#[test]
fn a_device_that_leaves_is_inactive_after_three_missed_cycles_and_active_when_it_returns() -> Tested {
    let site = Site::new(3, 0, 0)?;
    site.scan_with(&QUICKLY)?;
    let before = site.device("10.0.1.2")?;
    site.lab.verb(&["unplug", "h2"])?;
    for missed in 1..=2 {
        assert_eq!(site.scan_with(&QUICKLY)?["changes"]["missed"], 1);
        let device = site.device("10.0.1.2")?;
        assert_eq!((&device["status"], &device["missed_cycles"]), (&json!("active"), &json!(missed)));
        assert_eq!(site.events("DEVICE_INACTIVE")?, [Value::Null; 0], "after {missed}");
    }
    assert_eq!(site.scan_with(&QUICKLY)?["changes"]["inactive"], 1);
    assert_eq!(site.device("10.0.1.2")?["status"], "inactive");
    site.scan_with(&QUICKLY)?;
    let told = site.events("DEVICE_INACTIVE")?;
    assert_eq!(told.len(), 1, "once, and no more in the cycles after: {told:?}");
    assert_eq!(told[0]["subject"], before["device_id"]);
    assert_eq!(told[0]["payload"]["missed_cycles"], 3);
    assert_eq!(told[0]["payload"]["last_seen"], before["last_seen"]);
    assert_eq!(site.events("DEVICE_UPDATED")?, [Value::Null; 0]);

    site.lab.verb(&["plug", "h2"])?;
    site.scan_with(&QUICKLY)?;
    let device = site.device("10.0.1.2")?;
    assert_eq!((&device["status"], &device["missed_cycles"]), (&json!("active"), &json!(0)));
    assert_eq!((&device["device_id"], &device["first_seen"]), (&before["device_id"], &before["first_seen"]));
    let told = site.events("DEVICE_UPDATED")?;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["payload"]["changes"], json!({"status": {"from": "inactive", "to": "active"}}));
    assert_eq!(site.events("DEVICE_DISCOVERED")?.len(), 3);
    Ok(())
}

#[test]
fn a_device_that_is_back_in_time_was_never_inactive() -> Tested {
    let site = Site::new(2, 0, 0)?;
    site.scan_with(&QUICKLY)?;
    for _ in 0..2 {
        site.lab.verb(&["unplug", "h2"])?;
        site.scan_with(&QUICKLY)?;
        site.scan_with(&QUICKLY)?;
        assert_eq!(site.device("10.0.1.2")?["missed_cycles"], 2);
        site.lab.verb(&["plug", "h2"])?;
        site.scan_with(&QUICKLY)?;
        assert_eq!(site.device("10.0.1.2")?["missed_cycles"], 0);
    }
    assert_eq!(site.types_after("DEVICE_", 2)?, [""; 0]);
    Ok(())
}

#[test]
fn an_address_moves_to_the_mac_address_that_has_it_now() -> Tested {
    let site = Site::new(3, 0, 0)?;
    site.scan()?;
    let (old, new) = (site.device("10.0.1.1")?, "02:00:00:00:00:99");
    site.lab.verb(&["remove", "h1"])?;
    site.lab.verb(&["add", "h9", "plain", "10.0.1.1", new])?;
    site.scan()?;
    assert_eq!(site.device("10.0.1.1")?["mac"], new);
    assert_ne!(site.device("10.0.1.1")?["device_id"], old["device_id"]);
    let left = site.device(old["mac"].as_str().ok_or("no MAC address")?)?;
    assert_eq!(left["ip_addresses"], json!([]));
    assert_eq!((&left["status"], &left["missed_cycles"]), (&json!("active"), &json!(1)));
    assert_eq!(site.types_after("DEVICE_", 3)?, ["DEVICE_UPDATED", "DEVICE_DISCOVERED"]);
    assert_eq!(site.events("ANOMALY")?, [Value::Null; 0], "it moved, nobody disputes it");
    Ok(())
}

#[test]
fn devices_that_exchange_their_addresses_stay_who_they_are() -> Tested {
    let site = Site::new(2, 1, 0)?;
    site.scan()?;
    let (one, other) = (site.device("10.0.1.1")?, site.device("10.0.1.2")?);
    site.lab.verb(&["readdress", "h1", "10.0.1.9"])?;
    site.lab.verb(&["readdress", "h2", "10.0.1.1"])?;
    site.lab.verb(&["readdress", "h1", "10.0.1.2"])?;
    site.scan()?;
    assert_eq!(site.device("10.0.1.2")?["device_id"], one["device_id"]);
    assert_eq!(site.device("10.0.1.1")?["device_id"], other["device_id"]);
    assert_eq!(site.device("10.0.1.2")?["snmp"]["sys_name"], one["snmp"]["sys_name"]);
    assert_eq!(site.types_after("DEVICE_", 2)?, ["DEVICE_UPDATED"; 2]);
    let told = site.events("DEVICE_UPDATED")?;
    let moved = json!({"ip_addresses": {"from": ["10.0.1.1"], "to": ["10.0.1.2"]}});
    assert_eq!((&told[0]["subject"], &told[0]["payload"]["changes"]), (&one["device_id"], &moved));
    Ok(())
}

#[test]
fn a_device_whose_agent_falls_silent_keeps_its_facts() -> Tested {
    let site = Site::new(2, 1, 0)?;
    site.scan()?;
    let before = site.device("10.0.1.1")?;
    assert_eq!(before["snmp"]["reachable"], true);
    site.lab.verb(&["snmp-stop", "h1"])?;
    site.scan()?;
    let after = site.device("10.0.1.1")?;
    assert_eq!((&after["snmp"]["reachable"], &after["snmp"]["reason"]), (&json!(false), &json!("port_unreachable")));
    assert_eq!(after["methods"], json!(["arp", "icmp"]));
    for kept in ["hostname", "vendor", "device_type", "firmware", "status"] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    for kept in ["sys_descr", "sys_object_id", "sys_name", "sys_location", "interfaces", "uptime_seconds", "read_at"] {
        assert_eq!(after["snmp"][kept], before["snmp"][kept], "{kept}");
        assert!(!after["snmp"][kept].is_null(), "{kept}");
    }
    assert_eq!(site.types_after("DEVICE_", 2)?, [""; 0]);

    site.lab.verb(&["snmp-start", "h1"])?;
    site.scan()?;
    assert_eq!(site.device("10.0.1.1")?["snmp"]["reachable"], true);
    Ok(())
}

#[test]
fn a_second_address_that_goes_is_forgotten_as_slowly_as_a_device() -> Tested {
    let site = Site::new(2, 0, 0)?;
    site.lab.verb(&["alias", "h1", "10.0.1.9"])?;
    site.scan_with(&QUICKLY)?;
    site.lab.verb(&["exec", "h1", "ip", "address", "del", "10.0.1.9/24", "dev", "eth0"])?;
    for _ in 0..2 {
        site.scan_with(&QUICKLY)?;
        assert_eq!(site.device("10.0.1.1")?["ip_addresses"], json!(["10.0.1.1", "10.0.1.9"]));
    }
    site.scan_with(&QUICKLY)?;
    assert_eq!(site.device("10.0.1.1")?["ip_addresses"], json!(["10.0.1.1"]));
    assert_eq!(site.types_after("DEVICE_", 2)?, ["DEVICE_UPDATED"]);
    Ok(())
}
