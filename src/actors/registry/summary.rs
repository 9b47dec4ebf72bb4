//! Tokens and controllers as operators see them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::algorithms::presence::ChildReport;
use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::key::PublicKey;
use crate::domain::number::{PolicyVersion, Serial};
use crate::domain::registry::{ControllerRow, Standing};
use crate::domain::time::Timestamp;
use crate::domain::token::{TokenId, TokenRow};

/// What can still be done with a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenStanding {
    /// A controller can join with it.
    Usable,
    /// One did.
    Used,
    /// Its time is over.
    Expired,
    /// An operator took it back.
    Revoked,
    /// Too many proofs were wrong.
    Locked,
}

/// A token without its secret and without the secret's hash, which would do in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenSummary {
    /// By which it is named.
    pub id: TokenId,
    /// The tier that it is for.
    pub role: Role,
    /// The region.
    pub region: Region,
    /// How it stands.
    pub standing: TokenStanding,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Proofs that were wrong.
    pub wrong_attempts: u8,
    /// Who used it.
    pub used_by: Option<ControllerId>,
    /// When.
    pub used_at: Option<Timestamp>,
}

impl TokenSummary {
    pub(super) fn of(row: &TokenRow, now: Timestamp) -> Self {
        let standing = if row.used.is_some() {
            TokenStanding::Used
        } else if row.revoked_at.is_some() {
            TokenStanding::Revoked
        } else if row.wrong_attempts >= TokenRow::MAX_WRONG_ATTEMPTS {
            TokenStanding::Locked
        } else if now >= row.expires_at {
            TokenStanding::Expired
        } else {
            TokenStanding::Usable
        };
        Self {
            id: row.id,
            role: row.role,
            region: row.region.clone(),
            standing,
            issued_at: row.issued_at,
            expires_at: row.expires_at,
            wrong_attempts: row.wrong_attempts,
            used_by: row.used.as_ref().map(|used| used.controller_id.clone()),
            used_at: row.used.as_ref().map(|used| used.at),
        }
    }
}

/// A controller below this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerSummary {
    /// Its name.
    pub id: ControllerId,
    /// Its tier.
    pub role: Role,
    /// Its region.
    pub region: Region,
    /// How it stands.
    pub standing: Standing,
    /// Why, where it is not active.
    pub standing_reason: Option<String>,
    /// Its key.
    pub public_key: PublicKey,
    /// The number of its certificate.
    pub serial: Serial,
    /// The number of the one that it was given and has not used.
    pub next_serial: Option<Serial>,
    /// When its certificate ends.
    pub expires_at: Timestamp,
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
}

impl ControllerSummary {
    pub(super) fn of(row: &ControllerRow) -> Self {
        Self {
            id: row.id.clone(),
            role: row.role,
            region: row.region.clone(),
            standing: row.standing,
            standing_reason: row.standing_reason.clone(),
            public_key: row.public_key,
            serial: row.serial,
            next_serial: row.next.as_ref().map(|next| next.serial),
            expires_at: row.expires_at,
            validated_by: row.validated_by.clone(),
            validated_at: row.validated_at,
            token: row.token,
            metadata: row.metadata.clone(),
            policy_version: row.policy_version,
            last_contact: row.last_contact,
        }
    }
}

/// A controller below this one, with how it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControllerView {
    /// What is written of it.
    #[serde(flatten)]
    pub summary: ControllerSummary,
    /// How it does now, where that is known: only a running controller hears those below.
    pub presence: Option<ChildReport>,
}
