//! What no registry takes, and what the rows that are there say about a change: the rules that both
//! backends ask.

use crate::domain::controller::{ControllerId, ControllerName, Region, Role};
use crate::domain::device::Version;
use crate::domain::key::PublicKey;
use crate::domain::number::Serial;
use crate::domain::registry::{ControllerRow, Membership, RegistryChange};
use crate::domain::token::{TokenRow, TokenUse};
use crate::nib::change::{numbered, refuse};
use crate::nib::{NibError, Row};

/// The highest number of a name: the one above it must exist, for it is the next to be given.
const HIGHEST_NUMBER: u32 = u32::MAX - 1;

/// The number of the first certificate: a trust root's own is 1.
pub(in crate::nib) const FIRST_SERIAL: Serial = Serial::from_number(2);

pub(super) fn validate(change: &RegistryChange) -> Result<(), NibError> {
    match change {
        RegistryChange::IssueToken(token) => validate_token(token),
        RegistryChange::WrongProof { token, from: u8::MAX } => {
            refuse(format!("wrong proofs for {token} are not counted any further"))
        }
        RegistryChange::Admit { used, number, controller } => validate_admission(used, *number, controller),
        RegistryChange::UpdateController(controller) => validate_controller(controller),
        RegistryChange::SetMembership(membership) => validate_membership(membership),
        RegistryChange::WrongProof { .. }
        | RegistryChange::RevokeToken { .. }
        | RegistryChange::Block { .. }
        | RegistryChange::Unblock(_) => Ok(()),
    }
}

fn validate_token(token: &TokenRow) -> Result<(), NibError> {
    if token.used.is_some() || token.revoked_at.is_some() || token.wrong_attempts > 0 {
        return refuse(format!("token {} is issued with a past", token.id));
    }
    validate_role(token.role)
}

/// Nobody validates a trust root.
fn validate_role(role: Role) -> Result<(), NibError> {
    match role {
        Role::Regional | Role::Local => Ok(()),
        Role::Global | Role::All => refuse(format!("no parent takes in a {role} controller")),
    }
}

fn validate_admission(used: &TokenUse, number: u32, controller: &ControllerRow) -> Result<(), NibError> {
    let id = &controller.id;
    validate_controller(controller)?;
    if controller.version != Version::FIRST {
        let (version, first) = (controller.version, Version::FIRST);
        return refuse(format!("{id} is admitted with version {version}; the first version is {first}"));
    }
    if used.controller_id != *id || used.public_key != controller.public_key {
        return refuse(format!("the token of {id} is used for another name or key"));
    }
    if controller.next.is_some() {
        return refuse(format!("{id} is admitted with two certificates"));
    }
    let slug = controller.region.slug();
    let name = match controller.role {
        Role::Regional => ControllerName::Regional(slug, number),
        _ => ControllerName::Local(slug, number),
    };
    if name.id() != *id || number > HIGHEST_NUMBER {
        return refuse(format!("{id} is not the name with number {number} up to {HIGHEST_NUMBER}"));
    }
    Ok(())
}

fn validate_controller(controller: &ControllerRow) -> Result<(), NibError> {
    validate_role(controller.role)?;
    validate_name(&controller.id, controller.role, Some(&controller.region))?;
    numbered("a certificate", controller.serial.number())?;
    if let Some(next) = &controller.next {
        numbered("a certificate", next.serial.number())?;
        if next.serial == controller.serial || next.public_key == controller.public_key {
            return refuse(format!(
                "the next certificate of {} has the number or key of the present one",
                controller.id
            ));
        }
    }
    controller.policy_version.map_or(Ok(()), |version| numbered("a policy", version.number()))
}

fn validate_membership(membership: &Membership) -> Result<(), NibError> {
    let Membership { id, role, region, .. } = membership;
    validate_name(id, *role, region.as_ref())?;
    if membership.next_chain.is_some() && membership.next_key_file.is_none() {
        return refuse(format!("{id} has a next certificate without a key"));
    }
    numbered("a certificate", membership.serial.number())?;
    numbered("an epoch", membership.epoch.number())
}

fn validate_name(id: &ControllerId, role: Role, region: Option<&Region>) -> Result<(), NibError> {
    match id.as_str().parse::<ControllerName>() {
        Ok(name) if name.fits(role, region) => Ok(()),
        _ => refuse(format!("{id} is not the name of a {role} controller of its region")),
    }
}

/// The names that were given in a region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::nib) struct Names {
    pub(in crate::nib) region: Region,
    pub(in crate::nib) next_regional: u32,
    pub(in crate::nib) next_local: u32,
}

impl Names {
    pub(in crate::nib) const fn none_of(region: Region) -> Self {
        Self { region, next_regional: 1, next_local: 1 }
    }

    /// The number that the next name of this tier has.
    pub(in crate::nib) const fn next(&self, role: Role) -> u32 {
        match role {
            Role::Regional => self.next_regional,
            Role::Local => self.next_local,
            Role::Global | Role::All => 1,
        }
    }

    /// Gives this controller its number.
    ///
    /// # Errors
    /// [`NibError::Conflict`] when it is not the next one, or another region has the same names.
    pub(in crate::nib) fn give(&mut self, controller: &ControllerRow, number: u32) -> Result<(), NibError> {
        if self.region != controller.region || self.next(controller.role) != number {
            return Err(taken(Row::Name(controller.id.clone()), None));
        }
        match controller.role {
            Role::Regional => self.next_regional = number.saturating_add(1),
            _ => self.next_local = number.saturating_add(1),
        }
        Ok(())
    }
}

/// Whether a controller's row may follow the one that is there, and with which new certificate. Its
/// certificate is the one that it had or the next one that it had; who took it in does not change.
///
/// # Errors
/// [`NibError::Conflict`] for another version, or a certificate that is none of these;
/// [`NibError::Invalid`] for another origin.
pub(in crate::nib) fn succeed(before: &ControllerRow, after: &ControllerRow) -> Result<Option<Serial>, NibError> {
    if before.version != after.version {
        let (expected, found) = (Some(after.version), Some(before.version));
        return Err(NibError::Conflict { row: Row::Controller(after.id.clone()), expected, found });
    }
    let origin = |row: &ControllerRow| (row.region.clone(), row.validated_by.clone(), row.validated_at, row.token);
    if origin(before) != origin(after) {
        return refuse(format!("{} cannot get another origin", after.id)).map(|()| None);
    }
    let present = |row: &ControllerRow| (row.serial, row.public_key);
    let next = |row: &ControllerRow| row.next.as_ref().map(|next| (next.serial, next.public_key));
    if present(after) != present(before) && Some(present(after)) != next(before) {
        return Err(taken(Row::Serial(after.serial), Some(after.version)));
    }
    Ok(next(after).filter(|_| next(after) != next(before)).map(|(serial, _)| serial))
}

/// The version that the membership's row gets.
///
/// # Errors
/// [`NibError::Conflict`], [`NibError::NotFound`] when it was computed from another one.
pub(in crate::nib) fn membership_after(found: Option<Version>, given: Version) -> Result<Version, NibError> {
    match found {
        None if given == Version::FIRST => Ok(given),
        None => Err(NibError::NotFound(Row::Membership)),
        Some(version) if version == given => Ok(given.next()),
        found => Err(NibError::Conflict { row: Row::Membership, expected: Some(given), found }),
    }
}

/// Another one holds the key, or was first.
pub(in crate::nib) const fn taken(row: Row, expected: Option<Version>) -> NibError {
    NibError::Conflict { row, expected, found: None }
}

/// The keys of a controller, the present one first.
pub(in crate::nib) fn keys(controller: &ControllerRow) -> impl Iterator<Item = PublicKey> {
    [Some(controller.public_key), controller.next.as_ref().map(|next| next.public_key)].into_iter().flatten()
}
