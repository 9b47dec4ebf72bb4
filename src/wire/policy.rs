//! The messages by which policy comes down.

use serde::{Deserialize, Serialize};

use crate::domain::digest::Digest;
use crate::domain::message::MessageType;
use crate::domain::number::PolicyVersion;
use crate::domain::policy::PolicyDocument;
use crate::domain::reason::Reason;
use crate::wire::envelope::Body;
use crate::wire::statement::{Chain, Claim, Statement};

impl Claim for PolicyDocument {
    const PAYLOAD_TYPE: &'static str = "application/vnd.pdsno.policy.v1+json";
    const NAME: &'static str = "a policy";
}

/// Parent to child: policies that it may not have yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyUpdate {
    /// Ascending by version, up to the one in effect; none when there is nothing that it lacks.
    pub documents: Vec<Statement<PolicyDocument>>,
    /// The certificate of the trust root, which signed them.
    pub chain: Chain,
    /// The oldest version that `state_root` is about.
    pub from: PolicyVersion,
    /// SHA-256 over the canonical form of all versions from there on with their digests, ascending, as
    /// the parent knows them.
    pub state_root: Digest,
}

/// Child to parent: which policy it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyAck {
    /// The version in effect; none before it has taken one.
    pub version: Option<PolicyVersion>,
    /// Why what was sent was not taken, if it was not.
    pub refused: Option<PolicyRefusal>,
}

/// Why a policy was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRefusal {
    /// Which one.
    pub version: PolicyVersion,
    /// The reason.
    pub reason: Reason,
    /// The particulars, for people.
    pub detail: String,
}

/// Child to parent: send what I have missed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRequest {
    /// The version in effect; none before it has taken one.
    pub have: Option<PolicyVersion>,
}

impl Body for PolicyUpdate {
    const MESSAGE_TYPE: MessageType = MessageType::PolicyUpdate;
}

impl Body for PolicyAck {
    const MESSAGE_TYPE: MessageType = MessageType::PolicyAck;
}

impl Body for PolicyRequest {
    const MESSAGE_TYPE: MessageType = MessageType::PolicyRequest;
}
