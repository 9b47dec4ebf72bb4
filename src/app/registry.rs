//! Deciding who belongs below a controller: tokens and controllers.

use std::time::Duration;

use anyhow::anyhow;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

pub use crate::actors::registry::{ControllerView, TokenStanding, TokenSummary};
use crate::app::admin::request;
use crate::app::client::{AskError, Request, Verb};
use crate::app::config::Config;
use crate::app::failure::Failure;
use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::key::PublicKey;
use crate::domain::registry::Blocked;
use crate::domain::token::{TokenId, TokenLifetime};

/// A token that was made. It cannot be had again.
#[derive(Serialize, Deserialize)]
pub struct IssuedToken {
    /// By which it is named.
    pub id: TokenId,
    /// The tier that it is for.
    pub role: Role,
    /// The region.
    pub region: Region,
    /// How long it can be used, in seconds.
    pub ttl_seconds: u64,
    /// The token itself.
    pub token: String,
}

/// The tokens that a controller made.
#[derive(Debug, Serialize, Deserialize)]
pub struct TokenList {
    /// Ascending by id.
    pub tokens: Vec<TokenSummary>,
}

/// What a controller refuses unseen.
#[derive(Debug, Serialize, Deserialize)]
pub struct Blocklist {
    /// Keys first, then sources, ascending.
    pub blocklist: Vec<BlockedView>,
}

/// A key or a source that is refused.
#[derive(Debug, Serialize, Deserialize)]
pub struct BlockedView {
    /// Which.
    pub blocked: Blocked,
    /// Why.
    pub reason: String,
}

/// The controllers that one validated.
#[derive(Debug, Serialize, Deserialize)]
pub struct ControllerList {
    /// Ascending by name.
    pub controllers: Vec<ControllerView>,
}

/// A text that is no span of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no span of time such as 90s, 10m or 1h")]
pub struct SpanError {
    text: String,
}

/// Asks, and reads the answer as what it should be.
///
/// # Errors
/// As [`request`], and when the answer is something else.
pub(super) fn told<T: DeserializeOwned>(config: &Config, asked: &Request) -> Result<T, Failure> {
    let unreadable = |error: serde_json::Error| Failure::failed(AskError::Unreadable(error.to_string()));
    serde_json::from_value(request(config, asked)?).map_err(unreadable)
}

/// Reads how long a token shall be usable.
///
/// # Errors
/// [`SpanError`], or that no token lives as long, as [`Failure::Usage`].
pub fn lifetime(text: &str) -> Result<TokenLifetime, Failure> {
    let refused = || SpanError { text: text.to_owned() };
    let span: jiff::SignedDuration = text.parse().map_err(|_| Failure::usage(refused()))?;
    let span = Duration::try_from(span).map_err(|_| Failure::usage(refused()))?;
    TokenLifetime::try_from(span).map_err(Failure::usage)
}

/// Makes a token for one controller.
///
/// # Errors
/// As [`request`].
pub fn issue_token(
    config: &Config,
    role: Role,
    region: &Region,
    lifetime: TokenLifetime,
) -> Result<IssuedToken, Failure> {
    let order = json!({ "role": role, "region": region, "ttl_seconds": lifetime.duration().as_secs() });
    told(config, &Request::change(Verb::Post, "/api/v1/tokens", Some(order)))
}

/// The tokens that were made here.
///
/// # Errors
/// As [`request`].
pub fn tokens(config: &Config) -> Result<TokenList, Failure> {
    told(config, &Request::get("/api/v1/tokens"))
}

/// Takes an unused token back.
///
/// # Errors
/// As [`request`].
pub fn revoke_token(config: &Config, id: TokenId) -> Result<(), Failure> {
    request(config, &Request::change(Verb::Delete, format!("/api/v1/tokens/{id}"), None)).map(drop)
}

/// The controllers that were validated here.
///
/// # Errors
/// As [`request`].
pub fn controllers(config: &Config) -> Result<ControllerList, Failure> {
    told(config, &Request::get("/api/v1/controllers"))
}

/// One of them.
///
/// # Errors
/// As [`request`].
pub fn controller(config: &Config, id: &ControllerId) -> Result<ControllerView, Failure> {
    told(config, &Request::get(format!("/api/v1/controllers/{id}")))
}

/// Takes a controller's certificate back.
///
/// # Errors
/// As [`request`].
pub fn revoke(config: &Config, id: &ControllerId, reason: &str) -> Result<(), Failure> {
    let target = format!("/api/v1/controllers/{id}/revoke");
    request(config, &Request::change(Verb::Post, target, Some(json!({ "reason": reason })))).map(drop)
}

/// Lets a suspended controller in again.
///
/// # Errors
/// As [`request`].
pub fn reinstate(config: &Config, id: &ControllerId) -> Result<(), Failure> {
    let target = format!("/api/v1/controllers/{id}/reinstate");
    request(config, &Request::change(Verb::Post, target, None)).map(drop)
}

/// What a text names that can be blocked: a public key, or else a source as the carrier tells it.
///
/// # Errors
/// [`Failure::Usage`] for a text that is empty or has blanks.
pub fn blocked(text: &str) -> Result<Blocked, Failure> {
    if let Ok(key) = text.parse::<PublicKey>() {
        return Ok(Blocked::Key(key));
    }
    if text.is_empty() || text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        let what = "is neither a public key (44 letters of base64, as `pdsno controllers show` has it) nor a source";
        return Err(Failure::Usage(anyhow!("{text:?} {what}")));
    }
    Ok(Blocked::Source(text.to_owned()))
}

/// What is refused unseen.
///
/// # Errors
/// As [`request`].
pub fn blocklist(config: &Config) -> Result<Blocklist, Failure> {
    told(config, &Request::get("/api/v1/blocklist"))
}

/// Refuses a key or a source from now on, or changes why.
///
/// # Errors
/// As [`request`].
pub fn block(config: &Config, blocked: &Blocked, reason: &str) -> Result<(), Failure> {
    let body = json!({ "blocked": blocked, "reason": reason });
    request(config, &Request::change(Verb::Post, "/api/v1/blocklist", Some(body))).map(drop)
}

/// Refuses it no longer.
///
/// # Errors
/// As [`request`].
pub fn unblock(config: &Config, blocked: &Blocked) -> Result<(), Failure> {
    let body = json!({ "blocked": blocked });
    request(config, &Request::change(Verb::Post, "/api/v1/blocklist/remove", Some(body))).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_a_span_that_tokens_may_have() {
        assert_eq!(lifetime("90s").unwrap().duration(), Duration::from_secs(90));
        assert_eq!(lifetime("1h 30m").unwrap().duration(), Duration::from_secs(5_400));
        for text in ["10", "soon", "-10m", "30s", "25h", "7d"] {
            assert!(matches!(lifetime(text), Err(Failure::Usage(_))), "{text}");
        }
    }
    #[test]
    fn what_can_be_blocked_is_a_key_or_a_source() {
        let key = "A".repeat(43) + "=";
        assert!(matches!(blocked(&key), Ok(Blocked::Key(found)) if found.to_string() == key));
        for source in ["192.0.2.7", "192.0.2.7:4711", "in-process"] {
            assert_eq!(blocked(source).unwrap(), Blocked::Source(source.to_owned()));
        }
        for text in ["", " ", "a b", "a\u{1b}[1m"] {
            assert!(matches!(blocked(text), Err(Failure::Usage(_))), "{text:?}");
        }
    }
}
