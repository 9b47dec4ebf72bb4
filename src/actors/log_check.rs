//! Whether the own log is what was sealed, read from the NIB in pages.
//!
//! ```text
//!   app, at the start ── check_log ──► reader ──► algorithms::audit::startup
//!          └── Freeze ──► NibActor, when it is not
//! ```

use crate::actors::audit::Tiles;
use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::startup::{Fault, FaultReason, Hashes, Kept, OwnKeys, Sound, Startup};
use crate::algorithms::audit::stored::Unread;
use crate::algorithms::audit::verify::Trust;
use crate::domain::event::{Event, EventSeq};
use crate::domain::key::PublicKey;
use crate::domain::log::{Edge, StoredEntry, StoredHead};
use crate::domain::origin::Origin;
use crate::domain::tree::{TILE_WIDTH, TileHash};
use crate::nib::{EventQuery, NibError, NibReader};
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::note::{SignatureType, VerifierKey};

/// Entries are read in pages, so that a page and not a log is what a check holds.
const PAGE: usize = 1_000;

/// How much of a log is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// The entries since the last head that the log signed; of those before it, that the stored hashes
    /// have the root of that head.
    SinceHead,
    /// All entries, and all heads.
    Whole,
}

/// What a check of the log found.
#[derive(Debug)]
pub enum LogCheck {
    /// Nothing that is wrong.
    Sound(Sound),
    /// The first entry that is wrong.
    Broken(Fault),
}

/// Checks the log of this origin, which any of these keys may have signed: its entries and its heads. A
/// check since the head that finds something is made again of the whole, so that the first bad entry is
/// the one that is named.
///
/// # Errors
/// [`NibError::Unavailable`] when the NIB cannot be read now. What cannot be read at all is a fault.
pub fn check_log(
    reader: &dyn NibReader,
    origin: &Origin,
    keys: &[PublicKey],
    extent: Extent,
) -> Result<LogCheck, NibError> {
    let head = reader.head(origin)?.filter(|_| extent == Extent::SinceHead);
    let Some(head) = head else { return outcome(check_from(reader, origin, keys, Frontier::new(), &[])) };
    let before = match Frontier::read(&Tiles(reader), head.size) {
        Ok(before) => Ok(before),
        Err(Unread::Store(error)) if !matches!(error, NibError::Corrupt { .. }) => return Err(error),
        Err(unread) => Err(unread_at(EventSeq::from_number(head.size), &unread)),
    };
    let since = before.map_err(Stop::Fault).and_then(|before| check_from(reader, origin, keys, before, &[head]));
    match since {
        Err(Stop::Fault(fault)) => match outcome(check_from(reader, origin, keys, Frontier::new(), &[]))? {
            LogCheck::Broken(first) => Ok(LogCheck::Broken(first)),
            // Only the hashes of tiles are wrong that no entry completes any more.
            LogCheck::Sound(_) => Ok(LogCheck::Broken(fault)),
        },
        since => outcome(since),
    }
}

/// Checks what needs no key: whether hashes, places and events fit each other. Returns the number of
/// entries.
///
/// # Errors
/// As [`check_log`].
pub fn check_hashes(reader: &dyn NibReader) -> Result<Result<u64, Fault>, NibError> {
    let mut hashes = Hashes::default();
    let checked = each(reader, EventSeq::FIRST, |kept| hashes.push(kept).map(|()| true))
        .and_then(|edge| hashes.finish(&edge).map_err(Stop::Fault));
    match checked {
        Ok(entries) => Ok(Ok(entries)),
        Err(Stop::Fault(fault)) => Ok(Err(fault)),
        Err(Stop::Nib(error)) => Err(error),
    }
}

/// Why a check ends before the last entry.
enum Stop {
    Fault(Fault),
    Nib(NibError),
}

impl From<NibError> for Stop {
    fn from(error: NibError) -> Self {
        Self::Nib(error)
    }
}

fn outcome(checked: Result<Sound, Stop>) -> Result<LogCheck, NibError> {
    match checked {
        Ok(sound) => Ok(LogCheck::Sound(sound)),
        Err(Stop::Fault(fault)) => Ok(LogCheck::Broken(fault)),
        Err(Stop::Nib(error)) => Err(error),
    }
}

/// Checks the entries after a tree, with these heads, or with all from there on.
fn check_from(
    reader: &dyn NibReader,
    origin: &Origin,
    keys: &[PublicKey],
    before: Frontier,
    heads: &[StoredHead],
) -> Result<Sound, Stop> {
    let first = EventSeq::from_number(before.size());
    let signed = match heads {
        [] => all_heads(reader, origin)?.iter().map(parse).collect::<Result<Vec<_>, _>>(),
        heads => heads.iter().map(parse).collect(),
    };
    let name = origin.as_str().parse().map_err(|error| unread_at(first, &error)).map_err(Stop::Fault)?;
    let key = |key: &PublicKey| VerifierKey::new(Clone::clone(&name), SignatureType::Ed25519, *key);
    let log: Vec<VerifierKey> = keys.iter().map(key).collect();
    let trust = Trust { log: &log, witnesses: &[], signers: &OwnKeys(keys) };
    let mut startup = Startup::new(origin.clone(), trust, before, &signed.map_err(Stop::Fault)?);
    let edge = each(reader, first, |kept| Ok(startup.push(kept)));
    match edge {
        Ok(edge) => startup.finish(&edge).map_err(Stop::Fault),
        Err(Stop::Fault(fault)) => Err(Stop::Fault(startup.give_up(fault))),
        Err(stop) => Err(stop),
    }
}

fn all_heads(reader: &dyn NibReader, origin: &Origin) -> Result<Vec<StoredHead>, NibError> {
    let mut heads: Vec<StoredHead> = Vec::new();
    loop {
        let page = reader.heads(origin, heads.last().map_or(0, |head| head.size), PAGE)?;
        if page.is_empty() {
            return Ok(heads);
        }
        heads.extend(page);
    }
}

fn parse(head: &StoredHead) -> Result<SignedCheckpoint, Fault> {
    SignedCheckpoint::parse(head.note.as_bytes()).map_err(|error| unread_at(EventSeq::from_number(head.size), &error))
}

fn unread_at(seq: EventSeq, error: &dyn std::error::Error) -> Fault {
    Fault { seq, reason: FaultReason::Unreadable(chain(error)) }
}

/// An error with its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// Visits the entries from one on until a visit says that it is enough, and returns the edge that the
/// store would go on with.
fn each(
    reader: &dyn NibReader,
    first: EventSeq,
    mut visit: impl FnMut(&Kept<'_>) -> Result<bool, Fault>,
) -> Result<Edge, Stop> {
    let (mut next, mut page) = (first, PAGE);
    loop {
        let (entries, events) = match read(reader, next, page) {
            // One by one, to know which.
            Err(NibError::Corrupt { .. }) if page > 1 => {
                page = 1;
                continue;
            }
            Err(NibError::Corrupt { detail }) => {
                return Err(Stop::Fault(Fault { seq: next, reason: FaultReason::Unreadable(detail) }));
            }
            read => read?,
        };
        if entries.is_empty() {
            let edge = reader.edge()?;
            // It grew meanwhile.
            if edge.size > next.number() && !reader.entries(next, 1)?.is_empty() {
                continue;
            }
            return Ok(edge);
        }
        for entry in &entries {
            let tiles = tiles(reader, entry.seq)?;
            let event = events.binary_search_by_key(&entry.seq, |event| event.seq);
            let event = event.ok().and_then(|place| events.get(place));
            if !visit(&Kept { entry, tiles: &tiles, event }).map_err(Stop::Fault)? {
                return Ok(reader.edge()?);
            }
            next = entry.seq.next();
        }
    }
}

fn read(reader: &dyn NibReader, from: EventSeq, page: usize) -> Result<(Vec<StoredEntry>, Vec<Event>), NibError> {
    let entries = reader.entries(from, page)?;
    let events = reader.events(&EventQuery { from, limit: page, ..EventQuery::default() })?;
    Ok((entries, events))
}

/// The stored hashes of the tiles that an entry completes, one a level.
fn tiles(reader: &dyn NibReader, seq: EventSeq) -> Result<Vec<TileHash>, NibError> {
    let mut tiles = Vec::new();
    let (mut size, mut level) = (seq.number().saturating_add(1), 0_u8);
    while size % TILE_WIDTH == 0 {
        size /= TILE_WIDTH;
        level = level.saturating_add(1);
        let index = size.saturating_sub(1);
        let stored = reader.tile_hashes(level, index, 1)?;
        tiles.extend(stored.into_iter().map(|hash| TileHash { level, index, hash }));
    }
    Ok(tiles)
}
