//! Who is there: the controller above and those below, told from their heartbeats.
//!
//! ```text
//!             heard, or silent for too long            taken: what is told is committed
//!   Contact ──────────────────────────────► Presence::turns ──────────────────────────► Presence::taken
//! ```
//!
//! What is observed is kept at once; what is told of it is derived, committed, and then marked as told.
//! So a heartbeat is answered also while the NIB is busy, and nobody is told what is not written.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::domain::change::Change;
use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::event::{EventType, NewEvent};
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::registry::{ControllerRow, RegistryChange, Standing};
use crate::domain::time::Timestamp;
use crate::wire::presence::{ChildPresence, Heartbeat, MOST_CHILDREN, State};

mod report;

pub use report::{ChildReport, ParentReport, PresenceReport};

/// From one heartbeat to the next, on average.
pub const BEAT: Duration = Duration::from_secs(10);

/// Who is silent for so long is away.
pub const SILENCE: Duration = Duration::from_secs(30);

/// How often `last_contact` is written down, at most.
pub const WRITTEN_EVERY: Duration = Duration::from_secs(60);

/// A controller whose last contact was written not longer ago than this was not away: its parent was
/// started again.
const RESTART: Duration = Duration::from_secs(90);

/// How many heartbeats may wait for their answers: more than are sent before a silence is told.
const ASKED: usize = 16;

/// An answer that comes later than this says nothing about now.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);

/// The present, by the wall and by a clock that never goes back.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// What is written down.
    pub at: Timestamp,
    /// What deadlines are made of.
    pub elapsed: Duration,
}

/// How long to wait for the next heartbeat: [`BEAT`], or up to a fifth of it less or more, as `random`
/// (from 0 to 1) has it, so that those who were started together do not stay together.
pub fn beat(random: f64) -> Duration {
    BEAT.mul_f64(0.8 + 0.4 * random.clamp(0.0, 1.0))
}

/// How long to wait before a heartbeat that is not answered is sent again: a quarter of [`beat`], so that
/// some lost messages do not look like a parent that is away.
pub fn beat_again(random: f64) -> Duration {
    beat(random) / 4
}

/// Over what time the children of a parent that came back spread what they have to send.
pub fn spread(children: u32) -> Duration {
    const EACH: Duration = Duration::from_millis(50);
    const LONGEST: Duration = Duration::from_secs(120);
    EACH.saturating_mul(children).min(LONGEST)
}

/// What is to be told, once it is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// The controller above is heard.
    ParentReached {
        /// Over what time to spread what waited.
        spread: Duration,
    },
    /// The controller above is silent.
    ParentLost,
    /// A controller below is heard.
    ChildOnline {
        /// Which.
        id: ControllerId,
        /// Whether it was away: else it was only not known yet that it is there.
        returned: bool,
    },
    /// A controller below is silent.
    ChildOffline(ControllerId),
    /// A controller below does not belong here any more.
    ChildGone(ControllerId),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    Up,
    Down,
}

/// One who should be heard.
#[derive(Debug, Clone)]
struct Contact {
    /// When it was last heard; before that, since when it is waited for.
    since: Duration,
    heard: Option<Timestamp>,
    told: Told,
}

impl Contact {
    const fn new(now: Now) -> Self {
        Self { since: now.elapsed, heard: None, told: Told::Nothing }
    }

    const fn hear(&mut self, now: Now) {
        self.since = now.elapsed;
        self.heard = Some(now.at);
    }

    fn is_silent(&self, now: Now) -> bool {
        now.elapsed >= self.since + SILENCE
    }

    fn is_up(&self, now: Now) -> bool {
        self.heard.is_some() && !self.is_silent(now)
    }

    /// What is to be told: whether it is there, if that is news.
    fn news(&self, now: Now) -> Option<bool> {
        match self.told {
            Told::Nothing | Told::Down if self.is_up(now) => Some(true),
            Told::Nothing | Told::Up if self.is_silent(now) => Some(false),
            _ => None,
        }
    }
}

#[derive(Debug)]
struct Parent {
    id: ControllerId,
    contact: Contact,
    children: u32,
    asked: Vec<Timestamp>,
}

#[derive(Debug)]
struct Child {
    contact: Contact,
    role: Role,
    region: Region,
    /// When it was last heard as far as that was written down.
    written: Option<Timestamp>,
    policy_version: Option<PolicyVersion>,
    last_report: StreamSeq,
    state: Option<State>,
    children: Vec<ChildPresence>,
    is_gone: bool,
}

/// Who is there, as one controller knows it.
#[derive(Debug, Default)]
pub struct Presence {
    parent: Option<Parent>,
    children: BTreeMap<ControllerId, Child>,
}

impl Presence {
    /// Who the controller above is. The same one again changes nothing.
    pub fn below(&mut self, parent: Option<&ControllerId>, now: Now) {
        if self.parent.as_ref().map(|parent| &parent.id) != parent {
            let new = |id: &ControllerId| Parent {
                id: id.clone(),
                contact: Contact::new(now),
                children: 0,
                asked: Vec::new(),
            };
            self.parent = parent.map(new);
        }
    }

    /// The controller above.
    pub fn parent(&self) -> Option<&ControllerId> {
        self.parent.as_ref().map(|parent| &parent.id)
    }

    /// Whether the controller above is heard, as far as is known.
    pub fn hears_above(&self, now: Now) -> bool {
        self.parent.as_ref().is_some_and(|parent| parent.contact.is_up(now))
    }

    /// The rows of those below: who is new is waited for, who is not active any more is not there.
    pub fn know(&mut self, rows: &[ControllerRow], now: Now) {
        let active: BTreeMap<_, _> =
            rows.iter().filter(|row| row.standing == Standing::Active).map(|row| (&row.id, row)).collect();
        for (id, child) in &mut self.children {
            child.is_gone = !active.contains_key(id);
        }
        for (id, row) in active {
            let child = self.children.entry(id.clone()).or_insert_with(|| Child {
                contact: Contact::new(now),
                role: row.role,
                region: row.region.clone(),
                written: None,
                policy_version: row.policy_version,
                last_report: StreamSeq::default(),
                state: None,
                children: Vec::new(),
                is_gone: false,
            });
            child.written = row.last_contact;
        }
    }

    /// A heartbeat is sent to the controller above.
    pub fn asked(&mut self, sent_at: Timestamp) {
        if let Some(parent) = &mut self.parent {
            parent.asked.push(sent_at);
            let old = parent.asked.len().saturating_sub(ASKED);
            parent.asked.drain(..old);
        }
    }

    /// The controller above answers a heartbeat. Whether it was one of the last few: an answer that
    /// somebody held back says nothing about now.
    pub fn answered(&mut self, from: &ControllerId, sent_at: Timestamp, children: u32, now: Now) -> bool {
        let parent = self.parent.as_mut().filter(|parent| parent.id == *from);
        let Some(parent) = parent.filter(|parent| parent.asked.contains(&sent_at)) else { return false };
        parent.asked.retain(|asked| *asked != sent_at);
        if now.at.since(sent_at) > ANSWERED_WITHIN {
            return false;
        }
        parent.children = children;
        parent.contact.hear(now);
        true
    }

    /// A controller below is heard. Whether it is known; one that is not may have been validated just
    /// now, so that the rows are to be read again.
    pub fn heard(&mut self, from: &ControllerId, heartbeat: &Heartbeat, now: Now) -> bool {
        let Some(child) = self.children.get_mut(from).filter(|child| !child.is_gone) else { return false };
        child.contact.hear(now);
        child.policy_version = heartbeat.policy_version;
        child.last_report = heartbeat.last_report;
        child.state = Some(heartbeat.state);
        child.children.clone_from(&heartbeat.children);
        true
    }

    /// What is to be told, in the order in which it is to be committed.
    pub fn turns(&self, now: Now) -> Vec<Turn> {
        let parent = self.parent.as_ref().and_then(|parent| {
            let reached = Turn::ParentReached { spread: spread(parent.children) };
            parent.contact.news(now).map(|up| if up { reached } else { Turn::ParentLost })
        });
        let children = self.children.iter().filter_map(|(id, child)| child.turn(id, now));
        parent.into_iter().chain(children).collect()
    }

    /// The event of a turn; none where nothing happened but that this controller came to know.
    pub fn event(&self, turn: &Turn, own: &ControllerId, now: Now) -> Option<Change> {
        let (event_type, subject, payload) = match turn {
            Turn::ParentReached { spread } => {
                let parent = self.parent.as_ref()?;
                let payload = json!({ "spread_ms": u64::try_from(spread.as_millis()).unwrap_or(u64::MAX) });
                (EventType::ParentReached, &parent.id, payload)
            }
            Turn::ParentLost => {
                let parent = self.parent.as_ref()?;
                (EventType::ParentUnreachable, &parent.id, json!({ "last_contact": parent.contact.heard }))
            }
            Turn::ChildOnline { id, returned: true } => {
                let child = self.children.get(id)?;
                (EventType::ControllerOnline, id, json!({ "role": child.role, "region": child.region }))
            }
            Turn::ChildOffline(id) => {
                let child = self.children.get(id)?;
                let last_contact = child.contact.heard.or(child.written);
                let payload = json!({ "role": child.role, "region": child.region, "last_contact": last_contact });
                (EventType::ControllerOffline, id, payload)
            }
            Turn::ChildOnline { returned: false, .. } | Turn::ChildGone(_) => return None,
        };
        let (actor, subject) = (own.to_string(), subject.to_string());
        Some(Change::Append(NewEvent { event_type, actor, subject, timestamp: now.at, payload }))
    }

    /// These were committed and are told.
    pub fn taken(&mut self, turns: &[Turn]) {
        for turn in turns {
            match turn {
                Turn::ParentReached { .. } => self.parent.iter_mut().for_each(|parent| parent.contact.told = Told::Up),
                Turn::ParentLost => self.parent.iter_mut().for_each(|parent| parent.contact.told = Told::Down),
                Turn::ChildOnline { id, .. } => self.told(id, Told::Up),
                Turn::ChildOffline(id) => self.told(id, Told::Down),
                Turn::ChildGone(id) => drop(self.children.remove(id)),
            }
        }
    }

    fn told(&mut self, id: &ControllerId, told: Told) {
        if let Some(child) = self.children.get_mut(id) {
            child.contact.told = told;
        }
    }

    /// When somebody will have been silent for too long, unless he is heard before.
    pub fn next_silence(&self) -> Option<Duration> {
        let parent = self.parent.iter().map(|parent| &parent.contact);
        let children = self.children.values().map(|child| &child.contact);
        let waited_for = parent.chain(children).filter(|contact| contact.told != Told::Down);
        waited_for.map(|contact| contact.since + SILENCE).min()
    }

    /// How this controller works.
    pub fn state(&self, now: Now) -> State {
        match &self.parent {
            Some(parent) if !parent.contact.is_up(now) => State::Offline,
            _ => State::Active,
        }
    }

    /// How many controllers there are below.
    pub fn count(&self) -> u32 {
        u32::try_from(self.children.values().filter(|child| !child.is_gone).count()).unwrap_or(u32::MAX)
    }

    /// What the controller above is told of those below, at most [`MOST_CHILDREN`].
    pub fn told_above(&self, now: Now) -> Vec<ChildPresence> {
        let known = self.children.iter().filter(|(_, child)| !child.is_gone);
        known.take(MOST_CHILDREN).map(|(id, child)| child.presence(id, now)).collect()
    }

    /// When those below were last heard, where that is to be written down.
    pub fn contacts(&self) -> BTreeMap<ControllerId, Timestamp> {
        let is_due = |child: &Child| {
            let heard = child.contact.heard?;
            child.written.is_none_or(|written| heard.since(written) >= WRITTEN_EVERY).then_some(heard)
        };
        self.children.iter().filter_map(|(id, child)| Some((id.clone(), is_due(child)?))).collect()
    }
}

impl Child {
    fn turn(&self, id: &ControllerId, now: Now) -> Option<Turn> {
        if self.is_gone {
            return Some(Turn::ChildGone(id.clone()));
        }
        Some(match self.contact.news(now)? {
            true => {
                let was_there = |(written, heard): (Timestamp, Timestamp)| heard.since(written) < RESTART;
                let restarted =
                    self.contact.told == Told::Nothing && self.written.zip(self.contact.heard).is_some_and(was_there);
                Turn::ChildOnline { id: id.clone(), returned: !restarted }
            }
            false => Turn::ChildOffline(id.clone()),
        })
    }

    fn presence(&self, id: &ControllerId, now: Now) -> ChildPresence {
        ChildPresence {
            id: id.clone(),
            online: self.contact.is_up(now) && !self.is_gone,
            policy_version: self.policy_version,
            last_contact: self.contact.heard.or(self.written),
            last_report: self.last_report,
        }
    }
}

/// The rows of those below with their last contacts.
pub fn write_contacts(contacts: &BTreeMap<ControllerId, Timestamp>, rows: &[ControllerRow]) -> Vec<Change> {
    rows.iter()
        .filter(|row| row.standing == Standing::Active)
        .filter_map(|row| {
            let heard = *contacts.get(&row.id)?;
            let last_contact = row.last_contact.is_none_or(|written| heard > written).then_some(Some(heard))?;
            let row = ControllerRow { last_contact, ..row.clone() };
            Some(Change::Registry(RegistryChange::UpdateController(Box::new(row))))
        })
        .collect()
}

#[cfg(test)]
mod tests;
