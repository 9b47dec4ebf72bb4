//! Who has not reported, and what is written of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::error;

use super::ViewSettings;
use super::look::load_all;
use super::take::Memory;
use crate::actors::identity::Own;
use crate::actors::nib::Nib;
use crate::algorithms::view::absorb::{Context, Tier, give_up};
use crate::algorithms::view::overdue::{Overdue, overdue, record};
use crate::domain::controller::{ControllerId, Role};
use crate::domain::registry::{ControllerRow, Standing};
use crate::domain::time::Timestamp;
use crate::nib::{NibError, NibReader};

/// Controllers are read in pages.
const PAGE: usize = 500;

/// Who is silent; it is written down.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub overdue: Overdue,
    pub has_summary: bool,
}

/// Looks at all Local Controllers below and writes down which silences are new.
pub(super) async fn check(
    own: Option<Arc<Own>>,
    settings: ViewSettings,
    memory: Memory,
    since: Timestamp,
    nib: Nib,
    now: Timestamp,
) -> Result<Found, NibError> {
    let Some(own) = own.filter(|own| own.role == Role::Regional) else { return Ok(Found::default()) };
    let Some(region) = own.region.clone() else { return Ok(Found::default()) };
    let look = |reader: &dyn NibReader| {
        let policy_version = reader.policy()?.map(|policy| policy.version);
        Ok((children(reader)?, reader.count_devices()?, policy_version))
    };
    let found = nib.decide(look, |(rows, totals, policy_version)| {
        let children = waited_for(&rows, &memory, since);
        let found = overdue(&children, &memory.silences, settings.limits, now);
        let changes = record(&found, (&own.id, &region), &totals, policy_version, now);
        let changes = changes.unwrap_or_else(|error| {
            error!(%error, "who is silent cannot be told");
            Vec::new()
        });
        let has_summary = !changes.is_empty();
        (changes, (Found { overdue: found, has_summary }, policy_version))
    });
    let (mut found, policy_version) = found.await?;
    let missing = found.overdue.missing.clone();
    for silent in &found.overdue.give_up {
        let tier = Tier::Regional { region: &region, reported: &missing, missing: &missing, is_summary_due: false };
        let spike_threshold = settings.spike_threshold;
        let context = Context { now, own: &own.id, tier, policy_version, spike_threshold };
        let (from, look_for) = (silent.clone(), silent.clone());
        let lost = nib.decide(
            move |reader| load_all(reader, &look_for),
            |rows| (give_up(&from, &rows, &context).unwrap_or_default(), ()),
        );
        lost.await?;
        found.has_summary = true;
    }
    Ok(found)
}

/// Those that should report, with when they last did, or since when they are waited for.
fn waited_for(rows: &[ControllerRow], memory: &Memory, since: Timestamp) -> BTreeMap<ControllerId, Timestamp> {
    let last = |row: &ControllerRow| {
        let heard = memory.heard.get(&row.id).copied();
        heard.unwrap_or_else(|| since.max(row.validated_at))
    };
    rows.iter().map(|row| (row.id.clone(), last(row))).collect()
}

/// The controllers below that stand as active: of a Regional Controller, its Local ones.
pub(super) fn children(reader: &dyn NibReader) -> Result<Vec<ControllerRow>, NibError> {
    let mut all: Vec<ControllerRow> = Vec::new();
    loop {
        let page = reader.controllers(all.last().map(|row| &row.id), PAGE)?;
        if page.is_empty() {
            all.retain(|row| row.standing == Standing::Active);
            return Ok(all);
        }
        all.extend(page);
    }
}
