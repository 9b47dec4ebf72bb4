//! What a log says is replayed: whether those who decided kept to the rules, and not only whether the
//! entries are the ones that were signed.
//!
//! Each family of rules is a [`Rule`] of its own, that sees the entries in their order. A part of a log
//! does not show what was before it: there a rule holds only what it has seen against what comes.

mod anchors;
mod identities;
mod policies;
#[cfg(test)]
mod tests;
mod tokens;

use serde_json::Value;

use crate::domain::entry::{Entry, Payload};
use crate::wire::canonical;

pub use anchors::Anchors;
pub use identities::Identities;
pub use policies::Policies;
pub use tokens::Tokens;

/// An entry with its particulars.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The entry.
    pub entry: &'a Entry,
    /// Its payload, wherever that was kept.
    pub payload: &'a Value,
    /// Whether everything before it was seen.
    pub is_whole: bool,
}

impl Told<'_> {
    /// A text of the payload.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.payload.get(field).and_then(Value::as_str)
    }

    /// A member of the payload as a value.
    ///
    /// # Errors
    /// A text that says what is missing, for a rule to return.
    pub fn read<T: std::str::FromStr>(&self, field: &str) -> Result<T, String> {
        let text = self.text(field).ok_or_else(|| format!("it does not tell its {field}"))?;
        text.parse().map_err(|_| format!("its {field} is {text:?}"))
    }
}

/// A family of rules.
pub trait Rule: std::fmt::Debug {
    /// What it checks, for the report: "each token is used at most once".
    fn says(&self) -> &'static str;

    /// Looks at the next entry.
    ///
    /// # Errors
    /// What was done against the rules, as half a sentence about the entry.
    fn take(&mut self, told: &Told<'_>) -> Result<(), String>;
}

/// The first entry that tells of something that must not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq}: {what}")]
pub struct Misdeed {
    /// Which.
    pub seq: u64,
    /// What.
    pub what: String,
}

/// A replay under way.
#[derive(Debug)]
pub struct Replay {
    rules: Vec<Box<dyn Rule>>,
    is_whole: bool,
    /// Entries whose payload was not there, so that they could not be judged.
    pub unread: u64,
    /// Entries that were judged.
    pub judged: u64,
}

impl Replay {
    /// A replay by the rules of this program, of a log from its beginning or of a part.
    pub fn new(is_whole: bool) -> Self {
        let rules: Vec<Box<dyn Rule>> = vec![
            Box::new(Tokens::default()),
            Box::new(Identities::default()),
            Box::new(Policies::default()),
            Box::new(Anchors::default()),
        ];
        Self { rules, is_whole, unread: 0, judged: 0 }
    }

    /// With one more family.
    #[must_use]
    pub fn with(mut self, rule: Box<dyn Rule>) -> Self {
        self.rules.push(rule);
        self
    }

    /// What is checked.
    pub fn says(&self) -> Vec<&'static str> {
        self.rules.iter().map(|rule| rule.says()).collect()
    }

    /// Looks at the next entry; `beside` is its payload where that is kept beside the log.
    ///
    /// # Errors
    /// [`Misdeed`].
    pub fn take(&mut self, entry: &Entry, beside: Option<&[u8]>) -> Result<(), Misdeed> {
        let read;
        let payload = match (&entry.payload, beside) {
            (Payload::Inside(payload), _) => payload,
            (Payload::Beside(_), None) => {
                self.unread += 1;
                return Ok(());
            }
            (Payload::Beside(_), Some(octets)) => {
                let misdeed = |error| Misdeed { seq: entry.seq.number(), what: format!("its payload is {error}") };
                read = canonical::read_value(octets).map_err(misdeed)?;
                &read
            }
        };
        self.judged += 1;
        let told = Told { entry, payload, is_whole: self.is_whole };
        let seq = entry.seq.number();
        self.rules.iter_mut().try_for_each(|rule| rule.take(&told)).map_err(|what| Misdeed { seq, what })
    }
}
