//! The HTTP API of a controller, on its listeners.

use std::net::TcpListener;
use std::os::unix::net::UnixListener;

use actix::{Addr, Recipient};
use actix_web::dev::Server;
use actix_web::{App, HttpRequest, HttpServer, web};

pub use super::caller::UserName;
use super::caller::meet;
use super::problem::{Cause, Problem};
use super::{anomalies, audit, blocklist, controllers, discovery, inventory, policy, status, tokens};
use crate::actors::discovery::StartCycle;
use crate::actors::discovery::demand::Wishes;
use crate::actors::health::HealthActor;
use crate::actors::nib::Nib;
use crate::actors::policy::PolicyActor;
use crate::actors::presence::ReadPresence;
use crate::actors::registry::RegistryActor;
use crate::actors::view::RequestDiscovery;

/// Whom the API of a controller asks. It has no resources for what is not there.
#[derive(Clone)]
pub struct Parts {
    /// Knows how the others do.
    pub health: Addr<HealthActor>,
    /// Keeps devices and events.
    pub nib: Option<Nib>,
    /// Discovers.
    pub discovery: Option<Recipient<StartCycle>>,
    /// Decides who belongs below.
    pub registry: Option<Addr<RegistryActor>>,
    /// Signs the heads of the event log.
    pub audit: Option<audit::Heads>,
    /// Keeps the policy.
    pub policy: Option<Addr<PolicyActor>>,
    /// Knows who is there.
    pub presence: Option<Recipient<ReadPresence>>,
    /// Asks those below for discovery cycles.
    pub demand: Option<Recipient<RequestDiscovery>>,
    /// Writes down who asks for discovery; there is no asking for it without.
    pub wishes: Option<Wishes>,
    /// What users of the system are called.
    pub user_name: UserName,
}

/// Where a controller is reached.
#[derive(Debug, Default)]
pub struct Listeners {
    /// Where everybody who can connect may read.
    pub tcp: Option<TcpListener>,
    /// Where those who can connect, for the socket's mode lets them, may also change.
    pub admin: Option<UnixListener>,
}

/// A server on listeners that are bound already, with one worker: its answers come from actors.
///
/// # Errors
/// When a listener cannot be used.
pub fn serve(listeners: Listeners, parts: Parts) -> std::io::Result<Server> {
    let mut server = HttpServer::new(move || App::new().configure(routes(parts.clone()))).on_connect(meet);
    if let Some(tcp) = listeners.tcp {
        server = server.listen(tcp)?;
    }
    if let Some(admin) = listeners.admin {
        server = server.listen_uds(admin)?;
    }
    // Signals are the program's business; a drain must not wait for an idle connection.
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).run())
}

/// The routes, for an application that asks these.
pub fn routes(parts: Parts) -> impl FnOnce(&mut web::ServiceConfig) {
    move |config| {
        let mut paths = status::PATHS.to_vec();
        status::configure(config, parts.health);
        if let Some(nib) = parts.nib {
            paths.extend(inventory::PATHS);
            paths.extend(anomalies::PATHS);
            inventory::configure(config, nib);
            anomalies::configure(config);
        }
        let wishes = parts.wishes;
        if let Some((discovery, wishes)) = parts.discovery.zip(wishes.clone()) {
            paths.extend(discovery::PATHS);
            discovery::configure(config, discovery, wishes);
        }
        if let Some((demand, wishes)) = parts.demand.zip(wishes) {
            paths.extend(discovery::DEMAND_PATHS);
            discovery::configure_demand(config, demand, wishes);
        }
        config.app_data(web::Data::new(parts.presence));
        if let Some(policy) = parts.policy {
            paths.extend(policy::PATHS);
            policy::configure(config, policy);
        }
        if let Some(registry) = parts.registry {
            paths.extend(tokens::PATHS.iter().chain(controllers::PATHS).chain(blocklist::PATHS));
            config.app_data(web::Data::new(registry));
            tokens::configure(config);
            controllers::configure(config);
            blocklist::configure(config);
        }
        if let Some(heads) = parts.audit {
            paths.extend(audit::PATHS);
            audit::configure(config, heads);
        }
        let listed = paths.join(", ");
        let unknown = move |request: HttpRequest| {
            let detail = format!("this controller has nothing at {}; there are {listed}", request.path());
            async move { Err::<&str, _>(Problem::new(Cause::Missing, "NO_SUCH_RESOURCE", detail)) }
        };
        config
            .app_data(parts.user_name)
            .app_data(web::QueryConfig::default().error_handler(|error, _| Problem::malformed(error).into()))
            .app_data(web::PathConfig::default().error_handler(|error, _| Problem::malformed(error).into()))
            .app_data(web::JsonConfig::default().error_handler(|error, _| Problem::malformed(error).into()))
            .default_service(web::to(unknown));
    }
}
