//! What a log asks of a witness (C2SP tlog-witness, `add-checkpoint`).

use std::fmt;

use crate::domain::digest::Digest;
use crate::wire::checkpoint::SignedCheckpoint;
use crate::wire::line::{self, Lines, write_proof};
use crate::wire::tlog_proof::ProofTextError;

/// A new checkpoint, and the proof that it extends the last that the witness has cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// The size of the tree that the log believes the witness has cosigned last; 0 for none.
    pub old: u64,
    /// The consistency proof from there (RFC 6962 section 2.1.2); at most 63 hashes.
    pub proof: Vec<Digest>,
    /// The new checkpoint.
    pub checkpoint: SignedCheckpoint,
}

impl AddCheckpoint {
    /// Reads a request. Nobody has verified it yet.
    ///
    /// # Errors
    /// [`ProofTextError`] for what breaks the format.
    pub fn parse(octets: &[u8]) -> Result<Self, ProofTextError> {
        let text = str::from_utf8(octets).map_err(|_| ProofTextError::NotUtf8)?;
        let mut lines = Lines::new(text);
        let old = lines.next("'old ' and a number", |line| line::decimal(line.strip_prefix("old ")?))?;
        let proof = lines.proof()?;
        let checkpoint = SignedCheckpoint::parse(lines.rest().as_bytes())?;
        Ok(Self { old, proof, checkpoint })
    }
}

impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        write_proof(f, &self.proof)?;
        fmt::Display::fmt(&self.checkpoint, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::checkpoint::tests::SOFA;

    /// As in C2SP tlog-witness.
    const OLD: &str = "old 20852014
PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=
jrJZDmY8Y7SyJE0MWLpLozkIVMSMZcD5kvuKxPC3swk=
5+pKlUdi2LeF/BcMHBn+Ku6yhPGNCswZZD1X/6QgPd8=
/6WVhPs2CwSsb5rYBH5cjHV/wSmA79abXAwhXw3Kj/0=

";

    #[test]
    fn a_request_is_read_and_printed_the_same() {
        let text = format!("{OLD}{SOFA}");
        let request = AddCheckpoint::parse(text.as_bytes()).unwrap();
        assert_eq!((request.old, request.proof.len()), (20_852_014, 4));
        assert_eq!(request.to_string(), text);
        let first = format!("old 0\n\n{SOFA}");
        assert_eq!(AddCheckpoint::parse(first.as_bytes()).unwrap().to_string(), first);
    }

    #[test]
    fn what_breaks_the_format_is_refused_by_its_line() {
        let refused = |text: String| match AddCheckpoint::parse(text.as_bytes()) {
            Err(ProofTextError::Line(refusal)) => refusal.number,
            other => panic!("{other:?}"),
        };
        assert_eq!(refused(format!("{OLD}{SOFA}").replace("old 2", "old 02")), 1);
        assert_eq!(refused(format!("{OLD}{SOFA}").replace("old ", "older ")), 1);
        assert_eq!(refused(format!("{}{SOFA}", OLD.trim_end())), 5, "no empty line");
        let hash = "PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=\n";
        assert_eq!(refused(format!("old 1\n{}\n{SOFA}", hash.repeat(64))), 65);
        assert!(matches!(AddCheckpoint::parse(OLD.as_bytes()), Err(ProofTextError::Checkpoint(_))));
        assert_eq!(AddCheckpoint::parse(b"\xff"), Err(ProofTextError::NotUtf8));
    }
}
