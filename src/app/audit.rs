//! The event log for those who check it: the whole of the own one, exports, proofs, and their
//! verification without a NIB.

mod checkpoint;
mod export;
mod paths;
mod prove;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::actors::audit::Tiles;
use crate::actors::log_check::{Extent, LogCheck, check_hashes, check_log};
use crate::actors::nib::Freeze;
use crate::algorithms::audit::examine::{Examiner, Grounds, Keys};
use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::keys::Keyring;
use crate::algorithms::audit::verify::Stored;
use crate::app::failure::Failure;
use crate::domain::digest::Digest;
use crate::domain::event::{EventSeq, EventType};
use crate::domain::key::PublicKey;
use crate::domain::log::{StoredEntry, StoredHead};
use crate::domain::origin::Origin;
use crate::domain::registry::{Membership, SignedDocument};
use crate::domain::tree::{TILE_WIDTH, TileHash};
use crate::nib::{EventQuery, NibError, NibReader};
use crate::wire::canonical;
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::entry;
use crate::wire::evidence::{self, ProofFile};
use crate::wire::signature::fingerprint;
use crate::wire::statement::{Chain, Claim, Statement};

pub use crate::algorithms::audit::examine::{Examination, Outcome};
pub use crate::domain::entry::Entry;
pub use checkpoint::{Head, make_head, newest_head};
pub use export::{Exported, export};
pub use paths::{proof as read_proof, verify_paths};
pub use prove::{EventKey, EventKeyError, Gathered, extend, gather, prove};

/// How many rows are held at once.
const PAGE: usize = 1_000;

/// Who wrote the log of a NIB, and why it may be believed.
struct Author {
    origin: Origin,
    chain: Chain,
    root: PublicKey,
    membership: Membership,
}

/// Whose log it is.
fn author(reader: &dyn NibReader) -> Result<Author, Failure> {
    let membership = reader.membership().map_err(Failure::failed)?;
    let membership = membership.ok_or_else(|| {
        Failure::Usage(anyhow!("this controller has no name yet, so its events are no log that is signed"))
    })?;
    let chain: Chain = canonical::read(membership.chain.as_str().as_bytes(), "the controller's certificates")
        .context("the controller's certificates cannot be read")
        .map_err(Failure::Failed)?;
    let root = chain.certificates.last().map(|root| root.unverified().public_key);
    let root = root.filter(|key| fingerprint(key) == membership.pin).ok_or_else(|| {
        Failure::Failed(anyhow!("the controller's certificates do not end at the trust root that it was given"))
    })?;
    Ok(Author { origin: Origin::new(&membership.cluster, &membership.id), chain, root, membership })
}

/// Everything that says why the keys of this log may be believed: the present certificates, and those that
/// its own entries tell of, for the keys before.
fn chains(reader: &dyn NibReader, author: &Author) -> Result<Vec<Chain>, Failure> {
    let next = author.membership.next_chain.as_ref();
    let next = next.map(|next| canonical::read(next.as_str().as_bytes(), "the controller's next certificates"));
    let next =
        next.transpose().context("the controller's next certificates cannot be read").map_err(Failure::Failed)?;
    let mut found: Vec<Chain> = std::iter::once(author.chain.clone()).chain(next).collect();
    let mut query =
        EventQuery { types: vec![EventType::MembershipGranted, EventType::MembershipRenewed], ..EventQuery::default() };
    loop {
        let page = reader.events(&query).map_err(Failure::failed)?;
        let Some(last) = page.last() else { return Ok(found) };
        query.from = last.seq.next();
        for mut event in page {
            let told = event.payload.get_mut("chain").map(serde_json::Value::take);
            let told = told.and_then(|chain| serde_json::from_value::<Chain>(chain).ok());
            found.extend(told.filter(|chain| !found.contains(chain)));
        }
    }
}

/// The certificates of those below who cosigned these heads: whoever gave them vouches for them, and nobody
/// else's chain has them. What would not be believed below the trust root is left out, so that its
/// cosignatures count as those of somebody unknown.
fn witnesses(reader: &dyn NibReader, author: &Author, notes: &[SignedCheckpoint]) -> Result<Vec<Chain>, Failure> {
    let names = notes.iter().flat_map(|note| note.note().signatures()).map(|signature| signature.name().as_str());
    let mut found = Vec::new();
    for name in names.collect::<BTreeSet<_>>() {
        let Some((cluster, id)) = name.parse::<Origin>().ok().and_then(|origin| origin.parts()) else { continue };
        let row = reader.controller(&id).map_err(Failure::failed)?;
        let Some(row) = row.filter(|_| cluster == author.membership.cluster) else { continue };
        let next = row.next.map(|next| (next.certificate, next.delegation));
        for (certificate, delegation) in std::iter::once((row.certificate, row.delegation)).chain(next) {
            let chain =
                author.chain.extended(statement(&certificate)?, delegation.as_ref().map(statement).transpose()?);
            if Keyring::new(author.root).learn(&chain).is_ok() {
                found.push(chain);
            }
        }
    }
    Ok(found)
}

fn statement<T: Claim + Serialize + DeserializeOwned>(document: &SignedDocument) -> Result<Statement<T>, Failure> {
    canonical::read(document.as_str().as_bytes(), "the certificate of a controller below")
        .context("the certificate of a controller below cannot be read")
        .map_err(Failure::Failed)
}

/// Tells every entry of a range, in order.
fn each_entry(
    reader: &dyn NibReader,
    from: u64,
    to: u64,
    mut tell: impl FnMut(StoredEntry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut at = from;
    while at < to {
        let limit = usize::try_from(to - at).unwrap_or(PAGE).min(PAGE);
        let page = reader.entries(EventSeq::from_number(at), limit).map_err(Failure::failed)?;
        if page.is_empty() {
            return Ok(());
        }
        for entry in page {
            tell(entry)?;
            at += 1;
        }
    }
    Ok(())
}

/// Every head of a log, ascending by size, those larger than `after`.
fn heads(reader: &dyn NibReader, origin: &Origin, mut after: u64) -> Result<Vec<StoredHead>, Failure> {
    let mut found = Vec::new();
    loop {
        let page = reader.heads(origin, after, PAGE).map_err(Failure::failed)?;
        let Some(last) = page.last() else { return Ok(found) };
        after = last.size;
        found.extend(page);
    }
}

fn signed(head: &StoredHead) -> Result<SignedCheckpoint, Failure> {
    let read = SignedCheckpoint::parse(head.note.as_bytes());
    read.with_context(|| format!("the stored head of {} entries cannot be read", head.size)).map_err(Failure::Failed)
}

/// Verifies the whole log of a NIB, with everything that is stored of its tree, and that its events are
/// told as they were sealed.
///
/// # Errors
/// [`Failure::Usage`] when the controller has no log yet, [`Failure::Failed`] when the NIB cannot be read.
pub fn verify_own(reader: &dyn NibReader) -> Result<Examination, Failure> {
    let author = author(reader)?;
    let mut grounds = Grounds::new(author.root);
    grounds.learn(&chains(reader, &author)?);
    // The heads first: what is appended meanwhile is beyond them, and is no truncation.
    let notes = heads(reader, &author.origin, 0)?;
    let notes = notes.iter().map(signed).collect::<Result<Vec<_>, _>>()?;
    grounds.learn(&witnesses(reader, &author, &notes)?);
    let keys = Keys::new(&grounds, &author.origin);
    let newest = notes.iter().map(|note| note.head().size).max().unwrap_or_default();
    let edge = reader.edge().map_err(Failure::failed)?;
    let mut examiner = Examiner::new(author.origin, &grounds, &keys, Frontier::new(), &notes);
    let mut beyond = 0;
    each_entry(reader, 0, edge.size, |StoredEntry { seq, sealed }| {
        if seq.number() >= newest && newest > 0 {
            beyond += 1;
        }
        let tiles = tiles(reader, seq.number())?;
        examiner.push(&Stored {
            body: &sealed.body,
            signature: &sealed.signature,
            leaf: Some(sealed.leaf),
            tiles: Some(&tiles),
            payload: sealed.payload.as_ref().map(|(_, octets)| octets.as_slice()),
        });
        Ok(())
    })?;
    let mut examination = examiner.finish(&[]);
    own_tail(&mut examination, newest, beyond);
    // An entry is one thing, what is told of it another: who asks for events gets rows beside the log.
    examination.take_in(check_hashes(reader).map_err(Failure::failed)?);
    Ok(examination)
}

/// Of the own log the last few entries have no head yet: that is told, and is no finding.
fn own_tail(examination: &mut Examination, newest: u64, beyond: u64) {
    let tail = format!("no signed head covers the entries from {newest} on");
    if beyond > 0 && examination.findings == [tail] {
        examination.findings.clear();
        examination.outcome = Outcome::Verified;
        examination.unchecked.push(format!("whether the last {beyond} entries stay: no head was signed over them yet"));
    }
}

/// The stored hashes of the tiles that an entry completes.
fn tiles(reader: &dyn NibReader, seq: u64) -> Result<Vec<TileHash>, Failure> {
    let mut found = Vec::new();
    let (mut level, mut count) = (1_u8, seq + 1);
    while count.is_multiple_of(TILE_WIDTH) {
        count /= TILE_WIDTH;
        let index = count - 1;
        let read = reader.tile_hashes(level, index, 1).map_err(Failure::failed)?;
        found.extend(read.first().map(|hash| TileHash { level, index, hash: *hash }));
        level += 1;
    }
    Ok(found)
}

/// Tells the entries of the own log from one on, as they are.
///
/// # Errors
/// As [`verify_own`], and whatever `tell` returns.
pub fn list(
    reader: &dyn NibReader,
    from: u64,
    mut tell: impl FnMut(Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let size = reader.edge().map_err(Failure::failed)?.size;
    each_entry(reader, from, size, |stored| {
        let entry = entry::decode(&stored.sealed.body)
            .with_context(|| format!("entry {} cannot be read; `pdsno audit verify` tells more", stored.seq))
            .map_err(Failure::Failed)?;
        tell(entry)
    })
}

/// The tree of the first `size` entries.
fn frontier(reader: &dyn NibReader, size: u64) -> Result<Frontier, Failure> {
    Frontier::read(&Tiles(reader), size).context("the log's tree cannot be read").map_err(Failure::Failed)
}

/// The proof that one tree extends another.
fn consistency(reader: &dyn NibReader, old: u64, new: u64) -> Result<Vec<Digest>, Failure> {
    crate::algorithms::audit::build::consistency(&Tiles(reader), old, new)
        .context("the log's tree cannot be read")
        .map_err(Failure::Failed)
}

/// A proof as the text of a file.
///
/// # Errors
/// [`Failure::Failed`] when it has none.
pub fn proof_text(proof: &ProofFile) -> Result<Vec<u8>, Failure> {
    evidence::line(proof).map_err(Failure::failed)
}

/// Writes a file that is not there yet.
///
/// # Errors
/// [`Failure::Usage`].
pub fn write_new(path: &Path, octets: &[u8]) -> Result<(), Failure> {
    let written = std::fs::File::create_new(path).and_then(|mut file| {
        file.write_all(octets)?;
        file.sync_all()
    });
    written.with_context(|| format!("cannot write {}", path.display())).map_err(Failure::Usage)
}

/// Why nothing may be written to a NIB: its log is not what was sealed. Checked are the entries since the
/// last head that the log signed. `None` where nothing is wrong, or there is no log yet.
///
/// # Errors
/// When the NIB cannot be read now.
pub fn check_at_start(reader: &dyn NibReader) -> Result<Option<Freeze>, NibError> {
    let Some(membership) = reader.membership()? else { return Ok(None) };
    let (id, origin) = (membership.id.clone(), Origin::new(&membership.cluster, &membership.id));
    let unknown = |failure: Failure| Freeze { reason: format!("whose log it is cannot be told: {failure}") };
    let grounds = author(reader).and_then(|author| {
        let mut grounds = Grounds::new(author.root);
        grounds.learn(&chains(reader, &author)?);
        Ok(grounds)
    });
    let grounds = match grounds {
        Ok(grounds) => grounds,
        Err(failure) => return Ok(Some(unknown(failure))),
    };
    match check_log(reader, &origin, grounds.keyring.keys_of(&id), Extent::SinceHead)? {
        LogCheck::Sound(_) => Ok(None),
        LogCheck::Broken(fault) => Ok(Some(Freeze::because(&fault))),
    }
}

/// Whether a NIB's own error means that it is of no use.
fn unusable(error: NibError) -> Failure {
    Failure::Failed(anyhow::Error::from(error))
}
