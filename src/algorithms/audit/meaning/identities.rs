//! Names, certificates, terms.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, Told};
use crate::domain::event::EventType;
use crate::domain::number::{Epoch, Serial};

/// No name and no serial is given twice, who was revoked gets nothing more, terms do not go back.
#[derive(Debug, Default)]
pub struct Identities {
    /// The names that were given, each with the keys under it.
    given: BTreeMap<String, BTreeSet<String>>,
    /// Whose key one is.
    keys: BTreeMap<String, String>,
    revoked: BTreeSet<String>,
    last_serial: Option<Serial>,
    epoch: Epoch,
}

impl Identities {
    fn certified(&mut self, told: &Told<'_>) -> Result<(), String> {
        let name = &told.entry.subject;
        let serial: Serial = told.read("serial")?;
        if self.last_serial.is_some_and(|last| serial <= last) {
            return Err(format!("the serial {serial} was given before, or is not the next one"));
        }
        self.last_serial = Some(serial);
        let key: String = told.read("public_key")?;
        if self.keys.insert(key.clone(), name.clone()).is_some() {
            return Err(format!("the key of {name} was certified before"));
        }
        self.given.entry(name.clone()).or_default().insert(key);
        Ok(())
    }
}

impl Rule for Identities {
    fn says(&self) -> &'static str {
        "no name, serial or key is given twice, nothing is given to a revoked controller, epochs do not go back"
    }

    fn take(&mut self, told: &Told<'_>) -> Result<(), String> {
        let name = &told.entry.subject;
        if told.entry.epoch < self.epoch {
            return Err(format!("epoch {} comes after epoch {}", told.entry.epoch, self.epoch));
        }
        self.epoch = told.entry.epoch;
        let is_revoked = self.revoked.contains(name);
        match told.entry.event_type {
            EventType::ControllerValidated if self.given.contains_key(name) || is_revoked => {
                Err(format!("the name {name} was given before"))
            }
            EventType::ControllerValidated => self.certified(told),
            EventType::CertificateRenewed | EventType::CertificateSwitched | EventType::ControllerReinstated
                if is_revoked =>
            {
                Err(format!("{name} was revoked before"))
            }
            EventType::CertificateRenewed if told.is_whole && !self.given.contains_key(name) => {
                Err(format!("{name} was never validated"))
            }
            EventType::CertificateRenewed => self.certified(told),
            EventType::ControllerRevoked if !self.revoked.insert(name.clone()) => {
                Err(format!("{name} was revoked before"))
            }
            _ => Ok(()),
        }
    }
}
