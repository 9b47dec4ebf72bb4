//! What a Regional Controller tells the Global one of its view (discovery stage 10).

use std::collections::{BTreeMap, BTreeSet};

use super::absorb::{Context, Sender, Tier};
use super::draft::Draft;
use super::tell::ESCALATED;
use crate::algorithms::discovery::delta::KnownDevice;
use crate::algorithms::report::facts;
use crate::algorithms::report::items::{enqueue, is_news, root_of, told_with};
use crate::algorithms::report::root::state_root;
use crate::algorithms::report::sharing::split;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region};
use crate::domain::device::{Device, DeviceStatus};
use crate::domain::event::NewEvent;
use crate::domain::fact::FactRow;
use crate::domain::number::PolicyVersion;
use crate::domain::time::Timestamp;
use crate::wire::canonical::CanonicalError;
use crate::wire::report::{Anomaly, ReportedDevice, Reporters, Summary};

/// At most so many anomalies are told in one summary; all are in the region's own log.
const MOST_ANOMALIES: usize = 64;

/// At most so many names are told in one list.
const MOST_NAMES: usize = 256;

/// A summary that tells of no device yet.
pub(super) fn frame(
    region: &Region,
    totals: &BTreeMap<DeviceStatus, u64>,
    lcs: Option<Reporters>,
    policy_version: Option<PolicyVersion>,
) -> Summary {
    let bounded = |(status, count): (&DeviceStatus, &u64)| (*status, u32::try_from(*count).unwrap_or(u32::MAX));
    Summary {
        region: region.clone(),
        totals: totals.iter().map(bounded).collect(),
        devices: Vec::new(),
        removed: Vec::new(),
        anomalies: Vec::new(),
        lcs,
        policy_version,
        snapshot: None,
        state_root: None,
    }
}

/// The names of those who reported and those who did not.
pub(super) fn reporters<'n>(
    reported: impl IntoIterator<Item = &'n ControllerId>,
    missing: impl IntoIterator<Item = &'n ControllerId>,
) -> Reporters {
    Reporters {
        reported: reported.into_iter().take(MOST_NAMES).cloned().collect(),
        missing: missing.into_iter().take(MOST_NAMES).cloned().collect(),
    }
}

/// The summary of an item that was applied: changes that write it to the stream of summaries. None
/// when it changes nothing that the Global Controller knows, and no summary is due.
pub(super) fn of_item(
    draft: &Draft<'_>,
    events: &[NewEvent],
    sender: &Sender<'_>,
    context: &Context<'_>,
) -> Result<Vec<Change>, CanonicalError> {
    let Tier::Regional { region, reported, missing, is_summary_due } = context.tier else { return Ok(Vec::new()) };
    let devices = news(draft)?;
    let found = events.iter().filter(|event| ESCALATED.contains(&event.event_type));
    let anomalies: Vec<Anomaly> = found.take(MOST_ANOMALIES).filter_map(anomaly).collect();
    let is_back = missing.contains(sender.id);
    if devices.is_empty() && anomalies.is_empty() && !is_back && !is_summary_due {
        return Ok(Vec::new());
    }
    let with_sender: BTreeSet<&ControllerId> = reported.iter().chain([sender.id]).collect();
    let lcs = reporters(with_sender, missing.iter().filter(|missing| *missing != sender.id));
    let state_root = draft.census()?.map(|census| state_root(&census)).transpose()?;
    let frame = frame(region, &draft.totals(), Some(lcs), context.policy_version);
    let items = split(&Summary { anomalies, state_root, ..frame }, devices, Vec::new())?;
    enqueue(&items, context.now)
}

/// The devices that the Global Controller does not know as they are, with what was learnt of them.
fn news(draft: &Draft<'_>) -> Result<Vec<ReportedDevice>, CanonicalError> {
    let is_learnt = |row: &FactRow| facts::is_news(draft.newest(row.device, row.fact.kind()).0, row);
    let is_told = |(before, device): &(Option<&Device>, &Device)| {
        before.is_none_or(|before| is_news(before, device)) || draft.learnt_of(device.id).any(is_learnt)
    };
    draft.both().filter(is_told).map(|(_, device)| told_with(device, draft.learnt_of(device.id))).collect()
}

fn anomaly(event: &NewEvent) -> Option<Anomaly> {
    let payload = event.payload.as_object()?.clone();
    Some(Anomaly { event: event.event_type, subject: event.subject.clone(), payload })
}

/// The summary of devices that were lost with their controller.
pub(super) fn of_loss(draft: &Draft<'_>, context: &Context<'_>) -> Result<Vec<Change>, CanonicalError> {
    let Tier::Regional { region, missing, .. } = context.tier else { return Ok(Vec::new()) };
    let devices = news(draft)?;
    let state_root = draft.census()?.map(|census| state_root(&census)).transpose()?;
    let frame = frame(region, &draft.totals(), Some(reporters([], missing)), context.policy_version);
    enqueue(&split(&Summary { state_root, ..frame }, devices, Vec::new())?, context.now)
}

/// The frame of a snapshot of a Regional Controller's view.
///
/// # Errors
/// [`CanonicalError`]: never for these values.
pub fn of_view(
    region: &Region,
    devices: &[KnownDevice],
    policy_version: Option<PolicyVersion>,
) -> Result<Summary, CanonicalError> {
    let mut totals: BTreeMap<DeviceStatus, u64> = BTreeMap::new();
    devices.iter().for_each(|known| *totals.entry(known.device.status).or_default() += 1);
    let state_root = Some(root_of(devices)?);
    Ok(Summary { state_root, ..frame(region, &totals, None, policy_version) })
}

/// A summary that says only who reported and who did not.
pub(super) fn of_silence(
    region: &Region,
    totals: &BTreeMap<DeviceStatus, u64>,
    missing: &BTreeSet<ControllerId>,
    policy_version: Option<PolicyVersion>,
    now: Timestamp,
) -> Result<Vec<Change>, CanonicalError> {
    enqueue(&[frame(region, totals, Some(reporters([], missing)), policy_version)], now)
}
