//! The hashes of the tree (RFC 6962 section 2.1).

use ring::digest::{Context, SHA256};

use crate::domain::digest::Digest;

/// What a leaf's hash begins with, so that no node can be taken for a leaf.
const LEAF: u8 = 0;
/// What a node's hash begins with.
const NODE: u8 = 1;

/// The root of the tree without entries.
pub fn empty() -> Digest {
    sha256(&[])
}

/// The hash of a leaf.
pub fn leaf(data: &[u8]) -> Digest {
    sha256(&[&[LEAF], data])
}

/// The hash of a node, of the hashes of its two halves.
pub fn node(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[NODE], left.as_bytes(), right.as_bytes()])
}

fn sha256(parts: &[&[u8]]) -> Digest {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut bytes = [0; 32];
    // Both are 32 octets long.
    for (byte, hashed) in bytes.iter_mut().zip(context.finish().as_ref()) {
        *byte = *hashed;
    }
    Digest::from_bytes(bytes)
}
