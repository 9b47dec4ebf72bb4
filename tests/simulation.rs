//! Whole hierarchies on virtual time: everything that happens is decided by one seed.
//!
//! A run makes one Global, two or three Regional and four to six Local Controllers, each the program's
//! own actors over a NIB in memory, joined by a bus that loses, doubles, delays and overtakes. Devices
//! come, move and go, alone or by hundreds; machines end at a commit, before it, within it or after it, and start again; nodes are cut
//! off; certificates are renewed; operators act. Invariants are looked at after every commit. Then the faults end, and in the
//! end all must agree.
//!
//! `SEEDS=1000 cargo nextest run --test simulation` runs the seeds 0 to 999, `SEED=7` that one alone; a
//! seed that fails is printed, and fails again.

#[path = "machine/controller.rs"]
mod controller;
#[path = "simulation/copied.rs"]
mod copied;
#[path = "simulation/monitor.rs"]
mod monitor;
#[path = "machine/network.rs"]
mod network;
#[path = "simulation/node.rs"]
mod node;
#[path = "simulation/plan.rs"]
mod plan;
#[path = "simulation/run.rs"]
mod run;
#[path = "simulation/store.rs"]
mod store;
#[path = "machine/time.rs"]
mod time;
#[path = "simulation/verdict.rs"]
mod verdict;

use std::env::VarError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

/// How many seeds a run without wishes has: enough to find out that something is broken.
const SEEDS: u64 = 6;

fn number(name: &str) -> Option<u64> {
    match std::env::var(name) {
        Ok(text) => Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, not a number"))),
        Err(VarError::NotPresent) => None,
        Err(error) => panic!("{name}: {error}"),
    }
}

#[test]
fn every_seed_ends_in_agreement() {
    let (first, last) = match (number("SEED"), number("SEEDS")) {
        (Some(seed), _) => (seed, seed + 1),
        (None, seeds) => (0, seeds.unwrap_or(SEEDS)),
    };
    let (next, switches) = (AtomicU64::new(first), AtomicUsize::new(0));
    let most_batches = AtomicUsize::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let mut failed: Vec<(u64, String)> = thread::scope(|scope| {
        let work = || {
            let mut failed = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= last {
                    return failed;
                }
                match run::run(seed) {
                    Ok(history) => {
                        switches.fetch_add(history.switches, Ordering::Relaxed);
                        most_batches.fetch_max(history.most_batches, Ordering::Relaxed);
                    }
                    Err(reason) => failed.push((seed, reason)),
                }
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    failed.sort();
    if let Some((seed, reason)) = failed.first() {
        let short =
            |(seed, reason): &(u64, String)| format!("  {seed}: {}\n", reason.lines().next().unwrap_or_default());
        let seeds: String = failed.iter().map(short).collect();
        panic!("these seeds failed:\n{seeds}replay the first with SEED={seed}:\n{reason}");
    }
    assert!(last - first == 1 || switches.into_inner() > 0, "nobody went from one key to the next in any seed");
    // The events of the cycle itself are handed over last.
    assert!(last - first == 1 || most_batches.into_inner() > 2, "no cycle was written in batches in any seed");
}

#[test]
fn a_seed_has_one_history() {
    let history = |seed| run::run(seed).unwrap().heads;
    let first = history(1);
    assert_eq!(first, history(1), "the same seed");
    assert_ne!(first, history(2), "another one");
}
