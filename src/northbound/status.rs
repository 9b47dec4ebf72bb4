//! How the controller does: health, readiness, metrics, status.

use std::time::Duration;

use actix::Addr;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::caller::resource;
use super::problem::{Answer, Cause, Problem, asked};
use crate::actors::health::{CheckHealth, HealthActor, PING_DEADLINE, ReadStatus, RenderMetrics};

/// How long a request is worked on; a little more than what the slowest answer may take.
const DEADLINE: Duration = PING_DEADLINE.saturating_add(Duration::from_secs(1));

/// The media type of OpenMetrics 1.0, which Prometheus asks for by default.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The resources.
pub const PATHS: &[&str] = &["/healthz", "/readyz", "/metrics", "/api/v1/status"];

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig, health: Addr<HealthActor>) {
    config
        .app_data(web::Data::new(health))
        .service(resource("/healthz", [("GET", web::get().to(healthz))]))
        .service(resource("/readyz", [("GET", web::get().to(readyz))]))
        .service(resource("/metrics", [("GET", web::get().to(metrics))]))
        .service(resource("/api/v1/status", [("GET", web::get().to(status))]));
}

/// The process lives: it answers.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Every actor answers, and a first cycle has ended, or where none runs the controller is validated.
async fn readyz(health: web::Data<Addr<HealthActor>>) -> Answer {
    let health = asked(health.send(CheckHealth), DEADLINE).await?;
    Ok(if health.is_ready() { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() }.json(health))
}

async fn metrics(health: web::Data<Addr<HealthActor>>) -> Answer {
    let text = asked(health.send(RenderMetrics), DEADLINE).await?;
    let text = text.map_err(|error| Problem::new(Cause::Failed, "NOT_RENDERED", error))?;
    Ok(HttpResponse::Ok().content_type(OPEN_METRICS).body(text))
}

async fn status(health: web::Data<Addr<HealthActor>>) -> Answer {
    Ok(HttpResponse::Ok().json(asked(health.send(ReadStatus), DEADLINE).await?))
}
