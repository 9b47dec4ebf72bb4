//! The read-only endpoints of a controller: health, readiness, metrics, status.

use std::net::TcpListener;
use std::time::Duration;

use actix::{Addr, MailboxError};
use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::json;

use crate::actors::health::{CheckHealth, HealthActor, PING_DEADLINE, ReadStatus, RenderMetrics};

/// How long a request is worked on; a little more than what the slowest answer may take.
const REQUEST_DEADLINE: Duration = PING_DEADLINE.saturating_add(Duration::from_secs(1));

/// The media type of OpenMetrics 1.0, which Prometheus asks for by default.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A server on a listener that is bound already, with one worker: its answers come from actors.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve(listener: TcpListener, health: Addr<HealthActor>) -> std::io::Result<Server> {
    let server = HttpServer::new(move || App::new().configure(routes(health.clone())));
    // Signals are the program's business; a drain must not wait for an idle connection.
    Ok(server.workers(1).disable_signals().shutdown_timeout(1).listen(listener)?.run())
}

/// The routes, for an application that asks this actor.
pub fn routes(health: Addr<HealthActor>) -> impl FnOnce(&mut web::ServiceConfig) {
    |config| {
        config
            .app_data(web::Data::new(health))
            .route("/healthz", web::get().to(healthz))
            .route("/readyz", web::get().to(readyz))
            .route("/metrics", web::get().to(metrics))
            .route("/api/v1/status", web::get().to(status))
            .default_service(web::to(unknown));
    }
}

/// The process lives: it answers.
async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// Every actor answers and a first cycle has ended.
async fn readyz(health: web::Data<Addr<HealthActor>>) -> HttpResponse {
    match ask(health.send(CheckHealth)).await {
        Ok(health) if health.silent.is_empty() && health.discovered => HttpResponse::Ok().json(health),
        Ok(health) => HttpResponse::ServiceUnavailable().json(health),
        Err(refusal) => refusal,
    }
}

async fn metrics(health: web::Data<Addr<HealthActor>>) -> HttpResponse {
    match ask(health.send(RenderMetrics)).await {
        Ok(Ok(text)) => HttpResponse::Ok().content_type(OPEN_METRICS).body(text),
        Ok(Err(error)) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        Err(refusal) => refusal,
    }
}

async fn status(health: web::Data<Addr<HealthActor>>) -> HttpResponse {
    match ask(health.send(ReadStatus)).await {
        Ok(status) => HttpResponse::Ok().json(status),
        Err(refusal) => refusal,
    }
}

async fn unknown() -> HttpResponse {
    problem(StatusCode::NOT_FOUND, "there are /healthz, /readyz, /metrics and /api/v1/status")
}

async fn ask<T>(answer: impl Future<Output = Result<T, MailboxError>>) -> Result<T, HttpResponse> {
    match tokio::time::timeout(REQUEST_DEADLINE, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, "the controller is stopping")),
        Err(_) => Err(problem(StatusCode::SERVICE_UNAVAILABLE, "the controller does not answer in time")),
    }
}

/// An error as a problem document (RFC 9457).
fn problem(status: StatusCode, detail: &str) -> HttpResponse {
    let body = json!({ "status": status.as_u16(), "title": status.canonical_reason(), "detail": detail });
    HttpResponse::build(status).content_type("application/problem+json").body(body.to_string())
}
