//! What trust costs: handshakes, envelopes, reports from below, and a hierarchy that is idle.

#[path = "trust/bare.rs"]
mod bare;
#[path = "trust/delta.rs"]
mod delta;
#[path = "trust/handshakes.rs"]
mod handshakes;
#[path = "trust/idle.rs"]
mod idle;
mod report;
#[path = "trust/segment.rs"]
mod segment;
#[path = "trust/site.rs"]
mod site;

use delta::Delta;
use idle::Idle;
use report::{Figure, Section, Spread, TRUST, rounded};

/// How often handshakes, and what they are made of, are measured.
const ROUNDS: usize = 7;
/// How often the delta is.
const DELTAS: usize = 5;
/// The octets of a megabyte.
const MB: f64 = 1e6;

/// What was measured.
struct Measured {
    handshakes: Spread,
    /// Handshakes a second if they were nothing but this.
    cryptography: Spread,
    commits: Spread,
    sealed: Spread,
    opened: Spread,
    deltas: Vec<Delta>,
    idle: Idle,
}

fn main() -> anyhow::Result<()> {
    if !report::is_wanted() || idle::is_inside()? {
        return Ok(());
    }
    let repeated = |measure: fn() -> anyhow::Result<f64>| (0..ROUNDS).map(move |_| measure());
    let rates = |seconds: Vec<f64>| Spread::of(seconds.into_iter().map(|seconds| 1.0 / seconds));
    let cryptography = rates(repeated(bare::cryptography).collect::<Result<_, _>>()?);
    let commits = rates(repeated(bare::commit).collect::<Result<_, _>>()?);
    let envelopes = (0..ROUNDS).map(|_| bare::envelope()).collect::<Result<Vec<_>, _>>()?;
    let handshakes = Spread::of(handshakes::measure(ROUNDS)?);
    eprintln!("{}", handshakes.text("handshakes a second"));
    let deltas = (0..DELTAS).map(|_| delta::measure()).collect::<Result<Vec<_>, _>>()?;
    eprintln!("{deltas:?}");
    let measured = Measured {
        handshakes,
        cryptography,
        commits,
        sealed: Spread::of(envelopes.iter().map(|(sealed, _)| sealed * 1e6)),
        opened: Spread::of(envelopes.iter().map(|(_, opened)| opened * 1e6)),
        deltas,
        idle: idle::measure()?,
    };
    section(&measured).publish()?;
    Ok(())
}

fn section(measured: &Measured) -> Section {
    let Measured { handshakes, cryptography, commits, sealed, opened, deltas, idle } = measured;
    let of = |part: fn(&Delta) -> f64| Spread::of(deltas.iter().map(part));
    let (resident, load) = (idle.resident / MB, idle.load * 100.0);
    let both = 1.0 / (1.0 / cryptography.median + 1.0 / commits.median);
    let (newcomers, at_once, devices) = (handshakes::NEWCOMERS, handshakes::AT_ONCE, delta::DEVICES);
    let (regions, locals, watched) = (idle::REGIONS, idle::LOCALS, idle::WATCHED.as_secs());
    let row = |name: &str, measured: String| vec![name.to_owned(), measured];
    Section {
        title: TRUST,
        bench: "trust",
        about: format!(
            "All controllers are whole ones (`app::node`), each with a NIB in a file of its own on a disk, \
             `synchronous=FULL`, on one bus and one thread. Handshakes: {ROUNDS} rounds of {newcomers} newcomers, \
             {at_once} at once, on another thread, each from its request to its certificate; the parent is a Regional \
             Controller, and names, rows, tokens and events are committed and sealed. Bare cryptography: two Ed25519 \
             signatures and two verifications of 1,500 octets; a handshake has more, for it signs a challenge, a \
             certificate, a result and an entry of the log, and verifies two envelopes, a proof of the key and its own \
             chain. Bare commit: one SQLite transaction of four rows of 1 KB. Delta: {devices} new devices of one \
             cycle, {DELTAS} times with fresh controllers. Idle: a process of its own with 1 Global, {regions} Regional \
             and {locals} Local Controllers with empty subnets, watched for {watched} s between two cycles of discovery \
             after everybody had joined and reported; heartbeats and looks at the logs go on. 1 MB is 1,000,000 bytes."
        ),
        figures: vec![
            Figure {
                name: format!("memory of {} idle controllers", 1 + regions + locals),
                goal: "≤ 300 MB".to_owned(),
                measured: format!("{} MB", rounded(resident)),
                beside: format!("{} threads", idle.threads),
                ratio: rounded(resident / 300.0),
                reached: resident <= 300.0,
            },
            Figure {
                name: "their processor time".to_owned(),
                goal: "≤ 2 % of a core".to_owned(),
                measured: format!("{} %", rounded(load)),
                beside: String::new(),
                ratio: rounded(load / 2.0),
                reached: load <= 2.0,
            },
        ],
        tables: vec![
            vec![
                row("handshakes at one parent", "measured".to_owned()),
                row("handshakes", handshakes.text("a second")),
                row("bare cryptography", cryptography.text("a second")),
                row("bare commits", commits.text("a second")),
                row("handshakes, of the speed of bare cryptography", rounded(handshakes.median / cryptography.median)),
                row("of the speed of bare commits", rounded(handshakes.median / commits.median)),
                row("of the speed of both, one after the other", rounded(handshakes.median / both)),
            ],
            vec![
                row("an envelope with a heartbeat", "measured".to_owned()),
                row("sealed", sealed.text("µs")),
                row("read, verified and opened", opened.text("µs")),
            ],
            vec![
                row(&format!("{devices} new devices"), "measured".to_owned()),
                row("from the start of the cycle to its commit", of(|delta| delta.found * 1e3).text("ms")),
                row("from there to the Global Controller's commit", of(|delta| delta.told * 1e3).text("ms")),
                row("sent by all controllers meanwhile", of(|delta| delta.octets / MB).text("MB")),
            ],
        ],
        commands: Vec::new(),
        versions: vec![format!("pdsno {}", env!("CARGO_PKG_VERSION")), format!("SQLite {}", rusqlite::version())],
    }
}
