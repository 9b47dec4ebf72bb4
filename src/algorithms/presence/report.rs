//! Who is there, for operators.

use serde::{Deserialize, Serialize};

use super::{Now, Presence};
use crate::domain::controller::{ControllerId, Region, Role};
use crate::domain::number::{PolicyVersion, StreamSeq};
use crate::domain::time::Timestamp;
use crate::wire::presence::{ChildPresence, State};

/// Who is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PresenceReport {
    /// How this controller works: [`State::Offline`] when the one above is away.
    pub state: State,
    /// The controller above.
    pub parent: Option<ParentReport>,
    /// Those below, ascending.
    pub children: Vec<ChildReport>,
}

/// The controller above.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParentReport {
    /// Its name.
    pub id: ControllerId,
    /// Whether it is heard.
    pub online: bool,
    /// When it was last heard since the start.
    pub last_contact: Option<Timestamp>,
}

/// A controller below.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChildReport {
    /// Its name.
    pub id: ControllerId,
    /// Its tier.
    pub role: Role,
    /// Its region.
    pub region: Region,
    /// Whether it is heard.
    pub online: bool,
    /// How it said that it works, since this controller's start.
    pub state: Option<State>,
    /// When it was last heard.
    pub last_contact: Option<Timestamp>,
    /// The policy that it runs.
    pub policy_version: Option<PolicyVersion>,
    /// The number of its last report or summary; 0 for none or not known.
    pub last_report: StreamSeq,
    /// Those below it, as it told with its last heartbeat.
    pub children: Vec<ChildPresence>,
}

impl Presence {
    /// Who is there, for operators.
    pub fn report(&self, now: Now) -> PresenceReport {
        let parent = self.parent.as_ref().map(|parent| ParentReport {
            id: parent.id.clone(),
            online: parent.contact.is_up(now),
            last_contact: parent.contact.heard,
        });
        let known = self.children.iter().filter(|(_, child)| !child.is_gone);
        let children = known.map(|(id, child)| {
            let ChildPresence { id, online, policy_version, last_contact, last_report } = child.presence(id, now);
            ChildReport {
                id,
                role: child.role,
                region: child.region.clone(),
                online,
                state: child.state,
                last_contact,
                policy_version,
                last_report,
                children: child.children.clone(),
            }
        });
        PresenceReport { state: self.state(now), parent, children: children.collect() }
    }
}
