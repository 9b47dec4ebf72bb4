//! What becomes of an item that a controller below sent.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::draft::{Draft, Rows};
use super::{merge, summary, tell};
use crate::algorithms::report::root::state_root;
use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::device::DeviceId;
use crate::domain::digest::Digest;
use crate::domain::event::{EventType, NewEvent};
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::registry::{ControllerRow, Standing};
use crate::domain::stream::{Stream, StreamChange};
use crate::domain::time::Timestamp;
use crate::wire::canonical::CanonicalError;
use crate::wire::report::{Report, ReportedDevice, SnapshotPart, Summary, Wanted};

/// Whose view it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier<'a> {
    /// Of a Regional Controller, which takes the reports of its Local ones and tells the Global one.
    Regional {
        /// Its region.
        region: &'a Region,
        /// The Local Controllers whose reports came since the last summary.
        reported: &'a BTreeSet<ControllerId>,
        /// Those that are overdue.
        missing: &'a BTreeSet<ControllerId>,
        /// Whether a summary is due although nothing changed.
        is_summary_due: bool,
    },
    /// Of the Global Controller, which takes summaries.
    Global {
        /// The Local Controllers that the sender told as missing before.
        missing: &'a BTreeSet<ControllerId>,
    },
}

/// What the decision needs to know besides the rows.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// When the item came.
    pub now: Timestamp,
    /// Whose view it is, by name.
    pub own: &'a ControllerId,
    /// And by tier.
    pub tier: Tier<'a>,
    /// The policy in effect here.
    pub policy_version: Option<PolicyVersion>,
    /// Policy: more new devices than this at once are an anomaly.
    pub spike_threshold: u32,
}

/// What a stream carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Of a Local Controller.
    Report(Report),
    /// Of a Regional one.
    Summary(Summary),
}

impl Item {
    /// The stream that it belongs to.
    pub const fn stream(&self) -> Stream {
        match self {
            Self::Report(_) => Stream::Reports,
            Self::Summary(_) => Stream::Summaries,
        }
    }

    /// The devices that it tells of.
    pub fn devices(&self) -> &[ReportedDevice] {
        match self {
            Self::Report(report) => &report.devices,
            Self::Summary(summary) => &summary.devices,
        }
    }

    /// The devices that are no more.
    pub fn removed(&self) -> &[DeviceId] {
        match self {
            Self::Report(report) => &report.removed,
            Self::Summary(summary) => &summary.removed,
        }
    }

    /// Its place in a snapshot.
    pub const fn snapshot(&self) -> Option<SnapshotPart> {
        match self {
            Self::Report(report) => report.snapshot,
            Self::Summary(summary) => summary.snapshot,
        }
    }

    /// The root of the reporter's devices after it.
    pub const fn state_root(&self) -> Option<Digest> {
        match self {
            Self::Report(report) => report.state_root,
            Self::Summary(summary) => summary.state_root,
        }
    }

    /// Whether everything that its reporter told must be read to apply it.
    pub fn concerns_all(&self) -> bool {
        self.state_root().is_some() || self.snapshot().is_some_and(SnapshotPart::is_last)
    }

    const fn policy_version(&self) -> Option<PolicyVersion> {
        match self {
            Self::Report(report) => report.policy_version,
            Self::Summary(summary) => summary.policy_version,
        }
    }
}

/// An item as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming<'a> {
    /// Who sent it.
    pub from: &'a ControllerId,
    /// The sender as this controller keeps it.
    pub row: Option<&'a ControllerRow>,
    /// The last item of its stream that was applied.
    pub received: StreamSeq,
    /// The number of this one.
    pub seq: StreamSeq,
    /// The item.
    pub item: &'a Item,
}

/// Whose item is applied.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sender<'a> {
    pub id: &'a ControllerId,
    pub region: Option<&'a Region>,
    pub seq: StreamSeq,
    /// The number of the first item of the snapshot that it belongs to.
    pub snapshot: Option<StreamSeq>,
    /// Whether it tells what others of its region observed.
    pub tells_for_region: bool,
}

/// What becomes of an item: to be committed together, and then said.
#[derive(Debug, Clone, PartialEq)]
pub struct Absorbed {
    /// Rows, events, the number that was taken, and the summary for the next tier.
    pub changes: Vec<Change>,
    /// What is acknowledged after the commit.
    pub ack: Option<StreamSeq>,
    /// What is asked for after the commit.
    pub request: Option<Wanted>,
    /// In one word.
    pub outcome: Outcome,
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was refused, and nothing is said to its sender.
    Rejected(Rejection),
    /// It was taken before.
    Repeated,
    /// One before it is missing.
    Gap,
    /// It was applied.
    Taken {
        /// Whether a summary of it waits for the next tier.
        is_summarised: bool,
    },
}

/// Why an item is refused (discovery stage 7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rejection {
    /// Its sender is not one of this controller's.
    UnknownSender,
    /// Its sender is suspended, locked or revoked.
    SenderNotActive,
    /// Its sender is of a tier that does not send this here.
    WrongTier,
    /// Its sender, or what it tells, belongs to another region.
    WrongRegion,
}

impl Rejection {
    /// The name in events.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownSender => "UNKNOWN_SENDER",
            Self::SenderNotActive => "SENDER_NOT_ACTIVE",
            Self::WrongTier => "WRONG_TIER",
            Self::WrongRegion => "WRONG_REGION",
        }
    }
}

impl Context<'_> {
    pub(super) fn event(&self, event_type: EventType, subject: String, payload: Value) -> NewEvent {
        NewEvent { event_type, actor: self.own.to_string(), subject, timestamp: self.now, payload }
    }
}

/// Decides what becomes of an item. What was taken before is acknowledged again and changes nothing;
/// what comes too early is not taken, for it would be applied out of order; only the beginning of a
/// snapshot may jump over what is missing.
///
/// # Errors
/// [`CanonicalError`] when the summary of it cannot be written: never for what can be read.
pub fn absorb(incoming: &Incoming<'_>, rows: &Rows, context: &Context<'_>) -> Result<Absorbed, CanonicalError> {
    let Incoming { from, seq, received, item, .. } = *incoming;
    let region = match admit(incoming, context) {
        Ok(row) => &row.region,
        Err(rejection) => return Ok(rejected(incoming, rejection, context)),
    };
    let without_change = |ack, request, outcome| Ok(Absorbed { changes: Vec::new(), ack, request, outcome });
    if seq <= received {
        return without_change(Some(received), None, Outcome::Repeated);
    }
    if seq > received.next() && !item.snapshot().is_some_and(SnapshotPart::is_first) {
        return without_change(None, Some(Wanted::From(received.next())), Outcome::Gap);
    }
    let snapshot = item.snapshot().map(|part| part.first(seq));
    let tells_for_region = matches!(item, Item::Summary(_));
    let sender = Sender { id: from, region: Some(region), seq, snapshot, tells_for_region };
    let mut draft = Draft::new(rows);
    item.devices().iter().for_each(|told| merge::tell(&mut draft, told, &sender, context));
    item.removed().iter().for_each(|gone| merge::forget(&mut draft, *gone, &sender, context));
    let untold = untold(&draft, &sender, item);
    untold.iter().for_each(|gone| merge::forget(&mut draft, *gone, &sender, context));

    let mut events = tell::of_item(item, &sender, context);
    events.extend(tell::of_devices(&draft, item, &sender, context));
    let agrees = match item.state_root() {
        Some(root) => root == state_root(&draft.traces(from)?)?,
        None => true,
    };
    if agrees && let Some(part) = item.snapshot().filter(|part| part.is_last()) {
        let payload = json!({ "parts": part.parts(), "devices": draft.told_by(from).count(), "dropped": untold.len() });
        events.push(context.event(EventType::ViewResynchronised, from.to_string(), payload));
    }
    let summaries = match context.tier {
        Tier::Regional { .. } => summary::of_item(&draft, &events, &sender, context)?,
        Tier::Global { .. } => Vec::new(),
    };
    let outcome = Outcome::Taken { is_summarised: !summaries.is_empty() };
    let mut changes = draft.changes();
    let taken = StreamChange::Receive { from: from.clone(), stream: item.stream(), after: received, seq };
    changes.push(Change::Stream(taken));
    changes.extend(events.into_iter().map(Change::Append));
    changes.extend(summaries);
    Ok(Absorbed { changes, ack: Some(seq), request: (!agrees).then_some(Wanted::Snapshot), outcome })
}

/// The sender, if it may tell this here (discovery stage 7).
fn admit<'a>(incoming: &Incoming<'a>, context: &Context<'_>) -> Result<&'a ControllerRow, Rejection> {
    let row = incoming.row.ok_or(Rejection::UnknownSender)?;
    if row.standing != Standing::Active {
        return Err(Rejection::SenderNotActive);
    }
    let (role, region) = match (context.tier, incoming.item) {
        (Tier::Regional { region, .. }, Item::Report(_)) => (Role::Local, region),
        (Tier::Global { .. }, Item::Summary(summary)) => (Role::Regional, &summary.region),
        _ => return Err(Rejection::WrongTier),
    };
    if row.role != role {
        return Err(Rejection::WrongTier);
    }
    if row.region == *region { Ok(row) } else { Err(Rejection::WrongRegion) }
}

fn rejected(incoming: &Incoming<'_>, rejection: Rejection, context: &Context<'_>) -> Absorbed {
    let payload = json!({
        "reason": rejection.as_str(),
        "stream": incoming.item.stream(),
        "seq": incoming.seq,
        "devices": incoming.item.devices().len(),
    });
    let event = context.event(EventType::DiscoveryReportRejected, incoming.from.to_string(), payload);
    Absorbed { changes: vec![Change::Append(event)], ack: None, request: None, outcome: Outcome::Rejected(rejection) }
}

/// At the end of a snapshot: what its reporter told before and not again.
fn untold(draft: &Draft<'_>, sender: &Sender<'_>, item: &Item) -> Vec<DeviceId> {
    let Some(part) = item.snapshot().filter(|part| part.is_last()) else { return Vec::new() };
    let first = part.first(sender.seq);
    draft.told_by(sender.id).filter(|seen| seen.told_by < first).map(|seen| seen.reported).collect()
}

/// What becomes of the devices of a controller that has been silent for so long that policy gives them
/// up: they are inactive where nobody else sees them. When it is back, the roots do not agree, and its
/// snapshot mends it. `rows` has all that it told.
///
/// # Errors
/// [`CanonicalError`]: never for what can be read.
pub fn give_up(silent: &ControllerId, rows: &Rows, context: &Context<'_>) -> Result<Vec<Change>, CanonicalError> {
    let mut draft = Draft::new(rows);
    merge::lose(&mut draft, silent, context);
    let events = tell::of_silence(&draft, context);
    let mut changes = draft.changes();
    let summary = summary::of_loss(&draft, context)?;
    changes.extend(events.into_iter().map(Change::Append));
    changes.extend(summary);
    Ok(changes)
}

/// Whether an item was made under another policy than the one in effect here.
pub(super) fn is_stale(item: &Item, context: &Context<'_>) -> bool {
    item.policy_version() != context.policy_version
}

/// The policy that the reporter runs.
pub(super) const fn policy_of(item: &Item) -> Option<PolicyVersion> {
    item.policy_version()
}
