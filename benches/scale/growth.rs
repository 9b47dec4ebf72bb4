//! Ever larger parts of the fleet at one rate: what each further address and device costs.

use crate::look::{Look, Prints, Seen};
use crate::plot::{Line, Panel};
use crate::report::{Figure, Spread, rounded};

/// Packets a second.
pub const RATE: u32 = 20_000;

/// How much more a further one may cost than one before it: "flat", with some room for noise.
const FLAT: f64 = 1.25;

/// The most seconds that a scan may take whatever its size: three attempts wait 0.7 s for a silent
/// address on a fast link.
const FIXED: f64 = 1.0;

/// The part of the fleet with so long a prefix.
pub fn look(prefix: u8) -> Look {
    let line = format!("pdsno scan 10.1.0.0/{prefix} --save --format json --probe-rate {RATE} --data-dir DIR");
    Look::new(&format!("/{prefix}"), &line, Prints::Scan)
}

/// One part of the fleet.
struct Part {
    name: String,
    addresses: f64,
    devices: f64,
    time: Spread,
    cpu: Spread,
    peak: Spread,
    disk: Spread,
    /// Seconds that the packets take at the rate.
    demanded: Spread,
}

/// What is reckoned of one part and the one before it; what every scan costs is in both and falls out.
struct Further {
    name: String,
    /// Microseconds for each further address.
    time: f64,
    demanded: f64,
    cpu: f64,
    /// Octets for each further device.
    peak: f64,
    disk: f64,
}

/// The parts by size, as they were seen in several rounds.
pub struct Growth {
    parts: Vec<Part>,
    further: Vec<Further>,
}

impl Growth {
    /// Of the prefixes' lengths in descending order, and each round's looks in the same order.
    pub fn of(prefixes: &[u8], rounds: &[Vec<Seen>]) -> Self {
        let part = |(place, prefix): (usize, &u8)| {
            let seen: Vec<&Seen> = rounds.iter().filter_map(|round| round.get(place)).collect();
            let spread = |of: fn(&Seen) -> f64| Spread::of(seen.iter().map(|seen| of(seen)));
            Part {
                name: format!("/{prefix}"),
                addresses: f64::from((1_u32 << (32 - u32::from(*prefix))) - 2),
                devices: spread(|seen| seen.hosts as f64).median,
                time: spread(|seen| seen.time),
                cpu: spread(|seen| seen.cpu * 1e3),
                peak: spread(|seen| seen.peak),
                disk: spread(|seen| seen.disk),
                demanded: spread(|seen| seen.sent as f64 / f64::from(RATE)),
            }
        };
        let parts: Vec<Part> = prefixes.iter().enumerate().map(part).collect();
        let further = parts.iter().zip(parts.iter().skip(1)).map(|(less, more)| {
            let addresses = more.addresses - less.addresses;
            let devices = more.devices - less.devices;
            let between = |of: fn(&Part) -> &Spread| of(more).median - of(less).median;
            Further {
                name: more.name.clone(),
                time: between(|part| &part.time) * 1e6 / addresses,
                demanded: between(|part| &part.demanded) * 1e6 / addresses,
                cpu: between(|part| &part.cpu) * 1e3 / addresses,
                peak: between(|part| &part.peak) / devices,
                disk: between(|part| &part.disk) / devices,
            }
        });
        let further = further.collect();
        Self { parts, further }
    }

    /// Seconds that a scan of any size takes: those of the smallest part without its addresses, each at
    /// what it costs in the last step.
    fn fixed(&self) -> Option<f64> {
        let (first, last) = (self.parts.first()?, self.further.last()?);
        Some(first.time.median - first.addresses * last.time / 1e6)
    }

    /// The last step beside the one before it; and what does not depend on the size.
    pub fn figures(&self) -> Vec<Figure> {
        let [.., before, last] = self.further.as_slice() else { return Vec::new() };
        let figure = |what: &str, unit: &str, of: fn(&Further) -> f64| {
            let ratio = of(last) / of(before);
            Figure {
                name: format!("{what}, up to a {}", last.name),
                goal: format!("≤ {FLAT} of that up to a {}", before.name),
                measured: format!("{} {unit}", rounded(of(last))),
                beside: format!("up to a {}: {} {unit}", before.name, rounded(of(before))),
                ratio: rounded(ratio),
                reached: ratio <= FLAT,
            }
        };
        let fixed = self.fixed().unwrap_or(f64::NAN);
        vec![
            Figure {
                name: "time of a scan whatever its size".to_owned(),
                goal: format!("≤ {FIXED} s"),
                measured: format!("{} s", rounded(fixed)),
                beside: "three attempts wait 0.7 s for a silent address".to_owned(),
                ratio: rounded(fixed / FIXED),
                reached: fixed <= FIXED,
            },
            figure("time for each further address", "µs", |further| further.time),
            figure("processor time for each further address", "µs", |further| further.cpu),
            figure("memory for each further device", "KB", |further| further.peak / 1e3),
            figure("disk for each further device", "KB", |further| further.disk / 1e3),
        ]
    }

    pub fn table(&self) -> Vec<Vec<String>> {
        let heading = [
            "part",
            "addresses",
            "devices",
            "time",
            "each further address",
            "its packets at the rate",
            "processor time",
            "each further address",
            "peak memory",
            "each further device",
            "disk",
            "each device",
            "each further device",
        ];
        let mut rows = vec![heading.map(str::to_owned).to_vec()];
        for (place, part) in self.parts.iter().enumerate() {
            let further = place.checked_sub(1).and_then(|place| self.further.get(place));
            let cell = |unit: &str, of: fn(&Further) -> f64| {
                further.map_or_else(|| "–".to_owned(), |further| format!("{} {unit}", rounded(of(further))))
            };
            let scaled = |spread: Spread| {
                Spread { median: spread.median / 1e6, least: spread.least / 1e6, most: spread.most / 1e6 }.text("MB")
            };
            rows.push(vec![
                part.name.clone(),
                format!("{:.0}", part.addresses),
                format!("{:.0}", part.devices),
                part.time.text("s"),
                cell("µs", |further| further.time),
                cell("µs", |further| further.demanded),
                part.cpu.text("ms"),
                cell("µs", |further| further.cpu),
                scaled(part.peak),
                cell("KB", |further| further.peak / 1e3),
                scaled(part.disk),
                format!("{} KB", rounded(part.disk.median / part.devices / 1e3)),
                cell("KB", |further| further.disk / 1e3),
            ]);
        }
        rows
    }

    pub fn panels(&self) -> Vec<Panel> {
        let ticks = || (0_u8..).map(f64::from).zip(self.further.iter().map(|further| further.name.clone())).collect();
        let line = |name: &str, of: fn(&Further) -> f64| Line {
            name: name.to_owned(),
            points: (0_u8..).map(f64::from).zip(self.further.iter().map(of)).collect(),
        };
        let across = || "size of the part, each four times the one before".to_owned();
        vec![
            Panel {
                title: "Each further address, µs".to_owned(),
                across: across(),
                ticks: ticks(),
                lines: vec![line("time", |further| further.time), line("processor time", |further| further.cpu)],
            },
            Panel {
                title: "Each further device, KB".to_owned(),
                across: across(),
                ticks: ticks(),
                lines: vec![
                    line("peak memory", |further| further.peak / 1e3),
                    line("disk", |further| further.disk / 1e3),
                ],
            },
        ]
    }
}
