//! One cycle finds what there is, and what it tells is so.

use serde_json::{Value, json};

use crate::lab::{Host, HostKind};
use crate::program::Tested;
use crate::site::{Site, addresses, at, found};

/// What the model of an agent, or the first half of a MAC address, is known as.
fn known_as(host: &Host) -> (Value, &'static str) {
    let (vendor, device_type) = match host.snmp.as_ref().map(|agent| agent.model.as_str()) {
        Some("cisco-router") => ("Cisco", "router"),
        Some("hp-switch") => ("HP", "switch"),
        Some("juniper-router") => ("Juniper", "router"),
        Some("linux-server") => ("Super Micro Computer, Inc.", "server"),
        Some("hp-printer") => ("HP", "printer"),
        Some("mikrotik-router") => ("MikroTik", "router"),
        Some(_) => ("a model without an expectation", ""),
        None => match host.mac.to_string().get(..8) {
            Some("00:50:56") => ("VMware, Inc.", "unknown"),
            Some("00:14:22") => ("Dell Inc.", "unknown"),
            Some("b8:27:eb") => ("Raspberry Pi Foundation", "unknown"),
            // Locally administered: nobody made it.
            _ => return (Value::Null, "unknown"),
        },
    };
    (json!(vendor), device_type)
}

#[test]
fn every_host_is_found_with_its_mac_address_vendor_and_type() -> Tested {
    let site = Site::new(12, 6, 2)?;
    let scan = site.scan()?;
    let truth = site.lab.truth()?;
    assert_eq!(found(&scan)?.len(), truth.hosts.len(), "nobody else");
    for host in &truth.hosts {
        let device = at(found(&scan)?, host.addresses[0])?;
        assert_eq!(device["mac"], host.mac.to_string(), "{host:?}");
        assert_eq!(device["ip_addresses"], json!(host.addresses), "{host:?}");
        let (vendor, device_type) = known_as(host);
        assert_eq!((&device["vendor"], &device["device_type"]), (&vendor, &json!(device_type)), "{host:?}");
        let methods = match host.kind {
            HostKind::Snmp => json!(["arp", "icmp", "snmp"]),
            HostKind::Plain => json!(["arp", "icmp"]),
            HostKind::Silent => json!(["arp"]),
        };
        assert_eq!(device["methods"], methods, "{host:?}");
        assert!(device["rtt_ms"].as_f64().is_some_and(|rtt| rtt > 0.0 && rtt < 10_000.0), "{device}");
    }
    let hosts = |protocol: &str| scan["protocols"][protocol]["hosts"].as_u64();
    assert_eq!((hosts("arp"), hosts("icmp"), hosts("snmp")), (Some(12), Some(10), Some(6)));
    assert_eq!(scan["changes"]["new"], 12);
    let mut saved = site.devices()?;
    saved.sort_by_key(|device| device["device_id"].to_string());
    assert_eq!(saved, found(&scan)?, "what was printed is what was saved, numbered in the order of the addresses");
    assert_eq!(site.events("DEVICE_DISCOVERED")?.len(), 12);
    Ok(())
}

#[test]
fn every_agent_is_read() -> Tested {
    let site = Site::new(8, 6, 1)?;
    let scan = site.scan()?;
    for host in site.lab.truth()?.hosts {
        let device = at(found(&scan)?, host.addresses[0])?;
        let told = &device["snmp"];
        let Some(agent) = &host.snmp else {
            assert_eq!(told["reachable"], false, "{host:?}");
            let reason = if host.kind == HostKind::Plain { "port_unreachable" } else { "timeout" };
            assert_eq!(told["reason"], reason, "{host:?}");
            assert_eq!((&told["sys_descr"], &device["hostname"]), (&Value::Null, &Value::Null), "{host:?}");
            continue;
        };
        assert_eq!((&told["reachable"], &told["reason"]), (&json!(true), &Value::Null), "{host:?}");
        assert_eq!(told["sys_descr"], agent.sys_descr);
        assert_eq!(told["sys_object_id"], agent.sys_object_id);
        assert_eq!(told["sys_name"], agent.sys_name);
        assert_eq!(told["sys_location"], agent.sys_location);
        assert_eq!(device["hostname"], agent.sys_name);
        assert!(told["uptime_seconds"].as_u64().is_some_and(|seconds| seconds < 120), "{told}");
        assert_eq!(interfaces(&told["interfaces"]), interfaces_of(&site, &host)?, "{host:?}");
    }
    Ok(())
}

/// What is compared of an interface table: number, name, MAC address, up by will, up in fact.
type Interfaces = Vec<(u64, String, Option<String>, bool, bool)>;

fn interfaces(told: &Value) -> Interfaces {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let row = |row: &Value| {
        let up = |name: &str| row[name] == true;
        let name = text(&row["name"]).unwrap_or_default();
        (row["index"].as_u64().unwrap_or(0), name, text(&row["mac"]), up("admin_up"), up("oper_up"))
    };
    told.as_array().into_iter().flatten().map(row).collect()
}

/// The same of the kernel of a host.
fn interfaces_of(site: &Site, host: &Host) -> Tested<Interfaces> {
    let links: Value = serde_json::from_str(&site.lab.verb(&["exec", &host.name, "ip", "-j", "link"])?)?;
    let row = |link: &Value| {
        let flag = |name: &str| link["flags"].as_array().is_some_and(|flags| flags.iter().any(|flag| flag == name));
        let mac = (link["link_type"] == "ether").then(|| link["address"].as_str().unwrap_or_default().to_owned());
        let name = link["ifname"].as_str().unwrap_or_default().to_owned();
        (link["ifindex"].as_u64().unwrap_or(0), name, mac, flag("UP"), flag("LOWER_UP"))
    };
    Ok(links.as_array().into_iter().flatten().map(row).collect())
}

#[test]
fn two_addresses_of_one_mac_address_are_one_device() -> Tested {
    let site = Site::new(3, 1, 0)?;
    site.lab.verb(&["alias", "h1", "10.0.1.9"])?;
    let scan = site.scan()?;
    assert_eq!(found(&scan)?.len(), 3);
    let device = at(found(&scan)?, "10.0.1.9")?;
    assert_eq!(device["ip_addresses"], json!(["10.0.1.1", "10.0.1.9"]));
    assert_eq!(site.device("10.0.1.9")?["device_id"], site.device("10.0.1.1")?["device_id"]);
    assert_eq!(site.events("DEVICE_DISCOVERED")?.len(), 3);
    Ok(())
}

#[test]
fn two_hosts_with_one_address_are_two_devices_and_told_once() -> Tested {
    let site = Site::new(3, 0, 0)?;
    site.scan()?;
    // The lab's own verbs refuse to make such a network.
    site.lab.verb(&["exec", "h2", "ip", "address", "add", "10.0.1.1/24", "dev", "eth0"])?;
    let scan = site.scan()?;
    assert_eq!(addresses(found(&scan)?).len(), 3);
    let truth = site.lab.truth()?;
    let macs: Vec<_> = truth.hosts.iter().take(2).map(|host| host.mac.to_string()).collect();
    let mut sorted = macs.clone();
    sorted.sort();
    let told = site.events("ANOMALY_DUPLICATE_ADDRESS")?;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["subject"], &told[0]["payload"]["macs"]), (&json!("10.0.1.1"), &json!(sorted)));
    for mac in &macs {
        let device = site.device(mac)?;
        assert!(device["ip_addresses"].as_array().is_some_and(|all| all.contains(&json!("10.0.1.1"))), "{device}");
    }
    site.scan()?;
    assert_eq!(site.events("ANOMALY_DUPLICATE_ADDRESS")?.len(), 1, "what is known is not told again");
    Ok(())
}
