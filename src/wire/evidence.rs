//! What is handed to somebody who checks a log without its store: an export, which is a folder, and a
//! proof, which is a file. Everything in them has one text, so that nothing can be changed unseen.
//!
//! An export has
//!
//! | file | each line is | |
//! | --- | --- | --- |
//! | `manifest.json` | (one line) a [`Manifest`] | which log, which entries, the tree before them, the digests of the other files |
//! | `entries.jsonl` | an [`EntryLine`] | the exact octets that were signed, the signature, a payload kept beside |
//! | `heads.jsonl` | a [`HeadLine`] | signed heads with their cosignatures (C2SP tlog-checkpoint) |
//! | `links.jsonl` | a [`LinkLine`] | consistency proofs (RFC 6962 section 2.1.2) from the last entry to heads beyond it |
//! | `chains.jsonl` | a [`Chain`] | certificates and delegations, up to the trust root |
//!
//! all in canonical JSON (RFC 8785) and octets in base64. A proof is a [`ProofFile`].

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::domain::digest::Digest;
use crate::domain::key::Signature;
use crate::domain::origin::Origin;
use crate::wire::anchor::TreeSize;
use crate::wire::canonical::{self, CanonicalError, Malformed};
use crate::wire::signature::sha256;
use crate::wire::statement::Chain;

/// The name of the file that says what an export is.
pub const MANIFEST: &str = "manifest.json";
/// The name of the file with the entries.
pub const ENTRIES: &str = "entries.jsonl";
/// The name of the file with the heads.
pub const HEADS: &str = "heads.jsonl";
/// The name of the file with the consistency proofs.
pub const LINKS: &str = "links.jsonl";
/// The name of the file with the certificates.
pub const CHAINS: &str = "chains.jsonl";

/// What an export is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExportFormat {
    /// The one that there is.
    #[serde(rename = "pdsno-audit-export.v1")]
    V1,
}

/// What a proof is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProofFormat {
    /// The one that there is.
    #[serde(rename = "pdsno-audit-proof.v1")]
    V1,
}

/// Octets, as base64 in JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Octets(pub Vec<u8>);

/// A text that is not base64.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("octets are padded base64 (RFC 4648 section 4)")]
pub struct Base64Error;

impl TryFrom<String> for Octets {
    type Error = Base64Error;

    fn try_from(text: String) -> Result<Self, Base64Error> {
        STANDARD.decode(text).map(Self).map_err(|_| Base64Error)
    }
}

impl From<Octets> for String {
    fn from(Octets(octets): Octets) -> Self {
        STANDARD.encode(octets)
    }
}

/// What an export has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What it is.
    pub format: ExportFormat,
    /// The log.
    pub origin: Origin,
    /// The first entry.
    pub from: TreeSize,
    /// The one after the last.
    pub to: TreeSize,
    /// The roots of the complete subtrees of the tree before the first entry, the largest first.
    pub before: Vec<Digest>,
    /// The SHA-256 of each of the other files.
    pub files: BTreeMap<String, Digest>,
}

/// An entry as it is handed over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntryLine {
    /// The octets that were signed.
    pub body: Octets,
    /// The signature.
    pub signature: Signature,
    /// The payload, when it is kept beside the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Octets>,
}

/// A signed head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadLine {
    /// The note.
    pub checkpoint: String,
}

/// A consistency proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkLine {
    /// The size of the older tree.
    pub old: TreeSize,
    /// The size of the newer tree.
    pub new: TreeSize,
    /// The hashes.
    pub proof: Vec<Digest>,
}

/// The proof of one event, from its entry up as far as was witnessed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProofFile {
    /// What it is.
    pub format: ProofFormat,
    /// The event, and above it, one for each tier, the entry by which a witness took the head of the step
    /// before into its own log.
    pub steps: Vec<Step>,
    /// Why the keys may be believed.
    pub chains: Vec<Chain>,
    /// SHA-256 of the canonical JSON of the chains and steps, against damage; nobody has signed it.
    pub sha256: Digest,
}

/// An entry and where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The log.
    pub origin: Origin,
    /// The entry.
    pub entry: EntryLine,
    /// Its proof (C2SP tlog-proof), up to a head that the log signed and others cosigned.
    pub proof: String,
}

impl ProofFile {
    /// A proof of these steps.
    ///
    /// # Errors
    /// [`CanonicalError`].
    pub fn new(steps: Vec<Step>, chains: Vec<Chain>) -> Result<Self, CanonicalError> {
        let sha256 = digest(&steps, &chains)?;
        Ok(Self { format: ProofFormat::V1, steps, chains, sha256 })
    }

    /// Whether it is undamaged.
    pub fn is_whole(&self) -> bool {
        digest(&self.steps, &self.chains).is_ok_and(|digest| digest == self.sha256)
    }
}

fn digest(steps: &[Step], chains: &[Chain]) -> Result<Digest, CanonicalError> {
    Ok(sha256(&canonical::to_bytes(&(steps, chains))?))
}

/// One value as a line.
///
/// # Errors
/// [`CanonicalError`].
pub fn line(value: &impl Serialize) -> Result<Vec<u8>, CanonicalError> {
    let mut octets = canonical::to_bytes(value)?;
    octets.push(b'\n');
    Ok(octets)
}

/// Why a line is refused.
#[derive(Debug, thiserror::Error)]
pub enum LineRefused {
    /// Not what it should be.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// It says what it should in other octets.
    #[error("{0} is not in canonical form, on a line by itself")]
    NotCanonical(&'static str),
}

/// Reads one line, with its newline. No other octets say the same.
///
/// # Errors
/// [`LineRefused`].
pub fn read_line<T: Serialize + DeserializeOwned>(octets: &[u8], what: &'static str) -> Result<T, LineRefused> {
    let body = octets.strip_suffix(b"\n").ok_or(LineRefused::NotCanonical(what))?;
    let value: T = canonical::read(body, what)?;
    if canonical::to_bytes(&value).is_ok_and(|canonical| canonical == body) {
        Ok(value)
    } else {
        Err(LineRefused::NotCanonical(what))
    }
}
