//! Step 5: may this parent have such a child, and how is it called?

use std::collections::BTreeMap;

use crate::algorithms::trust::chain::verify_parent;
use crate::algorithms::validation::parent::Office;
use crate::domain::controller::{ControllerName, Region, RegionSlug, Role};
use crate::domain::reason::Reason;
use crate::wire::validation::ValidationRequest;

/// The regions and controllers that a parent knows, as far as one joiner needs it.
#[derive(Debug, Clone, Copy)]
pub struct Census<'a> {
    /// The regions that there are, by what stands for them in names.
    pub regions: &'a BTreeMap<RegionSlug, Region>,
    /// The controllers of the joiner's tier and region that are not revoked.
    pub controllers: u32,
    /// How many there may be.
    pub quota: u32,
    /// The number of the next name of this tier and region; none is given twice.
    pub next_number: u32,
    /// How many Local Controllers a new Regional one may validate.
    pub max_local_controllers: u32,
}

type Refusal = (Reason, String);

/// The name of the joiner, when policy lets it in.
pub(super) fn name(
    request: &ValidationRequest,
    census: Census<'_>,
    office: &Office<'_>,
) -> Result<ControllerName, Refusal> {
    let slug = request.region.slug();
    let name = match (office.role(), request.role) {
        (Some(Role::Global), Role::Regional) => ControllerName::Regional(slug.clone(), census.next_number),
        (Some(Role::Regional), Role::Local) => ControllerName::Local(slug.clone(), census.next_number),
        (_, role) => {
            let detail = format!("{} does not validate {role} controllers", office.id);
            return Err((Reason::ControllerTypeNotPermitted, detail));
        }
    };
    if let Some(other) = census.regions.get(&slug).filter(|known| **known != request.region) {
        let detail = format!("region {} cannot exist beside {other}: both are {slug} in names", request.region);
        return Err((Reason::InvalidRegion, detail));
    }
    check_region(request, office)?;
    check_right(request, office)?;
    let quota = census.quota.min(delegated(office).unwrap_or(u32::MAX));
    if census.controllers >= quota {
        let detail = format!(
            "there are {} {} controllers of region {} already",
            census.controllers, request.role, request.region
        );
        return Err((Reason::ControllerQuotaExceeded, detail));
    }
    Ok(name)
}

/// A Regional Controller serves the region of its own certificate.
fn check_region(request: &ValidationRequest, office: &Office<'_>) -> Result<(), Refusal> {
    let served = office.authority.certificate().and_then(|own| own.region.as_ref());
    match served {
        Some(served) if *served != request.region => {
            let detail = format!("{} serves region {served}, not {}", office.id, request.region);
            Err((Reason::RegionNotServedByThisRc, detail))
        }
        _ => Ok(()),
    }
}

/// The parent's own right, as the joiner will see it: its chain and its delegation, at this instant.
fn check_right(request: &ValidationRequest, office: &Office<'_>) -> Result<(), Refusal> {
    let right = verify_parent(&office.authority.chain, request.role, &request.region, &office.trust);
    right.map(|_| ()).map_err(|error| match office.role() {
        Some(Role::Regional) => (Reason::DelegationInvalid, error.to_string()),
        _ => (Reason::IdentityAssignmentFailed, error.to_string()),
    })
}

fn delegated(office: &Office<'_>) -> Option<u32> {
    office.authority.chain.delegation.as_ref().map(|signed| signed.unverified().max_local_controllers)
}
