//! What the status says about the membership.

use serde::Serialize;

use super::{MembershipActor, State};
use crate::domain::controller::ControllerId;
use crate::domain::number::Serial;
use crate::domain::time::Timestamp;

/// How far a controller is with its membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MembershipStatus {
    /// It looks at what it has.
    Starting {
        /// What went wrong, if it has to try again.
        last_reason: Option<String>,
    },
    /// It asks its parent to be validated, for as long as it takes.
    PendingValidation {
        /// How often it asked.
        attempt: u32,
        /// Why it was not validated the last time.
        last_reason: Option<String>,
        /// When it asks again; none while it waits for an answer.
        next_attempt_at: Option<Timestamp>,
    },
    /// It has a name.
    Validated {
        /// The name.
        id: ControllerId,
        /// The number of its certificate.
        serial: Serial,
        /// When that ends.
        expires_at: Timestamp,
        /// When it asks for the next one; the trust root has none.
        renew_at: Option<Timestamp>,
        /// Who validated it.
        parent: Option<ControllerId>,
        /// Why the certificate was not renewed the last time it asked, or nothing is taken by its parent.
        last_reason: Option<String>,
        /// What an operator must do before the parent takes anything of it again.
        remedy: Option<&'static str>,
    },
    /// Waiting does not help: an operator must do something.
    Stopped {
        /// Why.
        reason: String,
        /// What to do.
        remedy: String,
    },
}

impl MembershipActor {
    pub(super) fn status(&self) -> MembershipStatus {
        let last_reason = self.last_reason.clone();
        match &self.state {
            State::Starting => MembershipStatus::Starting { last_reason },
            State::Pending(candidate) => MembershipStatus::PendingValidation {
                attempt: candidate.attempt,
                last_reason,
                next_attempt_at: candidate.next_attempt_at,
            },
            State::Member(member) => MembershipStatus::Validated {
                id: member.own.id.clone(),
                serial: member.certificate.serial,
                expires_at: member.certificate.expires_at,
                renew_at: member.renew_at,
                parent: member.own.parent.clone(),
                last_reason,
                remedy: member.barred,
            },
            State::Stopped { reason, remedy } => {
                MembershipStatus::Stopped { reason: reason.clone(), remedy: remedy.clone() }
            }
        }
    }
}
