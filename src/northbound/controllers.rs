//! The controllers that this one validated.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::caller::{Caller, resource};
use super::presence::{Presence, presence};
use super::problem::{Answer, asked};
use super::tokens::Registry;
use crate::actors::REQUEST_DEADLINE;
use crate::actors::presence::PresenceReport;
use crate::actors::registry::{
    ControllerSummary, ControllerView, ListControllers, Reinstate, RevokeController, ShowController,
};
use crate::domain::controller::ControllerId;

/// The resources.
pub const PATHS: &[&str] = &[
    "/api/v1/controllers",
    "/api/v1/controllers/{id}",
    "/api/v1/controllers/{id}/revoke",
    "/api/v1/controllers/{id}/reinstate",
];

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig) {
    config
        .service(resource("/api/v1/controllers", [("GET", web::get().to(list))]))
        .service(resource("/api/v1/controllers/{id}", [("GET", web::get().to(show))]))
        .service(resource("/api/v1/controllers/{id}/revoke", [("POST", web::post().to(revoke))]))
        .service(resource("/api/v1/controllers/{id}/reinstate", [("POST", web::post().to(reinstate))]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Grounds {
    reason: String,
}

/// What is written of a controller, with how it does.
fn view(summary: ControllerSummary, presence: Option<&PresenceReport>) -> ControllerView {
    let heard = presence.and_then(|presence| presence.children.iter().find(|child| child.id == summary.id));
    ControllerView { summary, presence: heard.cloned() }
}

async fn list(registry: Registry, who: Presence) -> Answer {
    let controllers = asked(registry.send(ListControllers), REQUEST_DEADLINE).await??;
    let presence = presence(&who).await?;
    let controllers: Vec<_> = controllers.into_iter().map(|summary| view(summary, presence.as_ref())).collect();
    Ok(HttpResponse::Ok().json(json!({ "controllers": controllers })))
}

async fn show(id: web::Path<ControllerId>, registry: Registry, who: Presence) -> Answer {
    let controller = asked(registry.send(ShowController(id.into_inner())), REQUEST_DEADLINE).await??;
    let presence = presence(&who).await?;
    Ok(HttpResponse::Ok().json(view(controller, presence.as_ref())))
}

async fn revoke(
    Caller(by): Caller,
    id: web::Path<ControllerId>,
    grounds: web::Json<Grounds>,
    registry: Registry,
) -> Answer {
    let Grounds { reason } = grounds.into_inner();
    asked(registry.send(RevokeController { id: id.into_inner(), reason, by }), REQUEST_DEADLINE).await??;
    Ok(HttpResponse::NoContent().finish())
}

async fn reinstate(Caller(by): Caller, id: web::Path<ControllerId>, registry: Registry) -> Answer {
    asked(registry.send(Reinstate { id: id.into_inner(), by }), REQUEST_DEADLINE).await??;
    Ok(HttpResponse::NoContent().finish())
}
