//! How a scan or a daemon ends when it is asked to, or when nobody listens any more.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::fleet::{Fleet, macs};
use crate::lab::ends_within;
use crate::program::{LIMIT, PDSNO, Tested, listing, pdsno, run};
use crate::site::{SUBNET, Site};

/// A /16 of which a third lives; at this rate its sweep takes about half a minute.
const WIDE: Fleet<'_> = Fleet { prefix: "10.1.0.0/16", options: &["--seed", "20"] };

#[test]
fn sigterm_in_a_wide_scan_ends_it_in_five_seconds_with_what_was_found() -> Tested {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    let script = "\"$0\" scan \"$1\" --probe-rate 4000 --save --data-dir \"$2\" --format json >\"$2.json\" & \
                  until [[ $(</sys/class/net/lab0/statistics/rx_packets) -ge 3000 ]]; do :; done; \
                  kill -TERM $!; date +%s%3N; wait $!; code=$?; date +%s%3N; exit $code";
    let text = data.to_str().ok_or("no text")?;
    let ran = run(&mut WIDE.command(&["bash", "-c", script, PDSNO, WIDE.prefix, text])?)?;
    assert_eq!(ran.code(), Some(143), "{ran:?}");
    let times: Vec<u64> = ran.out.lines().map(str::parse).collect::<Result<_, _>>()?;
    assert!(times[1] - times[0] < 5_000, "{times:?}");
    let told: Value = serde_json::from_slice(&fs::read(folder.path().join("data.json"))?)?;
    assert_eq!((&told["completeness"], &told["changes"]["missed"]), (&json!("partial"), &json!(0)));
    let saved = run(pdsno(&["devices", "--format", "json", "--data-dir"]).arg(&data))?.json()?;
    let found = macs(&saved["devices"]);
    assert_eq!(found, macs(&told["devices"]), "what is said is what is stored");
    let there = macs(&WIDE.truth()?["hosts"]);
    assert!(found.len() > 100 && found.len() < there.len() && found.is_subset(&there), "{}", found.len());
    let events =
        run(pdsno(&["events", "--type", "DISCOVERY_CYCLE_COMPLETED", "--format", "json", "--data-dir"]).arg(&data))?;
    assert_eq!(events.json_lines()?[0]["payload"]["completeness"], "partial");
    Ok(())
}

/// Waits until a program takes SIGTERM itself.
fn await_handler(program: Pid) -> Tested {
    let deadline = Instant::now() + LIMIT;
    loop {
        let status = fs::read_to_string(format!("/proc/{program}/status"))?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).ok_or("no SigCgt")?;
        if u64::from_str_radix(caught.trim(), 16)? & (1 << (Signal::TERM.as_raw() - 1)) != 0 {
            return Ok(());
        }
        assert!(Instant::now() < deadline, "it takes no signals");
    }
}

#[test]
fn a_signal_before_the_first_packet_ends_a_scan_in_order() -> Tested {
    let site = Site::new(2, 0, 0)?;
    site.scan()?;
    for cycles in 2..=12 {
        let mut scan = site.program(&["scan", SUBNET, "--probe-rate", "1", "--save", "--format", "json", "--data-dir"]);
        let scan = scan.arg(site.data()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let program = site.lab.program_of(&scan)?;
        await_handler(program)?;
        kill_process(program, Signal::TERM)?;
        let ended = scan.wait_with_output()?;
        let said = String::from_utf8(ended.stderr)?;
        assert_eq!((ended.status.code(), said.lines().count()), (Some(143), 1), "{said}");
        assert!(said.contains("interrupted"), "{said}");
        let told: Value = serde_json::from_slice(&ended.stdout)?;
        assert_eq!((&told["completeness"], &told["changes"]["missed"]), (&json!("partial"), &json!(0)));
        let events = site.events("DISCOVERY_CYCLE_COMPLETED")?;
        assert_eq!((events.len(), &events[cycles - 1]["payload"]["completeness"]), (cycles, &json!("partial")));
    }
    assert!(site.devices()?.iter().all(|device| device["missed_cycles"] == 0), "who was not asked is not judged");
    Ok(())
}

#[test]
fn a_second_signal_ends_a_scan_at_once() -> Tested {
    let site = Site::new(2, 0, 0)?;
    site.scan()?;
    let mut sql = rusqlite::Connection::open(site.data().join("pdsno.db"))?;
    let mut scan = site.program(&["scan", SUBNET, "--probe-rate", "1", "--save", "--data-dir"]);
    let scan = scan.arg(site.data()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let program = site.lab.program_of(&scan)?;
    await_handler(program)?;
    // Whoever holds the NIB's lock holds up what is to be written.
    let lock = sql.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    kill_process(program, Signal::TERM)?;
    assert!(!ends_within(scan.id(), Duration::from_millis(500)), "it waits for the NIB");
    let asked = Instant::now();
    kill_process(program, Signal::INT)?;
    let ended = scan.wait_with_output()?;
    assert_eq!(ended.status.code(), Some(130), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    drop(lock);
    drop(sql);
    assert!(site.read(&["nib", "check"])?.printed()?.contains("2 devices"));
    Ok(())
}

#[test]
fn a_reader_that_goes_ends_a_command_quietly_and_what_was_saved_is_saved() -> Tested {
    let site = Site::new(12, 5, 2)?;
    for format in ["table", "csv", "json"] {
        let mut scan = site.program(&["scan", "10.0.1.0/28", "--save", "--format", format, "--data-dir"]);
        let mut scan =
            scan.arg(site.data()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // Gone before the first byte.
        drop(scan.stdout.take());
        let mut said = String::new();
        let mut stderr = BufReader::new(scan.stderr.take().ok_or("no stderr")?);
        while stderr.read_line(&mut said)? > 0 {}
        assert!(
            scan.wait()?.code() == Some(0) && !said.contains("error") && !said.contains("panic"),
            "{format}: {said}"
        );
    }
    assert_eq!(site.devices()?.len(), 12);
    assert_eq!(site.events("DISCOVERY_CYCLE_COMPLETED")?.len(), 3);
    let files: Vec<_> = listing(&site.data())?.into_keys().collect();
    assert_eq!(files, [site.data().join("pdsno.db")], "and nothing is left beside it");
    Ok(())
}

#[test]
fn on_a_terminal_of_forty_columns_no_line_is_longer() -> Tested {
    let site = Site::new(6, 3, 1)?;
    site.scan()?;
    let (scan, plan) = (format!("scan {SUBNET}"), format!("scan --plan {SUBNET}"));
    let others = ["device 10.0.1.3", "device 10.0.1.99", "events", "status", "config show", "policy show", "nib check"];
    for width in [40, 60, 80, 120] {
        for command in [scan.as_str(), &plan, "devices"].into_iter().chain(others) {
            let shown = on_a_terminal(&site, width, command)?;
            let longest = shown.lines().map(|line| line.trim_end().chars().count()).max();
            assert!(longest > Some(0) && longest <= Some(width), "{command}: {longest:?} of {width}\n{shown}");
        }
    }
    Ok(())
}

#[test]
fn a_narrow_terminal_shows_what_matters_whole_and_names_what_it_leaves_out() -> Tested {
    let site = Site::new(6, 3, 1)?;
    site.scan()?;
    for command in [format!("scan {SUBNET}"), "devices".to_owned()] {
        let shown = on_a_terminal(&site, 40, &command)?;
        for device in site.devices()? {
            let (address, mac) = (&device["ip_addresses"][0], &device["mac"]);
            let (address, mac) = (address.as_str().ok_or("no address")?, mac.as_str().ok_or("no MAC address")?);
            let row = shown.lines().find(|line| line.contains(mac)).ok_or_else(|| format!("no {mac}: {shown}"))?;
            assert!(row.split_whitespace().any(|word| word == address), "{command}: {row}");
        }
        let said = shown.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("too narrow for ") && said.contains("VENDOR, TYPE, METHODS, RTT"), "{command}: {said}");
    }
    let configured = on_a_terminal(&site, 40, "config show")?;
    assert!(configured.lines().any(|line| line.trim_end() == "policy.missed_cycles_before_inactive"), "{configured}");
    // Whoever is no terminal gets all of it.
    let piped = site.read(&["devices"])?.printed()?;
    let header: Vec<_> =
        piped.lines().next().unwrap_or_default().split("  ").filter(|title| !title.is_empty()).collect();
    let titles = ["ID", "STATUS", "IP", "MAC", "HOSTNAME", "VENDOR", "TYPE", "METHODS", "RTT", "LAST SEEN"];
    assert_eq!(header.iter().map(|title| title.trim()).collect::<Vec<_>>(), titles);
    assert!(piped.lines().count() == 7 && !piped.contains('…') && piped.contains("Raspberry Pi Foundation"), "{piped}");
    Ok(())
}

/// What a terminal of so many columns shows of a command, its remarks and its progress included.
fn on_a_terminal(site: &Site, width: usize, command: &str) -> Tested<String> {
    let typed = format!("stty cols {width} rows 24; exec {PDSNO} {command}");
    let mut terminal = site.lab.command("script");
    terminal.args(["--quiet", "--command", &typed, "/dev/null"]).env("NO_COLOR", "1");
    terminal.env("PDSNO_DATA_DIR", site.data()).current_dir(site.folder());
    Ok(without_control_sequences(&run(&mut terminal)?.out))
}

/// What a terminal shows of a text: the last of what was written over itself, without control sequences
/// (ECMA-48: CSI, parameters, a final octet from 0x40 on).
fn without_control_sequences(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match c {
            '\u{1b}' if rest.clone().next() == Some('[') => {
                rest.next();
                rest.by_ref().find(|c| ('\u{40}'..='\u{7e}').contains(c));
            }
            '\r' => shown.push('\n'),
            c => shown.push(c),
        }
    }
    shown
}
