//! Bootstrap tokens.

use std::collections::BTreeMap;

use super::{Rule, Told};
use crate::domain::event::EventType;
use crate::domain::time::Timestamp;

/// Each token is issued once, and used at most once, in time, by its audience.
#[derive(Debug, Default)]
pub struct Tokens {
    issued: BTreeMap<String, Issued>,
    /// Those that were used or taken back before anything of their issue was seen.
    spent: BTreeMap<String, &'static str>,
}

#[derive(Debug)]
struct Issued {
    role: Option<String>,
    region: Option<String>,
    expires_at: Timestamp,
}

impl Tokens {
    fn use_once(&mut self, told: &Told<'_>) -> Result<(), String> {
        let id: String = told.read("token_id")?;
        if let Some(how) = self.spent.insert(id.clone(), "used") {
            return Err(format!("the token {id} was {how} before"));
        }
        let Some(issued) = self.issued.get(&id) else {
            return if told.is_whole { Err(format!("the token {id} was never issued")) } else { Ok(()) };
        };
        if told.entry.timestamp >= issued.expires_at {
            return Err(format!("the token {id} had ended at {}", issued.expires_at));
        }
        let audience = (told.text("role"), told.text("region"));
        if audience != (issued.role.as_deref(), issued.region.as_deref()) {
            return Err(format!("the token {id} is for another role or region"));
        }
        Ok(())
    }
}

impl Rule for Tokens {
    fn says(&self) -> &'static str {
        "each bootstrap token is issued once and used at most once, in time, by its role and region"
    }

    fn take(&mut self, told: &Told<'_>) -> Result<(), String> {
        let id = &told.entry.subject;
        match told.entry.event_type {
            EventType::BootstrapTokenIssued => {
                let issued = Issued {
                    role: told.text("role").map(str::to_owned),
                    region: told.text("region").map(str::to_owned),
                    expires_at: told.read("expires_at")?,
                };
                if self.spent.contains_key(id) || self.issued.insert(id.clone(), issued).is_some() {
                    return Err(format!("the token {id} was issued before"));
                }
                Ok(())
            }
            EventType::BootstrapTokenRevoked => match self.spent.insert(id.clone(), "taken back") {
                Some(how) => Err(format!("the token {id} was {how} before")),
                None if told.is_whole && !self.issued.contains_key(id) => {
                    Err(format!("the token {id} was never issued"))
                }
                None => Ok(()),
            },
            EventType::ControllerValidated => self.use_once(told),
            _ => Ok(()),
        }
    }
}
