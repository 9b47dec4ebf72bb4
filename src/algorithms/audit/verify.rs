//! The verifier: whether entries are those that a log signed, for somebody who trusts only keys.
//!
//! ```text
//!    heads, keys, proofs ──► Verifier ──► Report
//!    entry, entry, entry ──────┘
//! ```
//!
//! It begins at any place of the log with the frontier of the tree before it: whether that is the
//! right one shows the first head whose root is that of the entries.

mod alone;
mod report;

use std::collections::BTreeMap;

use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::proof;
use crate::algorithms::audit::verify::alone::Sound;
use crate::domain::digest::Digest;
use crate::domain::entry::Entry;
use crate::domain::key::{PublicKey, Signature};
use crate::domain::origin::Origin;
use crate::domain::tree::{TileHash, TreeHead};
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::note::VerifierKey;

pub use crate::algorithms::audit::verify::alone::{Particulars, Proven, one};
pub use crate::algorithms::audit::verify::report::{Finding, HeadReport, Reason, Report, Standing, Verdict};

/// Who may have signed entries.
pub trait Signers {
    /// The keys of which one must have signed this entry: those that its actor had then.
    fn keys(&self, entry: &Entry) -> &[PublicKey];
}

/// Whom the verifier trusts.
#[derive(Debug, Clone, Copy)]
pub struct Trust<'a, S> {
    /// The keys that sign the heads of the log.
    pub log: &'a [VerifierKey],
    /// The witnesses whose cosignatures count.
    pub witnesses: &'a [VerifierKey],
    /// The keys that sign entries.
    pub signers: &'a S,
}

/// An entry as it is kept. What is `None` is not there to be compared.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// The octets of its body.
    pub body: &'a [u8],
    /// Its signature.
    pub signature: &'a Signature,
    /// Its leaf hash.
    pub leaf: Option<Digest>,
    /// The hashes of tiles that it completes.
    pub tiles: Option<&'a [TileHash]>,
    /// Its payload, where that is kept beside the log.
    pub payload: Option<&'a [u8]>,
}

/// A consistency proof between two trees of the log (RFC 6962 section 2.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The size of the older tree.
    pub old: u64,
    /// The size of the newer tree.
    pub new: u64,
    /// The hashes.
    pub proof: Vec<Digest>,
}

/// A verification under way.
#[derive(Debug)]
pub struct Verifier<'a, S> {
    trust: Trust<'a, S>,
    tree: Frontier,
    /// The keys that signed so far, in the order in which each was first used.
    keys: Vec<PublicKey>,
    /// The first head that the entries have not reached.
    next_head: usize,
    /// Whether an entry is wrong; what follows it proves nothing.
    stopped: bool,
    report: Report,
}

impl<'a, S: Signers> Verifier<'a, S> {
    /// Begins with the tree before the first entry that will come, and with heads in any order.
    pub fn new(origin: Origin, trust: Trust<'a, S>, before: Frontier, heads: &[SignedCheckpoint]) -> Self {
        let report = Report {
            origin,
            entries: before.size()..before.size(),
            leaves: 0,
            tiles: 0,
            payloads: 0,
            payloads_missing: 0,
            heads: Vec::new(),
            covered: None,
            findings: Vec::new(),
        };
        let mut verifier = Self { trust, tree: before, keys: Vec::new(), next_head: 0, stopped: false, report };
        for head in heads {
            verifier.take_head(head);
        }
        verifier.report.heads.sort_by_key(|head| head.head.size);
        verifier.find_forks();
        let begin = verifier.tree.size();
        verifier.next_head = verifier.report.heads.partition_point(|head| head.head.size < begin);
        verifier.compare_heads();
        verifier
    }

    fn take_head(&mut self, signed: &SignedCheckpoint) {
        let mut report =
            HeadReport { head: signed.head(), standing: Standing::Unchecked, cosigned: Vec::new(), unknown: 0 };
        match alone::head(&self.report.origin, &self.trust, signed) {
            Ok(cosigned) => {
                // One is the log's own.
                report.unknown = signed.note().signatures().len().saturating_sub(1 + cosigned.len());
                report.cosigned = cosigned;
            }
            Err(reason) => {
                report.standing = Standing::Refused;
                self.find(None, reason);
            }
        }
        self.report.heads.push(report);
    }

    fn find_forks(&mut self) {
        let signed = self.report.heads.iter().filter(|head| head.standing != Standing::Refused);
        let heads: Vec<TreeHead> = signed.map(|head| head.head).collect();
        for (one, other) in heads.iter().zip(heads.iter().skip(1)) {
            if one.size == other.size && one.root != other.root {
                self.find(None, Reason::Fork { size: one.size });
            }
        }
    }

    fn find(&mut self, seq: Option<u64>, reason: Reason) {
        self.report.findings.push(Finding { seq, reason });
    }

    /// Checks the next entry, and returns what it says if it is right. After a wrong one nothing more is
    /// checked.
    pub fn push(&mut self, stored: &Stored<'_>) -> Option<Entry> {
        if self.stopped {
            return None;
        }
        match self.check(stored) {
            Ok(entry) => {
                self.report.entries.end = self.tree.size();
                self.compare_heads();
                Some(entry)
            }
            Err(reason) => {
                self.stopped = true;
                // What is wrong with an entry is told before what is wrong with a head.
                let seq = Some(self.report.entries.end);
                self.report.findings.insert(0, Finding { seq, reason });
                None
            }
        }
    }

    fn check(&mut self, stored: &Stored<'_>) -> Result<Entry, Reason> {
        let Sound { entry, leaf, key, particulars } =
            alone::entry(&self.report.origin, self.tree.size(), stored, self.trust.signers)?;
        self.follow_keys(key)?;
        let tiles = self.tree.push(leaf);
        if let Some(stored) = stored.tiles {
            if stored.len() != tiles.len() {
                return Err(Reason::TileCount { wanted: tiles.len(), found: stored.len() });
            }
            if let Some((tile, _)) = tiles.iter().zip(stored).find(|(tile, stored)| tile != stored) {
                return Err(Reason::Tile { level: tile.level, index: tile.index });
            }
            self.report.tiles += stored.len() as u64;
        }
        self.report.leaves += u64::from(stored.leaf.is_some());
        self.report.payloads += u64::from(particulars == Particulars::Compared);
        self.report.payloads_missing += u64::from(particulars == Particulars::Missing);
        Ok(entry)
    }

    /// A log has one writer with one key: from the first entry under the next one on, whoever still has
    /// the old one, as long as its certificate may last, is not that writer.
    fn follow_keys(&mut self, key: PublicKey) -> Result<(), Reason> {
        if self.keys.last() == Some(&key) {
            return Ok(());
        }
        if self.keys.contains(&key) {
            return Err(Reason::GivenUp(key));
        }
        self.keys.push(key);
        Ok(())
    }

    /// Compares the heads of the size that the tree has now.
    fn compare_heads(&mut self) {
        let size = self.tree.size();
        let since = self.report.covered.unwrap_or(self.report.entries.start);
        while let Some(head) = self.report.heads.get_mut(self.next_head).filter(|head| head.head.size == size) {
            self.next_head += 1;
            if head.standing == Standing::Refused {
                continue;
            }
            if head.head.root == self.tree.root() {
                head.standing = Standing::Matched;
                self.report.covered = Some(size);
            } else {
                head.standing = Standing::Refused;
                self.find(Some(since), Reason::Root { size });
            }
        }
    }

    /// Ends, with consistency proofs for the heads that lie outside of the entries. A head beyond
    /// them that no proof connects with them means that the log was cut off.
    pub fn finish(mut self, links: &[Link]) -> Report {
        let end = self.tree.head();
        if !self.stopped {
            self.follow(links);
            let beyond = self.report.heads.iter();
            let beyond = beyond.filter(|head| head.head.size > end.size && head.standing == Standing::Unchecked);
            if let Some(size) = beyond.map(|head| head.head.size).max() {
                self.find(Some(end.size), Reason::Truncated { size });
            }
        }
        self.report
    }

    /// Connects heads by proofs, onward from the entries and back.
    fn follow(&mut self, links: &[Link]) {
        let end = self.tree.head();
        let matched = self.report.heads.iter().filter(|head| head.standing == Standing::Matched);
        let mut trees: BTreeMap<u64, Digest> = matched.map(|head| (head.head.size, head.head.root)).collect();
        trees.insert(end.size, end.root);

        let mut onward: Vec<&Link> = links.iter().collect();
        onward.sort_by_key(|link| (link.old, link.new));
        for link in onward {
            self.connect(link, link.new, &mut trees);
        }
        // What the last entries are is only known when a head says so.
        if self.report.covered.is_none_or(|covered| covered < end.size) {
            trees.remove(&end.size);
        }
        let mut back: Vec<&Link> = links.iter().collect();
        back.sort_by_key(|link| std::cmp::Reverse((link.new, link.old)));
        for link in back {
            self.connect(link, link.old, &mut trees);
        }
    }

    /// Connects the heads of this size by a proof from or to a tree that is known.
    fn connect(&mut self, link: &Link, size: u64, trees: &mut BTreeMap<u64, Digest>) {
        let known = if size == link.new { link.old } else { link.new };
        let Some(root) = trees.get(&known).copied() else { return };
        let known = TreeHead { size: known, root };
        let first = self.report.heads.partition_point(|head| head.head.size < size);
        let heads = self.report.heads.iter_mut().skip(first).take_while(|head| head.head.size == size);
        let mut findings = Vec::new();
        for head in heads.filter(|head| head.standing == Standing::Unchecked) {
            let (old, new) = if size == link.new { (&known, &head.head) } else { (&head.head, &known) };
            match proof::consistency(old, new, &link.proof) {
                Ok(()) => {
                    head.standing = Standing::Linked;
                    trees.insert(size, head.head.root);
                    // All the entries are the beginning of a tree that the log signed.
                    if known.size == self.tree.size() && size > known.size {
                        self.report.covered = Some(known.size);
                    }
                }
                Err(source) => {
                    head.standing = Standing::Refused;
                    findings.push(Reason::Link { old: old.size, new: new.size, source });
                }
            }
        }
        findings.into_iter().for_each(|reason| self.find(None, reason));
    }
}

#[cfg(test)]
mod tests;
