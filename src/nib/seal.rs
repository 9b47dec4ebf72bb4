//! Sealing, as every backend does it.
//!
//! A log is open once [`NibStore::open_log`](crate::nib::NibStore::open_log) succeeded for the first
//! time, and stays so: the store remembers its origin. From then on an event is appended together
//! with its entry, or not at all. A process that opens such a store without calling `open_log` may
//! write rows, but no event: it would stay unsealed until somebody with the key comes, and nobody
//! could tell it from one that was slipped in. The one event that is written before there can be a
//! key is `NIB_MIGRATED`, by the opening itself; it is sealed by the `open_log` that follows. So
//! entries lag behind events only between opening and `open_log`, and are never ahead of them.

use crate::domain::device::Version;
use crate::domain::event::{EventSeq, NewEvent};
use crate::domain::log::{Draft, Edge, Growth, Place, SealedEvent, Sealer, StoredHead};
use crate::domain::number::{Epoch, PolicyVersion};
use crate::domain::origin::Origin;
use crate::nib::{Change, NibError, Row};

/// Events that [`NibStore::open_log`](crate::nib::NibStore::open_log) seals in one transaction.
pub(in crate::nib) const BACKLOG: u32 = 1_000;

/// What stands in each entry beside its event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::nib) struct InEffect {
    pub(in crate::nib) policy_version: Option<PolicyVersion>,
    pub(in crate::nib) epoch: Epoch,
}

impl Default for InEffect {
    /// Before there is a policy, in the first term.
    fn default() -> Self {
        Self { policy_version: None, epoch: Epoch::from_number(1) }
    }
}

/// Some entries in a row, and what they do to the tree.
#[derive(Debug)]
pub(in crate::nib) struct Sealed {
    pub(in crate::nib) entries: Vec<SealedEvent>,
    pub(in crate::nib) growth: Growth,
}

/// Seals events that follow the tree with this edge.
///
/// # Errors
/// [`NibError::Invalid`] for an event that has no entry.
pub(in crate::nib) fn seal<'e>(
    sealer: &mut dyn Sealer,
    edge: &Edge,
    in_effect: InEffect,
    events: impl IntoIterator<Item = &'e NewEvent>,
) -> Result<Sealed, NibError> {
    let (mut entries, mut leaves) = (Vec::new(), Vec::new());
    let signer = sealer.signer();
    for (seq, event) in (edge.size..).zip(events) {
        let draft = draft(sealer, seq, in_effect, event)?;
        let signed = signer.sign(&draft.body);
        leaves.push(signed.leaf);
        entries.push(SealedEvent::new(draft, signed));
    }
    let growth = sealer.append(edge, &leaves).map_err(|error| NibError::Corrupt { detail: error.to_string() })?;
    Ok(Sealed { entries, growth })
}

/// The entry of an event at a place, but for its signature.
///
/// # Errors
/// [`NibError::Invalid`] for an event that has no entry.
pub(in crate::nib) fn draft(
    sealer: &mut dyn Sealer,
    seq: u64,
    in_effect: InEffect,
    event: &NewEvent,
) -> Result<Draft, NibError> {
    let InEffect { policy_version, epoch } = in_effect;
    let place = Place { seq: EventSeq::from_number(seq), policy_version, epoch };
    sealer.draft(place, event).map_err(|error| NibError::Invalid {
        detail: format!("{} about {:?}: {error}", event.event_type, event.subject),
    })
}

/// The events of a commit, in their order.
pub(in crate::nib) fn events(changes: &[Change]) -> impl Iterator<Item = &NewEvent> {
    changes.iter().filter_map(|change| match change {
        Change::Append(event) => Some(event),
        _ => None,
    })
}

/// Refuses events of a log that is open, while the key that seals them is not there.
pub(in crate::nib) fn locked() -> NibError {
    NibError::Unavailable {
        attempted: "to append an event: the event log is open, and was not opened with the controller's key yet",
        source: None,
    }
}

/// Refuses to write another log than the stored one.
///
/// # Errors
/// [`NibError::Invalid`].
pub(in crate::nib) fn same_log(stored: &Origin, sealer: &dyn Sealer) -> Result<(), NibError> {
    if stored == sealer.origin() {
        return Ok(());
    }
    Err(NibError::Invalid { detail: format!("the NIB holds the log {stored}, not {}", sealer.origin()) })
}

/// Whether a head may follow the newest one of its log.
///
/// # Errors
/// [`NibError::Conflict`] when the newest is another than was read, [`NibError::Invalid`] for a head
/// of fewer entries: what was signed is not taken back.
pub(in crate::nib) fn follows(head: &StoredHead, after: Option<u64>, newest: Option<u64>) -> Result<(), NibError> {
    if newest != after {
        // The size is the only version that a head has.
        let version = |size: u64| Version::from_number(u32::try_from(size).unwrap_or(u32::MAX));
        let row = Row::Head(head.origin.clone());
        return Err(NibError::Conflict { row, expected: after.map(version), found: newest.map(version) });
    }
    match newest {
        Some(newest) if head.size < newest => Err(NibError::Invalid {
            detail: format!("a head of {} entries of {} follows one of {newest}", head.size, head.origin),
        }),
        _ => Ok(()),
    }
}
