//! Cycles on demand.

use std::sync::Arc;

use actix::Recipient;
use tracing::warn;

use super::RequestDiscovery;
use super::overdue::children;
use crate::actors::REQUEST_DEADLINE;
use crate::actors::identity::Own;
use crate::actors::nib::Nib;
use crate::actors::post::Send;
use crate::domain::controller::{ControllerId, ControllerName, Role};
use crate::domain::registry::ControllerRow;
use crate::nib::NibError;
use crate::wire::envelope::Destination;
use crate::wire::report::DiscoveryRequest;

/// Asks the Local Controllers themselves, or the Regional ones above them; how many were asked.
pub(super) async fn pass_on(
    RequestDiscovery { reason, controller }: RequestDiscovery,
    own: Option<Arc<Own>>,
    nib: Nib,
    demands: Recipient<Send<DiscoveryRequest>>,
) -> Result<usize, NibError> {
    let Some(own) = own else { return Ok(0) };
    let rows = nib.ask(children).await?;
    let mut asked = 0;
    for child in rows.iter().filter(|row| leads_to(own.role, row, controller.as_ref())) {
        let controller = controller.clone().filter(|_| own.role == Role::Global);
        let body = DiscoveryRequest { reason: reason.clone(), controller };
        let message = Send { to: Destination::Controller(child.id.clone()), body };
        match tokio::time::timeout(REQUEST_DEADLINE, demands.send(message)).await {
            Ok(Ok(Ok(_))) => asked += 1,
            _ => warn!(child = %child.id, "a cycle could not be asked for"),
        }
    }
    Ok(asked)
}

/// Whether a child is the controller that is meant, or is above it.
fn leads_to(own: Role, child: &ControllerRow, meant: Option<&ControllerId>) -> bool {
    match (own, meant) {
        (_, None) => true,
        (Role::Regional, Some(meant)) => child.id == *meant,
        (_, Some(meant)) => {
            meant.as_str().parse::<ControllerName>().is_ok_and(|name| name.fits(Role::Local, Some(&child.region)))
        }
    }
}
