//! `kill -9` at any time: the NIB is always sound, and the next cycle makes up for what was missed.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use pdsno::domain::address::MacAddr;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::lab::ends_within;
use crate::program::{Tested, run};
use crate::site::{Site, at};

/// Runs in all, shared among labs that are side by side.
const RUNS: u64 = 200;
const LABS: u64 = 4;

/// All of its addresses answer at once but the scanner's, so that a scan is soon at its commit.
const SUBNET: &str = "10.0.1.0/29";
const HOSTS: u16 = 6;

const QUICKLY: [&str; 5] = [SUBNET, "--protocols", "arp", "--timeout", "100"];

/// About what one of these scans takes.
const LONGEST: Duration = Duration::from_millis(80);

/// Has the last two devices exchange their MAC addresses, so that there is something to tell.
fn exchange(site: &Site, macs: [&MacAddr; 2]) -> Tested {
    let [one, other] = macs.map(ToString::to_string);
    let set = "ip -n h5 link set eth0 address \"$1\" && ip -n h6 link set eth0 address \"$2\"";
    run(site.lab.command("bash").args(["-c", set, "bash", &one, &other]))?.printed().map(drop)
}

/// That the NIB has everybody as he is now, and that these events tell of each change once.
fn complete(site: &Site, told: &[Value], macs: &[MacAddr], exchanges: usize) -> Tested {
    let devices = site.devices()?;
    assert_eq!(devices.len(), macs.len(), "nobody is there twice: {devices:?}");
    for (number, mac) in (1..).zip(macs) {
        let address = format!("10.0.1.{number}");
        assert_eq!(at(&devices, &address)?["mac"], mac.to_string(), "at {address}, after {exchanges}");
    }
    for device in &devices {
        assert_eq!((&device["missed_cycles"], &device["status"]), (&json!(0), &json!("active")), "{device}");
    }
    let count = |name: &str| told.iter().filter(|event| event["event_type"] == name).count();
    assert_eq!((count("DEVICE_DISCOVERED"), count("DEVICE_UPDATED")), (macs.len(), 2 * exchanges), "each once");
    assert_eq!(count("ANOMALY_DUPLICATE_ADDRESS"), 0, "they moved, nobody disputes it");
    Ok(())
}

/// All events, of which those that were there before are as they were.
fn kept(site: &Site, before: &[Value]) -> Tested<Vec<Value>> {
    let all = site.events("")?;
    assert!(all.starts_with(before), "what was told once stays: {before:?}, then {all:?}");
    assert!(all.iter().zip(0_u64..).all(|(event, seq)| event["seq"] == seq), "gapless");
    Ok(all)
}

/// Kills scans at random times, each after something has changed, and after each has a scan make up for what
/// it missed; returns how many were dead before their end.
fn kill_in_one_lab(seed: u64) -> Tested<u64> {
    let site = Site::new(HOSTS, 0, 0)?;
    let mut random = fastrand::Rng::with_seed(seed);
    let mut macs: Vec<MacAddr> = site.lab.truth()?.hosts.iter().map(|host| host.mac).collect();
    let (mut killed, mut told) = (0, Vec::new());
    for (run, exchanges) in (0..RUNS / LABS).zip(0..) {
        if exchanges > 0 {
            macs.swap(4, 5);
            exchange(&site, [&macs[4], &macs[5]])?;
        }
        let mut scan = site.program(&["scan", "--save", "--data-dir"]);
        let mut scan = scan
            .arg(site.data())
            .args(QUICKLY)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let program = site.lab.program_of(&scan);
        if !ends_within(scan.id(), LONGEST.mul_f64(random.f64()))
            && let Ok(program) = program
        {
            kill_process(program, Signal::KILL)?;
        }
        // As a shell tells it: the process in the lab had a signal, or the one that waited for it.
        let status = scan.wait()?;
        killed += u64::from(status.code() == Some(137) || status.signal() == Some(9));
        if site.data().join("pdsno.db").exists() {
            let check = site.read(&["nib", "check"])?;
            // Who is killed before the file is a NIB leaves an empty one, which the next start makes one.
            assert!(check.code() == Some(0) || told.is_empty(), "after run {run} of {seed}: {check:?}");
            if check.code() == Some(0) {
                told = kept(&site, &told)?;
            }
        }
        let next = site.scan_with(&QUICKLY)?;
        assert_eq!((&next["protocols"]["arp"]["hosts"], &next["completeness"]), (&json!(HOSTS), &json!("complete")));
        told = kept(&site, &told)?;
        complete(&site, &told, &macs, exchanges)?;
    }
    Ok(killed)
}

#[test]
fn two_hundred_kills_at_random_times_leave_a_sound_nib_that_the_next_cycle_completes() -> Tested {
    let labs: Vec<_> =
        (0..LABS).map(|seed| thread::spawn(move || kill_in_one_lab(seed).map_err(|error| error.to_string()))).collect();
    let mut killed = 0;
    for lab in labs {
        killed += lab.join().map_err(|_| "a lab's checks failed")??;
    }
    assert!(killed > RUNS / 5, "enough of them were dead before their end: {killed}");
    Ok(())
}
