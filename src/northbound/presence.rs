//! Who is there, for the resources that tell it beside what they are about.

use actix::Recipient;
use actix_web::web;

use super::problem::{Problem, asked};
use crate::actors::REQUEST_DEADLINE;
use crate::actors::presence::{PresenceReport, ReadPresence};

/// Who is asked; without a carrier nobody is heard, and there is nobody to ask.
pub type Presence = web::Data<Option<Recipient<ReadPresence>>>;

/// Who is there, where that is known.
///
/// # Errors
/// When the actor has ended, does not answer in time, or cannot read the NIB.
pub async fn presence(presence: &Presence) -> Result<Option<PresenceReport>, Problem> {
    match presence.as_ref() {
        Some(presence) => Ok(Some(asked(presence.send(ReadPresence), REQUEST_DEADLINE).await??)),
        None => Ok(None),
    }
}
