//! Proofs that stand in a file by themselves (C2SP tlog-proof): that an entry is in a log, up to a
//! checkpoint that is signed and cosigned.

use std::fmt;

use crate::domain::digest::Digest;
use crate::wire::checkpoint::{CheckpointError, SignedCheckpoint};
use crate::wire::line::{self, LineError, Lines, write_proof};

/// The first line of every such proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The proof that an entry is in a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// Whatever is useful beside the proof. Nobody has signed it.
    pub extra: Option<Vec<u8>>,
    /// The entry's place in the log, from 0.
    pub index: u64,
    /// The audit path (RFC 6962 section 2.1.1), from the leaf's sibling up; at most 63 hashes.
    pub path: Vec<Digest>,
    /// The head of the tree that the entry is in.
    pub checkpoint: SignedCheckpoint,
}

/// Why some octets are not a proof, or not a request to a witness.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofTextError {
    /// Not UTF-8.
    #[error("the text is not UTF-8")]
    NotUtf8,
    /// A line before the checkpoint.
    #[error(transparent)]
    Line(#[from] LineError),
    /// The checkpoint.
    #[error("the checkpoint cannot be read")]
    Checkpoint(#[from] CheckpointError),
}

impl TlogProof {
    /// Reads a proof. Nobody has verified it yet.
    ///
    /// # Errors
    /// [`ProofTextError`] for what breaks the format.
    pub fn parse(octets: &[u8]) -> Result<Self, ProofTextError> {
        let text = str::from_utf8(octets).map_err(|_| ProofTextError::NotUtf8)?;
        let mut lines = Lines::new(text);
        lines.next(HEADER, |line| (line == HEADER).then_some(()))?;
        let extra = if lines.rest().starts_with("extra ") {
            Some(lines.next("'extra ' and a base64", |line| line::decode(line.strip_prefix("extra ")?))?)
        } else {
            None
        };
        let index = lines.next("'index ' and a number", |line| line::decimal(line.strip_prefix("index ")?))?;
        let path = lines.proof()?;
        let checkpoint = SignedCheckpoint::parse(lines.rest().as_bytes())?;
        Ok(Self { extra, index, path, checkpoint })
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", line::encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        write_proof(f, &self.path)?;
        fmt::Display::fmt(&self.checkpoint, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::checkpoint::tests::SOFA;

    /// As in C2SP tlog-proof, with a whole checkpoint.
    const PROOF: &str = "c2sp.org/tlog-proof@v1
extra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6
index 73894
gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=
B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=

";

    #[test]
    fn a_proof_is_read_and_printed_the_same() {
        let text = format!("{PROOF}{SOFA}");
        let proof = TlogProof::parse(text.as_bytes()).unwrap();
        assert_eq!(proof.extra.as_deref(), Some(b"age-v1.2.1-darwin-arm64.tar.gz".as_slice()));
        assert_eq!((proof.index, proof.path.len(), proof.checkpoint.head().size), (73_894, 2, 20_852_163));
        assert_eq!(proof.to_string(), text);
        let bare = TlogProof { extra: None, index: 0, path: Vec::new(), ..proof };
        assert_eq!(bare.to_string(), format!("c2sp.org/tlog-proof@v1\nindex 0\n\n{SOFA}"));
        assert_eq!(TlogProof::parse(bare.to_string().as_bytes()), Ok(bare));
    }

    #[test]
    fn what_breaks_the_format_is_refused_by_its_line() {
        let text = format!("{PROOF}{SOFA}");
        let refused = |from: &str, to: &str| match TlogProof::parse(text.replacen(from, to, 1).as_bytes()) {
            Err(ProofTextError::Line(refusal)) => refusal.number,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused("@v1", "@v2"), 1);
        assert_eq!(refused("c2sp.org/tlog-proof@v1\n", ""), 1);
        assert_eq!(refused("Lmd6", "Lmd"), 2);
        assert_eq!(refused("extra ", "more "), 2);
        assert_eq!(refused("index 73894", "index 073894"), 3);
        assert_eq!(refused("index 73894\n", ""), 3);
        assert_eq!(refused("PlQ=", "PlQ"), 4);
        assert_eq!(refused("XmA=\n\n", "XmA=\n"), 6, "the checkpoint is no hash");
        let cut = &text[..PROOF.len()];
        assert!(matches!(TlogProof::parse(cut.as_bytes()), Err(ProofTextError::Checkpoint(_))));
        assert_eq!(TlogProof::parse(b"\xff"), Err(ProofTextError::NotUtf8));
    }

    proptest! {
        #[test]
        fn no_octets_make_it_panic(cut in 0..PROOF.len() + SOFA.len(), octets in prop::collection::vec(any::<u8>(), 0..100)) {
            let text = format!("{PROOF}{SOFA}");
            prop_assert!(TlogProof::parse(&text.as_bytes()[..cut]).map_or(true, |proof| proof.checkpoint.note().signatures().len() == 1));
            prop_assert!(TlogProof::parse(&octets).is_err());
        }
    }
}
