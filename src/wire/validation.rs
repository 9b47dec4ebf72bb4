//! The messages of validation and renewal.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::certificate::{Certificate, Delegation};
use crate::domain::controller::{Cluster, ControllerId, Region, Role};
use crate::domain::key::{HmacTag, Nonce, PublicKey, Signature};
use crate::domain::message::{ChallengeId, MessageType};
use crate::domain::number::Serial;
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;
use crate::domain::token::TokenId;
use crate::wire::envelope::Body;
use crate::wire::statement::{Chain, Statement};

/// Joiner to parent: let me in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationRequest {
    /// What it calls itself until it has a name.
    pub temp_id: ControllerId,
    /// The tier that it wants.
    #[serde(rename = "type")]
    pub role: Role,
    /// The region that it wants.
    pub region: Region,
    /// Its key.
    pub public_key: PublicKey,
    /// The token that it holds.
    pub token_id: TokenId,
    /// Ties the parent's answers to this request.
    pub client_nonce: Nonce,
    /// What operators may want to know of it.
    pub metadata: Metadata,
}

/// What a joiner tells about itself and nobody checks: at most 16 names of at most 64 octets with
/// values of at most 256.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Metadata(BTreeMap<String, String>);

/// More than a joiner may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("metadata has at most 16 names of at most 64 octets with values of at most 256")]
pub struct MetadataError;

impl Metadata {
    /// The names and their values.
    pub const fn entries(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

impl TryFrom<BTreeMap<String, String>> for Metadata {
    type Error = MetadataError;

    fn try_from(entries: BTreeMap<String, String>) -> Result<Self, MetadataError> {
        let fits = |(name, value): (&String, &String)| name.len() <= 64 && value.len() <= 256;
        if entries.len() <= 16 && entries.iter().all(fits) { Ok(Self(entries)) } else { Err(MetadataError) }
    }
}

impl From<Metadata> for BTreeMap<String, String> {
    fn from(metadata: Metadata) -> Self {
        metadata.0
    }
}

/// Parent to joiner: this is who I am; prove that you are who you say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// To be quoted in the answer, once.
    pub challenge_id: ChallengeId,
    /// The request that it answers.
    pub client_nonce: Nonce,
    /// What the joiner's proofs must cover.
    pub server_nonce: Nonce,
    /// When it was made.
    pub issued_at: Timestamp,
    /// An answer is worth nothing from then on.
    pub expires_at: Timestamp,
    /// The parent's name.
    pub parent_id: ControllerId,
    /// Its certificate and why it may be believed.
    pub parent: Chain,
}

/// Joiner to parent: the proofs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChallengeResponse {
    /// The challenge.
    pub challenge_id: ChallengeId,
    /// What the joiner calls itself.
    pub temp_id: ControllerId,
    /// HMAC over the transcript, by the token's secret.
    pub token_hmac: HmacTag,
    /// Signature over the transcript, by the joiner's key.
    pub signature: Signature,
}

/// Parent to joiner: the decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationResult {
    /// The key that signed what this answers. Whoever has another is not meant, whatever name was used.
    pub public_key: PublicKey,
    /// The request that it answers; none when it was refused unread.
    pub client_nonce: Option<Nonce>,
    /// Why the decision may be believed.
    pub parent: Chain,
    /// The decision.
    pub verdict: Verdict,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "SCREAMING_SNAKE_CASE", deny_unknown_fields)]
pub enum Verdict {
    /// The controller is one of us.
    Validated(Box<Grant>),
    /// It did not pass.
    Rejected(Refused),
    /// It might have passed; pdsno failed.
    Error(Refused),
}

/// What a validated controller is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grant {
    /// The installation that it belongs to from now on.
    pub cluster: Cluster,
    /// Its name.
    pub assigned_id: ControllerId,
    /// Its tier.
    pub role: Role,
    /// Its region.
    pub region: Region,
    /// What it shows from now on.
    pub certificate: Statement<Certificate>,
    /// What a Regional Controller may do.
    pub delegation: Option<Statement<Delegation>>,
}

/// Why a controller was not validated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refused {
    /// The reason, as outsiders are told.
    pub reason: Reason,
    /// The particulars, for people.
    pub detail: String,
}

/// Joiner to parent, under its new name: I have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValidationAck {
    /// The certificate.
    pub serial: Serial,
}

/// Child to parent: a certificate for my next key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalRequest {
    /// The certificate that it has.
    pub current_serial: Serial,
    /// The key that it wants one for.
    pub public_key: PublicKey,
    /// Ties the answer to this request.
    pub nonce: Nonce,
    /// Signature over the transcript, by the next key.
    pub signature: Signature,
}

/// Parent to child: the decision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RenewalResult {
    /// The request that it answers.
    pub nonce: Nonce,
    /// Why the new certificate may be believed: the parent may have a new one, too.
    pub parent: Chain,
    /// The decision.
    pub verdict: Verdict,
}

/// Parent to child: this is my certificate now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParentRenewed {
    /// The certificate of the key that signs this message, and why it may be believed.
    pub chain: Chain,
}

macro_rules! bodies {
    ($($body:ident),+ $(,)?) => {$(
        impl Body for $body {
            const MESSAGE_TYPE: MessageType = MessageType::$body;
        }
    )+};
}

bodies!(
    ValidationRequest,
    Challenge,
    ChallengeResponse,
    ValidationResult,
    ValidationAck,
    RenewalRequest,
    RenewalResult,
    ParentRenewed
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::canonical::read;

    #[test]
    fn a_verdict_says_its_status_and_has_no_unknown_field() {
        let refused = Refused { reason: Reason::Blocklisted, detail: "no".to_owned() };
        let json = serde_json::to_string(&Verdict::Rejected(refused.clone())).unwrap();
        assert_eq!(json, r#"{"status":"REJECTED","reason":"BLOCKLISTED","detail":"no"}"#);
        assert_eq!(read::<Verdict>(json.as_bytes(), "a verdict").unwrap(), Verdict::Rejected(refused));
        let more = json.replace('}', r#","more":1}"#);
        assert!(read::<Verdict>(more.as_bytes(), "a verdict").is_err());
    }

    #[test]
    fn metadata_has_limits() {
        let of = |count: usize, length: usize| {
            let entries: BTreeMap<_, _> = (0..count).map(|n| (n.to_string(), "v".repeat(length))).collect();
            Metadata::try_from(entries)
        };
        assert!(of(16, 256).is_ok());
        assert_eq!(of(17, 1), Err(MetadataError));
        assert_eq!(of(1, 257), Err(MetadataError));
    }
}
