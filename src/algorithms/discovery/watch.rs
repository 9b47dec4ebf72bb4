//! When something that happens on the network is a reason for a cycle before the interval has passed.
//!
//! What happens comes in bursts and repeats itself. So it is waited until it is quiet, though not for
//! ever, and two cycles that begin for such a reason are some time apart: a link that comes and goes
//! cannot make a controller scan all the time.
//!
//! Links are compared with what they were. Of neighbours there are pairs of an IPv4 and a hardware
//! address, told by the kernel or announced on the wire; a pair that the NIB has is no news. Anybody on
//! the link can announce what he likes, so a pair is a reason once, and no pair is believed: the cycle
//! asks.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::domain::address::MacAddr;
use crate::domain::link::Link;
use crate::domain::subnet::{AddressSet, Subnet};
use crate::wire::rtnetlink::Notice;

/// How long nothing must have happened before a cycle begins.
pub const QUIET: Duration = Duration::from_secs(2);
/// How long the first of what happened waits at most, if it is never quiet.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// The least time between the begins of two cycles that something that happened is the reason of.
pub const APART: Duration = Duration::from_secs(30);
/// The most pairs that wait to be looked up.
const MOST_WAITING: usize = 1_024;
/// The most pairs that are remembered as looked up; whoever makes up more is not listened to.
const MOST_SETTLED: usize = 4_096;
/// The most announcements that are read in a second.
const MOST_A_SECOND: usize = 1_000;

/// Somebody who has an address, as he or the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// The address.
    pub address: Ipv4Addr,
    /// Who has it.
    pub mac: MacAddr,
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is at {}", self.address, self.mac)
    }
}

/// Why a cycle is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// A link that a subnet lies on came, went, or has other addresses.
    Link(String),
    /// Something happened, and the kernel could not tell what.
    Lost,
    /// Somebody is there whom the NIB does not have so.
    Neighbour(Pair),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link(name) => write!(f, "{name} changed"),
            Self::Lost => f.write_str("more changed than the kernel could tell"),
            Self::Neighbour(pair) => pair.fmt(f),
        }
    }
}

/// What is to be done now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// Nothing.
    Nothing,
    /// The NIB is to be asked which of these it does not have; then [`Watch::looked_up`].
    LookUp(Vec<Pair>),
    /// A cycle is to begin; then [`Watch::began`] or [`Watch::refused`].
    Begin(Reason),
}

/// What is noticed of the network between cycles. Instants count from any common start.
#[derive(Debug)]
pub struct Watch {
    subnets: Vec<Subnet>,
    interface: Option<String>,
    targets: AddressSet,
    /// The links that subnets lie on, with those of their addresses that cover one.
    footing: Vec<Link>,
    /// What happened to links, and when last.
    changed: Option<(Reason, Duration)>,
    waiting: BTreeSet<Pair>,
    /// Those whom a cycle need not begin for: the NIB has them, or one has just asked for them.
    settled: BTreeSet<Pair>,
    /// When the first and the last of what waits happened.
    span: Option<(Duration, Duration)>,
    /// When the last cycle of this kind began.
    begun: Option<Duration>,
    /// Until when none can begin, as another cycle goes on.
    busy: Option<Duration>,
    /// The second in which announcements are counted, and how many there were.
    heard: (u64, usize),
}

impl Watch {
    /// A watch over these subnets as they lie on the links now.
    pub fn new(subnets: Vec<Subnet>, interface: Option<String>, links: &[Link]) -> Self {
        let footing = footing(&subnets, interface.as_deref(), links);
        Self {
            targets: AddressSet::new(&subnets),
            subnets,
            interface,
            footing,
            changed: None,
            waiting: BTreeSet::new(),
            settled: BTreeSet::new(),
            span: None,
            begun: None,
            busy: None,
            heard: (0, 0),
        }
    }

    /// Takes what the kernel tells, in its order. `links` is asked for the links as they are now, where
    /// something happened to one.
    pub fn on_notices(&mut self, now: Duration, notices: &[Notice], links: impl FnOnce() -> Vec<Link>) {
        for notice in notices {
            match *notice {
                Notice::Link { index, running } => self.on_link(now, index, running),
                Notice::Neighbour { address, mac } => self.on_pair(now, Pair { address, mac }),
                Notice::Lost => self.on_loss(now),
                Notice::Address => {}
            }
        }
        if notices.iter().any(|notice| !matches!(notice, Notice::Neighbour { .. })) {
            self.on_links(now, &links());
        }
    }

    /// The kernel tells of a link. One that went and came back between two looks has changed.
    pub fn on_link(&mut self, now: Duration, index: u32, running: bool) {
        if let Some(link) = self.footing.iter_mut().find(|link| link.index == index && link.running != running) {
            link.running = running;
            let reason = Reason::Link(link.name.clone());
            self.change(now, reason);
        }
    }

    /// The links as they are now.
    pub fn on_links(&mut self, now: Duration, links: &[Link]) {
        let footing = footing(&self.subnets, self.interface.as_deref(), links);
        let before = std::mem::replace(&mut self.footing, footing);
        let gone = before.iter().find(|link| !self.footing.contains(link));
        let other = gone.or_else(|| self.footing.iter().find(|link| !before.contains(link)));
        if let Some(reason) = other.map(|link| Reason::Link(link.name.clone())) {
            self.change(now, reason);
        }
    }

    /// Something happened that nobody can tell any more.
    pub fn on_loss(&mut self, now: Duration) {
        self.change(now, Reason::Lost);
    }

    /// Somebody has an address, as the kernel or he himself says.
    pub fn on_pair(&mut self, now: Duration, pair: Pair) {
        let ours = self.footing.iter().any(|link| link.mac == Some(pair.mac));
        let full = self.waiting.len() >= MOST_WAITING || self.settled.len() >= MOST_SETTLED;
        if ours || full || !self.targets.contains(pair.address) || self.settled.contains(&pair) {
            return;
        }
        // Who says it again makes nobody wait longer.
        if self.waiting.insert(pair) {
            self.happened(now);
        }
    }

    /// So many announcements were read; `false` when it is more than is worth reading, and nothing
    /// should be until a cycle has ended.
    pub fn on_heard(&mut self, now: Duration, count: usize) -> bool {
        let (second, before) = self.heard;
        let total = if second == now.as_secs() { before.saturating_add(count) } else { count };
        self.heard = (now.as_secs(), total);
        total <= MOST_A_SECOND
    }

    fn change(&mut self, now: Duration, reason: Reason) {
        self.changed = Some((reason, now));
        self.happened(now);
    }

    /// Where nothing waits any more there is nothing to look at.
    fn rest(&mut self) {
        if self.changed.is_none() && self.waiting.is_empty() {
            self.span = None;
        }
    }

    fn happened(&mut self, now: Duration) {
        let (first, _) = self.span.unwrap_or((now, now));
        self.span = Some((first, now));
    }

    /// When [`Watch::look`] will have something to do; `None` while nothing waits.
    pub fn next_look(&self) -> Option<Duration> {
        let (first, last) = self.span?;
        let quiet = (last + QUIET).min(first + PATIENCE);
        let apart = self.begun.map_or(Duration::ZERO, |begun| begun + APART);
        Some(quiet.max(apart).max(self.busy.unwrap_or_default()))
    }

    /// What is to be done now.
    pub fn look(&self, now: Duration) -> Look {
        if self.next_look().is_none_or(|next| now < next) {
            return Look::Nothing;
        }
        match &self.changed {
            Some((reason, _)) => Look::Begin(reason.clone()),
            None => Look::LookUp(self.waiting.iter().copied().collect()),
        }
    }

    /// Of the pairs that were looked up the NIB does not have these. Tells whether that is a reason.
    pub fn looked_up(&mut self, asked: &[Pair], unknown: &[Pair]) -> Option<Reason> {
        for known in asked.iter().filter(|pair| !unknown.contains(pair)) {
            self.waiting.remove(known);
            self.settled.insert(*known);
        }
        self.rest();
        unknown.iter().find(|pair| self.waiting.contains(pair)).copied().map(Reason::Neighbour)
    }

    /// A cycle begins for what waits: it will ask everybody, and find them or not.
    pub fn began(&mut self, now: Duration) {
        self.settled.append(&mut self.waiting);
        self.changed = None;
        self.span = None;
        self.begun = Some(now);
    }

    /// None can begin, as another one goes on; that one's end is told.
    pub fn refused(&mut self, now: Duration) {
        self.busy = Some(now + APART);
    }

    /// Other subnets are discovered from now on. That they are others is no reason for a cycle.
    pub fn cover(&mut self, subnets: Vec<Subnet>, links: &[Link]) {
        self.targets = AddressSet::new(&subnets);
        self.footing = footing(&subnets, self.interface.as_deref(), links);
        self.subnets = subnets;
        self.waiting.retain(|pair| self.targets.contains(pair.address));
        self.settled.retain(|pair| self.targets.contains(pair.address));
        self.rest();
    }

    /// A cycle of any kind has ended that began at this instant. What happened to links before, it has
    /// seen. What is still noticed when it is quiet again is looked up once more, for it may have found
    /// those who were noticed.
    pub fn on_cycle(&mut self, began: Duration, event_driven: bool) {
        self.busy = None;
        if self.changed.as_ref().is_some_and(|(_, at)| *at < began) {
            self.changed = None;
        }
        // What was looked up may hold no longer; a cycle that somebody's claim was the reason of does
        // not make the claim a reason again.
        if !event_driven {
            self.settled.clear();
        }
        self.rest();
    }

    /// A cycle has failed, of which nothing else is known.
    pub fn on_failure(&mut self) {
        self.busy = None;
    }
}

/// The links that one of the subnets can be asked on, as [`plan`](super::plan::plan) finds them.
fn footing(subnets: &[Subnet], interface: Option<&str>, links: &[Link]) -> Vec<Link> {
    let covers = |address: &ipnet::Ipv4Net| {
        let covered = |subnet: &Subnet| address.contains(&subnet.network()) && address.prefix_len() <= subnet.prefix();
        subnets.iter().any(covered)
    };
    let allowed = links.iter().filter(|link| interface.is_none_or(|name| link.name == name));
    let reduced = allowed.map(|link| {
        let mut addresses: Vec<_> = link.addresses.iter().filter(|address| covers(address)).copied().collect();
        addresses.sort_unstable();
        Link { addresses, ..link.clone() }
    });
    reduced.filter(|link| !link.addresses.is_empty()).collect()
}

#[cfg(test)]
mod tests;
