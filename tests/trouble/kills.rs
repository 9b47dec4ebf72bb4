//! `kill -9` at any time: the NIB is always sound, and the next cycle makes up for what was missed.

use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use rustix::process::{Signal, kill_process};

use crate::lab::ends_within;
use crate::program::Tested;
use crate::site::Site;

/// Runs in all, shared among labs that are side by side.
const RUNS: u64 = 200;
const LABS: u64 = 4;

/// All of its addresses answer at once but the scanner's, so that a scan is soon at its commit.
const SUBNET: &str = "10.0.1.0/29";
const HOSTS: u16 = 6;

/// About what one of these scans takes.
const LONGEST: Duration = Duration::from_millis(80);

/// Kills scans at random times; returns how many were dead before their end.
fn kill_in_one_lab(seed: u64) -> Tested<u64> {
    let site = Site::new(HOSTS, 0, 0)?;
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut killed, mut events) = (0, 0);
    for run in 0..RUNS / LABS {
        let mut scan =
            site.program(&["scan", SUBNET, "--protocols", "arp", "--timeout", "100", "--save", "--data-dir"]);
        let mut scan =
            scan.arg(site.data()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let program = site.lab.program_of(&scan);
        if !ends_within(scan.id(), LONGEST.mul_f64(random.f64()))
            && let Ok(program) = program
        {
            kill_process(program, Signal::KILL)?;
        }
        // As a shell tells it: the process in the lab had a signal, or the one that waited for it.
        let status = scan.wait()?;
        killed += u64::from(status.code() == Some(137) || status.signal() == Some(9));
        if !site.data().join("pdsno.db").exists() {
            continue;
        }
        let check = site.read(&["nib", "check"])?;
        // Who is killed before the file is a NIB leaves an empty one, which the next start makes one.
        assert!(check.code() == Some(0) || events == 0, "after run {run} of {seed}: {check:?}");
        if check.code() == Some(0) {
            let all = site.events("")?;
            assert!(all.len() >= events, "what was told once stays: {events} events, then {}", all.len());
            assert!(all.iter().zip(0_u64..).all(|(event, seq)| event["seq"] == seq), "gapless");
            events = all.len();
        }
    }
    let last = site.scan_with(&[SUBNET, "--protocols", "arp"])?;
    assert_eq!(last["protocols"]["arp"]["hosts"], HOSTS);
    assert_eq!(site.devices()?.len(), usize::from(HOSTS), "nobody is there twice");
    assert_eq!(site.events("DEVICE_DISCOVERED")?.len(), usize::from(HOSTS), "and everybody was told once");
    assert!(site.devices()?.iter().all(|device| device["missed_cycles"] == 0), "nobody was missed by a dead scan");
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
