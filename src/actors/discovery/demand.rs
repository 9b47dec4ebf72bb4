//! Who asked for discovery, in the event log.

use std::sync::Arc;

use serde_json::json;

use crate::actors::nib::Nib;
use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::operator::Operator;
use crate::domain::time::Clock;
use crate::nib::NibError;

/// An operator's wish for discovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Who asks.
    pub by: Operator,
    /// Why, for people.
    pub reason: Option<String>,
    /// The one Local Controller below that is meant, if it is not all, or this one.
    pub controller: Option<ControllerId>,
}

/// Writes down that somebody asked for discovery: a request leaves no row that would show it.
#[derive(Clone)]
pub struct Wishes {
    nib: Nib,
    clock: Arc<dyn Clock>,
    name: Option<ControllerId>,
}

impl Wishes {
    /// Events of the controller whose NIB this is. The name is that of one that nobody names: a
    /// controller that stands alone.
    pub fn new(nib: Nib, clock: Arc<dyn Clock>, name: Option<ControllerId>) -> Self {
        Self { nib, clock, name }
    }

    /// Writes one down; to be done before it is acted on. A controller that has no name yet has no log
    /// either, and discovers nothing.
    ///
    /// # Errors
    /// When the NIB cannot be read or written.
    pub async fn write(&self, wish: Wish) -> Result<(), NibError> {
        let named = self.nib.ask(|reader| reader.membership()).await?.map(|own| own.id);
        let Some(own) = named.or_else(|| self.name.clone()) else { return Ok(()) };
        let Wish { by, reason, controller } = wish;
        let event = NewEvent {
            event_type: EventType::DiscoveryRequested,
            actor: own.to_string(),
            subject: controller.as_ref().unwrap_or(&own).to_string(),
            timestamp: self.clock.now(),
            payload: json!({ "by": by, "reason": reason, "controller": controller }),
        };
        self.nib.commit(vec![Change::Append(event)]).await.map(drop)
    }
}
