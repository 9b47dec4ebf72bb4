//! The counters of a device that was seen.

use super::Context;
use super::row::answer_of;
use crate::algorithms::discovery::counters::compared;
use crate::algorithms::discovery::observation::DeviceObservation;
use crate::domain::change::Change;
use crate::domain::counters::{Counters, Readings};
use crate::domain::device::DeviceId;

/// What its interfaces counted, and what that comes to since they were last read. Who shows no interface
/// keeps them to himself.
pub(super) fn counters(device: DeviceId, observation: &DeviceObservation, context: &Context<'_>) -> Option<Change> {
    let (_, answer) = answer_of(observation)?;
    let told = answer.counters.as_ref().filter(|told| !told.interfaces.is_empty())?;
    let read_at = context.began.saturating_add(told.at);
    let now = Readings { read_at, engine: answer.engine.clone(), interfaces: told.interfaces.clone() };
    let interfaces = compared(context.readings.get(&device), &now);
    Some(Change::PutCounters(Counters { device, read_at, engine: now.engine, interfaces }))
}
