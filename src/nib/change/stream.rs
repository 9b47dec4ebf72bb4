//! What no stream takes.

use serde::de::IgnoredAny;

use crate::domain::stream::StreamChange;
use crate::nib::NibError;
use crate::nib::change::{numbered, refuse};

pub(super) fn validate(change: &StreamChange) -> Result<(), NibError> {
    match change {
        // It would be sent, and refused, for ever.
        StreamChange::Enqueue { stream, body, .. } => match serde_json::from_str::<IgnoredAny>(body) {
            Ok(_) => Ok(()),
            Err(error) => refuse(format!("a body for the {stream} is not JSON: {error}")),
        },
        StreamChange::Receive { from, stream, after, seq } if seq <= after => {
            refuse(format!("item {seq} of the {stream} of {from} cannot follow item {after}"))
        }
        StreamChange::Receive { seq, .. } => numbered("an item", seq.number()),
        StreamChange::Acknowledge { .. } | StreamChange::Discard { .. } => Ok(()),
    }
}
