//! The head of the event log.

use actix::Recipient;
use actix_web::{HttpResponse, web};
use tracing::info;

use super::caller::{Caller, resource};
use super::problem::{Answer, Cause, Problem, asked};
use crate::actors::REQUEST_DEADLINE;
use crate::actors::audit::{MakeCheckpoint, ReadHead};
use crate::domain::log::StoredHead;

/// The resources.
pub const PATHS: &[&str] = &["/api/v1/audit/checkpoint"];

/// Whom the resources ask.
#[derive(Clone)]
pub struct Heads {
    /// Who has the newest head.
    pub newest: Recipient<ReadHead>,
    /// Who makes one.
    pub make: Recipient<MakeCheckpoint>,
}

/// Adds the resources.
pub fn configure(config: &mut web::ServiceConfig, heads: Heads) {
    let methods = [("GET", web::get().to(newest)), ("POST", web::post().to(make))];
    config.app_data(web::Data::new(heads)).service(resource("/api/v1/audit/checkpoint", methods));
}

/// The signed note as it is (C2SP tlog-checkpoint), for any verifier.
fn note(head: Option<StoredHead>) -> Answer {
    let head = head.ok_or_else(|| {
        Problem::new(Cause::Missing, "NO_CHECKPOINT", "there is no signed head of this controller's log yet")
    })?;
    Ok(HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(head.note))
}

async fn newest(heads: web::Data<Heads>) -> Answer {
    note(asked(heads.newest.send(ReadHead), REQUEST_DEADLINE).await??)
}

/// Signs a head of all that is there now, and shows it to the witnesses.
async fn make(Caller(by): Caller, heads: web::Data<Heads>) -> Answer {
    info!(%by, "checkpoint asked for");
    note(asked(heads.make.send(MakeCheckpoint), REQUEST_DEADLINE).await??)
}
