//! The facts of a device that one reporter tells, and those that are kept of it.
//!
//! Of each fact and source the newest observation is kept, whoever has the device: what one controller
//! learnt is not erased because another one sees the device now, or because it is not told again. A
//! reporter alone says what replaces what it told itself, for its times are those of one clock.

use std::cmp::Reverse;

use super::absorb::{Context, Sender, Tier};
use super::draft::{Draft, FactKey};
use crate::algorithms::report::facts::{is_compared, is_told};
use crate::domain::controller::{ControllerId, ControllerName, Role};
use crate::domain::device::DeviceId;
use crate::domain::fact::{FactRow, FactVersions};
use crate::domain::stream::Sighting;
use crate::wire::report::ReportedFact;

/// Takes the facts that one reporter tells of a device; which of its facts are known then. `before` is
/// what it told of the device so far.
pub(super) fn take(
    draft: &mut Draft<'_>,
    told: &[ReportedFact],
    here: DeviceId,
    before: Option<&Sighting>,
    sender: &Sender<'_>,
    context: &Context<'_>,
) -> FactVersions {
    // What it meant another device by is not known of this one: it will be told again, for the roots
    // do not agree.
    let before = before.filter(|seen| seen.device == here);
    let known = before.map(|seen| seen.facts.clone()).unwrap_or_default();
    // A snapshot tells all, so what it does not tell its reporter does not have.
    let begins_anew = before.is_some_and(|seen| sender.snapshot.is_some_and(|first| seen.told_by < first));
    let mut versions = if begins_anew { FactVersions::default() } else { known.clone() };
    for fact in told.iter().filter(|told| is_told(told.fact.kind())) {
        let kind = fact.fact.kind();
        let is_again = !is_compared(kind) || known.get(kind, &fact.source) == Some(fact.observed_at);
        keep(draft, fact, here, is_again, sender, context);
        if is_compared(kind) {
            versions.put(kind, fact.source.clone(), fact.observed_at);
        }
    }
    versions
}

/// Keeps a fact if it is newer than what is known.
fn keep(
    draft: &mut Draft<'_>,
    told: &ReportedFact,
    here: DeviceId,
    is_again: bool,
    sender: &Sender<'_>,
    context: &Context<'_>,
) {
    let key: FactKey = (here, told.fact.kind(), told.source.clone());
    let observer = observer(told, sender, context);
    // A clock may be ahead; no value stays for ever by a time that has not come.
    let mut observed_at = told.observed_at.min(context.now);
    if let Some(kept) = draft.fact(&key) {
        let is_same = kept.fact == told.fact && kept.observer.as_ref() == Some(&observer);
        let is_own = kept.observer.as_ref().is_some_and(|kept| *kept == observer || speaks_for(sender, kept));
        let is_older = (observed_at, Reverse(Some(&observer))) < (kept.observed_at, Reverse(kept.observer.as_ref()));
        if (is_same && is_again) || (!is_own && is_older) {
            return;
        }
        observed_at = observed_at.max(kept.observed_at);
    }
    let row = FactRow {
        device: here,
        fact: told.fact.clone(),
        source: told.source.clone(),
        protocol: told.protocol,
        observed_at,
        observer: Some(observer),
    };
    if draft.fact(&key) != Some(&row) {
        draft.learnt.insert(key, row);
    }
}

/// Who observed it: a Local Controller itself, or one of the region whose controller tells.
fn observer(told: &ReportedFact, sender: &Sender<'_>, context: &Context<'_>) -> ControllerId {
    let told = match context.tier {
        Tier::Regional { .. } => None,
        Tier::Global { .. } => told.observer.as_ref().filter(|told| speaks_for(sender, told)),
    };
    told.unwrap_or(sender.id).clone()
}

/// Whether what this controller observed is told by the sender, and by nobody else.
fn speaks_for(sender: &Sender<'_>, observer: &ControllerId) -> bool {
    let own = observer == sender.id;
    let name = || observer.as_str().parse::<ControllerName>();
    own || sender.tells_for_region && name().is_ok_and(|name| name.fits(Role::Local, sender.region))
}
