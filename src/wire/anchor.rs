//! The messages by which controllers witness each other's logs: C2SP tlog-witness, in envelopes
//! instead of HTTP.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::message::MessageType;
use crate::domain::origin::Origin;
use crate::wire::envelope::Body;
use crate::wire::line::decimal;
use crate::wire::note::NoteSignature;
use crate::wire::tlog_proof::ProofTextError;
use crate::wire::witness::AddCheckpoint;

/// Log to witness: the newest head, with the proof that it extends the last one that the witness has
/// cosigned. Also when nothing is new: so a silent log is told from a dead one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// In JSON it is the text that `add-checkpoint` posts.
    pub request: Request,
}

/// The request as a text within JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Request(pub AddCheckpoint);

impl TryFrom<String> for Request {
    type Error = ProofTextError;

    fn try_from(text: String) -> Result<Self, ProofTextError> {
        AddCheckpoint::parse(text.as_bytes()).map(Self)
    }
}

impl From<Request> for String {
    fn from(Request(request): Request) -> Self {
        request.to_string()
    }
}

impl Body for Checkpoint {
    const MESSAGE_TYPE: MessageType = MessageType::Checkpoint;
}

/// Witness to log: the cosignature, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointAnswer {
    /// The log.
    pub origin: Origin,
    /// The size of the head that is answered.
    pub size: TreeSize,
    /// The answer.
    pub answer: WitnessAnswer,
}

impl Body for CheckpointAnswer {
    const MESSAGE_TYPE: MessageType = MessageType::CheckpointAnswer;
}

/// What a witness answers; the HTTP status is that of C2SP tlog-witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum WitnessAnswer {
    /// 200: the head is stored and cosigned.
    Cosigned {
        /// The signature line of the witness.
        cosignature: CosignatureLine,
    },
    /// 409: prove from this size, the last that was cosigned; 0 for none.
    SizeConflict {
        /// That size.
        last: TreeSize,
    },
    /// 404: this log is not witnessed here.
    UnknownOrigin,
    /// 403: no key of the log signed the head.
    BadSignature,
    /// 400: the head is smaller than the size that it is proven from.
    Backwards,
    /// 422: the proof proves nothing.
    Unproven,
    /// 409 or 422: the log has shown another history. Both heads are kept, and the log is trusted no
    /// more.
    Inconsistent,
}

/// The entries of a tree: a text in JSON, as every number of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TreeSize(pub u64);

/// A text that is not the size of a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the size of a tree: a decimal number without sign or leading zeros")]
pub struct TreeSizeError(String);

impl fmt::Display for TreeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl TryFrom<String> for TreeSize {
    type Error = TreeSizeError;

    fn try_from(text: String) -> Result<Self, TreeSizeError> {
        decimal(&text).map(Self).ok_or_else(|| TreeSizeError(text.chars().take(40).collect()))
    }
}

impl From<TreeSize> for String {
    fn from(size: TreeSize) -> Self {
        size.to_string()
    }
}

/// The signature line of a witness, as it is added to a note.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CosignatureLine(pub NoteSignature);

impl TryFrom<String> for CosignatureLine {
    type Error = crate::wire::note::NoteError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        NoteSignature::parse(&text).map(Self)
    }
}

impl From<CosignatureLine> for String {
    fn from(CosignatureLine(signature): CosignatureLine) -> Self {
        signature.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::canonical::{read, to_bytes};
    use crate::wire::checkpoint::tests::SOFA;

    #[test]
    fn a_request_travels_as_the_text_of_the_protocol() {
        let text = format!("old 0\n\n{SOFA}");
        let body = Checkpoint { request: text.clone().try_into().unwrap() };
        let json = to_bytes(&body).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&json).unwrap()["request"], text);
        assert_eq!(read::<Checkpoint>(&json, "a checkpoint").unwrap(), body);
        let broken = serde_json::json!({ "request": text.replace("old 0", "old 00") }).to_string();
        assert!(read::<Checkpoint>(broken.as_bytes(), "a checkpoint").is_err());
    }

    #[test]
    fn an_answer_says_its_kind_and_its_sizes_are_texts() {
        let line = SOFA.lines().last().unwrap().to_owned();
        let cosigned = WitnessAnswer::Cosigned { cosignature: line.try_into().unwrap() };
        let conflict = WitnessAnswer::SizeConflict { last: TreeSize(u64::MAX) };
        for answer in [cosigned, conflict, WitnessAnswer::UnknownOrigin, WitnessAnswer::Inconsistent] {
            let origin = "pdsno/prod/local_cntl_zoneA_5".parse().unwrap();
            let body = CheckpointAnswer { origin, size: TreeSize(17), answer };
            let json = to_bytes(&body).unwrap();
            assert_eq!(read::<CheckpointAnswer>(&json, "an answer").unwrap(), body);
        }
        let json = r#"{"answer":{"kind":"size_conflict","last":"017"},"origin":"a","size":"17"}"#;
        assert!(read::<CheckpointAnswer>(json.as_bytes(), "an answer").is_err());
        assert!(read::<CheckpointAnswer>(json.replace("017", "17").as_bytes(), "an answer").is_ok());
    }
}
