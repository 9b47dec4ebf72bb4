//! Whom devices know by LLDP and CDP: lldpd on either end of a cable, and Net-SNMP's agent that tells of it.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use rustix::process::geteuid;
use serde_json::{Value, json};

use crate::program::{Tested, run};
use crate::site::{SUBNET, Site, at, found};

/// Whether lldpd can be run here; where it cannot, the test says why.
fn lldpd_runs() -> bool {
    let is_root = geteuid().is_root();
    if !is_root {
        eprintln!("SKIPPED: lldpd becomes another user, which needs root");
    }
    is_root
}

fn script(site: &Site, arguments: &[&str]) -> Tested<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/discovery/neighbours.sh");
    run(site.lab.command(script).args(arguments))?.printed()
}

/// What lldpd of a device has heard on its cable: protocol, chassis, port.
fn heard(site: &Site, host: &str) -> Tested<[Value; 3]> {
    let all: Value = serde_json::from_str(&script(site, &["heard", host])?)?;
    let interfaces = all["lldp"]["interface"].as_object().ok_or("no interfaces")?;
    let [(_, on_cable)] = interfaces.iter().collect::<Vec<_>>()[..] else { return Err(all.to_string().into()) };
    let chassis = on_cable["chassis"].as_object().and_then(|named| named.iter().next());
    let (name, chassis) = chassis.ok_or("no chassis")?;
    let mut chassis = chassis.clone();
    chassis["name"] = json!(name);
    Ok([on_cable["via"].clone(), chassis, on_cable["port"].clone()])
}

/// One cycle that asks for neighbours.
fn scan(site: &Site) -> Tested<Value> {
    let mut scan = site.program(&["scan", "--save", "--format", "json", SUBNET, "--data-dir"]);
    run(scan.arg(site.data()).env("PDSNO_POLICY__DISCOVERY_NEIGHBOURS", "true"))?.json()
}

/// The fact of a device's neighbours as it is stored: who told it, by what, and the rest.
fn stored(site: &Site, device: &Value) -> Tested<(String, String, Value)> {
    let nib = Connection::open_with_flags(site.data().join("pdsno.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let question = "SELECT source, protocol, value FROM device_facts JOIN devices ON devices.number = device \
                    WHERE kind = 'neighbours' AND device_id = ?1";
    let id = device["device_id"].as_str().ok_or("no id")?;
    let (source, protocol, value): (String, String, String) =
        nib.query_row(question, [id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok((source, protocol, serde_json::from_str(&value)?))
}

#[test]
fn neighbours_are_those_that_lldpd_has_heard() -> Tested {
    if !lldpd_runs() {
        return Ok(());
    }
    let site = Site::new(3, 3, 0)?;
    script(&site, &["cable", "h1", "h2"])?;
    for (host, name) in [("h1", "access-1"), ("h2", "dist-2")] {
        script(&site, &["serve", host])?;
        script(&site, &["speak", host, name, "-x"])?;
    }
    // lldpd names ports by their hardware address unless it is told otherwise.
    let by_name =
        ["lldpcli", "-u", "/run/pdsno-lab/hosts/h2/lldpd.sock", "configure", "lldp", "portidsubtype", "ifname"];
    site.lab.verb(&[&["exec", "h2"], &by_name[..]].concat())?;
    let named = |[_, _, port]: &[Value; 3]| port["id"]["type"] == "ifname";
    let deadline = std::time::Instant::now() + crate::program::LIMIT;
    while !named(&heard(&site, "h1")?) {
        assert!(std::time::Instant::now() < deadline, "h2 still names its port otherwise");
    }
    for address in ["10.0.1.1", "10.0.1.2"] {
        script(&site, &["shown", address])?;
    }
    let cycle = scan(&site)?;
    let mut identifiers = Vec::new();
    for (address, host, local_port, name) in
        [("10.0.1.1", "h1", "to-h2", "dist-2"), ("10.0.1.2", "h2", "to-h1", "access-1")]
    {
        let [via, chassis, port] = heard(&site, host)?;
        identifiers.push(port["id"]["type"].clone());
        assert_eq!((&via, &chassis["name"]), (&json!("LLDP"), &json!(name)));
        let expected = json!([{
            "protocol": "lldp", "local_port": local_port,
            "chassis": chassis["id"]["value"], "port": port["id"]["value"], "port_description": port["descr"],
            "name": name, "description": chassis["descr"], "address": null,
        }]);
        let device = at(found(&cycle)?, address)?;
        assert_eq!(device["snmp"]["neighbours"], expected, "{device}");
        assert_eq!(stored(&site, device)?, (address.to_owned(), "snmp".to_owned(), expected), "{host}");
        let table = site.read(&["device", address])?.printed()?;
        let port = port["id"]["value"].as_str().ok_or("no port")?.to_owned() + " (lldp)";
        let line = format!("neighbour {local_port:<7} {name} {port}");
        let fact = format!("neighbours from {address} by snmp, ");
        assert!(table.contains(&line) && table.contains(&fact), "{line} in {table}");
    }
    assert_eq!(identifiers, ["ifname", "mac"], "either way to name a port is read");
    // An agent that has no such table has no neighbours.
    let other = at(found(&cycle)?, "10.0.1.3")?;
    assert!(other["snmp"]["neighbours"].as_array().is_none_or(Vec::is_empty), "{other}");
    Ok(())
}

/// The row of cdpCacheTable (CISCO-CDP-MIB) that an agent has who heard this.
fn cache(site: &Site, chassis: &Value, port: &Value) -> Tested<PathBuf> {
    let links: Value = serde_json::from_str(&site.lab.verb(&["exec", "h2", "ip", "-j", "link", "show", "to-h1"])?)?;
    let address: std::net::Ipv4Addr = chassis["mgmt-ip"].as_str().ok_or("no address")?.parse()?;
    let octets = address.octets().map(|octet| format!("{octet:02x}")).join(" ");
    let text = |value: &Value| value.as_str().and_then(|text| text.lines().next()).unwrap_or_default().to_owned();
    let columns = [
        (3, "integer", "1".to_owned()),
        (4, "octet", octets),
        (6, "string", text(&chassis["name"])),
        (7, "string", text(&port["descr"])),
        (8, "string", text(&chassis["descr"])),
    ];
    let row = |(column, kind, value): &(u8, &str, String)| {
        format!(".1.3.6.1.4.1.9.9.23.1.2.1.1.{column}.{}.1 {kind} {value}\n", links[0]["ifindex"])
    };
    let file = site.folder().join("cache");
    fs::write(&file, columns.iter().map(row).collect::<String>())?;
    Ok(file)
}

#[test]
fn who_speaks_cdp_is_told_by_either_table() -> Tested {
    if !lldpd_runs() {
        return Ok(());
    }
    let site = Site::new(2, 2, 0)?;
    script(&site, &["cable", "h1", "h2"])?;
    // h1 speaks CDP and nothing else; h2 listens to both.
    script(&site, &["speak", "h1", "access-1", "-ll", "-ccccc"])?;
    script(&site, &["speak", "h2", "dist-2", "-c"])?;
    let [via, chassis, port] = heard(&site, "h2")?;
    assert_eq!((via, &chassis["name"], &port["descr"]), (json!("CDPv2"), &json!("access-1"), &json!("to-h2")));
    // No agent of Debian has cdpCacheTable; Net-SNMP's serves what a program tells it.
    let file = cache(&site, &chassis, &port)?;
    script(&site, &["serve", "h2", file.to_str().ok_or("no text")?])?;
    let cycle = scan(&site)?;
    let device = at(found(&cycle)?, "10.0.1.2")?;
    let platform = chassis["descr"].as_str().and_then(|text| text.lines().next());
    let expected = json!([{
        "protocol": "cdp", "local_port": "to-h1", "chassis": "access-1", "port": "to-h2", "port_description": null,
        "name": "access-1", "description": platform, "address": chassis["mgmt-ip"],
    }]);
    assert_eq!(device["snmp"]["neighbours"], expected);
    assert_eq!(stored(&site, device)?, ("10.0.1.2".to_owned(), "snmp".to_owned(), expected));
    Ok(())
}
