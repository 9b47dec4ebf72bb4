//! A subnet that the user names. What is there is not known, so its result is compared with itself.

use std::collections::BTreeSet;
use std::env;

use pdsno::domain::subnet::Subnet;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Tested, listing, pdsno, run};
use crate::site::found;

/// The devices of a scan by their MAC addresses.
fn macs(scan: &Value) -> Tested<BTreeSet<&str>> {
    Ok(found(scan)?.iter().filter_map(|device| device["mac"].as_str()).collect())
}

#[test]
#[ignore = "sends to a real network: make test-discovery SUBNET=10.0.1.0/24"]
fn a_named_subnet_is_scanned_and_its_result_agrees_with_itself() -> Tested {
    let subnet = env::var("PDSNO_TEST_SUBNET").map_err(|_| "PDSNO_TEST_SUBNET names no subnet")?;
    let interface = env::var("PDSNO_TEST_INTERFACE");
    let subnet: Subnet = subnet.parse()?;
    let folder = TempDir::new()?;
    let scan = || -> Tested<Value> {
        let mut scan = pdsno(&["scan", &subnet.to_string(), "--format", "json"]);
        if let Ok(interface) = &interface {
            scan.args(["--interface", interface]);
        }
        run(scan.current_dir(folder.path()))?.json()
    };
    let (first, second) = (scan()?, scan()?);
    for scan in [&first, &second] {
        // This host's own addresses are not asked.
        let (all, targets) = (subnet.hosts().count() as u64, scan["targets"].as_u64().ok_or("no targets")?);
        assert!((all.saturating_sub(8)..all).contains(&targets), "{targets} of {all}");
        assert_eq!(macs(scan)?.len(), found(scan)?.len(), "one device for each MAC address");
        let mut answered = [0_u64; 3];
        for device in found(scan)? {
            let addresses = device["ip_addresses"].as_array().ok_or("no addresses")?;
            assert!(!addresses.is_empty(), "{device}");
            for address in addresses {
                assert!(subnet.contains(address.as_str().ok_or("no text")?.parse()?), "{device} is not in {subnet}");
            }
            let methods = device["methods"].as_array().ok_or("no methods")?;
            assert!(!methods.is_empty(), "{device}");
            assert_eq!(methods.iter().any(|method| method == "snmp"), device["snmp"]["reachable"] == true, "{device}");
            for (count, protocol) in answered.iter_mut().zip(["arp", "icmp", "snmp"]) {
                *count += u64::from(methods.iter().any(|method| method == protocol));
            }
        }
        for (devices, protocol) in answered.into_iter().zip(["arp", "icmp", "snmp"]) {
            let stats = &scan["protocols"][protocol];
            assert!(stats["error"].is_null(), "{protocol}: {stats}");
            // A device may have answered at several of its addresses.
            assert!(stats["hosts"].as_u64() >= Some(devices), "{protocol}: {stats}, {devices} devices");
            assert!(stats["received"].as_u64() >= stats["hosts"].as_u64(), "{protocol}: {stats}");
            assert!(stats["sent"].as_u64() >= stats["retried"].as_u64(), "{protocol}: {stats}");
        }
    }
    let (before, after) = (macs(&first)?, macs(&second)?);
    let kept = before.intersection(&after).count();
    eprintln!("{subnet}: {} devices, then {}; {kept} of them the same", before.len(), after.len());
    // Real devices come and go; most of them do not within a second.
    assert!(kept * 10 >= before.len() * 9, "the second scan lost {:?}", before.difference(&after));
    assert!(listing(folder.path())?.is_empty(), "it only reads");
    Ok(())
}
