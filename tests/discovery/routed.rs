//! Behind a router, and without the right to send frames.

use std::process::Command;

use serde_json::{Value, json};

use crate::lab::LabPlan;
use crate::program::{PDSNO, Tested, run, without_settings};
use crate::site::{SUBNET, Site, addresses, at, found};

/// Behind the router: 10.0.1.251 here, .1 there.
pub const ROUTED: &str = "10.2.0.0/28";
pub const GATEWAY: &str = "10.0.1.251";
const GATEWAY_MAC: &str = "00:00:0c:00:02:51";

/// Two devices here, and four there, 10.2.0.2 with an agent.
pub fn routed_site() -> Tested<Site> {
    let routed = Some((ROUTED.parse()?, 4));
    Site::of(&LabPlan { hosts: 2, snmp: 0, silent: 1, routed, ..LabPlan::default() })
}

/// Who may open datagram ICMP sockets in the lab.
pub fn allow_pings(site: &Site, groups: &str) -> Tested {
    let script = format!("echo '{groups}' >/proc/sys/net/ipv4/ping_group_range");
    run(site.lab.command("sh").args(["-c", &script]))?.printed().map(drop)
}

/// The program without any capability.
pub fn unprivileged(site: &Site, arguments: &[&str]) -> Command {
    let mut command = site.lab.command("setpriv");
    without_settings(&mut command).current_dir(site.folder());
    command.args(["--bounding-set", "-all", "--inh-caps=-all", PDSNO]).args(arguments);
    command
}

#[test]
fn a_routed_subnet_is_found_by_either_kind_of_icmp_socket() -> Tested {
    let site = routed_site()?;
    for groups in ["1 0", "0 0"] {
        allow_pings(&site, groups)?;
        let scan = run(&mut site.program(&["scan", ROUTED, "--format", "json"]))?.json()?;
        let devices = found(&scan)?;
        assert_eq!(addresses(devices), ["10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.0.4", "10.2.0.5"], "{groups}");
        assert!(devices.iter().all(|device| device["mac"].is_null()), "{devices:?}");
        assert_eq!(at(devices, "10.2.0.2")?["methods"], json!(["icmp", "snmp"]));
        assert_eq!(at(devices, "10.2.0.2")?["hostname"], "behind-the-router");
        assert_eq!(at(devices, "10.2.0.2")?["snmp"]["interfaces"][1]["mac"], "00:00:0c:00:03:01");
        assert_eq!(at(devices, "10.2.0.3")?["snmp"]["reason"], "port_unreachable");
        for (address, is_provisional) in [("10.2.0.1", false), ("10.2.0.2", false), ("10.2.0.3", true)] {
            assert_eq!(at(devices, address)?["provisional"], is_provisional, "{address}");
        }
        let protocols = &scan["protocols"];
        assert_eq!((&protocols["arp"]["sent"], &protocols["icmp"]["hosts"]), (&json!(0), &json!(5)), "{protocols}");
        assert!(protocols.as_object().ok_or("no protocols")?.values().all(|stats| stats["error"].is_null()));
    }
    Ok(())
}

#[test]
fn a_router_that_is_known_by_one_of_its_addresses_becomes_one_device_with_all() -> Tested {
    let site = routed_site()?;
    site.lab.verb(&["snmp-stop", "gw"])?;
    site.scan_with(&[ROUTED, GATEWAY])?;
    let (near, far) = (site.device(GATEWAY)?, site.device("10.2.0.1")?);
    assert_eq!((&near["mac"], &near["provisional"]), (&json!(GATEWAY_MAC), &json!(false)));
    assert_eq!((&far["mac"], &far["provisional"]), (&Value::Null, &json!(true)));

    site.lab.verb(&["snmp-start", "gw"])?;
    let scan = site.scan_with(&[ROUTED, GATEWAY])?;
    assert_eq!(scan["changes"]["new"], 0, "{scan}");
    let one = site.device("10.2.0.1")?;
    assert_eq!((&one["device_id"], &one["mac"]), (&near["device_id"], &json!(GATEWAY_MAC)));
    assert_eq!(one["ip_addresses"], json!([GATEWAY, "10.2.0.1"]));
    assert_eq!(one["hostname"], "router-of-the-lab");
    let told = site.events("DEVICE_MERGED")?;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["subject"], &told[0]["payload"]["into"]), (&far["device_id"], &near["device_id"]));
    assert_eq!(site.devices()?.len(), 5);

    // What is one stays one, also while its agent is silent.
    site.lab.verb(&["snmp-stop", "gw"])?;
    let scan = site.scan_with(&[ROUTED, GATEWAY])?;
    assert_eq!((&scan["changes"]["new"], site.devices()?.len()), (&json!(0), 5), "{scan}");
    assert_eq!(site.device("10.2.0.1")?["device_id"], near["device_id"]);
    Ok(())
}

#[test]
fn what_has_no_route_or_is_prohibited_is_named_and_nobody_there_is_missed() -> Tested {
    let site = routed_site()?;
    site.scan_with(&[ROUTED])?;
    let here = |arguments: &[&str]| run(site.lab.command("ip").args(arguments))?.printed();
    here(&["route", "add", "unreachable", "10.2.0.4/31"])?;
    site.lab.verb(&["exec", "gw", "ip", "route", "add", "prohibit", "10.2.0.3"])?;
    let scan = site.scan_with(&[ROUTED])?;
    assert_eq!(addresses(found(&scan)?), ["10.2.0.1", "10.2.0.2"]);
    let icmp = &scan["protocols"]["icmp"];
    assert_eq!(icmp["error"], "no route to 10.2.0.4, 10.2.0.5");
    assert!(icmp["unreachable"].as_u64().is_some_and(|count| count >= 1), "{icmp}");
    assert_eq!(scan["changes"]["missed"], 0, "{scan}");
    assert_eq!(site.events("SCAN_PROTOCOL_FAILED")?.len(), 2);

    // With the whole subnet out of reach nothing is begun.
    here(&["route", "del", ROUTED])?;
    let refused = run(&mut site.program(&["scan", ROUTED]))?;
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.err.contains("no route to 10.2.0.0/28"), "{refused:?}");
    Ok(())
}

#[test]
fn without_the_right_to_send_frames_pings_and_the_neighbour_table_find_who_answers_them() -> Tested {
    let site =
        Site::of(&LabPlan { hosts: 6, snmp: 1, silent: 1, routed: Some((ROUTED.parse()?, 1)), ..LabPlan::default() })?;
    allow_pings(&site, "0 0")?;
    let ran = run(&mut unprivileged(&site, &["scan", SUBNET, "--format", "json"]))?;
    let told: Vec<&str> = ran.err.lines().collect();
    assert!(told.len() == 1 && told[0].contains("ARP but no ping") && told[0].contains("sudo setcap"), "{ran:?}");
    let scan = ran.json()?;
    let devices = found(&scan)?;
    assert_eq!(addresses(devices), ["10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4", "10.0.1.5"], "h6 answers ARP only");
    for host in site.lab.truth()?.hosts.iter().filter(|host| host.name != "h6") {
        let device = at(devices, host.addresses[0])?;
        assert_eq!(device["mac"], host.mac.to_string(), "{device}");
        assert_eq!(device["methods"][1], "icmp");
    }
    assert_eq!(at(devices, "10.0.1.1")?["snmp"]["reachable"], true);
    assert!(scan["protocols"]["arp"]["error"].as_str().is_some_and(|error| error.contains("no permission")), "{scan}");

    // Behind a router nothing is lost, and nothing is said.
    let routed = run(&mut unprivileged(&site, &["scan", ROUTED, "--format", "json"]))?;
    assert_eq!(routed.err, "");
    assert_eq!(addresses(found(&routed.json()?)?), ["10.2.0.1", "10.2.0.2"]);

    // A table on a screen says it once, too.
    let table = run(&mut unprivileged(&site, &["scan", SUBNET]))?;
    assert_eq!((table.code(), table.err.matches("sudo setcap").count()), (Some(0), 1), "{table:?}");
    Ok(())
}

#[test]
fn who_is_known_by_arp_alone_is_not_missed_by_pings() -> Tested {
    let site = Site::new(3, 0, 1)?;
    site.scan()?;
    allow_pings(&site, "0 0")?;
    let data = site.data();
    let data = data.to_str().ok_or("no text")?;
    let arguments = ["scan", SUBNET, "--save", "--format", "json", "--data-dir", data];
    let scan = run(&mut unprivileged(&site, &arguments))?.json()?;
    assert_eq!((&scan["changes"]["new"], &scan["changes"]["missed"]), (&json!(0), &json!(0)), "{scan}");
    assert_eq!(site.devices()?.len(), 3);
    Ok(())
}
