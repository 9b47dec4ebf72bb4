//! The sockets of discovery, and what can be reached by them.

use crate::actors::discovery::DiscoverySettings;
use crate::algorithms::discovery::plan::plan;
use crate::app::failure::Failure;
use crate::southbound::carrier::{Carrier, SocketCarrier};
use crate::southbound::interfaces::links;
use crate::southbound::routes::has_route;

/// Finds a way to each subnet and opens the sockets, for at least so many links. The text is what a
/// process without CAP_NET_RAW cannot do, where that matters.
///
/// # Errors
/// [`Failure::Usage`] when a subnet cannot be reached, or when not even a ping may be sent.
pub fn open(settings: &DiscoverySettings, least: usize) -> Result<(SocketCarrier, Option<String>), Failure> {
    let links = links();
    let plans = plan(&settings.subnets, settings.interface.as_deref(), &links).map_err(Failure::usage)?;
    plans.check_routes(&links, has_route).map_err(Failure::usage)?;
    let carrier = SocketCarrier::open(plans.links.len().max(least)).map_err(Failure::usage)?;
    let lost = carrier.without_frames().filter(|_| !plans.links.is_empty()).map(str::to_owned);
    Ok((carrier, lost))
}
