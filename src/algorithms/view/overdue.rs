//! Local Controllers that do not report (the hierarchy's offline behaviour).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::summary;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::device::DeviceStatus;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::number::PolicyVersion;
use crate::domain::time::Timestamp;
use crate::wire::canonical::CanonicalError;

/// How long silence is taken for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Policy: a Local Controller reports at least so often.
    pub report_timeout: Duration,
    /// How long after that its devices are given up: as many discovery intervals as a device may miss.
    pub give_up_after: Duration,
}

/// What a silent controller was told and what was written of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Silence {
    /// When it was last asked for a report.
    pub asked_at: Timestamp,
    /// Whether its devices were given up.
    pub is_given_up: bool,
}

/// Who is silent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overdue {
    /// The silence is new: to be written down.
    pub new: Vec<(ControllerId, Timestamp)>,
    /// To be asked for a report: now, and then once in each timeout.
    pub ask: Vec<ControllerId>,
    /// Their devices are to be given up.
    pub give_up: Vec<ControllerId>,
    /// All who are overdue.
    pub missing: BTreeSet<ControllerId>,
}

/// Looks who is silent. `children` are those that should report, with when they last did, or since when
/// they are waited for; `known` what was made of silences so far.
pub fn overdue(
    children: &BTreeMap<ControllerId, Timestamp>,
    known: &BTreeMap<ControllerId, Silence>,
    limits: Limits,
    now: Timestamp,
) -> Overdue {
    let mut found = Overdue::default();
    for (child, since) in children {
        let silent = now.since(*since);
        if silent <= limits.report_timeout {
            continue;
        }
        let silence = known.get(child);
        found.missing.insert(child.clone());
        if silence.is_none() {
            found.new.push((child.clone(), *since));
        }
        if silence.is_none_or(|silence| now.since(silence.asked_at) >= limits.report_timeout) {
            found.ask.push(child.clone());
        }
        let is_given_up = silence.is_some_and(|silence| silence.is_given_up);
        if !is_given_up && silent > limits.report_timeout.saturating_add(limits.give_up_after) {
            found.give_up.push(child.clone());
        }
    }
    found
}

/// What is written when silences are new: an event each, and a summary that names all who are missing.
///
/// # Errors
/// [`CanonicalError`]: never for these values.
pub fn record(
    overdue: &Overdue,
    own: (&ControllerId, &Region),
    totals: &BTreeMap<DeviceStatus, u64>,
    policy_version: Option<PolicyVersion>,
    now: Timestamp,
) -> Result<Vec<Change>, CanonicalError> {
    if overdue.new.is_empty() {
        return Ok(Vec::new());
    }
    let event = |(child, since): &(ControllerId, Timestamp)| {
        Change::Append(NewEvent {
            event_type: EventType::LcDiscoveryOverdue,
            actor: own.0.to_string(),
            subject: child.to_string(),
            timestamp: now,
            payload: json!({ "last_report": since, "silent_seconds": now.since(*since).as_secs() }),
        })
    };
    let mut changes: Vec<Change> = overdue.new.iter().map(event).collect();
    changes.extend(summary::of_silence(own.1, totals, &overdue.missing, policy_version, now)?);
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { report_timeout: Duration::from_secs(600), give_up_after: Duration::from_secs(900) };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn id(text: &str) -> ControllerId {
        text.parse().unwrap()
    }

    #[test]
    fn a_silence_is_told_once_and_asked_about_once_in_each_timeout() {
        let children = BTreeMap::from([(id("a"), at(0)), (id("b"), at(500))]);
        let mut known = BTreeMap::new();
        assert_eq!(overdue(&children, &known, LIMITS, at(600)), Overdue::default());
        let found = overdue(&children, &known, LIMITS, at(601));
        assert_eq!((found.new, found.ask, found.give_up), (vec![(id("a"), at(0))], vec![id("a")], vec![]));
        known.insert(id("a"), Silence { asked_at: at(601), is_given_up: false });
        let found = overdue(&children, &known, LIMITS, at(700));
        assert_eq!((found.new.len(), found.ask.len(), found.missing), (0, 0, BTreeSet::from([id("a")])));
        let found = overdue(&children, &known, LIMITS, at(1_201));
        assert_eq!((found.new, found.ask), (vec![(id("b"), at(500))], vec![id("a"), id("b")]));
    }

    #[test]
    fn the_devices_of_who_stays_silent_are_given_up_once() {
        let children = BTreeMap::from([(id("a"), at(0))]);
        let mut known = BTreeMap::from([(id("a"), Silence { asked_at: at(601), is_given_up: false })]);
        assert_eq!(overdue(&children, &known, LIMITS, at(1_500)).give_up, []);
        assert_eq!(overdue(&children, &known, LIMITS, at(1_501)).give_up, [id("a")]);
        known.insert(id("a"), Silence { asked_at: at(601), is_given_up: true });
        assert_eq!(overdue(&children, &known, LIMITS, at(9_999)).give_up, []);
    }

    #[test]
    fn what_is_written_names_all_who_are_missing() {
        let children = BTreeMap::from([(id("a"), at(0)), (id("b"), at(0))]);
        let known = BTreeMap::from([(id("b"), Silence { asked_at: at(601), is_given_up: false })]);
        let found = overdue(&children, &known, LIMITS, at(700));
        let region = "zone-A".parse().unwrap();
        let changes = record(&found, (&id("rc"), &region), &BTreeMap::new(), None, at(700)).unwrap();
        let [Change::Append(event), Change::Stream(crate::domain::stream::StreamChange::Enqueue { body, .. })] =
            changes.as_slice()
        else {
            panic!("{changes:?}")
        };
        assert_eq!((event.event_type, event.subject.as_str()), (EventType::LcDiscoveryOverdue, "a"));
        assert!(body.contains(r#""missing":["a","b"]"#), "{body}");
        assert_eq!(record(&Overdue::default(), (&id("rc"), &region), &BTreeMap::new(), None, at(700)).unwrap(), []);
    }
}
