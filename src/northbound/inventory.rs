//! What the NIB keeps: devices and events, page by page.

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::caller::resource;
use super::problem::{Answer, Problem};
use crate::actors::nib::{EventFilter, MOST_ROWS, Nib};
use crate::domain::device::{DeviceId, DeviceStatus};
use crate::domain::event::EventSeq;
use crate::domain::time::Timestamp;

/// The resources.
pub const PATHS: &[&str] = &["/api/v1/devices", "/api/v1/events"];

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig, nib: Nib) {
    config
        .app_data(web::Data::new(nib))
        .service(resource("/api/v1/devices", [("GET", web::get().to(devices))]))
        .service(resource("/api/v1/events", [("GET", web::get().to(events))]));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DevicesQuery {
    status: Option<DeviceStatus>,
    after: Option<DeviceId>,
    #[serde(default = "page")]
    limit: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    /// Types, separated by commas.
    r#type: Option<String>,
    subject: Option<String>,
    since: Option<Timestamp>,
    #[serde(default)]
    from: u64,
    #[serde(default = "page")]
    limit: usize,
}

/// How many rows a page has when nobody says.
pub const fn page() -> usize {
    100
}

/// A number of rows that a page may have.
///
/// # Errors
/// When it may not.
pub fn checked(limit: usize) -> Result<usize, Problem> {
    if (1..=MOST_ROWS).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::malformed(format!("limit is {limit}; a page has 1 to {MOST_ROWS} rows")))
}

/// `next` is what `after` must be for the following page, and nothing at the end.
async fn devices(query: web::Query<DevicesQuery>, nib: web::Data<Nib>) -> Answer {
    let limit = checked(query.limit)?;
    let devices = nib.devices(query.status, query.after, limit).await?;
    let full = devices.len() == limit;
    let next = devices.last().and_then(|device| device.device_id).filter(|_| full);
    Ok(HttpResponse::Ok().json(json!({ "devices": devices, "next": next })))
}

/// `next` is what `from` must be for the following page, and nothing at the end.
async fn events(query: web::Query<EventsQuery>, nib: web::Data<Nib>) -> Answer {
    let EventsQuery { r#type, subject, since, from, limit } = query.into_inner();
    let limit = checked(limit)?;
    let types = r#type.iter().flat_map(|types| types.split(',')).map(str::parse);
    let types = types.collect::<Result<_, _>>().map_err(Problem::malformed)?;
    let events = nib.events(EventFilter { types, subject, since }, EventSeq::from_number(from), limit).await?;
    let full = events.len() == limit;
    let next = events.last().map(|event| event.seq.next()).filter(|_| full);
    Ok(HttpResponse::Ok().json(json!({ "events": events, "next": next })))
}
