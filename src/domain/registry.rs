//! The controllers that a controller knows: itself, and those that it validated.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::controller::{Cluster, ControllerId, Region, Role};
use crate::domain::device::Version;
use crate::domain::digest::Digest;
use crate::domain::key::PublicKey;
use crate::domain::names::named;
use crate::domain::number::{Epoch, PolicyVersion, Serial};
use crate::domain::time::Timestamp;
use crate::domain::token::{TokenId, TokenRow, TokenUse};

/// A signed document as it was signed: the JSON text of a DSSE envelope. Only `wire` reads it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SignedDocument(String);

impl SignedDocument {
    /// This text, whatever it is.
    pub const fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SignedDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<signed document of {} octets>", self.0.len())
    }
}

/// Who this controller is. A NIB has none before its controller was given a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The installation that it belongs to.
    pub cluster: Cluster,
    /// Its name.
    pub id: ControllerId,
    /// Its tier.
    pub role: Role,
    /// Its region; a Global Controller has none.
    pub region: Option<Region>,
    /// Who validated it; the trust root nobody.
    pub parent: Option<ControllerId>,
    /// SHA-256 of the trust root's public key.
    pub pin: Digest,
    /// Its certificate and those above it: the JSON of a `wire::statement::Chain`.
    pub chain: SignedDocument,
    /// The number of its certificate.
    pub serial: Serial,
    /// The name of the file with its key, in the folder of keys.
    pub key_file: String,
    /// The name of the file with the key that it asked a certificate for, or got one for.
    pub next_key_file: Option<String>,
    /// The chain for that key, once there is one. It becomes `chain` when it is first used.
    pub next_chain: Option<SignedDocument>,
    /// The term that it knows.
    pub epoch: Epoch,
    /// When it was validated.
    pub since: Timestamp,
    /// The row's version.
    pub version: Version,
}

/// How a controller stands with the one that validated it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its messages are taken.
    Active,
    /// It showed two histories of its log; its messages are refused until an operator decides.
    Suspended,
    /// Two processes used its name; its messages are refused until it is validated again.
    Locked,
    /// An operator took its certificate back.
    Revoked,
}

named!(Standing, StandingError, "standing",
    Active => "active", Suspended => "suspended", Locked => "locked", Revoked => "revoked");

/// A certificate that was given for the next key and not used yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NextCertificate {
    /// Its number.
    pub serial: Serial,
    /// The key.
    pub public_key: PublicKey,
    /// The certificate.
    pub certificate: SignedDocument,
    /// The delegation for that key, of a Regional Controller.
    pub delegation: Option<SignedDocument>,
}

/// A controller as the one that validated it keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ControllerRow {
    /// Its name.
    pub id: ControllerId,
    /// Its tier: regional or local.
    pub role: Role,
    /// Its region.
    pub region: Region,
    /// Its key.
    pub public_key: PublicKey,
    /// The number of its certificate, none of which is given twice.
    pub serial: Serial,
    /// Its certificate.
    pub certificate: SignedDocument,
    /// What a Regional Controller may do.
    pub delegation: Option<SignedDocument>,
    /// When the certificate ends.
    pub expires_at: Timestamp,
    /// The certificate for its next key.
    pub next: Option<NextCertificate>,
    /// How it stands.
    pub standing: Standing,
    /// Why it does not stand as active, for people.
    pub standing_reason: Option<String>,
    /// Who validated it.
    pub validated_by: ControllerId,
    /// When.
    pub validated_at: Timestamp,
    /// With which token.
    pub token: TokenId,
    /// What it told about itself.
    pub metadata: BTreeMap<String, String>,
    /// The policy that it said it runs.
    pub policy_version: Option<PolicyVersion>,
    /// When it was last heard, as far as that was written down.
    pub last_contact: Option<Timestamp>,
    /// The row's version.
    pub version: Version,
}

/// A key or a source that is refused before anything is computed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Blocked {
    /// A public key.
    Key(PublicKey),
    /// An address, as the carrier tells it.
    Source(String),
}

/// A change of who belongs here.
#[derive(Debug, Clone, PartialEq)]
pub enum RegistryChange {
    /// A token that was issued; its id is new.
    IssueToken(TokenRow),
    /// A proof for an unused token was wrong: `wrong_attempts` goes from `from` to one more, if it
    /// still is `from`.
    WrongProof {
        /// The token.
        token: TokenId,
        /// What was read.
        from: u8,
    },
    /// An unused token is taken back; one that was used or taken back before is a conflict.
    RevokeToken {
        /// The token.
        token: TokenId,
        /// When.
        at: Timestamp,
    },
    /// A controller is taken in: the token, which must be unused and neither locked nor taken back,
    /// is used; `number` must be the next one of its role and region's slug; the serial must be the
    /// next one; the row is new, with [`Version::FIRST`].
    Admit {
        /// The use of `controller.token`.
        used: TokenUse,
        /// The number in the name.
        number: u32,
        /// The row.
        controller: Box<ControllerRow>,
    },
    /// A controller as it shall be, computed from this version of its row. The serial of a new `next`
    /// must be the next one.
    UpdateController(Box<ControllerRow>),
    /// A key or source is refused from now on; it may be on the list already.
    Block {
        /// Which.
        blocked: Blocked,
        /// Why.
        reason: String,
        /// Since when.
        at: Timestamp,
    },
    /// And no longer; it may not be on the list.
    Unblock(Blocked),
    /// Who this controller is: inserted with [`Version::FIRST`], else computed from this version.
    SetMembership(Box<Membership>),
}
