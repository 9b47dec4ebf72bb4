//! The lines that the texts of a transparency log are made of (C2SP).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::domain::digest::Digest;

/// The most hashes in a proof: one for each level of the largest tree (C2SP tlog-witness).
pub const MAX_PROOF: usize = 63;

/// The longest part of a refused line that is quoted, in characters.
const QUOTED: usize = 100;

/// A line that is not what its place demands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {number} is {found:?}, not {wanted}")]
pub struct LineError {
    /// Which line, from 1.
    pub number: usize,
    /// What it should be.
    pub wanted: &'static str,
    /// What it begins with.
    pub found: String,
}

/// A text that is read line by line. Every line ends in a newline.
pub(in crate::wire) struct Lines<'a> {
    rest: &'a str,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(in crate::wire) const fn new(text: &'a str) -> Self {
        Self { rest: text, number: 0 }
    }

    /// What has not been read yet.
    pub(in crate::wire) const fn rest(&self) -> &'a str {
        self.rest
    }

    /// Reads the next line as what `read` makes of it.
    pub(in crate::wire) fn next<T>(
        &mut self,
        wanted: &'static str,
        read: impl FnOnce(&'a str) -> Option<T>,
    ) -> Result<T, LineError> {
        self.number += 1;
        let line = self.rest.split_once('\n');
        let read = line.and_then(|(line, rest)| Some((read(line)?, rest)));
        let (value, rest) = read.ok_or_else(|| LineError {
            number: self.number,
            wanted,
            found: line.map_or(self.rest, |(line, _)| line).chars().take(QUOTED).collect(),
        })?;
        self.rest = rest;
        Ok(value)
    }

    /// Reads the hashes of a proof and the empty line after them.
    pub(in crate::wire) fn proof(&mut self) -> Result<Vec<Digest>, LineError> {
        let mut hashes = Vec::new();
        loop {
            let room = hashes.len() < MAX_PROOF;
            let read = |line| if str::is_empty(line) { Some(None) } else { digest(line).filter(|_| room).map(Some) };
            match self.next("the base64 of a hash, of which a proof has at most 63, or empty", read)? {
                Some(hash) => hashes.push(hash),
                None => return Ok(hashes),
            }
        }
    }
}

/// Writes the hashes of a proof and the empty line after them.
pub(in crate::wire) fn write_proof(f: &mut std::fmt::Formatter<'_>, hashes: &[Digest]) -> std::fmt::Result {
    hashes.iter().try_for_each(|hash| writeln!(f, "{}", encode(hash.as_bytes())))?;
    f.write_char('\n')
}

/// The standard base64 of some octets, with its padding (RFC 4648 section 4).
pub(in crate::wire) fn encode(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// The octets of a standard base64 with its padding; there is no other text for the same octets.
pub(in crate::wire) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// The hash of a base64.
pub(in crate::wire) fn digest(text: &str) -> Option<Digest> {
    decode(text)?.try_into().ok().map(Digest::from_bytes)
}

/// A number without sign and without leading zeros.
pub(in crate::wire) fn decimal(text: &str) -> Option<u64> {
    let number = text.parse::<u64>().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_a_hash_have_one_text() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for text in ["", "00", "01", "+1", "-1", " 1", "1 ", "18446744073709551616", "1e3"] {
            assert_eq!(decimal(text), None, "{text:?}");
        }
        let text = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
        assert_eq!(encode(digest(text).unwrap().as_bytes()), text);
        for other in [text.trim_end_matches('='), &text.replace('I', "J"), &text.replace('/', "_"), "", "AAAA"] {
            assert_eq!(digest(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_refused_line_is_numbered_and_quoted_in_part() {
        let long = "x".repeat(10_000);
        let text = format!("1\n{long}\n");
        let mut lines = Lines::new(&text);
        assert_eq!(lines.next("a number", decimal), Ok(1));
        let refusal = lines.next("a number", decimal).unwrap_err();
        assert_eq!((refusal.number, refusal.found.len()), (2, QUOTED));
        assert!(refusal.to_string().contains("not a number"));
        assert_eq!(Lines::new("1").next("a number", decimal).unwrap_err().found, "1", "it does not end");
    }

    #[test]
    fn a_proof_has_at_most_63_hashes() {
        let hash = encode(&[7; 32]);
        let of = |count: usize| format!("{}\nrest", format!("{hash}\n").repeat(count));
        for count in [0, 1, MAX_PROOF] {
            let text = of(count);
            let mut lines = Lines::new(&text);
            assert_eq!((lines.proof().unwrap().len(), lines.rest()), (count, "rest"));
        }
        assert_eq!(Lines::new(&of(MAX_PROOF + 1)).proof().unwrap_err().number, MAX_PROOF + 1);
    }
}
