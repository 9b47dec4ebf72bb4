//! The keys of notes: their names, ids, and what they sign.

use std::fmt;
use std::str::FromStr;

use crate::domain::key::{PublicKey, Signature};
use crate::domain::time::Timestamp;
use crate::wire::line;
use crate::wire::note::NoteSignature;
use crate::wire::signature::{KeyPair, is_signed_by, sha256};

/// The name of a key: not empty, without Unicode spaces, control characters and `+`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

/// A text that cannot name a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} cannot name a key; a name is not empty and has no spaces, control characters and '+'")]
pub struct KeyNameError {
    text: String,
}

impl KeyName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for KeyName {
    type Err = KeyNameError;

    fn from_str(text: &str) -> Result<Self, KeyNameError> {
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_ascii_control() || c == '+') {
            Err(KeyNameError { text: text.to_owned() })
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// Which of a name's keys one is: short, and no proof of anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 4]);

impl KeyId {
    /// The id of these octets, the most significant first.
    pub const fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(bytes)
    }

    /// Its octets, the most significant first.
    pub const fn as_bytes(&self) -> &[u8; 4] {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// What a key's signature says; only these two of the assigned types are used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureType {
    /// Ed25519 over the text: that the signer wrote it (signed-note, type 1).
    Ed25519,
    /// Ed25519 over a time and the text: that a witness saw it then, and nothing that contradicts
    /// it (tlog-cosignature, type 4).
    CosignatureV1,
}

impl SignatureType {
    const fn identifier(self) -> u8 {
        match self {
            Self::Ed25519 => 0x01,
            Self::CosignatureV1 => 0x04,
        }
    }
}

/// A key that notes are verified with: an Ed25519 public key, its name, and what it signs.
///
/// Its text is `<name>+<id>+<base64 of type and public key>` (signed-note, verifier keys).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    signature_type: SignatureType,
    public: PublicKey,
}

/// Why a text is not a key that notes are verified with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not three parts.
    #[error("{0:?} is not a verifier key: <name>+<id>+<base64>")]
    Form(String),
    /// The name.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// Neither of the types that are used here, or not the octets of one.
    #[error("the verifier key of {0} is not one of Ed25519 (type 1 or 4)")]
    Type(KeyName),
    /// The id is that of another key.
    #[error("the verifier key of {name} says id {said}, but has id {id}")]
    Id {
        /// The name.
        name: KeyName,
        /// The id that the text says.
        said: String,
        /// The id that follows from the key.
        id: KeyId,
    },
}

impl VerifierKey {
    /// A key by its name, what it signs, and its public key.
    pub fn new(name: KeyName, signature_type: SignatureType, public: PublicKey) -> Self {
        let identifier = [signature_type.identifier()];
        let [a, b, c, d, ..] =
            *sha256(&[name.as_str().as_bytes(), b"\n", &identifier, public.as_bytes()].concat()).as_bytes();
        Self { name, id: KeyId([a, b, c, d]), signature_type, public }
    }

    /// Its name.
    pub const fn name(&self) -> &KeyName {
        &self.name
    }

    /// Which of the name's keys it is.
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// What it signs.
    pub const fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The public key.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Whether the octets of a signature fit the text: `None` if not, otherwise the time that a
    /// cosignature says.
    pub(in crate::wire::note) fn check(&self, text: &str, octets: &[u8]) -> Option<Option<Timestamp>> {
        let fits = |message: &str, signature: &[u8]| {
            let signature = Signature::from_bytes(signature.try_into().ok()?);
            is_signed_by(&self.public, message.as_bytes(), &signature).then_some(())
        };
        match self.signature_type {
            SignatureType::Ed25519 => fits(text, octets).map(|()| None),
            SignatureType::CosignatureV1 => {
                let (seconds, signature) = octets.split_first_chunk()?;
                let seconds = u64::from_be_bytes(*seconds);
                // What does not fit 63 bits is no time.
                let millis = i64::try_from(seconds).ok()?.saturating_mul(1_000);
                fits(&cosigned(seconds, text), signature)?;
                Some(Some(Timestamp::from_millis(millis)))
            }
        }
    }
}

/// Who signs notes: a key pair under a name, for one of the two purposes.
#[derive(Debug)]
pub struct NoteSigner<'a> {
    key: VerifierKey,
    pair: &'a KeyPair,
}

impl<'a> NoteSigner<'a> {
    /// The owner of this key pair, under this name, for this purpose.
    pub fn new(name: KeyName, signature_type: SignatureType, pair: &'a KeyPair) -> Self {
        Self { key: VerifierKey::new(name, signature_type, pair.public_key()), pair }
    }

    /// What others verify the signatures with.
    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// The signature on a note's text. Only a cosignature says when it was made, to the second.
    pub fn sign(&self, text: &str, at: Timestamp) -> NoteSignature {
        let octets = match self.key.signature_type {
            SignatureType::Ed25519 => self.pair.sign(text.as_bytes()).as_bytes().to_vec(),
            SignatureType::CosignatureV1 => {
                let seconds = u64::try_from(at.as_millis()).unwrap_or(0) / 1_000;
                let signature = self.pair.sign(cosigned(seconds, text).as_bytes());
                [seconds.to_be_bytes().as_slice(), signature.as_bytes()].concat()
            }
        };
        NoteSignature { name: self.key.name.clone(), id: self.key.id, octets }
    }
}

/// What a cosignature signs.
fn cosigned(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let typed = [[self.signature_type.identifier()].as_slice(), self.public.as_bytes()].concat();
        write!(f, "{}+{}+{}", self.name, self.id, line::encode(&typed))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let form = || KeyError::Form(text.chars().take(200).collect());
        let (name, rest) = text.split_once('+').ok_or_else(form)?;
        let (id, base64) = rest.split_once('+').ok_or_else(form)?;
        let name: KeyName = name.parse()?;
        let octets = line::decode(base64).ok_or_else(form)?;
        let (signature_type, public) = match octets.as_slice() {
            [0x01, public @ ..] => (SignatureType::Ed25519, public),
            [0x04, public @ ..] => (SignatureType::CosignatureV1, public),
            _ => return Err(KeyError::Type(name)),
        };
        let Ok(public) = public.try_into() else { return Err(KeyError::Type(name)) };
        let key = Self::new(name, signature_type, PublicKey::from_bytes(public));
        if key.id.to_string() == id {
            Ok(key)
        } else {
            Err(KeyError::Id { name: key.name, said: id.to_owned(), id: key.id })
        }
    }
}
