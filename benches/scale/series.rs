//! All that one program saw, round after round.

use crate::look::{Look, Seen};
use crate::report::Spread;

/// What a program saw in all rounds.
pub struct Series {
    /// Seconds.
    pub time: Spread,
    /// Milliseconds.
    pub cpu: Spread,
    /// Megabytes.
    pub peak: Spread,
    /// In all rounds together.
    pub hosts: usize,
    pub agents: usize,
}

impl Series {
    /// Of those rounds in which the program was there; `None` where it never was.
    pub fn of<'a>(seen: impl Iterator<Item = &'a Option<Seen>>) -> Option<Self> {
        let seen: Vec<&Seen> = seen.flatten().collect();
        let spread = |of: fn(&Seen) -> f64| Spread::of(seen.iter().map(|seen| of(seen)));
        let sum = |of: fn(&Seen) -> usize| seen.iter().map(|seen| of(seen)).sum();
        (!seen.is_empty()).then(|| Self {
            time: spread(|seen| seen.time),
            cpu: spread(|seen| seen.cpu * 1e3),
            peak: spread(|seen| seen.peak / 1e6),
            hosts: sum(|seen| seen.hosts),
            agents: sum(|seen| seen.agents),
        })
    }

    /// Of each look, from the rounds of all looks.
    pub fn each(looks: &[Look], rounds: &[Vec<Option<Seen>>]) -> Vec<Option<Self>> {
        let of = |place: usize| Self::of(rounds.iter().filter_map(move |round| round.get(place)));
        (0..looks.len()).map(of).collect()
    }
}

/// A share as it is said of recall: `99.99 %`.
pub fn percent(found: usize, all: usize) -> String {
    match found {
        0 => "–".to_owned(),
        found if found == all => "100 %".to_owned(),
        // Cut off, so that nothing that is missing is rounded away.
        found => format!("{:.3} %", (found as f64 / all as f64 * 1e5).floor() / 1e3),
    }
}

/// A table of programs; `all` says how many hosts and agents each could have seen in all rounds. Those that are not installed are said to be missing.
pub fn table(looks: &[Look], series: &[Option<Series>], all: impl Fn(&Look) -> (usize, usize)) -> Vec<Vec<String>> {
    let heading = ["program", "time", "processor time", "peak memory", "hosts", "agents"];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for (look, series) in looks.iter().zip(series) {
        let mut row = vec![look.name.clone()];
        match series {
            None => row.extend(["not installed", "–", "–", "–", "–"].map(str::to_owned)),
            Some(series) => {
                let (hosts, agents) = all(look);
                row.extend([series.time.text("s"), series.cpu.text("ms"), series.peak.text("MB")]);
                row.extend([percent(series.hosts, hosts), percent(series.agents, agents)]);
            }
        }
        rows.push(row);
    }
    rows
}
