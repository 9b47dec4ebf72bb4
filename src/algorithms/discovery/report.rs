//! What a cycle tells about itself, from what its links saw.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::algorithms::discovery::sweep::LinkOutcome;
use crate::domain::change::Change;
use crate::domain::controller::ControllerId;
use crate::domain::cycle::{Completeness, CycleReport, DeltaCounts, ProtocolStats, RttSummary, Trigger, millis};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::protocol::Protocol;
use crate::domain::subnet::{Subnet, listed};
use crate::domain::time::Timestamp;

/// What a cycle set out to do.
#[derive(Debug, Clone, PartialEq)]
pub struct CycleOrder {
    /// Why.
    pub trigger: Trigger,
    /// When it began.
    pub started_at: Timestamp,
    /// What it covers.
    pub subnets: Vec<Subnet>,
    /// With what.
    pub protocols: Vec<Protocol>,
}

/// The report of a cycle whose sweep has ended, perhaps before its time, and whose result is not written yet.
pub fn report(order: &CycleOrder, outcomes: &[LinkOutcome], ended_early: bool, took: Duration) -> CycleReport {
    let mut totals: BTreeMap<Protocol, ProtocolStats> = BTreeMap::new();
    for outcome in outcomes {
        for (protocol, stats) in &outcome.stats {
            let total = totals.entry(*protocol).or_default();
            total.absorb(stats);
            if total.error.is_none() {
                total.error.clone_from(&outcome.failed);
            }
        }
    }
    let asked = |protocol: &Protocol| order.protocols.contains(protocol);
    let resolution = totals.remove(&Protocol::Arp).unwrap_or_default();
    totals.retain(|protocol, _| asked(protocol));
    let address_resolution = if asked(&Protocol::Arp) {
        totals.insert(Protocol::Arp, resolution);
        None
    } else {
        Some(resolution)
    };
    let answered = outcomes.iter().flat_map(|outcome| &outcome.hosts).filter(|host| !host.methods.is_empty());
    CycleReport {
        trigger: order.trigger,
        completeness: completeness(outcomes, ended_early),
        started_at: order.started_at,
        duration_ms: millis(took),
        subnets: order.subnets.clone(),
        targets: outcomes.iter().map(|outcome| outcome.targets as u64).sum(),
        protocols: totals,
        address_resolution,
        rtt: RttSummary::of(answered.filter_map(|host| host.rtt).collect()),
        hosts: 0,
        delta: DeltaCounts::default(),
        nib_commit_ms: None,
        too_long: None,
    }
}

fn completeness(outcomes: &[LinkOutcome], ended_early: bool) -> Completeness {
    match outcomes.iter().filter(|outcome| outcome.failed.is_some()).count() {
        0 if !ended_early => Completeness::Complete,
        0 => Completeness::Partial,
        failed if failed == outcomes.len() => Completeness::Failed,
        _ => Completeness::Partial,
    }
}

/// The events of the cycle itself: one for each protocol that could not be used, and its end.
pub fn events(report: &CycleReport, actor: &ControllerId, now: Timestamp) -> Vec<Change> {
    let event = |event_type, subject: String, payload| {
        Change::Append(NewEvent { event_type, actor: actor.to_string(), subject, timestamp: now, payload })
    };
    let mut events = Vec::new();
    for (protocol, stats) in &report.protocols {
        if let Some(error) = &stats.error {
            let payload = json!({ "protocol": protocol, "error": error });
            events.push(event(EventType::ScanProtocolFailed, protocol.to_string(), payload));
        }
    }
    let end = match report.completeness {
        Completeness::Failed => EventType::DiscoveryCycleFailed,
        Completeness::Complete | Completeness::Partial if report.targets == 0 => EventType::DiscoverySkipped,
        Completeness::Complete | Completeness::Partial => EventType::DiscoveryCycleCompleted,
    };
    let mut payload = serde_json::to_value(report).unwrap_or_default();
    shorten(&mut payload);
    events.push(event(end, listed(&report.subnets), payload));
    events
}

/// Leaves out what nothing is told by: on a good link two thirds of what protocols count is zero. Of
/// what a cycle leaves behind that finds nothing new this event is all, and it stays for good.
fn shorten(payload: &mut Value) {
    let Some(payload) = payload.as_object_mut() else { return };
    payload.retain(|_, value| !value.is_null());
    let by_protocol = payload.get_mut("protocols").and_then(Value::as_object_mut);
    for stats in by_protocol.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        stats.retain(|_, value| !value.is_null() && value.as_u64() != Some(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(failed: Option<&str>, sent: u64) -> LinkOutcome {
        let stats = ProtocolStats { sent, ..ProtocolStats::default() };
        LinkOutcome {
            targets: 253,
            hosts: Vec::new(),
            stats: Protocol::ALL.map(|protocol| (protocol, stats.clone())),
            failed: failed.map(str::to_owned),
            unreached: std::collections::BTreeSet::new(),
        }
    }

    fn order(protocols: &[Protocol]) -> CycleOrder {
        CycleOrder {
            trigger: Trigger::OnDemand,
            started_at: Timestamp::from_millis(0),
            subnets: vec!["10.0.1.0/24".parse().unwrap()],
            protocols: protocols.to_vec(),
        }
    }

    fn types(report: &CycleReport) -> Vec<EventType> {
        let events = events(report, &ControllerId::standalone(), Timestamp::from_millis(1));
        let kind = |change| match change {
            Change::Append(event) => event.event_type,
            other => panic!("{other:?} is no event"),
        };
        events.into_iter().map(kind).collect()
    }

    #[test]
    fn a_link_that_failed_makes_a_partial_cycle_and_an_event_for_each_protocol() {
        let outcomes = [outcome(None, 5), outcome(Some("eth1 is down"), 2)];
        let report = report(&order(&Protocol::ALL), &outcomes, false, Duration::from_millis(700));
        assert_eq!(report.completeness, Completeness::Partial);
        assert_eq!(report.protocols[&Protocol::Icmp].sent, 7);
        assert_eq!(report.protocols[&Protocol::Snmp].error.as_deref(), Some("eth1 is down"));
        let failed = EventType::ScanProtocolFailed;
        assert_eq!(types(&report), [failed, failed, failed, EventType::DiscoveryCycleCompleted]);
    }

    #[test]
    fn a_cycle_on_no_working_link_has_failed() {
        let report = report(&order(&Protocol::ALL), &[outcome(Some("eth1 is down"), 0)], false, Duration::ZERO);
        assert_eq!(report.completeness, Completeness::Failed);
        assert_eq!(types(&report).last(), Some(&EventType::DiscoveryCycleFailed));
    }

    #[test]
    fn a_cycle_that_was_ended_before_its_time_is_partial_unless_it_had_failed() {
        let of = |failed| report(&order(&Protocol::ALL), &[outcome(failed, 5)], true, Duration::ZERO);
        assert_eq!(of(None).completeness, Completeness::Partial);
        assert_eq!(types(&of(None)), [EventType::DiscoveryCycleCompleted]);
        assert_eq!(of(Some("eth1 is down")).completeness, Completeness::Failed);
    }

    #[test]
    fn an_event_leaves_out_what_is_nothing_and_is_read_as_the_whole() {
        let error = Some("eth1 is down");
        let report = report(&order(&[Protocol::Icmp]), &[outcome(None, 5), outcome(error, 2)], false, Duration::ZERO);
        let Some(Change::Append(event)) = events(&report, &ControllerId::standalone(), Timestamp::from_millis(1)).pop()
        else {
            panic!("no event");
        };
        let told = json!({ "sent": 7, "duration_ms": 0.0, "error": "eth1 is down" });
        assert_eq!(event.payload["protocols"], json!({ "icmp": told }));
        assert_eq!((&event.payload["rtt"], &event.payload["delta"]["missed"]), (&Value::Null, &json!(0)));
        assert!(event.payload.as_object().is_some_and(|payload| payload.values().all(|value| !value.is_null())));
        assert_eq!(serde_json::from_value::<CycleReport>(event.payload).unwrap(), report);
    }

    #[test]
    fn a_cycle_with_nobody_to_ask_was_skipped() {
        let nobody = [LinkOutcome { targets: 0, ..outcome(None, 0) }];
        let report = report(&order(&Protocol::ALL), &nobody, false, Duration::ZERO);
        assert_eq!(types(&report), [EventType::DiscoverySkipped]);
    }

    #[test]
    fn resolution_for_other_protocols_is_not_called_arp() {
        let report = report(&order(&[Protocol::Icmp]), &[outcome(None, 5)], false, Duration::ZERO);
        assert_eq!(report.protocols.keys().copied().collect::<Vec<_>>(), [Protocol::Icmp]);
        assert_eq!(report.address_resolution.map(|stats| stats.sent), Some(5));
    }
}
