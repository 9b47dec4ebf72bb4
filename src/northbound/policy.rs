//! The policy of all controllers.

use actix::Addr;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::caller::{Caller, resource};
use super::presence::{Presence, presence};
use super::problem::{Answer, Problem, asked};
use crate::actors::REQUEST_DEADLINE;
use crate::actors::policy::{PolicyActor, PolicyHistory, PolicyView, ReadPolicy, SetPolicy};
use crate::domain::number::PolicyVersion;
use crate::domain::policy::Policy;
use crate::domain::time::Timestamp;

/// The resources.
pub const PATHS: &[&str] = &["/api/v1/policy", "/api/v1/policy/history"];

/// As many policies as a page may have: each is some hundred octets.
const MOST: usize = 100;

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig, policy: Addr<PolicyActor>) {
    config
        .app_data(web::Data::new(policy))
        .service(resource("/api/v1/policy", [("GET", web::get().to(show)), ("PUT", web::put().to(set))]))
        .service(resource("/api/v1/policy/history", [("GET", web::get().to(history))]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    values: Policy,
    expires_at: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    after: u64,
    #[serde(default = "most")]
    limit: usize,
}

const fn most() -> usize {
    MOST
}

/// What is in effect, and who runs which version.
async fn show(policy: web::Data<Addr<PolicyActor>>, who: Presence) -> Answer {
    let report = asked(policy.send(ReadPolicy), REQUEST_DEADLINE).await??;
    let presence = presence(&who).await?;
    Ok(HttpResponse::Ok().json(PolicyView::new(report, presence.as_ref())))
}

/// The answer tells what it replaces, too.
async fn set(Caller(by): Caller, wanted: web::Json<Wanted>, policy: web::Data<Addr<PolicyActor>>) -> Answer {
    let Wanted { values, expires_at } = wanted.into_inner();
    let set = asked(policy.send(SetPolicy { values, expires_at, by }), REQUEST_DEADLINE).await??;
    let before = PolicyVersion::from_number(set.version.number().saturating_sub(2));
    let before = asked(policy.send(PolicyHistory { after: before, limit: 1 }), REQUEST_DEADLINE).await??;
    let replaced = before.into_iter().next().filter(|replaced| replaced.version < set.version);
    Ok(HttpResponse::Ok().json(json!({ "policy": set, "replaced": replaced })))
}

/// `next` is what `after` must be for the following page, and nothing at the end.
async fn history(page: web::Query<Page>, policy: web::Data<Addr<PolicyActor>>) -> Answer {
    let Page { after, limit } = page.into_inner();
    if !(1..=MOST).contains(&limit) {
        return Err(Problem::malformed(format!("limit is {limit}; a page has 1 to {MOST} policies")));
    }
    let after = PolicyVersion::from_number(after);
    let policies = asked(policy.send(PolicyHistory { after, limit }), REQUEST_DEADLINE).await??;
    let next = policies.last().map(|last| last.version.number()).filter(|_| policies.len() == limit);
    Ok(HttpResponse::Ok().json(json!({ "policies": policies, "next": next })))
}
