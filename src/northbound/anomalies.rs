//! What operators should look at: the anomalies and silences that were found here or told from below
//! (stage 13 of discovery). They are told and never acted on by themselves.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::caller::resource;
use super::inventory::{checked, page};
use super::problem::Answer;
use crate::actors::nib::{EventFilter, Nib};
use crate::domain::event::{EventSeq, EventType};
use crate::domain::time::Timestamp;

/// The resources.
pub const PATHS: &[&str] = &["/api/v1/anomalies"];

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig) {
    config.service(resource("/api/v1/anomalies", [("GET", web::get().to(anomalies))]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Query {
    subject: Option<String>,
    since: Option<Timestamp>,
    #[serde(default)]
    from: u64,
    #[serde(default = "page")]
    limit: usize,
}

/// `next` is what `from` must be for the following page, and nothing at the end.
async fn anomalies(query: web::Query<Query>, nib: web::Data<Nib>) -> Answer {
    let Query { subject, since, from, limit } = query.into_inner();
    let limit = checked(limit)?;
    let filter = EventFilter { types: EventType::ANOMALIES.to_vec(), subject, since };
    let anomalies = nib.events(filter, EventSeq::from_number(from), limit).await?;
    let full = anomalies.len() == limit;
    let next = anomalies.last().map(|event| event.seq.next()).filter(|_| full);
    Ok(HttpResponse::Ok().json(json!({ "anomalies": anomalies, "next": next })))
}
