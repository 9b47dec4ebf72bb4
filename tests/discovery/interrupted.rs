//! A signal in the middle of a scan.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::program::{LIMIT, Ran, Tested, run};
use crate::site::{SUBNET, Site, found};

/// The packets that the scanner has got.
fn received(site: &Site) -> Tested<u64> {
    let counter = run(site.lab.command("cat").arg("/sys/class/net/lab0/statistics/rx_packets"))?;
    Ok(counter.printed()?.trim().parse()?)
}

/// A scan that takes most of a minute, ended by a signal after so many packets have come.
fn interrupted(site: &Site, signal: Signal, answers: u64) -> Tested<Ran> {
    let before = received(site)?;
    let mut scan = site.program(&["scan", SUBNET, "--probe-rate", "1", "--save", "--format", "json", "--data-dir"]);
    let scan = scan.arg(site.data()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let program = site.lab.program_of(&scan)?;
    let deadline = Instant::now() + LIMIT;
    while received(site)? < before + answers {
        assert!(Instant::now() < deadline, "nothing comes");
    }
    let asked = Instant::now();
    kill_process(program, signal)?;
    let ended = scan.wait_with_output()?;
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    Ok(Ran { status: ended.status, out: String::from_utf8(ended.stdout)?, err: String::from_utf8(ended.stderr)? })
}

#[test]
fn a_scan_that_is_interrupted_ends_at_once_and_keeps_what_it_found() -> Tested {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let site = Site::new(12, 0, 0)?;
        let ended = interrupted(&site, signal, 1)?;
        assert_eq!((ended.code(), ended.err.as_str()), (Some(code), TOLD), "{ended:?}");
        let told: Value = serde_json::from_str(&ended.out)?;
        assert_eq!(told["completeness"], "partial");
        let there = found(&told)?.len();
        assert!((1..12).contains(&there), "{told}");
        assert_eq!(site.devices()?.len(), there);
        let types = ["NIB_MIGRATED"].into_iter().chain(vec!["DEVICE_DISCOVERED"; there]);
        assert_eq!(site.types_after("", 0)?, types.chain(["DISCOVERY_CYCLE_COMPLETED"]).collect::<Vec<_>>());
        assert_eq!(site.events("DISCOVERY_CYCLE")?[0]["payload"]["completeness"], "partial");
        assert!(site.read(&["nib", "check"])?.printed()?.contains(&format!("{there} devices")));
    }
    Ok(())
}

/// What is said beside the result.
const TOLD: &str = "error: interrupted: this is what was found until then\n";

#[test]
fn who_did_not_answer_before_an_interruption_was_not_missed() -> Tested {
    let site = Site::new(12, 0, 0)?;
    site.scan()?;
    let before = site.devices()?;
    let ended = interrupted(&site, Signal::TERM, 1)?;
    let told: Value = serde_json::from_str(&ended.out)?;
    let there = found(&told)?.len() as u64;
    assert_eq!(told["changes"], json!({"new": 0, "updated": 0, "unchanged": there, "missed": 0, "inactive": 0}));
    for (before, after) in before.iter().zip(site.devices()?) {
        assert_eq!((&after["missed_cycles"], &after["status"]), (&json!(0), &json!("active")));
        assert_eq!(after["methods"], before["methods"], "it still answers by what was not asked any more");
        assert_eq!(after["snmp"], before["snmp"]);
    }
    Ok(())
}
