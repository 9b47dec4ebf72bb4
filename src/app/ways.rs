//! The sockets of discovery, and what can be reached by them.

use crate::actors::discovery::DiscoverySettings;
use crate::algorithms::discovery::plan::plan;
use crate::app::failure::Failure;
use crate::southbound::carrier::{Carrier, OpenError, SocketCarrier};
use crate::southbound::interfaces::links;
use crate::southbound::routes::Routes;

/// Finds a way to each subnet and opens the sockets, for at least so many links. The text is what a
/// process without CAP_NET_RAW cannot do, where that matters.
///
/// # Errors
/// [`Failure::Usage`] when a subnet cannot be reached, or when not even a ping may be sent.
pub fn open(settings: &DiscoverySettings, least: usize) -> Result<(SocketCarrier, Option<String>), Failure> {
    let links = links();
    let plans = plan(&settings.subnets, settings.interface.as_deref(), &links).map_err(Failure::usage)?;
    let mut routes = routes()?;
    plans.check_routes(&links, |address| routes.to(address)).map_err(Failure::usage)?;
    let carrier = SocketCarrier::open(plans.links.len().max(least)).map_err(Failure::usage)?;
    let lost = carrier.without_frames().filter(|_| !plans.links.is_empty()).map(str::to_owned);
    Ok((carrier, lost))
}

/// Whom the kernel's routes are asked of.
///
/// # Errors
/// [`Failure::Usage`] when the kernel lets nobody ask.
pub fn routes() -> Result<Routes, Failure> {
    Routes::open()
        .map_err(|error| Failure::Usage(anyhow::Error::from(error).context("cannot ask the kernel for routes")))
}

/// Which packets a scan could send as things are.
#[derive(Debug)]
pub enum Sockets {
    /// Frames, and by the kernel's own stack.
    All,
    /// By the kernel's own stack only; with what is lost.
    NoFrames(String),
    /// None.
    None(OpenError),
}

impl Sockets {
    /// Finds it out as [`open`] does, for so many links, and closes what it opened. Nothing is sent.
    pub fn look(links: usize) -> Self {
        match SocketCarrier::open(links) {
            Ok(carrier) => carrier.without_frames().map_or(Self::All, |lost| Self::NoFrames(lost.to_owned())),
            Err(error) => Self::None(error),
        }
    }
}
