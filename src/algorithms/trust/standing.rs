//! What the registry keeps of a gate's decisions.

use serde_json::json;

use crate::algorithms::trust::directory::Switched;
use crate::domain::certificate::Certificate;
use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::reason::Reason;
use crate::domain::registry::{ControllerRow, RegistryChange, Standing};
use crate::domain::time::Timestamp;

/// A controller used its next certificate for the first time: it becomes the present one. Whoever has
/// no row here, the controller above, is in the event alone; a row that says so already says it still.
pub fn switch(
    row: Option<ControllerRow>,
    switched: &Switched,
    certificate: &Certificate,
    own: &ControllerId,
    now: Timestamp,
) -> Vec<Change> {
    let payload = json!({ "retired": switched.retired, "current": switched.current });
    let event = Change::Append(event(EventType::CertificateSwitched, &switched.controller, payload, own, now));
    let Some(mut row) = row else { return vec![event] };
    let Some(next) = row.next.take_if(|next| next.serial == switched.current) else { return Vec::new() };
    row.public_key = next.public_key;
    row.serial = next.serial;
    row.certificate = next.certificate;
    row.delegation = next.delegation;
    row.expires_at = certificate.expires_at;
    vec![Change::Registry(RegistryChange::UpdateController(Box::new(row))), event]
}

/// Two processes sent under one name: neither is believed until one is validated anew. A controller
/// that is revoked stays so.
pub fn lock(
    row: Option<ControllerRow>,
    sender: &ControllerId,
    detail: &str,
    source: &str,
    own: &ControllerId,
    now: Timestamp,
) -> Vec<Change> {
    let payload = json!({ "reason": Reason::IdentityCloned, "detail": detail, "source": source });
    let events = [EventType::ControllerLocked, EventType::SecurityAlert]
        .map(|kind| Change::Append(event(kind, sender, payload.clone(), own, now)));
    let lockable = row.filter(|row| matches!(row.standing, Standing::Active | Standing::Suspended));
    let locked = lockable.map(|row| {
        let row = ControllerRow { standing: Standing::Locked, standing_reason: Some(detail.to_owned()), ..row };
        Change::Registry(RegistryChange::UpdateController(Box::new(row)))
    });
    locked.into_iter().chain(events).collect()
}

fn event(
    event_type: EventType,
    subject: &ControllerId,
    payload: serde_json::Value,
    own: &ControllerId,
    timestamp: Timestamp,
) -> NewEvent {
    NewEvent { event_type, actor: own.to_string(), subject: subject.to_string(), timestamp, payload }
}
