//! Policies.

use super::{Rule, Told};
use crate::domain::event::EventType;
use crate::domain::number::PolicyVersion;

/// Versions rise.
#[derive(Debug, Default)]
pub struct Policies {
    taken: Option<PolicyVersion>,
    in_effect: Option<u64>,
}

impl Rule for Policies {
    fn says(&self) -> &'static str {
        "policy versions rise, and none in effect is older than the one before"
    }

    fn take(&mut self, told: &Told<'_>) -> Result<(), String> {
        let in_effect = told.entry.policy_version;
        if in_effect < self.in_effect {
            let text = |version: Option<u64>| version.map_or_else(|| "none".to_owned(), |version| version.to_string());
            return Err(format!("policy {} was in effect after {}", text(in_effect), text(self.in_effect)));
        }
        self.in_effect = in_effect;
        if !matches!(told.entry.event_type, EventType::PolicySet | EventType::PolicyTaken) {
            return Ok(());
        }
        let version: PolicyVersion = told.read("version")?;
        if self.taken.is_some_and(|taken| version <= taken) {
            return Err(format!("policy {version} was set after a newer one"));
        }
        self.taken = Some(version);
        Ok(())
    }
}
