//! Signed notes (C2SP signed-note) and cosignatures (C2SP tlog-cosignature, version 1): a text, an
//! empty line, and a line for each signature.

mod key;

use std::fmt;

use crate::domain::time::Timestamp;
use crate::wire::line;
pub use crate::wire::note::key::{KeyError, KeyId, KeyName, KeyNameError, NoteSigner, SignatureType, VerifierKey};

/// The longest note, in octets: more than 16 signatures of any type need.
pub const MAX_NOTE: usize = 256 * 1024;

/// The most signatures of a note; the format demands that 16 are accepted.
pub const MAX_SIGNATURES: usize = 64;

/// Why some octets or a text are not a note.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE`].
    #[error("the note has {0} octets, more than {MAX_NOTE}")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("the note is not UTF-8")]
    NotUtf8,
    /// A control character other than newline.
    #[error("the note contains the control character {0:#04x}")]
    Control(u32),
    /// The text does not end in a newline.
    #[error("the text of the note does not end in a newline")]
    Unended,
    /// No empty line with signatures after it.
    #[error("the note has no signatures after an empty line")]
    Unsigned,
    /// More than [`MAX_SIGNATURES`].
    #[error("the note has more than {MAX_SIGNATURES} signatures")]
    TooManySignatures,
    /// A line below the empty line that is not a signature.
    #[error("{0:?} is not a signature line: an em dash, a key name and a base64, with one space between")]
    SignatureLine(String),
}

/// Why a note is not signed by whom it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// No signature is of a known key.
    #[error("no signature is of a known key")]
    NoKnownKey,
    /// The signature of a known key is wrong.
    #[error("the signature of {name} with key {id} does not fit the text")]
    BadSignature {
        /// The name of the key.
        name: KeyName,
        /// Its id.
        id: KeyId,
    },
}

/// One signature of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    name: KeyName,
    id: KeyId,
    /// What the type of the key makes of it; not empty.
    octets: Vec<u8>,
}

impl NoteSignature {
    /// Whose it says it is.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// With which of the name's keys it says it was made.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Reads one signature line, without its newline.
    ///
    /// # Errors
    /// [`NoteError::SignatureLine`].
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let read = || {
            let (name, base64) = text.strip_prefix("\u{2014} ")?.split_once(' ')?;
            let octets = line::decode(base64)?;
            let (id, octets) = octets.split_first_chunk().filter(|(_, octets)| !octets.is_empty())?;
            Some(Self { name: name.parse().ok()?, id: KeyId::from_bytes(*id), octets: octets.to_vec() })
        };
        read().ok_or_else(|| NoteError::SignatureLine(text.chars().take(100).collect()))
    }
}

/// The signature line, without its newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let octets = [self.id.as_bytes().as_slice(), &self.octets].concat();
        write!(f, "\u{2014} {} {}", self.name, line::encode(&octets))
    }
}

/// A signature that was found to be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<'a> {
    /// Whose it is.
    pub key: &'a VerifierKey,
    /// When a cosignature was made, to the second.
    pub time: Option<Timestamp>,
}

/// A text and its signatures. What was parsed is printed octet by octet as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

impl Note {
    /// A note that nobody has signed yet.
    ///
    /// # Errors
    /// [`NoteError`] when the text does not end in a newline, contains other control characters or
    /// is too long.
    pub fn unsigned(text: String) -> Result<Self, NoteError> {
        if text.len() > MAX_NOTE {
            return Err(NoteError::TooLong(text.len()));
        }
        if let Some(control) = text.chars().find(|c| *c < ' ' && *c != '\n') {
            return Err(NoteError::Control(control.into()));
        }
        if !text.ends_with('\n') {
            return Err(NoteError::Unended);
        }
        Ok(Self { text, signatures: Vec::new() })
    }

    /// Reads a note with at least one signature. Nobody has verified it yet.
    ///
    /// # Errors
    /// [`NoteError`] for what breaks the format.
    pub fn parse(octets: &[u8]) -> Result<Self, NoteError> {
        if octets.len() > MAX_NOTE {
            return Err(NoteError::TooLong(octets.len()));
        }
        let whole = str::from_utf8(octets).map_err(|_| NoteError::NotUtf8)?;
        // The text may have empty lines itself, the signatures may not.
        let (text, signatures) = whole.rsplit_once("\n\n").ok_or(NoteError::Unsigned)?;
        let mut note = Self::unsigned(format!("{text}\n"))?;
        let signatures = match signatures.strip_suffix('\n') {
            Some(lines) => lines,
            None if signatures.is_empty() => return Err(NoteError::Unsigned),
            None => return Err(NoteError::Unended),
        };
        for line in signatures.split('\n') {
            note.add(NoteSignature::parse(line)?)?;
        }
        Ok(note)
    }

    /// The text, with its last newline: what is signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures, right or wrong, in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds a signature after the others.
    ///
    /// # Errors
    /// [`NoteError::TooManySignatures`].
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NoteError> {
        if self.signatures.len() >= MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// Verifies every signature of a known key and ignores all others. A key is known by its name
    /// and its id together.
    ///
    /// # Errors
    /// [`Unverified`] when no signature is of a known key, or that of a known key is wrong.
    pub fn verify<'a>(&self, known: &'a [VerifierKey]) -> Result<Vec<Verified<'a>>, Unverified> {
        let mut verified = Vec::new();
        for signature in &self.signatures {
            for key in known.iter().filter(|key| *key.name() == signature.name && key.id() == signature.id) {
                let time = key
                    .check(&self.text, &signature.octets)
                    .ok_or_else(|| Unverified::BadSignature { name: signature.name.clone(), id: signature.id })?;
                verified.push(Verified { key, time });
            }
        }
        if verified.is_empty() { Err(Unverified::NoKnownKey) } else { Ok(verified) }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

#[cfg(test)]
mod tests;
