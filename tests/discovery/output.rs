//! What `pdsno scan` prints, and what it leaves behind.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::program::{Tested, listing, run};
use crate::site::{SUBNET, Site, found};

/// The keys of an object.
fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

#[test]
fn json_is_one_object_of_the_promised_shape() -> Tested {
    let site = Site::new(3, 1, 1)?;
    let scan = site.scan()?;
    let promised = ["started_at", "duration_ms", "targets", "protocols", "nib_commit_ms", "devices"];
    let more = ["completeness", "subnets", "rtt", "changes"];
    assert_eq!(keys(&scan), promised.into_iter().chain(more).collect());
    assert!(scan["started_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{scan}");
    assert!(scan["duration_ms"].as_f64() > scan["nib_commit_ms"].as_f64(), "{scan}");
    assert!(scan["nib_commit_ms"].as_f64() > Some(0.0), "{scan}");
    assert_eq!(scan["targets"], 14);

    assert_eq!(keys(&scan["protocols"]), ["arp", "icmp", "snmp"].into());
    for stats in scan["protocols"].as_object().ok_or("no protocols")?.values() {
        let promised = ["sent", "received", "retried", "duration_ms", "error"];
        assert_eq!(
            keys(stats),
            promised.into_iter().chain(["duplicates", "late", "rejected", "unreachable", "hosts"]).collect()
        );
        assert!(stats["sent"].as_u64() >= stats["received"].as_u64() && stats["sent"].is_u64(), "{stats}");
        assert!(stats["error"].is_null() && stats["duration_ms"].is_f64(), "{stats}");
    }

    let [device, _, silent] = found(&scan)? else { return Err("not three devices".into()) };
    let promised =
        ["device_id", "mac", "ip_addresses", "hostname", "vendor", "device_type", "methods", "rtt_ms", "snmp"];
    let in_nib = ["status", "first_seen", "last_seen", "missed_cycles", "region", "local_controller"];
    let more = ["provisional", "firmware", "vendor_evidence", "type_evidence", "facts"];
    let all: BTreeSet<_> = promised.into_iter().chain(in_nib).chain(more).collect();
    assert_eq!((keys(device), keys(silent)), (all.clone(), all));
    let promised = ["reachable", "reason", "sys_descr", "sys_object_id", "sys_name", "uptime_seconds", "interfaces"];
    let all: BTreeSet<_> = promised.into_iter().chain(["sys_location", "read_at"]).collect();
    assert_eq!(keys(&silent["snmp"]), all);
    assert_eq!(keys(&device["snmp"]), all.into_iter().chain(["engine"]).collect());
    assert_eq!(site.devices()?, found(&scan)?, "`devices` prints the same shape");
    Ok(())
}

#[test]
fn csv_has_a_line_for_each_device_whatever_it_calls_itself() -> Tested {
    let site = Site::new(6, 5, 1)?;
    let text = run(&mut site.program(&["scan", SUBNET, "--format", "csv"]))?.printed()?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers()?.clone();
    let rows = reader.records().collect::<Result<Vec<_>, _>>()?;
    let column = |name: &str| header.iter().position(|other| other == name).ok_or(format!("no column {name}"));
    let (address, descr, methods) = (column("ip_addresses")?, column("sys_descr")?, column("methods")?);
    let truth = site.lab.truth()?;
    assert_eq!(rows.len(), truth.hosts.len());
    for (row, host) in rows.iter().zip(&truth.hosts) {
        assert_eq!(row[address], host.addresses[0].to_string());
        // Some of these have commas.
        assert_eq!(row[descr], *host.snmp.as_ref().map_or("", |agent| &agent.sys_descr));
    }
    assert_eq!((&rows[0][methods], &rows[5][methods]), ("arp icmp snmp", "arp"));
    Ok(())
}

#[test]
fn a_table_has_a_line_for_each_device_and_a_summary_beside_it() -> Tested {
    let site = Site::new(3, 1, 1)?;
    let ran = run(&mut site.program(&["scan", SUBNET]))?;
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 1 + 3, "{ran:?}");
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["IP", "MAC", "HOSTNAME", "VENDOR", "TYPE", "METHODS", "RTT"]
    );
    for (line, host) in lines[1..].iter().zip(site.lab.truth()?.hosts) {
        assert!(line.starts_with(&format!("{} ", host.addresses[0])) && line.contains(&host.mac.to_string()), "{line}");
    }
    assert!(ran.err.starts_with("3 of 14 addresses answered in "), "{ran:?}");
    assert!(ran.err.contains(": arp 3, icmp 2, snmp 1\n"), "{ran:?}");
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "no colour and no bar in a pipe: {ran:?}");
    Ok(())
}

#[test]
fn a_scan_that_is_not_saved_writes_nothing() -> Tested {
    let site = Site::new(2, 1, 0)?;
    let scan = run(&mut site.program(&["scan", SUBNET, "--format", "json"]))?.json()?;
    assert_eq!(found(&scan)?.len(), 2);
    assert!(scan["nib_commit_ms"].is_null() && found(&scan)?[0]["device_id"].is_null(), "{scan}");
    assert!(listing(&site.folder())?.is_empty());
    // Nor does it touch a NIB that is there.
    site.scan()?;
    let before = listing(&site.folder())?;
    run(site.program(&["scan", SUBNET, "--data-dir"]).arg(site.data()))?.printed()?;
    assert_eq!(listing(&site.folder())?, before);
    Ok(())
}

#[test]
fn a_scan_that_is_saved_leaves_the_nib_and_nothing_else() -> Tested {
    let site = Site::new(2, 0, 0)?;
    site.scan()?;
    let files: Vec<_> = listing(&site.folder())?.into_keys().collect();
    assert_eq!(files, [site.data(), site.data().join("pdsno.db")]);
    assert!(site.read(&["nib", "check"])?.printed()?.contains("2 devices"));
    Ok(())
}
