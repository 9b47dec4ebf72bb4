//! What the event log costs: appending with its tree, proofs in a large one, verifying a whole one.

mod report;
#[path = "log/tree.rs"]
mod tree;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, ensure};
use pdsno::algorithms::audit::frontier::Frontier;
use pdsno::algorithms::audit::seal::LogSealer;
use pdsno::algorithms::audit::startup::OwnKeys;
use pdsno::algorithms::audit::stored::TileHashes;
use pdsno::algorithms::audit::verify::{Stored, Trust, Verdict, Verifier};
use pdsno::algorithms::audit::{build, hash, proof};
use pdsno::app::clock::SystemClock;
use pdsno::domain::digest::Digest;
use pdsno::domain::entropy::{Entropy, NoEntropy};
use pdsno::domain::event::{EventSeq, EventType, NewEvent};
use pdsno::domain::log::{Place, SealedEvent, Sealer};
use pdsno::domain::number::{Epoch, PolicyVersion};
use pdsno::domain::origin::Origin;
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::domain::tree::TreeHead;
use pdsno::nib::sqlite::{OpenMode, SqliteNib};
use pdsno::nib::{Change, NibReader, NibStore};
use pdsno::wire::checkpoint::{Checkpoint, SignedCheckpoint};
use pdsno::wire::entry;
use pdsno::wire::note::{NoteSigner, SignatureType};
use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
use report::{Figure, LOG, Section, Spread, rounded};
use secrecy::zeroize::Zeroizing;
use serde_json::json;

/// Events of one commit.
const COMMIT: u32 = 64;
/// Commits that are measured together.
const COMMITS: u32 = 100;
/// How often appending is measured, with and without the tree in turns.
const PAIRS: usize = 9;
/// Entries of the large tree.
const LARGE: u64 = 1_000_000;
/// Proofs that are built and checked in it.
const PROOFS: u64 = 10_000;
/// Entries that are verified.
const VERIFIED: u32 = 100_000;
/// How often.
const VERIFICATIONS: usize = 3;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Different octets each time; what they cost does not count here.
#[derive(Default)]
struct Counter(AtomicU64);

impl Entropy for Counter {
    fn fill(&self, octets: &mut [u8]) -> Result<(), NoEntropy> {
        let count = self.0.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        octets.iter_mut().rev().zip(count.iter().rev()).for_each(|(octet, counted)| *octet = *counted);
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    if !report::is_wanted() {
        return Ok(());
    }
    let key = Arc::new(KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([7; 32])).as_bytes())?);
    let batches = appending(&key, COMMIT)?;
    let alone = appending(&key, 1)?;
    let tree = tree::appending(&key)?;
    let (draft, signature) = (drafting(&key)?, signing(&key)?);
    let large = Large::new();
    let proofs = large.proofs()?;
    let verified = verifying(&key)?;
    publish(&Appending { batches, alone, tree, draft, signature }, proofs, &verified)
}

fn origin() -> anyhow::Result<Origin> {
    Ok("pdsno/bench/local_cntl_zoneA_1".parse()?)
}

fn sealer(key: &Arc<KeyPair>) -> anyhow::Result<LogSealer> {
    Ok(LogSealer::new(origin()?, Arc::clone(key), Arc::new(Counter::default())))
}

/// An event as discovery writes them.
fn event(number: u32) -> NewEvent {
    let [_, high, middle, low] = number.to_be_bytes();
    NewEvent {
        event_type: EventType::DeviceDiscovered,
        actor: "local_cntl_zoneA_1".to_owned(),
        subject: format!("nib-dev-{number:06}"),
        timestamp: NOW,
        payload: json!({
            "mac": format!("00:1b:54:{high:02x}:{middle:02x}:{low:02x}"),
            "ip_addresses": [format!("10.{high}.{middle}.{low}")],
            "hostname": format!("switch-{number}"),
            "vendor": "Cisco Systems, Inc",
            "device_type": "switch",
            "methods": ["arp", "icmp", "snmp"],
        }),
    }
}

/// What appending costs.
struct Appending {
    /// Events a second in commits of [`COMMIT`].
    batches: Rates,
    /// Events a second that have a commit each.
    alone: Rates,
    /// Entries a second that were signed beforehand, in commits of [`COMMIT`].
    tree: Rates,
    /// The seconds of drafting an entry.
    draft: f64,
    /// The seconds of a signature.
    signature: f64,
}

/// Events a second, without the tree and with it.
type Rates = (Vec<f64>, Vec<f64>);

/// Events a second in commits of this many.
fn appending(key: &Arc<KeyPair>, size: u32) -> anyhow::Result<Rates> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let commits: Vec<Vec<Change>> = (0..COMMITS)
        .map(|commit| (0..size).map(|place| Change::Append(event(commit * size + place))).collect())
        .collect();
    let (mut plain, mut sealed) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        for with_tree in [pair % 2 == 0, pair % 2 == 1] {
            let path = folder.path().join(format!("{pair}{with_tree}"));
            let seconds = append(&commits, &path, with_tree.then(|| sealer(key)).transpose()?)?.as_secs_f64();
            let rate = f64::from(size * COMMITS) / seconds;
            if with_tree { sealed.push(rate) } else { plain.push(rate) }
        }
    }
    Ok((plain, sealed))
}

fn append(commits: &[Vec<Change>], path: &Path, sealer: Option<LogSealer>) -> anyhow::Result<Duration> {
    let mut nib = SqliteNib::open(path, OpenMode::Migrate { actor: "local_cntl_zoneA_1", at: NOW })?;
    let events: usize = commits.iter().map(Vec::len).sum();
    let wanted = if sealer.is_some() { events as u64 + 1 } else { 0 };
    if let Some(sealer) = sealer {
        nib.open_log(Box::new(sealer))?;
    }
    let clock = SystemClock::start();
    for changes in commits {
        nib.commit(changes)?;
    }
    let elapsed = clock.elapsed();
    let reader: Box<dyn NibReader> = nib.reader()?;
    ensure!(reader.edge()?.size == wanted, "not every event was sealed");
    Ok(elapsed)
}

/// The median time of drafting an entry, on one core: its body in canonical JSON.
fn drafting(key: &Arc<KeyPair>) -> anyhow::Result<f64> {
    let mut sealer = sealer(key)?;
    let place = Place { seq: EventSeq::FIRST, policy_version: None, epoch: Epoch::from_number(1) };
    let event = event(7);
    let mut seconds = Vec::new();
    for _ in 0..PAIRS {
        let clock = SystemClock::start();
        for _ in 0..1_000 {
            std::hint::black_box(sealer.draft(place, &event)?);
        }
        seconds.push(clock.elapsed().as_secs_f64() / 1e3);
    }
    Ok(Spread::of(seconds).median)
}

/// The median time of a signature over a body, on one core.
fn signing(key: &Arc<KeyPair>) -> anyhow::Result<f64> {
    let mut sealer = sealer(key)?;
    let place = Place { seq: EventSeq::FIRST, policy_version: None, epoch: Epoch::from_number(1) };
    let body = sealer.draft(place, &event(7))?.body;
    let seconds = (0..PAIRS).map(|_| {
        let clock = SystemClock::start();
        for _ in 0..1_000 {
            std::hint::black_box(entry::sign(&body, key));
        }
        clock.elapsed().as_secs_f64() / 1e3
    });
    Ok(Spread::of(seconds).median)
}

/// A large tree in memory.
struct Large {
    levels: [Vec<Digest>; 3],
    head: TreeHead,
}

impl TileHashes for Large {
    type Error = std::convert::Infallible;

    fn read(&self, level: u8, first: u64, count: usize) -> Result<Vec<Digest>, Self::Error> {
        let level = self.levels.get(usize::from(level)).map_or(&[][..], Vec::as_slice);
        Ok(level.iter().skip(usize::try_from(first).unwrap_or(usize::MAX)).take(count).copied().collect())
    }
}

impl Large {
    fn new() -> Self {
        let (mut tree, mut levels) = (Frontier::new(), [const { Vec::new() }; 3]);
        for index in 0..LARGE {
            let leaf = hash::leaf(&index.to_be_bytes());
            levels[0].push(leaf);
            for tile in tree.push(leaf) {
                levels[usize::from(tile.level)].push(tile.hash);
            }
        }
        Self { levels, head: tree.head() }
    }

    /// The mean time of building and of checking a proof, in microseconds.
    fn proofs(&self) -> anyhow::Result<(f64, f64)> {
        // Everywhere in the tree: the step has no divisor in common with its size.
        let places = || (0..PROOFS).map(|number| number * 99_991 % LARGE);
        let clock = SystemClock::start();
        let paths = places().map(|place| build::inclusion(self, place, LARGE)).collect::<Result<Vec<_>, _>>()?;
        let built = clock.elapsed();
        let clock = SystemClock::start();
        for (place, path) in places().zip(&paths) {
            let leaf = self.levels[0].get(usize::try_from(place)?).context("there is such an entry")?;
            proof::inclusion(leaf, place, path, &self.head)?;
        }
        let checked = clock.elapsed();
        let each = |total: Duration| total.as_secs_f64() * 1e6 / f64::from(u32::try_from(PROOFS).unwrap_or(1));
        Ok((each(built), each(checked)))
    }
}

/// Entries a second of a verification of bodies, places, signatures, leaf hashes, tiles and the head.
fn verifying(key: &Arc<KeyPair>) -> anyhow::Result<Vec<f64>> {
    let (mut sealer, signer) = (sealer(key)?, sealer(key)?.signer());
    let (mut entries, mut tiles, mut tree): (Vec<SealedEvent>, Vec<_>, _) = (Vec::new(), Vec::new(), Frontier::new());
    for number in 0..VERIFIED {
        let place = Place {
            seq: EventSeq::from_number(number.into()),
            policy_version: Some(PolicyVersion::from_number(1)),
            epoch: Epoch::from_number(1),
        };
        let draft = sealer.draft(place, &event(number))?;
        let signed = signer.sign(&draft.body);
        tiles.push(tree.push(signed.leaf));
        entries.push(SealedEvent::new(draft, signed));
    }
    let signer = NoteSigner::new(origin()?.as_str().parse()?, SignatureType::Ed25519, key);
    let head = [SignedCheckpoint::sign(&Checkpoint::new(origin()?, tree.head()), &signer, NOW)?];
    let (log, public) = ([signer.key().clone()], [key.public_key()]);
    let mut rates = Vec::new();
    for _ in 0..VERIFICATIONS {
        let clock = SystemClock::start();
        let trust = Trust { log: &log, witnesses: &[], signers: &OwnKeys(&public) };
        let mut verifier = Verifier::new(origin()?, trust, Frontier::new(), &head);
        for (entry, tiles) in entries.iter().zip(&tiles) {
            verifier.push(&Stored {
                body: &entry.body,
                signature: &entry.signature,
                leaf: Some(entry.leaf),
                tiles: Some(tiles),
                payload: None,
            });
        }
        let report = verifier.finish(&[]);
        let elapsed = clock.elapsed();
        ensure!(report.verdict() == Verdict::Verified(0..VERIFIED.into()), "{:?}", report.findings);
        rates.push(f64::from(VERIFIED) / elapsed.as_secs_f64());
    }
    Ok(rates)
}

fn publish(
    Appending { batches, alone, tree, draft, signature }: &Appending,
    (built, checked): (f64, f64),
    verified: &[f64],
) -> anyhow::Result<()> {
    let spread = |rates: &[f64]| Spread::of(rates.iter().map(|rate| rate / 1e3));
    let (plain, sealed, verified) = (spread(&batches.0), spread(&batches.1), spread(verified));
    let ratio = sealed.median / plain.median;
    // Thousands a second, and microseconds.
    let each = |rate: &Spread| 1e3 / rate.median;
    let more = each(&sealed) - each(&plain);
    let row = |name: String, measured: String| vec![name, measured];
    let micros = |value: f64| format!("{} µs", rounded(value));
    // Pair by pair: both of a pair met the same disk.
    let quotient = |(plain, sealed): &Rates| Spread::of(sealed.iter().zip(plain).map(|(sealed, plain)| sealed / plain));
    let (ratio_alone, ratio_tree) = (quotient(alone), quotient(tree));
    let (plain_tree, with_tree) = (spread(&tree.0), spread(&tree.1));
    let (plain_alone, sealed_alone) = (spread(&alone.0), spread(&alone.1));
    let bound = each(&plain) / (signature * 1e6 / 2.0);
    Section {
        title: LOG,
        bench: "log",
        about: format!(
            "Appending: {COMMITS} commits of {COMMIT} events of discovery through `SqliteNib`, `synchronous=FULL`, once \
             with an open log (canonical body, Ed25519 signature, leaf hash, tree, all in the commit of the event) and \
             once without; {PAIRS} pairs on fresh files on a disk, each first in its turn; then the same with one event \
             a commit, where a ratio is the median of those of the pairs. What the tree alone costs: the same events with \
             entries that were drafted and signed beforehand, once through `SqliteNib` with leaf hashes, tiles, edge and \
             a signed head in the end, and once the same rows inserted into the same tables with the same triggers by \
             SQLite itself, without any of that; what `SqliteNib` does beside it counts against the tree, and no \
             signature of an entry counts at all. What sealing adds to an event does not depend on the disk, what the rest costs does: where fsync \
             is almost free, as here, the ratio is that of a signature to an insert, and no program that signs each \
             event can reach the goal; where a plain event costs the 50 µs that the goal was set with, the ratio is the \
             one of the last row. Proofs: {PROOFS} all over a tree of {LARGE} leaves that was made in memory \
             beforehand, so that it is the hashing that is measured and not a disk. Verifying: {VERIFIED} entries from \
             memory, on one core, with everything that the offline verifier checks of them: canonical form, place, \
             signature, leaf hash, tiles, and the root of a signed head."
        ),
        figures: vec![
            Figure {
                name: format!("events a second, commits of {COMMIT}"),
                goal: "≥ 0.6 of plain inserts".to_owned(),
                measured: sealed.text("thousand"),
                beside: format!("without the log: {}", plain.text("thousand")),
                ratio: rounded(ratio),
                reached: ratio >= 0.6,
            },
            Figure {
                name: "events a second, a commit each, sealed beside plain".to_owned(),
                goal: "≥ 0.6 of plain inserts".to_owned(),
                measured: sealed_alone.text("thousand"),
                beside: format!("without the log: {}", plain_alone.text("thousand")),
                ratio: rounded(ratio_alone.median),
                reached: ratio_alone.median >= 0.6,
            },
            Figure {
                name: format!("events a second, signed beforehand, appended with the tree, commits of {COMMIT}"),
                goal: "≥ 0.6 of plain inserts of the same signed entries".to_owned(),
                measured: with_tree.text("thousand"),
                beside: format!("without the tree: {}", plain_tree.text("thousand")),
                ratio: rounded(ratio_tree.median),
                reached: ratio_tree.median >= 0.6,
            },
            Figure {
                name: format!("full verification of {VERIFIED} events, one core"),
                goal: "≥ 15 thousand a second".to_owned(),
                measured: verified.text("thousand a second"),
                beside: String::new(),
                ratio: rounded(verified.median / 15.0),
                reached: verified.median >= 15.0,
            },
        ],
        tables: vec![
            vec![
                row("an event".to_owned(), "median".to_owned()),
                row(format!("plain, in commits of {COMMIT}"), micros(each(&plain))),
                row(format!("sealed, in commits of {COMMIT}, two cores"), micros(each(&sealed))),
                row("plain, with a commit of its own: the disk's part".to_owned(), micros(each(&plain_alone))),
                row("sealed, with a commit of its own, one core".to_owned(), micros(each(&sealed_alone))),
                row(format!("signed beforehand, in commits of {COMMIT}, without the tree"), micros(each(&plain_tree))),
                row(format!("signed beforehand, in commits of {COMMIT}, with the tree"), micros(each(&with_tree))),
                row("an entry's canonical body alone, one core".to_owned(), micros(draft * 1e6)),
                row("a signature alone, one core".to_owned(), micros(signature * 1e6)),
                row("the ratio if sealing were nothing but signatures on two cores".to_owned(), rounded(bound)),
                row("the ratio where a plain event costs 50 µs".to_owned(), rounded(50.0 / (50.0 + more))),
            ],
            vec![
                ["a proof of inclusion among 1,000,000 entries", "mean"].map(str::to_owned).to_vec(),
                vec!["built".to_owned(), format!("{} µs", rounded(built))],
                vec!["checked".to_owned(), format!("{} µs", rounded(checked))],
            ],
        ],
        commands: Vec::new(),
        versions: vec![format!("pdsno {}", env!("CARGO_PKG_VERSION")), format!("SQLite {}", rusqlite::version())],
    }
    .publish()?;
    Ok(())
}
