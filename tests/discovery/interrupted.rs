//! Ctrl-C in the middle of a scan.

use std::process::Stdio;
use std::time::Instant;

use rustix::process::{Signal, kill_process};

use crate::program::{LIMIT, Tested, run};
use crate::site::{SUBNET, Site};

/// The packets that the scanner has sent.
fn sent(site: &Site) -> Tested<u64> {
    let counter = run(site.lab.command("cat").arg("/sys/class/net/lab0/statistics/tx_packets"))?;
    Ok(counter.printed()?.trim().parse()?)
}

#[test]
fn a_scan_that_is_interrupted_ends_at_once_and_writes_nothing_of_it() -> Tested {
    let site = Site::new(3, 0, 0)?;
    let before = sent(&site)?;
    // At one packet a second it would take most of a minute.
    let mut scan = site.program(&["scan", SUBNET, "--probe-rate", "1", "--save", "--data-dir"]);
    let scan = scan.arg(site.data()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let program = site.lab.program_of(&scan)?;
    let deadline = Instant::now() + LIMIT;
    while sent(&site)? == before {
        assert!(Instant::now() < deadline, "it sends nothing");
    }
    kill_process(program, Signal::INT)?;
    let ended = scan.wait_with_output()?;
    assert_eq!(ended.status.code(), Some(130), "{ended:?}");
    assert_eq!(String::from_utf8(ended.stderr)?, "error: interrupted\n");
    assert!(ended.stdout.is_empty());
    assert_eq!(site.devices()?, Vec::<serde_json::Value>::new());
    let types: Vec<_> = site.events("")?.iter().map(|event| event["event_type"].clone()).collect();
    assert_eq!(types, ["NIB_MIGRATED"]);
    Ok(())
}
