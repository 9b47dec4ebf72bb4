//! Checking proofs: RFC 9162 sections 2.1.3.2 and 2.1.4.2, which say step by step what follows from
//! RFC 6962.

use crate::algorithms::audit::hash;
use crate::domain::digest::Digest;
use crate::domain::tree::TreeHead;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofRefused {
    /// An entry that the tree does not have.
    #[error("a tree of {size} entries has no entry {index}")]
    NoSuchEntry {
        /// The entry.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// A tree does not come before a smaller one.
    #[error("a tree of {old} entries is not the beginning of one of {new}")]
    Backwards {
        /// The size of the tree that is to be the beginning.
        old: u64,
        /// The size of the other.
        new: u64,
    },
    /// More hashes than a proof for trees of these sizes has.
    #[error("the proof has {0} hashes, which is too many for the size of the tree")]
    TooLong(usize),
    /// Fewer hashes than a proof for trees of these sizes has.
    #[error("the proof has {0} hashes, which is too few for the size of the tree")]
    TooShort(usize),
    /// The hashes do not lead to the root of the smaller tree.
    #[error("the proof does not lead to the root of the older tree")]
    OldRoot,
    /// The hashes do not lead to the root.
    #[error("the proof does not lead to the root of the tree")]
    Root,
}

/// The way from a leaf to the root: the position of the hash so far, and that of the last of its
/// level.
struct Climb {
    at: u64,
    last: u64,
}

impl Climb {
    /// Whether the next hash of the proof is to the left.
    const fn sibling_is_left(&self) -> bool {
        self.at & 1 == 1 || self.at == self.last
    }

    const fn up(&mut self) {
        self.at >>= 1;
        self.last >>= 1;
    }

    /// Passes the levels where a node at the right edge has no sibling.
    const fn up_to_a_right_child(&mut self) {
        while self.at & 1 == 0 && self.at != 0 {
            self.up();
        }
    }

    const fn is_at_root(&self) -> bool {
        self.last == 0
    }
}

/// Checks that entry `index` of the tree with this head has this leaf hash.
///
/// # Errors
/// [`ProofRefused`] when that is not proven.
pub fn inclusion(leaf: &Digest, index: u64, path: &[Digest], head: &TreeHead) -> Result<(), ProofRefused> {
    let size = head.size;
    if index >= size {
        return Err(ProofRefused::NoSuchEntry { index, size });
    }
    let mut climb = Climb { at: index, last: size - 1 };
    let mut root = *leaf;
    for sibling in path {
        if climb.is_at_root() {
            return Err(ProofRefused::TooLong(path.len()));
        }
        if climb.sibling_is_left() {
            root = hash::node(sibling, &root);
            climb.up_to_a_right_child();
        } else {
            root = hash::node(&root, sibling);
        }
        climb.up();
    }
    if !climb.is_at_root() {
        Err(ProofRefused::TooShort(path.len()))
    } else if root != head.root {
        Err(ProofRefused::Root)
    } else {
        Ok(())
    }
}

/// Checks that the tree with the head `old` is the beginning of that with the head `new`.
///
/// # Errors
/// [`ProofRefused`] when that is not proven.
pub fn consistency(old: &TreeHead, new: &TreeHead, proof: &[Digest]) -> Result<(), ProofRefused> {
    if old.size > new.size {
        return Err(ProofRefused::Backwards { old: old.size, new: new.size });
    }
    if old.size == 0 || old.size == new.size {
        let same = if old.size == new.size { new.root } else { hash::empty() };
        return match proof {
            [] if old.root == same => Ok(()),
            [] => Err(ProofRefused::OldRoot),
            _ => Err(ProofRefused::TooLong(proof.len())),
        };
    }

    // The proof begins with the subtree that ends where the old tree ends; where that is the old
    // tree itself, it is left out.
    let mut climb = Climb { at: old.size - 1, last: new.size - 1 };
    while climb.at & 1 == 1 {
        climb.up();
    }
    let (first, rest) = match proof {
        _ if old.size.is_power_of_two() => (&old.root, proof),
        [first, rest @ ..] => (first, rest),
        [] => return Err(ProofRefused::TooShort(0)),
    };
    let (mut old_root, mut new_root) = (*first, *first);
    for sibling in rest {
        if climb.is_at_root() {
            return Err(ProofRefused::TooLong(proof.len()));
        }
        if climb.sibling_is_left() {
            old_root = hash::node(sibling, &old_root);
            new_root = hash::node(sibling, &new_root);
            climb.up_to_a_right_child();
        } else {
            new_root = hash::node(&new_root, sibling);
        }
        climb.up();
    }
    if !climb.is_at_root() {
        Err(ProofRefused::TooShort(proof.len()))
    } else if old_root != old.root {
        Err(ProofRefused::OldRoot)
    } else if new_root != new.root {
        Err(ProofRefused::Root)
    } else {
        Ok(())
    }
}
