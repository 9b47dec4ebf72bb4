//! The policy of all controllers: told, checked, and set at the Global Controller.

use std::time::Duration;

use anyhow::anyhow;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use crate::actors::policy::{PolicySummary, PolicyView, Running};
use crate::app::client::{Request, Verb};
use crate::app::clock::SystemClock;
use crate::app::config::Config;
pub use crate::app::config::{PolicyFile, read_policy};
use crate::app::failure::Failure;
use crate::app::registry::told;
use crate::domain::policy::Policy;
use crate::domain::time::{Clock, Timestamp};

/// A policy that was set.
#[derive(Debug, Serialize, Deserialize)]
pub struct PolicySet {
    /// It.
    pub policy: PolicySummary,
    /// What was in effect before.
    pub replaced: Option<PolicySummary>,
}

/// The policies that were in effect at a controller.
#[derive(Debug, Serialize, Deserialize)]
pub struct History {
    /// Ascending by version.
    pub policies: Vec<PolicySummary>,
    /// After which version the next page begins.
    #[serde(skip_serializing)]
    next: Option<u64>,
}

/// A value that is another one than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Changed {
    /// Which.
    pub key: String,
    /// What it was.
    pub from: Value,
    /// What it is.
    pub to: Value,
}

/// The keys of a policy with their values, as its file has them.
pub fn values(policy: &Policy) -> Map<String, Value> {
    match serde_json::to_value(policy) {
        Ok(Value::Object(values)) => values,
        _ => Map::new(),
    }
}

/// What differs between two policies.
pub fn changes(from: &Policy, to: &Policy) -> Vec<Changed> {
    let before = values(from);
    let changed = |(key, to): (String, Value)| {
        let from = before.get(&key).cloned().unwrap_or_default();
        (from != to).then_some(Changed { key, from, to })
    };
    values(to).into_iter().filter_map(changed).collect()
}

/// The policy in effect, and who runs which version.
///
/// # Errors
/// As [`crate::app::admin::request`].
pub fn policy(config: &Config) -> Result<PolicyView, Failure> {
    told(config, &Request::get("/api/v1/policy"))
}

/// Sets the policy of all controllers.
///
/// # Errors
/// As [`crate::app::admin::request`].
pub fn set_policy(config: &Config, values: &Policy, expires_at: Option<Timestamp>) -> Result<PolicySet, Failure> {
    let body = json!({ "values": values, "expires_at": expires_at });
    told(config, &Request::change(Verb::Put, "/api/v1/policy", Some(body)))
}

/// All policies that were in effect here.
///
/// # Errors
/// As [`crate::app::admin::request`].
pub fn history(config: &Config) -> Result<History, Failure> {
    let mut all: History = told(config, &Request::get("/api/v1/policy/history"))?;
    while let Some(after) = all.next {
        let page: History = told(config, &Request::get(format!("/api/v1/policy/history?after={after}")))?;
        all.policies.extend(page.policies);
        all.next = page.next;
    }
    Ok(all)
}

/// The instant that a text names: an RFC 3339 time, a date, which begins at midnight UTC, or a span
/// from now on.
///
/// # Errors
/// [`Failure::Usage`] for anything else, and for what is over.
pub fn expiry(text: &str) -> Result<Timestamp, Failure> {
    ends(text, SystemClock::start().now())
}

fn ends(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    let refused = || {
        Failure::Usage(anyhow!(
            "{text:?} is neither a time (2027-06-30T12:00:00Z), a date (2027-06-30) nor a span from now on (12h, 90d)"
        ))
    };
    let midnight = || format!("{text}T00:00:00Z").parse().ok();
    let at = match text.parse().ok().or_else(midnight) {
        Some(at) => at,
        None => {
            let span: jiff::Span = text.parse().map_err(|_| refused())?;
            let span = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| refused())?;
            now.saturating_add(Duration::try_from(span).map_err(|_| refused())?)
        }
    };
    if at <= now {
        return Err(Failure::Usage(anyhow!("a policy cannot end at {at}, now is {now}")));
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_a_date_or_a_span() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        for (text, end) in [
            ("2027-06-30T12:00:00Z", "2027-06-30T12:00:00Z"),
            ("2027-06-30", "2027-06-30T00:00:00Z"),
            ("12h", "2026-11-22T12:00:00Z"),
            ("90d", "2027-02-20T00:00:00Z"),
        ] {
            assert_eq!(ends(text, now).unwrap(), end.parse().unwrap(), "{text}");
        }
        for text in ["", "90", "soon", "-90d", "1y", "2027-06-31", "2026-11-21", "0s"] {
            assert!(matches!(ends(text, now), Err(Failure::Usage(_))), "{text}");
        }
    }

    #[test]
    fn what_differs_is_told_with_both_values() {
        let policy = |text| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(&file, text).unwrap();
            read_policy(file.path()).unwrap().policy
        };
        let (from, to) = (policy("policy: {probe_rate: 2000}"), policy("policy: {probe_rate: 500}"));
        assert_eq!(changes(&from, &from), []);
        let changed = Changed { key: "probe_rate".to_owned(), from: json!(2_000), to: json!(500) };
        assert_eq!(changes(&from, &to), [changed]);
    }
}
