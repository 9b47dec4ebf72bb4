//! Small controllers to put into a NIB, and what they need.

use pdsno::domain::controller::{ControllerName, Region, Role};
use pdsno::domain::device::Version;
use pdsno::domain::digest::Digest;
use pdsno::domain::key::PublicKey;
use pdsno::domain::number::Serial;
use pdsno::domain::registry::{ControllerRow, RegistryChange, SignedDocument, Standing};
use pdsno::domain::token::{TokenId, TokenRow, TokenUse};
use pdsno::nib::Change;

use crate::samples::{NOW, at};

pub fn zone() -> Region {
    "zone-A".parse().unwrap()
}

pub fn token_id(number: u8) -> TokenId {
    TokenId::new([number; 12])
}

pub fn key(number: u8) -> PublicKey {
    PublicKey::from_bytes([number; 32])
}

pub fn document(text: &str) -> SignedDocument {
    SignedDocument::from_text(text.to_owned())
}

pub fn token(number: u8) -> TokenRow {
    TokenRow {
        id: token_id(number),
        secret_hash: Digest::from_bytes([number; 32]),
        role: Role::Local,
        region: zone(),
        issued_at: NOW,
        expires_at: at(600_000),
        wrong_attempts: 0,
        revoked_at: None,
        used: None,
    }
}

pub fn issue(number: u8) -> Change {
    Change::Registry(RegistryChange::IssueToken(token(number)))
}

/// The Local Controller that is admitted with the token of its number, as the n-th one.
pub fn controller(number: u8) -> ControllerRow {
    ControllerRow {
        id: ControllerName::Local(zone().slug(), number.into()).id(),
        role: Role::Local,
        region: zone(),
        public_key: key(number),
        serial: Serial::from_number(u64::from(number) + 1),
        certificate: document("certificate"),
        delegation: None,
        expires_at: at(90 * 86_400_000),
        next: None,
        standing: Standing::Active,
        standing_reason: None,
        validated_by: "regional_cntl_zoneA_1".parse().unwrap(),
        validated_at: NOW,
        token: token_id(number),
        metadata: [("hostname".to_owned(), format!("lc-{number} \"\u{0}\u{fc}"))].into(),
        policy_version: None,
        last_contact: None,
        version: Version::FIRST,
    }
}

/// Takes a controller in under the name that it has.
pub fn admit(controller: ControllerRow) -> Change {
    let used = TokenUse { public_key: controller.public_key, controller_id: controller.id.clone(), at: at(5) };
    let number = match controller.id.as_str().parse().unwrap() {
        ControllerName::Global(number) | ControllerName::Regional(_, number) | ControllerName::Local(_, number) => {
            number
        }
    };
    Change::Registry(RegistryChange::Admit { used, number, controller: Box::new(controller) })
}

pub fn update(controller: ControllerRow) -> Change {
    Change::Registry(RegistryChange::UpdateController(Box::new(controller)))
}
