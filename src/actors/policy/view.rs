//! The policy with everybody who runs it, as operators see it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{InEffect, PolicyReport};
use crate::algorithms::presence::PresenceReport;
use crate::domain::controller::ControllerId;
use crate::domain::number::PolicyVersion;
use crate::domain::time::Timestamp;

/// The policy in effect, and who runs which version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyView {
    /// The policy.
    pub in_effect: InEffect,
    /// Whether its document has ended.
    pub expired: bool,
    /// The controllers below that are not revoked, each followed by those below it.
    pub runs: Vec<Running>,
}

/// What a controller runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Which.
    pub id: ControllerId,
    /// The controller between it and this one, where there is one.
    pub below: Option<ControllerId>,
    /// The version; what it said with its last heartbeat, or else acknowledged last.
    pub version: Option<PolicyVersion>,
    /// Whether it is heard, where that is known.
    pub online: Option<bool>,
    /// When it was last heard, where that is known.
    pub last_contact: Option<Timestamp>,
}

impl PolicyView {
    /// What is written, with what is heard.
    pub fn new(report: PolicyReport, presence: Option<&PresenceReport>) -> Self {
        let heard: BTreeMap<_, _> =
            presence.iter().flat_map(|presence| &presence.children).map(|child| (&child.id, child)).collect();
        let mut runs = Vec::new();
        for child in report.children {
            let heard = heard.get(&child.id);
            runs.push(Running {
                version: heard.and_then(|heard| heard.policy_version).or(child.version),
                online: heard.map(|heard| heard.online),
                last_contact: heard.and_then(|heard| heard.last_contact),
                below: None,
                id: child.id.clone(),
            });
            let below = heard.iter().flat_map(|heard| &heard.children);
            runs.extend(below.map(|below| Running {
                id: below.id.clone(),
                below: Some(child.id.clone()),
                version: below.policy_version,
                // What one who is silent said about others is no news.
                online: heard.is_some_and(|heard| heard.online).then_some(below.online),
                last_contact: below.last_contact,
            }));
        }
        Self { in_effect: report.in_effect, expired: report.expired, runs }
    }
}
