//! Replies that nobody asked for, as many as there are.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::fleet::{Fleet, macs, said_and_stored};
use crate::program::{PDSNO, Tested, run};

/// What is asked for, a second.
const STORM: &str = "100000";

/// What comes at the least, where the machine can.
const AT_LEAST: f64 = 80_000.0;

/// What the program may work for each, in seconds: half of a processor at the full rate. One thread receives, and
/// it is the one that sends; a debug build takes a third of this.
const MOST_WORK: f64 = 5e-6;

/// What the storm may take more memory, in KiB: what is dropped is not kept.
const MOST_MEMORY: u64 = 8 * 1_024;

/// A scan, and what it took.
struct Measured {
    scan: Value,
    folder: TempDir,
    /// The most memory that the program had, in KiB.
    peak: u64,
    /// What processors did for it, in seconds.
    worked: f64,
    /// From before its start until after its end, in seconds.
    span: f64,
    /// What the fleet says of itself.
    counters: Value,
}

/// Runs a scan that is saved, and looks at the process when it has printed its first octet: then all is done,
/// and it waits until somebody takes the rest, which is more than a pipe holds.
fn measured(fleet: &Fleet<'_>) -> Tested<Measured> {
    const WATCHED: &str = "mkfifo \"$2/out\"; from=$EPOCHREALTIME; \
        \"$0\" scan \"$1\" --probe-rate 500 --save --data-dir \"$2/data\" --format json >\"$2/out\" & \
        exec 3<\"$2/out\"; IFS= read -r -N 1 -u 3 first; cat \"/proc/$!/status\" \"/proc/$!/stat\" >\"$2/took\"; \
        { printf %s \"$first\"; cat <&3; } >\"$2/scan\"; wait $! && echo \"$from $EPOCHREALTIME\"";
    /// What a pipe holds (pipe(7)).
    const PIPE: usize = 65_536;
    /// Clock ticks a second, in which `/proc` tells times (proc_pid_stat(5)).
    const TICKS: f64 = 100.0;
    let folder = TempDir::new()?;
    let path = folder.path().to_str().ok_or("no text")?;
    let counters = format!("{path}/counters");
    let options = [fleet.options, &["--counters", &counters]].concat();
    let counted = Fleet { options: &options, ..*fleet };
    let times = run(&mut counted.command(&["bash", "-c", WATCHED, PDSNO, fleet.prefix, path])?)?.printed()?;
    let times: Vec<f64> = times.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let took = fs::read_to_string(folder.path().join("took"))?;
    let peak = took.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    let peak = peak.split_whitespace().next().ok_or("no number")?.parse()?;
    // After the name of the program: 12 and 13 are the times in user and kernel mode.
    let (_, stat) = took.rsplit_once(") ").ok_or("no stat")?;
    let ticks = stat.split_whitespace().skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
    let scan = fs::read(folder.path().join("scan"))?;
    assert!(scan.len() > PIPE, "it might have ended before it was looked at");
    Ok(Measured {
        scan: serde_json::from_slice(&scan)?,
        peak,
        worked: ticks / TICKS,
        span: times[1] - times[0],
        counters: serde_json::from_slice(&fs::read(&counters)?)?,
        folder,
    })
}

/// What the fleet blows a second while somebody asks for one address that nobody has, and takes nothing.
fn rate_alone(fleet: &Fleet<'_>) -> Tested<f64> {
    let folder = TempDir::new()?;
    let counters = folder.path().join("counters");
    let options = [fleet.options, &["--counters", counters.to_str().ok_or("no text")?]].concat();
    let nobody = "from=$EPOCHREALTIME; ping -c 1 -W 2 \"$0\" >/dev/null; echo \"$from $EPOCHREALTIME\"";
    let counted = Fleet { options: &options, ..*fleet };
    let times = run(&mut counted.command(&["bash", "-c", nobody, "10.1.0.254"])?)?.printed()?;
    let times: Vec<f64> = times.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let counters: Value = serde_json::from_slice(&fs::read(&counters)?)?;
    Ok(counters["unsolicited"].as_f64().ok_or("no counter")? / (times[1] - times[0]))
}

#[test]
fn a_storm_of_replies_that_nobody_asked_for_costs_neither_memory_nor_the_scan() -> Tested {
    let calm = Fleet { prefix: "10.1.0.0/24", options: &["--seed", "9"] };
    let without = measured(&calm)?;
    let fleet = Fleet { options: &["--seed", "9", "--unsolicited", STORM], ..calm };
    let storm = measured(&fleet)?;
    assert_eq!(macs(&storm.scan["devices"]), macs(&calm.truth()?["hosts"]), "everybody, and nobody else");
    assert_eq!(storm.scan["completeness"], "complete");
    said_and_stored(&storm.scan, &storm.folder.path().join("data"))?;
    assert!(storm.scan["duration_ms"].as_f64() < Some(15_000.0), "{}", storm.scan);

    let blown = storm.counters["unsolicited"].as_u64().ok_or("no counter")? as f64;
    let rate = blown / storm.span;
    let protocols = storm.scan["protocols"].as_object().ok_or("no protocols")?;
    let counted: u64 = protocols.values().filter_map(|stats| stats["rejected"].as_u64()).sum();
    let took = format!(
        "{blown} replies in {:.2} s, {rate:.0} a second, {counted} of them counted; \
         {:.2} s of work and {} KiB, and {:.2} s and {} KiB without them",
        storm.span, storm.worked, storm.peak, without.worked, without.peak
    );
    eprintln!("{took}");
    assert!(blown > 50_000.0, "{took}");
    if rate < AT_LEAST {
        let alone = rate_alone(&fleet)?;
        eprintln!("the fleet alone makes {alone:.0} a second here");
        assert!(rate > alone / 2.0, "it blew, and nobody held it up: {took}");
    }
    // Of six that come two claim to be about what the program asks: ARP of strangers, errors that quote nothing. The
    // others are answers to other people, which the filter of the socket drops, or the sweep does without a word.
    // What comes while the receive buffer is full the kernel drops.
    assert!(counted as f64 > blown / 3.0 / 4.0, "{took}");
    assert!(storm.worked < without.worked + blown * MOST_WORK, "{took}");
    assert!(storm.peak < without.peak + MOST_MEMORY, "{took}");
    Ok(())
}
