//! What a bench says: figures against their goals, as a section of `docs/benchmarks.md`.

#[path = "report/machine.rs"]
mod machine;
#[path = "report/spread.rs"]
mod spread;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use spread::{Spread, rounded};

/// The sections in the order of the document.
const ORDER: [&str; 6] = [DISCOVERY, SCALE, DAEMON, NIB, LOG, TRUST];
/// The title of `benches/discovery.rs`.
pub const DISCOVERY: &str = "Discovery of a /24";
/// The title of `benches/scale.rs`.
pub const SCALE: &str = "Discovery of a /16";
/// The title of `benches/daemon.rs`.
pub const DAEMON: &str = "The daemon";
/// The title of `benches/nib.rs`.
pub const NIB: &str = "A large commit";
/// The title of `benches/log.rs`.
pub const LOG: &str = "The event log";
/// The title of `benches/trust.rs`.
pub const TRUST: &str = "Three tiers";

/// The argument for a run that is no measurement.
const QUICK: &str = "--quick";

const HEAD: &str = "\
# Benchmarks

Written by `make bench`; nothing in here is typed by hand. A single bench, for example
`cargo bench --bench nib`, replaces its own section only. Times move from machine to machine and from
day to day: what is compared was measured in turns within one run, on a machine that did other things
as well. A figure is the median of the runs, with the least and the most of them in brackets; whether
a goal is reached is said of the median.
";

/// One bench's part of the document.
pub struct Section {
    /// One of the titles above.
    pub title: &'static str,
    /// The argument of `cargo bench --bench`.
    pub bench: &'static str,
    /// What was measured, and how.
    pub about: String,
    /// What was wanted, and what was reached.
    pub figures: Vec<Figure>,
    /// What else was seen; the first row of each is its heading.
    pub tables: Vec<Vec<Vec<String>>>,
    /// The programs that ran, as one would type it; none when the bench is the program.
    pub commands: Vec<String>,
    /// What it was compared with, and what it is made of.
    pub versions: Vec<String>,
}

/// A figure against its goal.
pub struct Figure {
    /// What it is.
    pub name: String,
    /// What it should be.
    pub goal: String,
    /// What was measured of pdsno.
    pub measured: String,
    /// What was measured of the other, where there is one.
    pub beside: String,
    /// The quotient that the goal is about.
    pub ratio: String,
    /// Whether the goal is reached.
    pub reached: bool,
}

/// Whether cargo asked for measurements, and not for a test of all targets.
pub fn is_wanted() -> bool {
    let wanted = std::env::args().any(|argument| argument == "--bench");
    if !wanted {
        eprintln!("nothing measured; `make bench` or `cargo bench` does");
    }
    wanted
}

/// Whether only the way through a bench is to be seen, with less of everything: `cargo bench --bench
/// scale -- --quick`. What is measured then is not for the document.
pub fn is_quick() -> bool {
    std::env::args().any(|argument| argument == QUICK)
}

/// Where the document and its pictures are written.
pub fn folder() -> PathBuf {
    match is_quick() {
        true => PathBuf::from(env!("CARGO_TARGET_TMPDIR")),
        false => Path::new(env!("CARGO_MANIFEST_DIR")).join("docs"),
    }
}

impl Section {
    /// Puts the section into the document in place of its predecessor, and prints it.
    ///
    /// # Errors
    /// When the document cannot be read or written.
    pub fn publish(&self) -> io::Result<()> {
        let path = folder().join("benchmarks.md");
        let old = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            old => old?,
        };
        let text = self.text();
        let mut document = HEAD.to_owned();
        for title in ORDER {
            let kept = old.split("\n## ").skip(1).find(|section| section.lines().next() == Some(title));
            let section = if title == self.title { Some(text.as_str()) } else { kept };
            if let Some(section) = section {
                document.push_str("\n## ");
                document.push_str(section.trim_end());
                document.push('\n');
            }
        }
        fs::create_dir_all(folder())?;
        fs::write(&path, document)?;
        println!("\n## {text}\n(written to {})", path.display());
        Ok(())
    }

    fn text(&self) -> String {
        let heading = ["figure", "goal", "pdsno", "beside it", "ratio", "reached"].map(str::to_owned).to_vec();
        let figures = self.figures.iter().map(|figure| {
            let reached = if figure.reached { "yes" } else { "no" };
            let Figure { name, goal, measured, beside, ratio, .. } = figure;
            [name, goal, measured, beside, ratio, reached].map(|cell: &str| cell.to_owned()).to_vec()
        });
        let figures: Vec<Vec<String>> = std::iter::once(heading).chain(figures).collect();
        let tables: Vec<String> = std::iter::once(&figures).chain(&self.tables).map(|rows| table(rows)).collect();
        let ran = match self.commands.as_slice() {
            [] => " ".to_owned(),
            commands => format!(" which ran\n\n```text\n{}\n```\n\n", commands.join("\n")),
        };
        format!(
            "{}\n\n{}\n\n{}\nMeasured by `cargo bench --bench {}`,{ran}on {}; {}.\n",
            self.title,
            self.about,
            tables.join("\n"),
            self.bench,
            machine::description(),
            self.versions.join(", "),
        )
    }
}

/// A table; the first row is the heading.
fn table(rows: &[Vec<String>]) -> String {
    let rule = |row: &Vec<String>| format!("|{}\n", " --- |".repeat(row.len()));
    let lines = rows.iter().enumerate().map(|(position, row)| {
        let below = if position == 0 { rule(row) } else { String::new() };
        format!("| {} |\n{below}", row.join(" | "))
    });
    lines.collect()
}
