//! What every backend asks of a change before it looks at its rows.

pub(in crate::nib) mod registry;
mod stream;

use std::time::Duration;

use serde_json::Value;

use crate::domain::counters::Counters;
use crate::domain::device::{Device, DeviceId, Version};
use crate::nib::{Change, NibError};

/// The highest device number: the one above it must exist, for it is the next to be given away.
const HIGHEST_NUMBER: u32 = u32::MAX - 1;

/// How deep arrays and objects of a payload may be nested, so that every reader can follow.
const DEEPEST: usize = 100;

impl Change {
    /// Refuses what no version of the NIB could take.
    ///
    /// # Errors
    /// [`NibError::Invalid`].
    pub(in crate::nib) fn validate(&self) -> Result<(), NibError> {
        match self {
            Self::InsertDevice(device) => {
                let number = device.id.number();
                if !(1..=HIGHEST_NUMBER).contains(&number) {
                    return refuse(format!("device number {number} is not within 1 to {HIGHEST_NUMBER}"));
                }
                if device.version != Version::FIRST {
                    return refuse(format!(
                        "device {} is inserted with version {}; the first version is {}",
                        device.id,
                        device.version,
                        Version::FIRST
                    ));
                }
                validate_device(device)
            }
            Self::UpdateDevice(device) => validate_device(device),
            Self::TouchDevice { rtt, .. } => validate_rtt(*rtt),
            Self::PutFact(_) => Ok(()),
            Self::PutCounters(counters) => validate_counters(counters),
            Self::Append(event) if !event.payload.is_object() => {
                refuse(format!("the payload of {} about {:?} is not an object", event.event_type, event.subject))
            }
            Self::Append(event) if !is_nested_within(&event.payload, DEEPEST) => refuse(format!(
                "the payload of {} about {:?} is nested deeper than {DEEPEST} levels",
                event.event_type, event.subject
            )),
            Self::Append(_) => Ok(()),
            Self::Registry(change) => registry::validate(change),
            Self::Stream(change) => stream::validate(change),
            Self::PutSighting(sighting) => numbered("a report", sighting.told_by.number()),
            Self::PutPolicy(policy) => numbered("a policy", policy.version.number()),
            Self::RemoveDevice { .. } | Self::DropSighting { .. } | Self::Log(_) => Ok(()),
        }
    }
}

/// Why a device cannot go: a row of it is somebody else's.
pub(in crate::nib) fn told_of(id: DeviceId) -> NibError {
    NibError::Invalid { detail: format!("a controller below told of {id}, which therefore cannot be removed") }
}

fn validate_device(device: &Device) -> Result<(), NibError> {
    if !device.addresses.is_sorted_by(|one, next| one < next) {
        return refuse(format!("the addresses of {} are not ascending and distinct", device.id));
    }
    validate_rtt(device.rtt)
}

fn validate_counters(Counters { device, interfaces, .. }: &Counters) -> Result<(), NibError> {
    if interfaces.is_empty() {
        return refuse(format!("the counters of {device} are of no interface"));
    }
    if !interfaces.is_sorted_by(|one, next| one.index < next.index) {
        return refuse(format!("the interfaces that {device} counted at are not ascending and distinct"));
    }
    Ok(())
}

fn validate_rtt(rtt: Option<Duration>) -> Result<(), NibError> {
    match rtt {
        Some(rtt) if i64::try_from(rtt.as_nanos()).is_err() => {
            refuse(format!("a round trip of {} seconds cannot be stored", rtt.as_secs()))
        }
        _ => Ok(()),
    }
}

fn is_nested_within(value: &Value, levels: usize) -> bool {
    let Some(below) = levels.checked_sub(1) else { return !(value.is_array() || value.is_object()) };
    match value {
        Value::Array(items) => items.iter().all(|item| is_nested_within(item, below)),
        Value::Object(members) => members.values().all(|member| is_nested_within(member, below)),
        _ => true,
    }
}

/// Refuses 0, and what a store whose numbers have 63 bits cannot count on from.
fn numbered(what: &str, number: u64) -> Result<(), NibError> {
    match i64::try_from(number) {
        Ok(stored) if (1..i64::MAX).contains(&stored) => Ok(()),
        _ => refuse(format!("the number of {what} is not within 1 to {}, but {number}", i64::MAX - 1)),
    }
}

fn refuse(detail: String) -> Result<(), NibError> {
    Err(NibError::Invalid { detail })
}
