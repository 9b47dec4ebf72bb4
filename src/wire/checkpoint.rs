//! Checkpoints (C2SP tlog-checkpoint): the head of a log's tree, as a note that the log signs and
//! others cosign.

use std::fmt;

use crate::domain::origin::Origin;
use crate::domain::time::Timestamp;
use crate::domain::tree::TreeHead;
use crate::wire::line::{self, LineError, Lines};
use crate::wire::note::{Note, NoteError, NoteSignature, NoteSigner, Unverified, Verified, VerifierKey};

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: Origin,
    /// The head of its tree.
    pub head: TreeHead,
    /// Further lines, not empty and without control characters. Nobody can audit them: pdsno writes
    /// none.
    pub extensions: Vec<String>,
}

/// Why some octets are not a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not even a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note with another text.
    #[error("the note is no checkpoint")]
    Line(#[from] LineError),
}

impl Checkpoint {
    /// What a log's note says of this head.
    pub const fn new(origin: Origin, head: TreeHead) -> Self {
        Self { origin, head, extensions: Vec::new() }
    }

    /// Reads the text of a note.
    ///
    /// # Errors
    /// [`LineError`] for the line that breaks the format.
    pub fn parse(text: &str) -> Result<Self, LineError> {
        let mut lines = Lines::new(text);
        let origin = lines.next("the origin of a log", |line| line.parse().ok())?;
        let size = lines.next("the size of a tree", line::decimal)?;
        let root = lines.next("the base64 of a root hash", line::digest)?;
        let mut extensions = Vec::new();
        while !lines.rest().is_empty() {
            let extension =
                lines.next("an extension, which is not empty", |line| (!line.is_empty()).then(|| line.to_owned()))?;
            extensions.push(extension);
        }
        Ok(Self { origin, head: TreeHead { size, root }, extensions })
    }
}

/// The text of the note.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, head: TreeHead { size, root }, extensions } = self;
        writeln!(f, "{origin}\n{size}\n{}", line::encode(root.as_bytes()))?;
        extensions.iter().try_for_each(|extension| writeln!(f, "{extension}"))
    }
}

/// A checkpoint with its signatures. It is printed as it was read: what somebody signed is not
/// written anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// A checkpoint with the signature of its log.
    ///
    /// # Errors
    /// [`CheckpointError`] when an extension is empty or has control characters.
    pub fn sign(checkpoint: &Checkpoint, log: &NoteSigner<'_>, now: Timestamp) -> Result<Self, CheckpointError> {
        let mut note = Note::unsigned(checkpoint.to_string())?;
        note.add(log.sign(note.text(), now))?;
        // Read back, so that what was signed is what it says.
        Ok(Self { checkpoint: Checkpoint::parse(note.text())?, note })
    }

    /// Reads a checkpoint. Nobody has verified it yet.
    ///
    /// # Errors
    /// [`CheckpointError`] for what breaks the format.
    pub fn parse(octets: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(octets)?;
        Ok(Self { checkpoint: Checkpoint::parse(note.text())?, note })
    }

    /// What it says, if its signatures are right.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The head that it says, if its signatures are right.
    pub const fn head(&self) -> TreeHead {
        self.checkpoint.head
    }

    /// The note.
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// Adds a signature, such as a witness makes with [`NoteSigner::sign`] on the note's text.
    ///
    /// # Errors
    /// As [`Note::add`].
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        self.note.add(signature)
    }

    /// Verifies every signature of these keys and ignores all others.
    ///
    /// # Errors
    /// As [`Note::verify`].
    pub fn verify<'a>(&self, known: &'a [VerifierKey]) -> Result<Vec<Verified<'a>>, Unverified> {
        self.note.verify(known)
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.note, f)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::digest::Digest;
    use crate::wire::note::SignatureType;
    use crate::wire::signature::tests::key;

    /// The example of C2SP tlog-cosignature.
    pub(crate) const SOFA: &str = "example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
";

    #[test]
    fn the_example_of_the_specification_is_read() {
        let signed = SignedCheckpoint::parse(SOFA.as_bytes()).unwrap();
        let Checkpoint { origin, head, extensions } = signed.checkpoint();
        assert_eq!((origin.as_str(), head.size, extensions.len()), ("example.com/behind-the-sofa", 20_852_163, 0));
        assert!(head.root.to_string().starts_with("0ac5186a91863e8e"));
        assert_eq!(signed.note().signatures().len(), 2);
        assert_eq!(signed.to_string(), SOFA);
    }

    #[test]
    fn a_checkpoint_is_signed_cosigned_and_verified() {
        let (log, witness) = (key(1), key(2));
        let origin: Origin = "pdsno/prod/local_cntl_zoneA_5".parse().unwrap();
        let log = NoteSigner::new(origin.as_str().parse().unwrap(), SignatureType::Ed25519, &log);
        let name = "pdsno/prod/regional_cntl_zoneA_1".parse().unwrap();
        let witness = NoteSigner::new(name, SignatureType::CosignatureV1, &witness);
        let at = Timestamp::from_millis(1_679_315_147_000);
        let head = TreeHead { size: 17, root: Digest::from_bytes([7; 32]) };
        let checkpoint = Checkpoint::new(origin, head);
        let mut signed = SignedCheckpoint::sign(&checkpoint, &log, at).unwrap();
        signed.add(witness.sign(signed.note().text(), at)).unwrap();

        let read = SignedCheckpoint::parse(signed.to_string().as_bytes()).unwrap();
        assert_eq!((&read, read.checkpoint()), (&signed, &checkpoint));
        let keys = [log.key().clone(), witness.key().clone()];
        let times: Vec<_> = read.verify(&keys).unwrap().into_iter().map(|verified| verified.time).collect();
        assert_eq!(times, [None, Some(at)]);

        let broken = Checkpoint { extensions: vec![String::new()], ..checkpoint };
        assert!(SignedCheckpoint::sign(&broken, &log, at).is_err(), "an empty extension");
    }

    #[test]
    fn what_breaks_the_format_is_refused_by_its_line() {
        let text = SignedCheckpoint::parse(SOFA.as_bytes()).unwrap().note().text().to_owned();
        let with_extension = format!("{text}an extension\n");
        assert_eq!(Checkpoint::parse(&with_extension).unwrap().extensions, ["an extension"]);
        let refused = |from: &str, to: &str| Checkpoint::parse(&text.replace(from, to)).unwrap_err().number;
        assert_eq!(refused("example.com/behind-the-sofa", ""), 1);
        for size in ["020852163", "-1", "0x10", "20852163 ", "18446744073709551616", ""] {
            assert_eq!(refused("20852163", size), 2, "{size:?}");
        }
        for root in ["CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I", "AAAA", ""] {
            assert_eq!(refused("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", root), 3, "{root:?}");
        }
        assert_eq!(refused("q2I=\n", "q2I="), 3, "not ended");
        assert_eq!(Checkpoint::parse(&format!("{text}\nx\n")).unwrap_err().number, 4);
        assert_eq!(Checkpoint::parse("").unwrap_err().number, 1);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(size: u64, root: [u8; 32], extensions in prop::collection::vec("\\PC{1,20}", 0..3)) {
            let origin = "pdsno/prod/global_cntl_1".parse().unwrap();
            let checkpoint = Checkpoint { origin, head: TreeHead { size, root: Digest::from_bytes(root) }, extensions };
            prop_assert_eq!(Checkpoint::parse(&checkpoint.to_string()), Ok(checkpoint));
        }
    }
}
