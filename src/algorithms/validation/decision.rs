//! What a parent decides: what to write and what to answer.

use serde_json::{Value, json};

use crate::domain::certificate::{Certificate, Delegation};
use crate::domain::controller::{ControllerId, Region};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::key::{Nonce, PublicKey};
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;
use crate::domain::token::{TokenId, TokenUse};
use crate::wire::statement::{Chain, Statement};
use crate::wire::validation::{Challenge, Metadata, Refused, ValidationResult, Verdict};

/// What a parent does about one message. What is to be written is one commit; the answer is sent only
/// after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The rows.
    pub change: Option<Change>,
    /// The events, of the same commit.
    pub events: Vec<NewEvent>,
    /// The answer.
    pub reply: Reply,
}

/// What a parent answers.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Prove it.
    Challenge(Box<Challenge>),
    /// The decision.
    Result(Box<ValidationResult>),
    /// Nothing: the message is an echo of one that was answered.
    Silence,
}

impl Reply {
    /// The answer when what was decided could not be written: the joiner tries again later.
    #[must_use]
    pub fn unwritten(self) -> Self {
        match self {
            Self::Result(mut result) => {
                result.verdict = refusal(Reason::IdentityAssignmentFailed, UNWRITTEN);
                Self::Result(result)
            }
            // Nothing is written for a challenge, and what was not written is not asked for.
            Self::Challenge(_) | Self::Silence => Self::Silence,
        }
    }
}

/// The particulars of our own troubles are no business of a joiner's.
pub(super) const UNWRITTEN: &str = "the parent could not write it down; try again later";

/// What is to be written.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A proof for a token was wrong: its count goes from one value to the next, if it still is what
    /// it was.
    WrongProof {
        /// The token.
        token: TokenId,
        /// What was read.
        from: u8,
    },
    /// A controller is taken in.
    Admit(Box<Admission>),
}

/// A new controller, all or nothing: the token is used (if nobody used it meanwhile), the name's
/// number is taken, the controller and what was signed for it are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Admission {
    /// The token, which must be as it was read: unused.
    pub token: TokenId,
    /// Its use, with the controller's name and key.
    pub used: TokenUse,
    /// The number in the name, which must be the next one.
    pub number: u32,
    /// Its region.
    pub region: Region,
    /// What says who it is: tier, serial, times.
    pub certificate: Statement<Certificate>,
    /// What a Regional Controller may do.
    pub delegation: Option<Statement<Delegation>>,
    /// Who validated it.
    pub parent: ControllerId,
    /// What it told about itself.
    pub metadata: Metadata,
}

/// A joiner as a decision speaks of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub temp_id: &'a ControllerId,
    pub key: &'a PublicKey,
    pub token: Option<TokenId>,
    pub source: &'a str,
    pub nonce: Option<Nonce>,
}

/// Who decides, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decider<'a> {
    pub id: &'a ControllerId,
    pub chain: &'a Chain,
    pub now: Timestamp,
}

impl Decider<'_> {
    pub(super) fn event(&self, event_type: EventType, subject: &ControllerId, payload: Value) -> NewEvent {
        let (actor, subject) = (self.id.to_string(), subject.to_string());
        NewEvent { event_type, actor, subject, timestamp: self.now, payload }
    }

    /// The decision not to let a joiner in: the log has the reason, the answer its outward form.
    pub(super) fn refuse(&self, subject: Subject<'_>, reason: Reason, detail: &str) -> Decision {
        let payload = json!({
            "reason": reason,
            "told": reason.outward(),
            "detail": detail,
            "public_key": subject.key,
            "token_id": subject.token,
            "source": subject.source,
        });
        let refused =
            if reason.is_error() { EventType::ControllerValidationFailed } else { EventType::ControllerRejected };
        let mut events = vec![self.event(refused, subject.temp_id, payload.clone())];
        if reason.is_alarming() {
            events.push(self.event(EventType::SecurityAlert, subject.temp_id, payload));
        }
        Decision { change: None, events, reply: self.answer(subject, refusal(reason, detail)) }
    }

    pub(super) fn answer(&self, subject: Subject<'_>, verdict: Verdict) -> Reply {
        let (public_key, client_nonce) = (*subject.key, subject.nonce);
        Reply::Result(Box::new(ValidationResult { public_key, client_nonce, parent: self.chain.clone(), verdict }))
    }
}

/// A refusal as outsiders see it. The particulars of what outsiders are not told stay here.
pub(super) fn refusal(reason: Reason, detail: &str) -> Verdict {
    let told = reason.outward();
    let detail = match told {
        Reason::InvalidBootstrapToken => "the bootstrap token cannot be used here".to_owned(),
        _ => detail.to_owned(),
    };
    let refused = Refused { reason: told, detail };
    if reason.is_error() { Verdict::Error(refused) } else { Verdict::Rejected(refused) }
}
