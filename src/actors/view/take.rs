//! One item, from what is read for it to its commit.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tracing::error;

use super::{Rejection, Silence, ViewSettings};
use crate::actors::identity::Own;
use crate::actors::nib::Nib;
use crate::actors::view::look::{Loaded, load};
use crate::algorithms::view::absorb::{Absorbed, Context, Incoming, Item, Outcome, Tier, absorb};
use crate::algorithms::view::overdue::Overdue;
use crate::domain::controller::ControllerId;
use crate::domain::number::StreamSeq;
use crate::domain::time::Timestamp;
use crate::nib::NibError;

/// A rejection of the same sender for the same reason is an event once in this time.
const REJECTIONS_APART: Duration = Duration::from_secs(600);

/// At most so many rejections are remembered.
const MOST_REJECTIONS: usize = 256;

/// What a view remembers of those below.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    /// When each reported.
    pub heard: BTreeMap<ControllerId, Timestamp>,
    /// Those who did not.
    pub silences: BTreeMap<ControllerId, Silence>,
    /// Who reported since the last summary.
    reported: BTreeSet<ControllerId>,
    last_summary: Option<Timestamp>,
    /// Whom each Regional Controller told as missing.
    missing: BTreeMap<ControllerId, BTreeSet<ControllerId>>,
    rejections: BTreeMap<(ControllerId, Rejection), Timestamp>,
}

impl Memory {
    /// What operators are shown: when each last reported, and who does not.
    pub fn shown(&self) -> serde_json::Value {
        let missing: BTreeSet<&ControllerId> = self.silences.keys().chain(self.missing.values().flatten()).collect();
        serde_json::json!({ "last_report": self.heard, "missing": missing })
    }

    pub fn rejected(&mut self, from: &ControllerId, rejection: Rejection, now: Timestamp) {
        self.rejections.retain(|_, at| now.since(*at) < REJECTIONS_APART);
        if self.rejections.len() < MOST_REJECTIONS {
            self.rejections.entry((from.clone(), rejection)).or_insert(now);
        }
    }

    /// An item was taken.
    pub fn heard(
        &mut self,
        from: &ControllerId,
        missing: Option<BTreeSet<ControllerId>>,
        is_summarised: bool,
        now: Timestamp,
    ) {
        self.heard.insert(from.clone(), now);
        self.silences.remove(from);
        if let Some(missing) = missing {
            self.missing.insert(from.clone(), missing);
        }
        if is_summarised {
            self.reported.clear();
            self.last_summary = Some(now);
        } else {
            self.reported.insert(from.clone());
        }
    }

    /// It was looked who is silent, and written down.
    pub fn overdue(&mut self, found: &Overdue, now: Timestamp) {
        for (child, _) in &found.new {
            self.silences.insert(child.clone(), Silence { asked_at: now, is_given_up: false });
        }
        for child in &found.ask {
            self.silences.entry(child.clone()).and_modify(|silence| silence.asked_at = now);
        }
        for child in &found.give_up {
            self.silences.entry(child.clone()).and_modify(|silence| silence.is_given_up = true);
        }
        self.silences.retain(|child, _| found.missing.contains(child));
    }

    fn is_told(&self, from: &ControllerId, rejection: Rejection, now: Timestamp) -> bool {
        let told = self.rejections.get(&(from.clone(), rejection));
        told.is_some_and(|at| now.since(*at) < REJECTIONS_APART)
            || (told.is_none() && self.rejections.len() >= MOST_REJECTIONS)
    }
}

/// An item that came, with everything that its decision needs beside the NIB.
pub(super) struct Taking {
    pub own: Arc<Own>,
    pub now: Timestamp,
    pub from: ControllerId,
    pub seq: StreamSeq,
    pub item: Arc<Item>,
    pub settings: ViewSettings,
    pub memory: Memory,
}

impl Taking {
    /// Looks, decides, commits.
    pub async fn commit(self, nib: Nib) -> Result<Absorbed, NibError> {
        let (from, seq, item) = (self.from.clone(), self.seq, Arc::clone(&self.item));
        let role = self.own.role;
        let look = move |reader: &dyn crate::nib::NibReader| load(reader, role, &from, seq, &item);
        let invalid = |detail: String| NibError::Invalid { detail };
        nib.decide(look, |loaded| match self.decide(&loaded) {
            Ok(mut absorbed) => (std::mem::take(&mut absorbed.changes), Ok(absorbed)),
            Err(unwritable) => {
                error!(from = %self.from, seq = %self.seq, error = %unwritable, "an item cannot be summarised");
                (Vec::new(), Err(invalid(unwritable.to_string())))
            }
        })
        .await?
    }

    fn decide(&self, loaded: &Loaded) -> Result<Absorbed, crate::wire::canonical::CanonicalError> {
        let (none, overdue) = (BTreeSet::new(), self.memory.silences.keys().cloned().collect());
        let tier = match &self.own.region {
            Some(region) => Tier::Regional {
                region,
                reported: &self.memory.reported,
                missing: &overdue,
                is_summary_due: self.is_summary_due(),
            },
            None => Tier::Global { missing: self.memory.missing.get(&self.from).unwrap_or(&none) },
        };
        let context = Context {
            now: self.now,
            own: &self.own.id,
            tier,
            policy_version: loaded.policy_version,
            spike_threshold: self.settings.spike_threshold,
        };
        let incoming = Incoming {
            from: &self.from,
            row: loaded.row.as_ref(),
            received: loaded.received,
            seq: self.seq,
            item: &self.item,
        };
        let mut absorbed = absorb(&incoming, &loaded.rows, &context)?;
        if let Outcome::Rejected(rejection) = absorbed.outcome
            && self.memory.is_told(&self.from, rejection, self.now)
        {
            absorbed.changes.clear();
        }
        Ok(absorbed)
    }

    /// The last item of a cycle makes a summary due when there was none for long.
    fn is_summary_due(&self) -> bool {
        let last = self.memory.last_summary;
        self.item.state_root().is_some() && last.is_none_or(|at| self.now.since(at) >= self.settings.summary_interval)
    }
}
