//! What went wrong, as problem documents (RFC 9457).

use std::fmt;
use std::time::Duration;

use actix::MailboxError;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use serde_json::json;

use super::caller::Allowed;
use crate::actors::audit::AuditError;
use crate::actors::causes;
use crate::actors::discovery::Refused;
use crate::actors::nib::NibError;
use crate::actors::policy::PolicyActorError;
use crate::actors::registry::RegistryError;

/// What a handler answers.
pub type Answer = Result<HttpResponse, Problem>;

/// Why a request was not answered as its sender wished.
#[derive(Debug)]
pub struct Problem {
    cause: Cause,
    /// The code for programs.
    reason: &'static str,
    /// The text for people.
    detail: String,
    /// The methods that the resource has here, for [`Cause::Method`].
    allow: Option<String>,
}

/// Whose fault it is, and whether asking again may help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The request cannot be read.
    Malformed,
    /// There is no such thing.
    Missing,
    /// The resource has no such method here.
    Method,
    /// What is asked for does not go with what is there now.
    Conflict,
    /// The controller does not answer now.
    Unavailable,
    /// It is still at work.
    Unfinished,
    /// No space is left.
    Full,
    /// It was tried and failed.
    Failed,
}

/// The one place that chooses a status.
const fn status(cause: Cause) -> StatusCode {
    match cause {
        Cause::Malformed => StatusCode::BAD_REQUEST,
        Cause::Missing => StatusCode::NOT_FOUND,
        Cause::Method => StatusCode::METHOD_NOT_ALLOWED,
        Cause::Conflict => StatusCode::CONFLICT,
        Cause::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Cause::Unfinished => StatusCode::GATEWAY_TIMEOUT,
        Cause::Full => StatusCode::INSUFFICIENT_STORAGE,
        Cause::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    /// A problem with its code for programs and its text for people.
    pub fn new(cause: Cause, reason: &'static str, detail: impl fmt::Display) -> Self {
        Self { cause, reason, detail: detail.to_string(), allow: None }
    }

    /// A request that cannot be read.
    pub fn malformed(detail: impl fmt::Display) -> Self {
        Self::new(Cause::Malformed, "MALFORMED", detail)
    }

    /// An error with all of its causes.
    fn of(cause: Cause, reason: &'static str, error: &dyn std::error::Error) -> Self {
        Self::new(cause, reason, causes(error))
    }

    /// A method that the resource does not have on this connection.
    pub fn method(request: &HttpRequest, allowed: &Allowed) -> Self {
        let methods = allowed.here(request);
        let detail = match (methods.is_empty(), allowed.changes_elsewhere(request)) {
            (true, _) => "nothing can be changed here; ask over the controller's admin socket".to_owned(),
            (false, true) => {
                "nothing can be changed here; ask with GET, or over the controller's admin socket".to_owned()
            }
            (false, false) if methods == "GET" => "nothing can be changed here; ask with GET".to_owned(),
            (false, false) => format!("this resource takes {methods}"),
        };
        Self { allow: Some(methods), ..Self::new(Cause::Method, "METHOD_NOT_ALLOWED", detail) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        status(self.cause)
    }

    fn error_response(&self) -> HttpResponse {
        let status = self.status_code();
        let body = json!({
            "status": status.as_u16(),
            "title": status.canonical_reason(),
            "reason": self.reason,
            "detail": self.detail,
        });
        let mut response = HttpResponse::build(status).content_type("application/problem+json").body(body.to_string());
        if let Some(allow) = self.allow.as_deref().and_then(|allow| HeaderValue::from_str(allow).ok()) {
            response.headers_mut().insert(ALLOW, allow);
        }
        response
    }
}

impl From<NibError> for Problem {
    fn from(error: NibError) -> Self {
        match error {
            NibError::Conflict { .. } => Self::of(Cause::Conflict, "NIB_CONFLICT", &error),
            NibError::NotFound(_) => Self::of(Cause::Missing, "NOT_FOUND", &error),
            NibError::Unavailable { .. } => Self::of(Cause::Unavailable, "NIB_UNAVAILABLE", &error),
            NibError::Full { .. } => Self::of(Cause::Full, "NIB_FULL", &error),
            NibError::Corrupt { .. } => Self::of(Cause::Failed, "NIB_CORRUPT", &error),
            NibError::Invalid { .. } => Self::of(Cause::Failed, "NIB_REFUSED", &error),
            NibError::MaybeCommitted { .. } => Self::of(Cause::Failed, "MAYBE_COMMITTED", &error),
        }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Running => Self::new(Cause::Conflict, "CYCLE_RUNNING", refused),
            Refused::Stopping => stopping(),
            Refused::NotValidated => Self::new(Cause::Conflict, "NOT_VALIDATED", refused),
        }
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        match error {
            RegistryError::Refused(refused) if refused.is_missing() => {
                Self::new(Cause::Missing, refused.reason(), refused)
            }
            RegistryError::Refused(refused) => Self::new(Cause::Conflict, refused.reason(), refused),
            RegistryError::Nameless => Self::new(Cause::Conflict, "NOT_VALIDATED", error),
            RegistryError::Nib(error) => error.into(),
            RegistryError::NoEntropy(_) => Self::of(Cause::Failed, "NO_ENTROPY", &error),
        }
    }
}

impl From<PolicyActorError> for Problem {
    fn from(error: PolicyActorError) -> Self {
        match error {
            PolicyActorError::Nameless => Self::new(Cause::Conflict, "NOT_VALIDATED", error),
            PolicyActorError::Refused(refused) => Self::of(Cause::Conflict, refused.reason(), &refused),
            PolicyActorError::Nib(error) => error.into(),
            PolicyActorError::Damaged(_) => Self::of(Cause::Failed, "NIB_CORRUPT", &error),
        }
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::NotOpen => Self::new(Cause::Conflict, "LOG_NOT_OPEN", error),
            AuditError::Halted(_) => Self::new(Cause::Conflict, "LOG_CORRUPT", error),
            AuditError::Nib(error) => error.into(),
        }
    }
}

/// Whatever was asked is gone.
pub fn stopping() -> Problem {
    Problem::new(Cause::Unavailable, "STOPPING", "the controller is stopping")
}

/// Waits for an actor's answer, but not for ever.
///
/// # Errors
/// When the actor has ended, or does not answer in time.
pub async fn asked<T>(answer: impl Future<Output = Result<T, MailboxError>>, deadline: Duration) -> Result<T, Problem> {
    match tokio::time::timeout(deadline, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(stopping()),
        Err(_) => Err(Problem::new(Cause::Unavailable, "TIMEOUT", "the controller does not answer in time")),
    }
}
