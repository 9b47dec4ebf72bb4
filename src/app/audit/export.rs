//! Writing an export.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::{Context as _, anyhow};
use serde::Serialize;

use super::{author, chains, consistency, each_entry, frontier, heads, signed, witnesses};
use crate::app::failure::Failure;
use crate::domain::digest::Digest;
use crate::domain::key::PublicKey;
use crate::domain::origin::Origin;
use crate::nib::NibReader;
use crate::wire::anchor::TreeSize;
use crate::wire::evidence::{
    CHAINS, ENTRIES, EntryLine, ExportFormat, HEADS, HeadLine, LINKS, LinkLine, MANIFEST, Manifest, Octets, line,
};
use crate::wire::signature::sha256;

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The log.
    pub origin: Origin,
    /// The first entry.
    pub from: u64,
    /// The one after the last.
    pub to: u64,
    /// How many signed heads.
    pub heads: usize,
    /// The trust root's key, to be handed over by another way than the export.
    pub root: PublicKey,
}

/// Writes the entries from `from` up to, without, `to` (the newest signed head's size when `None`) into a
/// folder that is made.
///
/// # Errors
/// [`Failure::Usage`] when the folder exists already or the range is none, [`Failure::Failed`] when the
/// NIB cannot be read or the files cannot be written.
pub fn export(reader: &dyn NibReader, from: u64, to: Option<u64>, folder: &Path) -> Result<Exported, Failure> {
    let author = author(reader)?;
    let notes = heads(reader, &author.origin, from)?;
    let newest = notes.last().map(|head| head.size).ok_or_else(|| {
        Failure::Usage(anyhow!("no head was signed over entries from {from} on, so nothing could be verified of them"))
    })?;
    let to = to.unwrap_or(newest);
    if from >= to || to > newest {
        return Err(Failure::Usage(anyhow!(
            "the entries from {from} up to {to} are not there, or no signed head covers them: the newest has {newest}"
        )));
    }
    // Those within, the first that covers the last entry, and the newest.
    let covering = notes.iter().find(|head| head.size >= to).map(|head| head.size);
    let chosen = |size: u64| size <= to || Some(size) == covering || size == newest;
    let notes: Vec<_> = notes.into_iter().filter(|head| chosen(head.size)).collect();
    let links = notes.iter().filter(|head| head.size > to).map(|head| {
        let proof = consistency(reader, to, head.size)?;
        Ok(LinkLine { old: TreeSize(to), new: TreeSize(head.size), proof })
    });
    let links: Vec<LinkLine> = links.collect::<Result<_, Failure>>()?;
    let before = frontier(reader, from)?.peaks().to_vec();
    let read = notes.iter().map(signed).collect::<Result<Vec<_>, _>>()?;
    let mut chains = chains(reader, &author)?;
    chains.extend(witnesses(reader, &author, &read)?);

    fs::create_dir(folder).with_context(|| format!("cannot make {}", folder.display())).map_err(Failure::Usage)?;
    let mut files = BTreeMap::new();
    files.insert(ENTRIES.to_owned(), entries(reader, from, to, &folder.join(ENTRIES))?);
    let heads: Vec<_> = notes.into_iter().map(|head| HeadLine { checkpoint: head.note }).collect();
    files.insert(HEADS.to_owned(), lines(&heads, &folder.join(HEADS))?);
    files.insert(LINKS.to_owned(), lines(&links, &folder.join(LINKS))?);
    files.insert(CHAINS.to_owned(), lines(&chains, &folder.join(CHAINS))?);
    let (origin, root) = (author.origin, author.root);
    let manifest = Manifest {
        format: ExportFormat::V1,
        origin: origin.clone(),
        from: TreeSize(from),
        to: TreeSize(to),
        before,
        files,
    };
    // Last: a folder without it is no export.
    lines(&[manifest], &folder.join(MANIFEST))?;
    Ok(Exported { origin, from, to, heads: heads.len(), root })
}

fn entries(reader: &dyn NibReader, from: u64, to: u64, path: &Path) -> Result<Digest, Failure> {
    let failed = |error: std::io::Error| {
        Failure::Failed(anyhow::Error::from(error).context(format!("cannot write {}", path.display())))
    };
    let mut file = BufWriter::new(File::create_new(path).map_err(failed)?);
    each_entry(reader, from, to, |stored| {
        let sealed = stored.sealed;
        let entry = EntryLine {
            body: Octets(sealed.body),
            signature: sealed.signature,
            payload: sealed.payload.map(|(_, octets)| Octets(octets)),
        };
        file.write_all(&line(&entry).map_err(Failure::failed)?).map_err(failed)
    })?;
    file.into_inner().map_err(|error| failed(error.into_error()))?.sync_all().map_err(failed)?;
    Ok(sha256(&fs::read(path).map_err(failed)?))
}

fn lines(values: &[impl Serialize], path: &Path) -> Result<Digest, Failure> {
    let lines = values.iter().map(line).collect::<Result<Vec<_>, _>>().map_err(Failure::failed)?.concat();
    let written = File::create_new(path).and_then(|mut file| {
        file.write_all(&lines)?;
        file.sync_all()
    });
    written.with_context(|| format!("cannot write {}", path.display())).map_err(Failure::Failed)?;
    Ok(sha256(&lines))
}
