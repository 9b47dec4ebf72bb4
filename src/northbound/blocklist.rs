//! Keys and sources that are refused before anything is computed.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::caller::{Caller, resource};
use super::problem::{Answer, Problem, asked};
use super::tokens::Registry;
use crate::actors::REQUEST_DEADLINE;
use crate::actors::registry::{ChangeBlocklist, ReadBlocklist};
use crate::domain::registry::Blocked;

/// The resources.
pub const PATHS: &[&str] = &["/api/v1/blocklist", "/api/v1/blocklist/remove"];

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(resource("/api/v1/blocklist", [("GET", web::get().to(list)), ("POST", web::post().to(add))]))
        .service(resource("/api/v1/blocklist/remove", [("POST", web::post().to(remove))]));
}

/// What shall be refused from now on, and why.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Addition {
    blocked: Blocked,
    reason: String,
}

/// What shall be refused no longer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Removal {
    blocked: Blocked,
}

async fn list(registry: Registry) -> Answer {
    let listed = asked(registry.send(ReadBlocklist), REQUEST_DEADLINE).await??;
    let listed: Vec<_> =
        listed.into_iter().map(|(blocked, reason)| json!({ "blocked": blocked, "reason": reason })).collect();
    Ok(HttpResponse::Ok().json(json!({ "blocklist": listed })))
}

async fn add(Caller(by): Caller, addition: web::Json<Addition>, registry: Registry) -> Answer {
    let Addition { blocked, reason } = addition.into_inner();
    if reason.trim().is_empty() {
        return Err(Problem::malformed("reason is empty; say why, for those who read the log later"));
    }
    asked(registry.send(ChangeBlocklist { blocked, reason: Some(reason), by }), REQUEST_DEADLINE).await??;
    Ok(HttpResponse::NoContent().finish())
}

async fn remove(Caller(by): Caller, removal: web::Json<Removal>, registry: Registry) -> Answer {
    let Removal { blocked } = removal.into_inner();
    asked(registry.send(ChangeBlocklist { blocked, reason: None, by }), REQUEST_DEADLINE).await??;
    Ok(HttpResponse::NoContent().finish())
}
