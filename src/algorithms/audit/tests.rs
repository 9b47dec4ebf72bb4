//! The tree beside the vectors that Certificate Transparency's implementations share, a reference
//! that is the RFC's recursion word for word, and another crate.

use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::frontier::{Frontier, FrontierError, MAX_SIZE};
use super::proof::ProofRefused;
use super::stored::{TileHashes, Unread};
use super::{build, hash, proof};
use crate::domain::digest::Digest;
use crate::domain::tree::TreeHead;

/// A store: the hashes of each tile level.
#[derive(Default)]
pub(super) struct Stored {
    levels: [Vec<Digest>; 3],
}

impl Stored {
    /// Appends a leaf to the tree and stores what is to be stored of it.
    pub(super) fn append(&mut self, tree: &mut Frontier, leaf: Digest) {
        self.levels[0].push(leaf);
        for tile in tree.push(leaf) {
            let level = &mut self.levels[usize::from(tile.level)];
            assert_eq!(tile.index, level.len() as u64, "the tiles come in order");
            level.push(tile.hash);
        }
    }

    pub(super) fn of(leaves: &[Digest]) -> Self {
        let (mut stored, mut tree) = (Self::default(), Frontier::new());
        leaves.iter().for_each(|leaf| stored.append(&mut tree, *leaf));
        stored
    }
}

impl TileHashes for Stored {
    type Error = Infallible;

    fn read(&self, level: u8, first: u64, count: usize) -> Result<Vec<Digest>, Infallible> {
        assert!(count <= 128);
        let level = self.levels.get(usize::from(level)).map_or(&[][..], Vec::as_slice);
        Ok(level.iter().skip(usize::try_from(first).unwrap_or(usize::MAX)).take(count).copied().collect())
    }
}

/// RFC 6962 section 2.1.
fn mth(d: &[Digest]) -> Digest {
    match d {
        [] => hash::empty(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = d.split_at(half(d.len()));
            hash::node(&mth(left), &mth(right))
        }
    }
}

/// RFC 6962 section 2.1.1.
fn path(m: usize, d: &[Digest]) -> Vec<Digest> {
    if d.len() == 1 {
        return Vec::new();
    }
    let k = half(d.len());
    let (left, right) = d.split_at(k);
    let (mut inner, other) = if m < k { (path(m, left), mth(right)) } else { (path(m - k, right), mth(left)) };
    inner.push(other);
    inner
}

/// RFC 6962 section 2.1.2.
fn subproof(m: usize, d: &[Digest], whole: bool) -> Vec<Digest> {
    if m == d.len() {
        return if whole { Vec::new() } else { vec![mth(d)] };
    }
    let k = half(d.len());
    let (left, right) = d.split_at(k);
    let (mut inner, other) =
        if m <= k { (subproof(m, left, whole), mth(right)) } else { (subproof(m - k, right, false), mth(left)) };
    inner.push(other);
    inner
}

fn half(length: usize) -> usize {
    length.next_power_of_two() / 2
}

pub(super) fn leaves(count: u64) -> Vec<Digest> {
    (0..count).map(|i| hash::leaf(&i.to_be_bytes())).collect()
}

fn head(leaves: &[Digest]) -> TreeHead {
    TreeHead { size: leaves.len() as u64, root: mth(leaves) }
}

fn hashes(text: &str) -> Vec<Digest> {
    text.split_whitespace().map(|hash| hash.parse().unwrap()).collect()
}

/// The leaves of the tree that the implementations of Certificate Transparency test with.
fn known_leaves() -> Vec<Digest> {
    let data: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    data.map(hash::leaf).to_vec()
}

#[test]
fn the_known_tree_has_the_known_roots() {
    let roots = hashes(
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
         6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
         fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125
         aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77
         d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7
         4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4
         76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef
         ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c
         5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    );
    let mut tree = Frontier::new();
    assert_eq!(tree.root(), roots[0]);
    for (leaf, root) in known_leaves().into_iter().zip(&roots[1..]) {
        assert!(tree.push(leaf).is_empty());
        assert_eq!(tree.root(), *root, "size {}", tree.size());
    }
}

#[test]
fn the_known_tree_has_the_known_proofs() {
    let leaves = known_leaves();
    let stored = Stored::of(&leaves);
    let inclusion = |index, size, wanted: &str| {
        let path = build::inclusion(&stored, index, size).unwrap();
        assert_eq!(path, hashes(wanted), "entry {index} of {size}");
        let (index_at, size_at) = (index as usize, size as usize);
        proof::inclusion(&leaves[index_at], index, &path, &head(&leaves[..size_at])).unwrap();
    };
    inclusion(0, 1, "");
    inclusion(0, 2, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7");
    inclusion(1, 2, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
    inclusion(2, 3, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    inclusion(
        1,
        5,
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d
         5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
         bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    );
    inclusion(
        5,
        8,
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b
         ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0
         d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    );
    let consistency = |old, new, wanted: &str| {
        let found = build::consistency(&stored, old, new).unwrap();
        assert_eq!(found, hashes(wanted), "{old} in {new}");
        let (old_at, new_at) = (old as usize, new as usize);
        proof::consistency(&head(&leaves[..old_at]), &head(&leaves[..new_at]), &found).unwrap();
    };
    consistency(1, 1, "");
    consistency(
        1,
        8,
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7
         5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
         6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    );
    consistency(
        2,
        5,
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e
         bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    );
    consistency(
        6,
        8,
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a
         ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0
         d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    );
}

#[test]
fn every_root_to_600_is_the_references_and_can_be_read_back() {
    let leaves = leaves(600);
    let (mut stored, mut tree) = (Stored::default(), Frontier::new());
    for size in 0..=leaves.len() {
        assert_eq!(tree.head(), head(&leaves[..size]));
        assert_eq!(Frontier::read(&stored, size as u64), Ok(tree.clone()));
        assert_eq!(Frontier::from_peaks(size as u64, tree.peaks().to_vec()), Ok(tree.clone()));
        if let Some(leaf) = leaves.get(size) {
            stored.append(&mut tree, *leaf);
        }
    }
    // Any earlier tree, too, from the store of the last.
    for size in 0..=leaves.len() {
        assert_eq!(Frontier::read(&stored, size as u64).unwrap().head(), head(&leaves[..size]));
    }
}

#[test]
fn all_proofs_to_70_are_the_references_and_are_accepted() {
    let leaves = leaves(70);
    let stored = Stored::of(&leaves);
    for size in 1..=leaves.len() {
        let head_then = head(&leaves[..size]);
        for other in 0..=size {
            let (at, in_size) = (other as u64, size as u64);
            let found = build::consistency(&stored, at, in_size).unwrap();
            let wanted = if other == 0 { Vec::new() } else { subproof(other, &leaves[..size], true) };
            assert_eq!(found, wanted, "{other} in {size}");
            assert_eq!(proof::consistency(&head(&leaves[..other]), &head_then, &found), Ok(()));
            if other < size {
                let found = build::inclusion(&stored, at, in_size).unwrap();
                assert_eq!(found, path(other, &leaves[..size]), "entry {other} of {size}");
                assert_eq!(proof::inclusion(&leaves[other], at, &found, &head_then), Ok(()));
            }
        }
    }
}

#[test]
fn tiles_of_two_levels_give_the_same_tree() {
    let leaves = leaves(66_000);
    let stored = Stored::of(&leaves);
    assert_eq!((stored.levels[1].len(), stored.levels[2].len()), (257, 1));
    let whole = head(&leaves);
    assert_eq!(Frontier::read(&stored, whole.size).unwrap().head(), whole);
    for index in [0, 255, 256, 65_535, 65_536, 65_792, 65_999] {
        let found = build::inclusion(&stored, index, whole.size).unwrap();
        assert_eq!(found, path(index as usize, &leaves));
        assert_eq!(proof::inclusion(&leaves[index as usize], index, &found, &whole), Ok(()));
        let found = build::consistency(&stored, index + 1, whole.size).unwrap();
        assert_eq!(proof::consistency(&head(&leaves[..=index as usize]), &whole, &found), Ok(()));
    }
}

proptest! {
    #[test]
    fn proofs_are_those_of_another_crate(size in 1_usize..300, at in any::<prop::sample::Index>()) {
        let (index, old) = (at.index(size), at.index(size) + 1);
        let leaves = leaves(size as u64);
        let stored = Stored::of(&leaves);
        let mut other = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
        (0..size as u64).for_each(|i| other.push(i.to_be_bytes().to_vec()));
        let root = other.root();
        let our_root = head(&leaves).root;
        prop_assert_eq!(root.as_bytes().as_slice(), our_root.as_bytes().as_slice());

        let ours = build::inclusion(&stored, index as u64, size as u64).unwrap();
        let octets: Vec<u8> = ours.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let theirs = other.prove_inclusion(index);
        prop_assert_eq!(theirs.as_bytes(), octets.as_slice());
        prop_assert_eq!(ours, path(index, &leaves));

        let ours = build::consistency(&stored, old as u64, size as u64).unwrap();
        let octets: Vec<u8> = ours.iter().flat_map(|hash| *hash.as_bytes()).collect();
        let theirs = other.prove_consistency(size - old);
        prop_assert_eq!(theirs.as_bytes(), octets.as_slice());
        prop_assert_eq!(ours, subproof(old, &leaves, true));
    }

    #[test]
    fn a_changed_proof_is_refused(size in 2_u64..300, at in any::<prop::sample::Index>(), bit in 0_usize..256) {
        let index = at.index(size as usize) as u64;
        let leaves = leaves(size);
        let stored = Stored::of(&leaves);
        let whole = head(&leaves);
        let leaf = leaves[index as usize];
        let path = build::inclusion(&stored, index, size).unwrap();
        let flip = |hash: Digest| {
            let mut bytes = *hash.as_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            Digest::from_bytes(bytes)
        };

        prop_assert_eq!(proof::inclusion(&flip(leaf), index, &path, &whole), Err(ProofRefused::Root));
        let other_root = TreeHead { root: flip(whole.root), ..whole };
        prop_assert_eq!(proof::inclusion(&leaf, index, &path, &other_root), Err(ProofRefused::Root));
        for other in [index ^ 1, 0, size / 2, size - 1].into_iter().filter(|other| *other != index) {
            prop_assert!(proof::inclusion(&leaf, other, &path, &whole).is_err());
        }
        for place in 0..path.len() {
            let mut changed = path.clone();
            changed[place] = flip(changed[place]);
            prop_assert_eq!(proof::inclusion(&leaf, index, &changed, &whole), Err(ProofRefused::Root));
        }
        let longer: Vec<_> = path.iter().copied().chain([leaf]).collect();
        prop_assert_eq!(proof::inclusion(&leaf, index, &longer, &whole), Err(ProofRefused::TooLong(longer.len())));
        let shorter = &path[..path.len() - 1];
        prop_assert_eq!(proof::inclusion(&leaf, index, shorter, &whole), Err(ProofRefused::TooShort(shorter.len())));

        let old = head(&leaves[..=index as usize]);
        let path = build::consistency(&stored, old.size, size).unwrap();
        let other_old = TreeHead { root: flip(old.root), ..old };
        prop_assert!(proof::consistency(&other_old, &whole, &path).is_err());
        prop_assert!(proof::consistency(&old, &other_root, &path).is_err());
        for place in 0..path.len() {
            let mut changed = path.clone();
            changed[place] = flip(changed[place]);
            prop_assert!(proof::consistency(&old, &whole, &changed).is_err());
        }
        let longer: Vec<_> = path.iter().copied().chain([leaf]).collect();
        prop_assert_eq!(proof::consistency(&old, &whole, &longer), Err(ProofRefused::TooLong(longer.len())));
        if let Some((_, shorter)) = path.split_last() {
            prop_assert_eq!(proof::consistency(&old, &whole, shorter), Err(ProofRefused::TooShort(shorter.len())));
        }
    }

    #[test]
    fn nothing_panics(index: u64, old: u64, new: u64, count in 0_usize..70, root: [u8; 32]) {
        let root = Digest::from_bytes(root);
        let path = vec![root; count];
        let new_head = TreeHead { size: new, root };
        prop_assert!(proof::inclusion(&root, index, &path, &new_head).is_err());
        let accepted = proof::consistency(&TreeHead { size: old, root }, &new_head, &path).is_ok();
        prop_assert_eq!(accepted, old == new && count == 0);
        // The store is empty, so that there is no such tree unless it is empty, too.
        prop_assert!(build::inclusion(&Stored::default(), index, new).is_err());
        prop_assert_eq!(build::consistency(&Stored::default(), old, new).is_ok(), old == new || old == 0 && old <= new);
        prop_assert_eq!(Frontier::read(&Stored::default(), new).is_ok(), new == 0);
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let leaves = leaves(5);
    let stored = Stored::of(&leaves);
    let (three, five) = (head(&leaves[..3]), head(&leaves));
    assert_eq!(proof::inclusion(&leaves[0], 5, &[], &five), Err(ProofRefused::NoSuchEntry { index: 5, size: 5 }));
    assert_eq!(proof::consistency(&five, &three, &[]), Err(ProofRefused::Backwards { old: 5, new: 3 }));
    assert_eq!(proof::consistency(&three, &five, &[]), Err(ProofRefused::TooShort(0)));
    let rewritten = TreeHead { size: 5, root: three.root };
    assert_eq!(proof::consistency(&rewritten, &five, &[]), Err(ProofRefused::OldRoot));
    assert_eq!(proof::consistency(&TreeHead { size: 0, root: five.root }, &five, &[]), Err(ProofRefused::OldRoot));
    assert_eq!(Frontier::read(&stored, 6), Err(Unread::Missing { level: 0, first: 4, wanted: 2, found: 1 }));
    assert_eq!(Frontier::from_peaks(5, leaves.clone()), Err(FrontierError::Count { size: 5, found: 5 }));
    assert_eq!(Frontier::from_peaks(MAX_SIZE + 1, leaves[..1].to_vec()), Err(FrontierError::TooLarge(MAX_SIZE + 1)));
}
