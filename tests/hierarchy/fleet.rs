//! Three controllers in front of a fleet of some thousand devices: what is written and told in batches
//! arrives above as it is below.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use pdsno::algorithms::report::facts::is_compared;
use pdsno::domain::address::MacAddr;
use pdsno::domain::device::Device;
use pdsno::domain::fact::Fact;
use pdsno::domain::number::StreamSeq;
use pdsno::domain::stream::{Stream, StreamPosition};
use pdsno::nib::sqlite::SqliteReader;
use pdsno::nib::{NibReader, StreamReader};
use serde_json::Value;
use tempfile::TempDir;

use crate::fleet_before::{Fleet, macs};
use crate::program::{LIMIT, PDSNO, Tested};
use crate::site::TIERS;

const PREFIX: &str = "10.1.0.0/20";

/// Runs a command until its own end, or until a line comes.
const UNTIL_TOLD: &str = r#"exec 3<&0; "$@" & pid=$!; (read -r _ <&3; kill -TERM "$pid") & wait "$pid""#;

/// What a controller knows of a device, and of what its agent says.
type Known = (Vec<std::net::Ipv4Addr>, Option<String>, Option<String>, String, Vec<(String, Fact)>);

fn known(nib: &Path) -> Tested<BTreeMap<MacAddr, Known>> {
    let reader = SqliteReader::open(nib)?;
    let mut known = BTreeMap::new();
    for device in reader.devices(None, None, usize::MAX)? {
        let facts = reader.facts(device.id, device.id)?.into_iter().filter(|row| is_compared(row.fact.kind()));
        let facts = facts.map(|row| (row.source, row.fact)).collect();
        let Device { mac, addresses, hostname, vendor, device_type, .. } = device;
        known.insert(
            mac.ok_or("a device without a MAC address")?,
            (addresses, hostname, vendor, device_type.to_string(), facts),
        );
    }
    Ok(known)
}

/// Waits until all that a tier told was taken.
fn await_taken(nib: &Path, stream: Stream) -> Tested<StreamPosition> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let position = SqliteReader::open(nib)?.position(stream)?;
        if position.last > StreamSeq::default() && position.last == position.acknowledged {
            return Ok(position);
        }
        assert!(Instant::now() < deadline, "{}: {position:?}", nib.display());
    }
}

#[test]
fn thousands_of_devices_that_are_told_in_batches_are_above_as_they_are_below() -> Tested {
    let fleet = Fleet { prefix: PREFIX, options: &["--seed", "30", "--live", "0.7"] };
    let truth = fleet.truth()?;
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let path = data.to_str().ok_or("a path that is no text")?;
    let program = ["sh", "-c", UNTIL_TOLD, "sh", PDSNO, "--role", "all", "--region", "zone-A", "--listen", "none"];
    let flags = ["--subnets", PREFIX, "--probe-rate", "10000", "--data-dir", path];
    let mut running = fleet
        .command(&[&program[..], &flags].concat())?
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut end = running.stdin.take().ok_or("no stdin")?;
    let mut lines = BufReader::new(running.stderr.take().ok_or("no stderr")?).lines();
    let ended = |line: &String| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        line["message"] == "discovery cycle ended"
    };
    let mut log = Vec::new();
    let cycle = lines.by_ref().map_while(Result::ok).inspect(|line| log.push(line.clone())).find(ended);
    assert!(cycle.is_some(), "no cycle ended:\n{}", log.join("\n"));
    let [_, regional, local] = TIERS.map(|tier| data.join(tier).join("pdsno.db"));
    let told = await_taken(&local, Stream::Reports)?;
    await_taken(&regional, Stream::Summaries)?;
    writeln!(end)?;
    // What else it says is read, or it could not say it.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(running.wait()?.success(), "{}", rest.join("\n"));

    assert!(told.last.number() > 4, "in several items: {told:?}");
    let [global, regional, local] = TIERS.map(|tier| known(&data.join(tier).join("pdsno.db")));
    let (global, regional, local) = (global?, regional?, local?);
    let found: std::collections::BTreeSet<String> = local.keys().map(|mac| format!("\"{mac}\"")).collect();
    assert_eq!(found, macs(&truth["hosts"]));
    assert!(local.len() > 2_000 && local.values().any(|(.., facts)| facts.len() > 2));
    for (above, tier) in [(regional, "regional"), (global, "global")] {
        assert_eq!(above.len(), local.len(), "{tier}");
        for (mac, device) in &local {
            assert_eq!(above.get(mac), Some(device), "{tier}: {mac}");
        }
    }
    Ok(())
}
