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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::domain::controller::Role;
    use crate::domain::device::Version;
    use crate::domain::key::PublicKey;
    use crate::domain::number::{Epoch, Serial};
    use crate::domain::registry::{NextCertificate, SignedDocument};
    use crate::domain::token::TokenId;

    const NOW: Timestamp = Timestamp::from_millis(7);

    fn own() -> ControllerId {
        "regional_cntl_zoneA_1".parse().unwrap()
    }

    fn document(text: &str) -> SignedDocument {
        SignedDocument::from_text(text.to_owned())
    }

    fn row() -> ControllerRow {
        ControllerRow {
            id: "local_cntl_zoneA_1".parse().unwrap(),
            role: Role::Local,
            region: "zone-A".parse().unwrap(),
            public_key: PublicKey::from_bytes([1; 32]),
            serial: Serial::from_number(4),
            certificate: document("old"),
            delegation: None,
            expires_at: Timestamp::from_millis(1_000),
            next: Some(NextCertificate {
                serial: Serial::from_number(5),
                public_key: PublicKey::from_bytes([2; 32]),
                certificate: document("new"),
                delegation: None,
            }),
            standing: Standing::Active,
            standing_reason: None,
            validated_by: own(),
            validated_at: Timestamp::from_millis(1),
            token: TokenId::new([1; 12]),
            metadata: BTreeMap::new(),
            policy_version: None,
            last_contact: None,
            version: Version::FIRST,
        }
    }

    fn switched() -> (Switched, Certificate) {
        let row = row();
        let switched = Switched { controller: row.id.clone(), retired: row.serial, current: Serial::from_number(5) };
        let certificate = Certificate {
            controller_id: row.id,
            role: row.role,
            region: Some(row.region),
            public_key: PublicKey::from_bytes([2; 32]),
            issuer: own(),
            epoch: Epoch::from_number(1),
            issued_at: Timestamp::from_millis(0),
            expires_at: Timestamp::from_millis(2_000),
            serial: Serial::from_number(5),
        };
        (switched, certificate)
    }

    fn types(changes: &[Change]) -> Vec<EventType> {
        changes
            .iter()
            .filter_map(|change| match change {
                Change::Append(event) => Some(event.event_type),
                _ => None,
            })
            .collect()
    }

    fn updated(changes: &[Change]) -> Option<&ControllerRow> {
        changes.iter().find_map(|change| match change {
            Change::Registry(RegistryChange::UpdateController(row)) => Some(row.as_ref()),
            _ => None,
        })
    }

    #[test]
    fn a_certificate_that_is_used_takes_the_place_of_the_old_one() {
        let (switched, certificate) = switched();
        let changes = switch(Some(row()), &switched, &certificate, &own(), NOW);
        assert_eq!(types(&changes), [EventType::CertificateSwitched]);
        let row = updated(&changes).unwrap();
        assert_eq!((row.serial.number(), row.certificate.as_str(), &row.next), (5, "new", &None));
        assert_eq!((row.public_key, row.expires_at), (certificate.public_key, certificate.expires_at));
        // Decided again, because it was not known whether it was written.
        assert_eq!(switch(Some(row.clone()), &switched, &certificate, &own(), NOW), []);
        // The controller above has no row.
        let changes = switch(None, &switched, &certificate, &own(), NOW);
        assert_eq!((types(&changes), changes.len()), (vec![EventType::CertificateSwitched], 1));
    }

    #[test]
    fn a_name_that_two_use_is_locked_with_an_alarm() {
        let lock = |row| lock(row, &"local_cntl_zoneA_1".parse().unwrap(), "two", "bus", &own(), NOW);
        let both = [EventType::ControllerLocked, EventType::SecurityAlert];
        let changes = lock(Some(row()));
        assert_eq!(types(&changes), both);
        let locked = updated(&changes).unwrap();
        assert_eq!((locked.standing, locked.standing_reason.as_deref()), (Standing::Locked, Some("two")));
        for standing in [Standing::Revoked, Standing::Locked] {
            let changes = lock(Some(ControllerRow { standing, ..row() }));
            assert_eq!((updated(&changes), types(&changes)), (None, both.to_vec()));
        }
        assert_eq!(types(&lock(None)), both);
    }
}
