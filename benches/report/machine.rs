//! Where and when it was measured, without what would tell whose machine it is.

use std::fs;
use std::thread::available_parallelism;

use pdsno::app::clock::SystemClock;
use pdsno::domain::time::Clock;

/// The machine and the day.
pub fn description() -> String {
    let cores = available_parallelism().map_or(0, usize::from);
    let model = value_of("/proc/cpuinfo", "model name").unwrap_or_else(|| "a CPU without a model name".to_owned());
    let memory = value_of("/proc/meminfo", "MemTotal")
        .and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok())
        .map_or(f64::NAN, |kibibytes| kibibytes * 1024.0 / 1e9);
    let today = SystemClock::start().now().to_string();
    let today = today.split('T').next().unwrap_or_default();
    format!(
        "{cores} cores ({model}), {memory:.1} GB of memory, {} {}, {today}",
        first_word("/proc/sys/kernel/ostype"),
        first_word("/proc/sys/kernel/osrelease"),
    )
}

/// The value of the first line `key : value` of a file.
fn value_of(path: &str, key: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find_map(|(name, value)| (name.trim() == key).then(|| value.trim().to_owned()))
}

fn first_word(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}
