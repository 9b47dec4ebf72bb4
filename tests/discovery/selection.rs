//! What is asked, and how: subnets, interface, protocols, communities.

use serde_json::json;

use crate::lab::LabPlan;
use crate::program::{Tested, run};
use crate::site::{SUBNET, Site, addresses, at, found};

#[test]
fn communities_are_tried_in_their_order_until_one_is_taken() -> Tested {
    let communities = vec![("private".to_owned(), 2)];
    let site = Site::of(&LabPlan { hosts: 4, snmp: 4, silent: 0, communities, ..LabPlan::default() })?;
    let reached = |arguments: &[&str]| -> Tested<Vec<String>> {
        let scan = site.scan_with(&[&[SUBNET], arguments].concat())?;
        let by_snmp = found(&scan)?.iter().filter(|device| device["snmp"]["reachable"] == true).cloned();
        let by_snmp: Vec<_> = by_snmp.collect();
        Ok(addresses(&by_snmp).into_iter().map(str::to_owned).collect())
    };
    assert_eq!(reached(&["--community", "wrong", "--community", "private"])?, ["10.0.1.3", "10.0.1.4"]);
    // An agent is silent to who does not know its community (RFC 3416, section 4.2).
    assert_eq!(site.device("10.0.1.1")?["snmp"]["reason"], "timeout");
    assert_eq!(reached(&["--community", "private", "--community", "public"])?.len(), 4);
    Ok(())
}

/// A list of credentials with one user.
fn user(name: &str, protocols: [&str; 2], passwords: [&str; 2]) -> String {
    let ([auth, privacy], [first, second]) = (protocols, passwords);
    format!(
        "[{{user: {name}, auth_protocol: {auth}, auth_password: {first}, \
         privacy_protocol: {privacy}, privacy_password: {second}}}]"
    )
}

/// Net-SNMP's agent, by users of SNMP v3: what is answered, and what each mistake is called.
#[test]
fn users_of_snmp_v3_are_answered_and_each_mistake_is_named() -> Tested {
    let site = Site::new(2, 1, 0)?;
    let asked = |credentials: &str| -> Tested<serde_json::Value> {
        let mut scan = site.program(&["scan", "--save", "--format", "json", SUBNET, "--data-dir"]);
        run(scan.arg(site.data()).env("PDSNO_SECURITY__SNMP_CREDENTIALS", credentials))?.json()?;
        Ok(site.device("10.0.1.1")?["snmp"].clone())
    };
    let right = ["correct horse", "battery staple"];
    let aes = ["sha256", "aes128"];
    let told = asked(&user("monitor", aes, right))?;
    assert_eq!((&told["reachable"], &told["reason"]), (&json!(true), &json!(null)), "{told}");
    assert_eq!(told["sys_name"], "cisco-router-1");
    assert_eq!(told["interfaces"].as_array().map(Vec::len), Some(2), "{told}");
    assert!(told["engine"]["boots"].as_u64().is_some_and(|boots| boots >= 1), "{told}");
    for (name, protocols) in [("blumenthal", ["sha1", "aes256"]), ("reeder", ["sha1", "aes256-cisco"])] {
        let told = asked(&user(name, protocols, right))?;
        assert_eq!((&told["reachable"], &told["reason"]), (&json!(true), &json!(null)), "{name}: {told}");
    }
    for (name, protocols, passwords, reason) in [
        ("nobody", aes, right, "unknown_user"),
        ("monitor", aes, ["wrong horse", "battery staple"], "wrong_password"),
        ("monitor", ["sha1", "aes128"], right, "wrong_password"),
        ("monitor", aes, ["correct horse", "wrong battery"], "user_unanswered"),
    ] {
        let told = asked(&user(name, protocols, passwords))?;
        assert_eq!((&told["reachable"], &told["reason"]), (&json!(false), &json!(reason)), "{name} {protocols:?}");
    }
    // Who is refused is followed by the next; a credential for another subnet is not used here.
    let wrong = user("nobody", aes, right);
    let both = format!("{}, {{community: public, subnets: [10.0.1.0/24]}}]", wrong.trim_end_matches(']'));
    assert_eq!(asked(&both)?["reachable"], true);
    assert_eq!(asked(&both.replace("10.0.1.0", "10.0.2.0"))?["reason"], "unknown_user");
    Ok(())
}

#[test]
fn only_the_protocols_that_are_named_are_used() -> Tested {
    let site = Site::new(4, 1, 1)?;
    let scan = |protocols: &str| site.scan_with(&[SUBNET, "--protocols", protocols]);

    let by_arp = scan("arp")?;
    assert_eq!(addresses(found(&by_arp)?), ["10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4"]);
    assert!(found(&by_arp)?.iter().all(|device| device["methods"] == json!(["arp"]) && device["snmp"].is_null()));
    let protocols = by_arp["protocols"].as_object().ok_or("no protocols")?;
    assert_eq!(protocols.keys().collect::<Vec<_>>(), ["arp"]);

    let by_icmp = scan("icmp")?;
    assert_eq!(addresses(found(&by_icmp)?), ["10.0.1.1", "10.0.1.2", "10.0.1.3"], "h4 answers ARP only");
    let protocols = by_icmp["protocols"].as_object().ok_or("no protocols")?;
    assert_eq!(protocols.keys().collect::<Vec<_>>(), ["icmp"]);
    assert!(by_icmp["address_resolution"]["sent"].as_u64().is_some_and(|sent| sent >= 14), "{by_icmp}");

    let by_two = scan("snmp,arp")?;
    assert_eq!(at(found(&by_two)?, "10.0.1.1")?["methods"], json!(["arp", "snmp"]));
    Ok(())
}

#[test]
fn a_part_of_a_network_and_several_parts_are_scanned() -> Tested {
    let site = Site::new(20, 0, 0)?;
    let part = site.scan_with(&["10.0.1.0/28"])?;
    assert_eq!(part["targets"], 14);
    assert_eq!(addresses(found(&part)?).len(), 14);
    let parts = site.scan_with(&["10.0.1.4/30", "10.0.1.16/30", "10.0.1.9"])?;
    assert_eq!(parts["targets"], 5);
    assert_eq!(addresses(found(&parts)?), ["10.0.1.5", "10.0.1.6", "10.0.1.9", "10.0.1.17", "10.0.1.18"]);
    assert_eq!(parts["subnets"], json!(["10.0.1.4/30", "10.0.1.9/32", "10.0.1.16/30"]));
    // Nobody was asked outside of them, so nobody there was missed.
    assert_eq!(parts["changes"]["missed"], 0);
    Ok(())
}

#[test]
fn the_interface_that_is_named_is_the_one_that_is_used() -> Tested {
    let site = Site::new(2, 0, 0)?;
    assert_eq!(found(&site.scan_with(&[SUBNET, "--interface", "lab0"])?)?.len(), 2);
    let refused = run(&mut site.program(&["scan", SUBNET, "--interface", "lo"]))?;
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.err.contains(SUBNET) && refused.err.contains("on lo"), "{refused:?}");
    Ok(())
}

#[test]
fn overlapping_and_repeated_subnets_are_scanned_once_and_told() -> Tested {
    let site = Site::new(3, 0, 0)?;
    let ran = run(&mut site.program(&["scan", SUBNET, SUBNET, "10.0.1.0/29", "--format", "json", "--timeout", "150"]))?;
    assert!(ran.err.contains("10.0.1.0/28 is there twice and is scanned once"), "{ran:?}");
    assert!(ran.err.contains("10.0.1.0/29 is left out, 10.0.1.0/28 covers it"), "{ran:?}");
    let scan = ran.json()?;
    assert_eq!((&scan["targets"], &scan["subnets"]), (&json!(14), &json!([SUBNET])));
    assert_eq!(found(&scan)?.len(), 3);
    Ok(())
}

#[test]
fn an_interface_that_is_down_is_a_scan_that_failed() -> Tested {
    let site = Site::new(2, 0, 0)?;
    site.scan()?;
    let down = run(site.lab.command("ip").args(["link", "set", "lab0", "down"]))?;
    assert_eq!(down.code(), Some(0), "{down:?}");
    let ran = run(site.program(&["scan", SUBNET, "--save", "--data-dir"]).arg(site.data()))?;
    assert_eq!(ran.code(), Some(1), "{ran:?}");
    assert!(ran.err.contains("lab0 is down"), "{ran:?}");
    assert_eq!(site.events("DISCOVERY_CYCLE_FAILED")?.len(), 1);
    assert!(site.devices()?.iter().all(|device| device["missed_cycles"] == 0), "a failed cycle judges nobody");
    Ok(())
}
