//! Discovery cycles, on demand: here, and below.

use std::time::Duration;

use actix::Recipient;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::caller::{Caller, resource};
use super::problem::{Answer, Cause, Problem, asked, stopping};
use crate::actors::REQUEST_DEADLINE;
use crate::actors::causes;
use crate::actors::discovery::StartCycle;
use crate::actors::discovery::demand::{Wish, Wishes};
use crate::actors::view::RequestDiscovery;
use crate::domain::controller::ControllerId;
use crate::domain::cycle::Trigger;

/// How long the end of a cycle is waited for: a large network at a low rate takes minutes.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// How long it may take to ask all who are below, one after the other.
const LONGEST_DEMAND: Duration = Duration::from_secs(30);

/// The resources.
pub const PATHS: &[&str] = &["/api/v1/discovery/cycles"];

/// The resources of a controller that has others below.
pub const DEMAND_PATHS: &[&str] = &["/api/v1/discovery/requests"];

/// Adds them.
pub fn configure_demand(config: &mut web::ServiceConfig, demand: Recipient<RequestDiscovery>, wishes: Wishes) {
    config
        .app_data(web::Data::new(demand))
        .app_data(web::Data::new(wishes))
        .service(resource("/api/v1/discovery/requests", [("POST", web::post().to(request))]));
}

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig, discovery: Recipient<StartCycle>, wishes: Wishes) {
    config
        .app_data(web::Data::new(discovery))
        .app_data(web::Data::new(wishes))
        .service(resource("/api/v1/discovery/cycles", [("POST", web::post().to(start))]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wait {
    /// Whether the answer is the report of the cycle.
    #[serde(default)]
    wait: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Because {
    /// Why, for people.
    reason: Option<String>,
}

/// Starts a cycle; one that is going on is not joined. A body is not needed.
async fn start(
    Caller(by): Caller,
    query: web::Query<Wait>,
    body: web::Bytes,
    discovery: web::Data<Recipient<StartCycle>>,
    wishes: web::Data<Wishes>,
) -> Answer {
    let Because { reason } =
        if body.is_empty() { Because::default() } else { serde_json::from_slice(&body).map_err(Problem::malformed)? };
    wishes.write(Wish { by, reason, controller: None }).await?;
    let ended = asked(discovery.send(StartCycle(Trigger::OnDemand)), REQUEST_DEADLINE).await??;
    if !query.wait {
        return Ok(HttpResponse::Accepted().json(json!({ "started": true })));
    }
    let unfinished =
        |_| Problem::new(Cause::Unfinished, "CYCLE_GOES_ON", "the cycle goes on; ask for the status later");
    let result = tokio::time::timeout(LONGEST_WAIT, ended).await.map_err(unfinished)?.map_err(|_| stopping())?;
    match result {
        Ok(report) => Ok(HttpResponse::Ok().json(report)),
        Err(error) => Err(Problem::new(Cause::Failed, "CYCLE_FAILED", causes(error.as_ref()))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Demanded {
    /// The Local Controller; all if none is named.
    controller: Option<ControllerId>,
    /// Why, for people.
    reason: String,
}

/// Asks those below for cycles. What they find comes with their reports.
async fn request(
    Caller(by): Caller,
    demanded: web::Json<Demanded>,
    demand: web::Data<Recipient<RequestDiscovery>>,
    wishes: web::Data<Wishes>,
) -> Answer {
    let Demanded { controller, reason } = demanded.into_inner();
    let nobody = match &controller {
        Some(meant) => format!("{meant} is not an active Local Controller below this one"),
        None => "there is no active controller below this one".to_owned(),
    };
    wishes.write(Wish { by, reason: Some(reason.clone()), controller: controller.clone() }).await?;
    match asked(demand.send(RequestDiscovery { reason, controller }), LONGEST_DEMAND).await?? {
        0 => Err(Problem::new(Cause::Conflict, "NOBODY_ASKED", nobody)),
        count => Ok(HttpResponse::Accepted().json(json!({ "asked": count }))),
    }
}
