//! Discovery cycles, on demand.

use std::time::Duration;

use actix::Recipient;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use tracing::info;

use super::caller::{Caller, resource};
use super::problem::{Answer, Cause, Problem, asked, stopping};
use crate::actors::REQUEST_DEADLINE;
use crate::actors::discovery::StartCycle;
use crate::actors::discovery::cycle::chain;
use crate::domain::cycle::Trigger;

/// How long the end of a cycle is waited for: a large network at a low rate takes minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The resources.
pub const PATHS: &[&str] = &["/api/v1/discovery/cycles"];

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig, discovery: Recipient<StartCycle>) {
    config
        .app_data(web::Data::new(discovery))
        .service(resource("/api/v1/discovery/cycles", [("POST", web::post().to(start))]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    /// Whether the answer is the report of the cycle.
    #[serde(default)]
    wait: bool,
}

/// Starts a cycle; one that is going on is not joined.
async fn start(Caller(by): Caller, query: web::Query<Wait>, discovery: web::Data<Recipient<StartCycle>>) -> Answer {
    let ended = asked(discovery.send(StartCycle(Trigger::OnDemand)), REQUEST_DEADLINE).await??;
    info!(%by, "discovery cycle asked for");
    if !query.wait {
        return Ok(HttpResponse::Accepted().json(json!({ "started": true })));
    }
    let unfinished =
        |_| Problem::new(Cause::Unfinished, "CYCLE_GOES_ON", "the cycle goes on; ask for the status later");
    let result = tokio::time::timeout(LONGEST_WAIT, ended).await.map_err(unfinished)?.map_err(|_| stopping())?;
    match result {
        Ok(report) => Ok(HttpResponse::Ok().json(report)),
        Err(error) => Err(Problem::new(Cause::Failed, "CYCLE_FAILED", chain(error.as_ref()))),
    }
}
