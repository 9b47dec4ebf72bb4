//! From what the NIB says to what is written: the decisions of `algorithms::policy` with their events.

use std::sync::Arc;

use serde_json::json;

use super::{InEffect, PolicyActorError, SetPolicy};
use crate::actors::identity::Own;
use crate::algorithms::policy::known::{Known, KnownPolicy, PolicySummary};
use crate::algorithms::policy::set::{self, Issuer, SetError, row};
use crate::algorithms::policy::take::{self, TakeError};
use crate::algorithms::trust::chain::Trust;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Role};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::number::PolicyVersion;
use crate::domain::operator::Operator;
use crate::domain::policy::{Policy, PolicyRow};
use crate::domain::reason::Reason;
use crate::domain::time::Timestamp;
use crate::nib::{NibError, NibReader};
use crate::wire::policy::{PolicyAck, PolicyRefusal, PolicyUpdate};

/// Who decides, and when.
pub(super) struct Judge {
    pub(super) own: Arc<Own>,
    pub(super) configured: Policy,
    pub(super) now: Timestamp,
    /// What was refused last.
    pub(super) refused: Option<(PolicyVersion, Reason)>,
}

/// What becomes of an update.
pub(super) struct Decided {
    /// What is in effect from now on, if something was taken.
    pub(super) in_effect: Option<InEffect>,
    /// What the sender is told.
    pub(super) ack: PolicyAck,
    /// What was refused.
    pub(super) refused: Option<(PolicyVersion, Reason)>,
    /// Whether the sender may know.
    pub(super) is_from_parent: bool,
}

/// The newest policies of a NIB.
pub(super) fn look(reader: &dyn NibReader) -> Result<Vec<PolicyRow>, NibError> {
    let Some(newest) = reader.policy()? else { return Ok(Vec::new()) };
    reader.policies(Known::after(newest.version), crate::algorithms::policy::known::WINDOW)
}

/// A policy for those who ask.
pub(super) fn summary(row: &PolicyRow) -> Result<PolicySummary, PolicyActorError> {
    KnownPolicy::try_from(row).map(|policy| policy.summary()).map_err(PolicyActorError::Damaged)
}

/// What is in effect: what this row says, or the configuration.
pub(super) fn in_effect(row: Option<&PolicyRow>, configured: Policy) -> Result<InEffect, PolicyActorError> {
    let document = row.map(summary).transpose()?;
    let values = document.as_ref().map_or(configured, |document| document.values.clone());
    Ok(InEffect { values, document })
}

impl Judge {
    /// What is in effect at the start. A Global Controller without a policy makes the first one of its
    /// configuration.
    pub(super) fn begin(&self, rows: &[PolicyRow]) -> (Vec<Change>, Result<InEffect, PolicyActorError>) {
        if self.own.role != Role::Global || !rows.is_empty() {
            return (Vec::new(), in_effect(rows.last(), self.configured.clone()));
        }
        let made = self.make(&Known::default(), self.configured.clone(), None, None);
        told(
            made.map(|(changes, summary)| {
                (changes, InEffect { values: summary.values.clone(), document: Some(summary) })
            }),
        )
    }

    /// What an operator sets.
    pub(super) fn set(
        &self,
        rows: &[PolicyRow],
        order: &SetPolicy,
    ) -> (Vec<Change>, Result<PolicySummary, PolicyActorError>) {
        if self.own.role != Role::Global {
            return (Vec::new(), Err(SetError::NotGlobal.into()));
        }
        let known = Known::read(rows).map_err(PolicyActorError::Damaged);
        told(known.and_then(|known| self.make(&known, order.values.clone(), order.expires_at, Some(&order.by))))
    }

    fn make(
        &self,
        known: &Known,
        values: Policy,
        expires_at: Option<Timestamp>,
        by: Option<&Operator>,
    ) -> Result<(Vec<Change>, PolicySummary), PolicyActorError> {
        let issuer = Issuer { id: &self.own.id, key: &self.own.key, epoch: self.own.epoch };
        let policy = set::set(values, expires_at, known, issuer, self.now)?;
        let summary = policy.summary();
        let payload = json!({
            "version": summary.version,
            "by": by,
            "source": if by.is_some() { "operator" } else { "configuration" },
            "digest": summary.digest,
            "expires_at": summary.expires_at,
            "values": summary.values,
        });
        let row = row(&policy).map_err(SetError::from)?;
        Ok((vec![Change::PutPolicy(row), self.event(EventType::PolicySet, summary.version, payload)], summary))
    }

    /// What becomes of an update.
    pub(super) fn take(
        &self,
        rows: &[PolicyRow],
        from: &ControllerId,
        update: &PolicyUpdate,
    ) -> (Vec<Change>, Result<Decided, PolicyActorError>) {
        let known = match Known::read(rows) {
            Ok(known) => known,
            Err(damage) => return (Vec::new(), Err(PolicyActorError::Damaged(damage))),
        };
        let is_from_parent = self.own.parent.as_ref() == Some(from);
        let trust = Trust { pin: self.own.pin, now: self.now, epoch: Some(self.own.epoch), is_revoked: &|_| false };
        let taken = match is_from_parent {
            true => take::take(update, &known, &trust),
            false => Err(TakeError::NotFromParent(from.clone())),
        };
        let rows = taken.and_then(|taken| {
            let rows = taken.iter().map(row).collect::<Result<Vec<_>, _>>()?;
            Ok((taken, rows))
        });
        match rows {
            Ok((taken, rows)) => self.taken(&known, taken, rows, from),
            Err(error) => self.refused(&known, error.refusal(update), from, is_from_parent),
        }
    }

    fn taken(
        &self,
        known: &Known,
        taken: Vec<KnownPolicy>,
        rows: Vec<PolicyRow>,
        from: &ControllerId,
    ) -> (Vec<Change>, Result<Decided, PolicyActorError>) {
        let mut changes: Vec<_> = rows.into_iter().map(Change::PutPolicy).collect();
        let newest = taken.last().map(KnownPolicy::summary);
        let version = newest.as_ref().map(|newest| newest.version).or(known.version());
        if let Some(newest) = &newest {
            let before = known.version();
            let payload = json!({
                "version": newest.version,
                "from": from,
                "digest": newest.digest,
                "expires_at": newest.expires_at,
                "replaces": before,
                "missed": taken.len() - 1,
            });
            changes.push(self.event(EventType::PolicyTaken, newest.version, payload));
        }
        let in_effect = newest.map(|newest| InEffect { values: newest.values.clone(), document: Some(newest) });
        let ack = PolicyAck { version, refused: None };
        (changes, Ok(Decided { in_effect, ack, refused: None, is_from_parent: true }))
    }

    fn refused(
        &self,
        known: &Known,
        refusal: PolicyRefusal,
        from: &ControllerId,
        is_from_parent: bool,
    ) -> (Vec<Change>, Result<Decided, PolicyActorError>) {
        let refused = Some((refusal.version, refusal.reason));
        let mut changes = Vec::new();
        if self.refused != refused {
            let payload = json!({
                "from": from,
                "reason": refusal.reason,
                "detail": refusal.detail,
                "in_effect": known.version(),
            });
            changes.push(self.event(EventType::PolicyRefused, refusal.version, payload));
        }
        let ack = PolicyAck { version: known.version(), refused: Some(refusal) };
        (changes, Ok(Decided { in_effect: None, ack, refused, is_from_parent }))
    }

    fn event(&self, event_type: EventType, version: PolicyVersion, payload: serde_json::Value) -> Change {
        Change::Append(NewEvent {
            event_type,
            actor: self.own.id.to_string(),
            subject: format!("policy {version}"),
            timestamp: self.now,
            payload,
        })
    }
}

/// Changes and an answer, or no changes and why not.
fn told<T>(decided: Result<(Vec<Change>, T), PolicyActorError>) -> (Vec<Change>, Result<T, PolicyActorError>) {
    match decided {
        Ok((changes, told)) => (changes, Ok(told)),
        Err(error) => (Vec::new(), Err(error)),
    }
}
