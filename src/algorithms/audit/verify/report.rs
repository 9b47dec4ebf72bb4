//! What a verification found, and how far it went.

use std::ops::Range;

use crate::algorithms::audit::proof::ProofRefused;
use crate::domain::key::PublicKey;
use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::domain::tree::TreeHead;
use crate::wire::entry::EntryError;
use crate::wire::note::{KeyName, Unverified};

/// What was checked and what was found. Whatever it does not list was not checked.
#[derive(Debug)]
pub struct Report {
    /// The log.
    pub origin: Origin,
    /// The entries that are right by themselves: their octets, their place, their signature.
    pub entries: Range<u64>,
    /// How many of them were compared with their stored leaf hash.
    pub leaves: u64,
    /// How many stored hashes of tiles were compared.
    pub tiles: u64,
    /// How many payloads kept beside the log were compared with their digest.
    pub payloads: u64,
    /// How many payloads kept beside the log were not there to be compared.
    pub payloads_missing: u64,
    /// The heads, by size.
    pub heads: Vec<HeadReport>,
    /// The entries below this one are under a head that the log signed; `None` without such a head.
    pub covered: Option<u64>,
    /// What is wrong, that of the entries first.
    pub findings: Vec<Finding>,
}

/// What became of a signed head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeadReport {
    /// The head.
    pub head: TreeHead,
    /// How it stands to the entries.
    pub standing: Standing,
    /// Which known witnesses cosigned it, and when.
    pub cosigned: Vec<(KeyName, Timestamp)>,
    /// How many signatures more it has, which nothing is known of.
    pub unknown: usize,
}

/// How a signed head stands to the entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Its root is that of the entries.
    Matched,
    /// A proof connects it with a head that is matched, or with all the entries.
    Linked,
    /// Nothing that was given says anything about it.
    Unchecked,
    /// It contradicts the entries, or its signature is wrong.
    Refused,
}

/// One thing that is wrong.
#[derive(Debug, thiserror::Error)]
#[error("{}{reason}", seq.map_or_else(String::new, |seq| format!("entry {seq}: ")))]
pub struct Finding {
    /// The first entry that is wrong, or that may be; `None` for what no entry is to blame for.
    pub seq: Option<u64>,
    /// Why.
    #[source]
    pub reason: Reason,
}

/// Why something is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The body is none.
    #[error("the body is refused")]
    Body(#[source] EntryError),
    /// An entry of another log.
    #[error("the entry belongs to the log {0}")]
    OtherLog(Origin),
    /// Entries were taken away, added or put elsewhere.
    #[error("the entry says that it is entry {0}")]
    OtherPlace(u64),
    /// No key is known that could have signed the entry.
    #[error("no key of {0:?} is known")]
    UnknownActor(String),
    /// The signature is not its actor's.
    #[error("the signature is not that of {0:?}")]
    Signature(String),
    /// A key that its owner had replaced by another one signed once more.
    #[error("it is signed with the key {0}, after an entry that its owner signed with a later one")]
    GivenUp(PublicKey),
    /// The stored leaf hash is not that of the body and the signature.
    #[error("the stored leaf hash is another entry's")]
    Leaf,
    /// A stored hash is not that of the entries below it.
    #[error("the stored hash {index} of tile level {level} is not that of its entries")]
    Tile {
        /// The tile level.
        level: u8,
        /// The position among the hashes of its level.
        index: u64,
    },
    /// Not as many hashes of tiles are stored with the entry as it completes.
    #[error("{found} hashes of tiles are stored with the entry, not {wanted}")]
    TileCount {
        /// How many it completes.
        wanted: usize,
        /// How many are stored.
        found: usize,
    },
    /// What is kept beside the log is not what the entry says.
    #[error("the payload beside the log is another one")]
    Payload,
    /// A head of another log.
    #[error("the head of {size} entries belongs to the log {origin}")]
    HeadOrigin {
        /// The size of its tree.
        size: u64,
        /// Whose it is.
        origin: Origin,
    },
    /// The log did not sign the head.
    #[error("the head of {size} entries is not signed by the log")]
    HeadSignature {
        /// The size of its tree.
        size: u64,
        /// Why.
        #[source]
        source: Unverified,
    },
    /// The cosignature of a known witness is wrong.
    #[error("a cosignature of the head of {size} entries is wrong")]
    Cosignature {
        /// The size of its tree.
        size: u64,
        /// Why.
        #[source]
        source: Unverified,
    },
    /// The entries up to a head are others than those that it was signed for. The entry that is
    /// named is the first after the last head that fits.
    #[error("the entries do not have the root of the signed head of {size} entries")]
    Root {
        /// The size of its tree.
        size: u64,
    },
    /// The entry is not in the tree of a head, or that is not proven.
    #[error("the entry is not proven to be in the tree of the signed head of {size} entries")]
    Inclusion {
        /// The size of the tree.
        size: u64,
        /// Why.
        #[source]
        source: ProofRefused,
    },
    /// The log signed two histories.
    #[error("the log signed two heads of {size} entries with different roots")]
    Fork {
        /// The size of both trees.
        size: u64,
    },
    /// The log was cut off after it signed a head.
    #[error("the log signed a head of {size} entries, and the entries from here on are missing")]
    Truncated {
        /// The size of its tree.
        size: u64,
    },
    /// A consistency proof does not connect what it should.
    #[error("the head of {new} entries is not proven to extend that of {old}")]
    Link {
        /// The size of the older tree.
        old: u64,
        /// The size of the newer tree.
        new: u64,
        /// Why.
        #[source]
        source: ProofRefused,
    },
}

/// What may be said of the log after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Something is wrong; this is the first bad entry, if one is to blame.
    Broken(Option<u64>),
    /// Nothing is wrong, and nothing is proven: no signed head covers any of the entries.
    Nothing,
    /// These entries are what the log signed, all of them, in their order.
    Verified(Range<u64>),
}

impl Report {
    /// What may be said of the log.
    pub fn verdict(&self) -> Verdict {
        if !self.findings.is_empty() {
            return Verdict::Broken(self.findings.iter().filter_map(|finding| finding.seq).min());
        }
        match self.covered {
            Some(end) if end > self.entries.start => Verdict::Verified(self.entries.start..end),
            _ => Verdict::Nothing,
        }
    }

    /// The entries that the log has according to a head that was checked, but that were not shown.
    pub fn not_shown(&self) -> Range<u64> {
        let checked = self.heads.iter().filter(|head| head.standing == Standing::Linked);
        let largest = checked.map(|head| head.head.size).max().unwrap_or_default();
        self.entries.end..largest.max(self.entries.end)
    }
}
