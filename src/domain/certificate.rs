//! What one controller says about another, before it is signed.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::key::PublicKey;
use crate::domain::number::{Epoch, Serial};
use crate::domain::time::Timestamp;

/// "This key is the controller of this name." A Global Controller says it of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The name.
    pub controller_id: ControllerId,
    /// Its tier.
    pub role: Role,
    /// Its region; a Global Controller has none.
    pub region: Option<Region>,
    /// Its key.
    pub public_key: PublicKey,
    /// Who says so: a Global Controller, or the Regional Controller of the region.
    pub issuer: ControllerId,
    /// Under which Global Controller's term.
    pub epoch: Epoch,
    /// From when.
    pub issued_at: Timestamp,
    /// Until when; it says nothing from then on.
    pub expires_at: Timestamp,
    /// Its number among those of the issuer.
    pub serial: Serial,
}

impl Certificate {
    /// The longest that a controller below the trust root has one.
    pub const LIFETIME: Duration = Duration::from_secs(90 * 86_400);

    /// How far the issuer's clock may be ahead of the reader's.
    pub const SKEW: Duration = Duration::from_secs(60);

    /// Whether it says anything at this instant.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.issued_at <= now.saturating_add(Self::SKEW) && now < self.expires_at
    }
}

/// What a Global Controller lets another do in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DelegatedAction {
    /// To give names and certificates to the Local Controllers of its region.
    ValidateLocalControllers,
}

/// "This controller may do this in its region." It is bound to the key, so a renewed key needs a new
/// one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delegation {
    /// Who may.
    pub delegatee: ControllerId,
    /// With which key.
    pub delegatee_key: PublicKey,
    /// Who says so.
    pub issuer: ControllerId,
    /// Where.
    pub region: Region,
    /// What.
    pub actions: Vec<DelegatedAction>,
    /// How many Local Controllers at most.
    pub max_local_controllers: u32,
    /// From when.
    pub not_before: Timestamp,
    /// Until when; it allows nothing from then on.
    pub not_after: Timestamp,
    /// Under which Global Controller's term.
    pub epoch: Epoch,
}

impl Delegation {
    /// Whether it allows anything at this instant.
    pub fn is_valid_at(&self, now: Timestamp) -> bool {
        self.not_before <= now.saturating_add(Certificate::SKEW) && now < self.not_after
    }
}
