//! What goes wrong on the way, for tests and simulations: by a seed, so that it goes wrong again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::domain::controller::ControllerId;

/// What a link does to messages. Each is drawn for by itself, so messages overtake each other as soon
/// as delays differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conditions {
    /// The share of messages that is lost, 0 to 1.
    pub loss: f64,
    /// The share of messages that arrives twice, 0 to 1; each copy has its own delay.
    pub duplication: f64,
    /// The shortest way.
    pub shortest: Duration,
    /// The longest way.
    pub longest: Duration,
}

impl Conditions {
    /// Nothing goes wrong.
    pub const PERFECT: Self = Self { loss: 0.0, duplication: 0.0, shortest: Duration::ZERO, longest: Duration::ZERO };
}

/// The faults of a bus. Copies are handles of the same: a test changes them while the bus is in use.
///
/// With the same seed, the same changes and the same messages in the same order, the same goes wrong.
#[derive(Debug, Clone)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    everywhere: Conditions,
    /// From one to another.
    links: BTreeMap<(ControllerId, ControllerId), Conditions>,
    /// Both ways.
    cuts: BTreeSet<(ControllerId, ControllerId)>,
    /// Who is apart from all that are not in the same group. Who is in none is with all that are in none.
    groups: Vec<BTreeSet<ControllerId>>,
}

impl Faults {
    /// No faults yet; those to come are drawn from this seed.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            random: fastrand::Rng::with_seed(seed),
            everywhere: Conditions::PERFECT,
            links: BTreeMap::new(),
            cuts: BTreeSet::new(),
            groups: Vec::new(),
        })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The conditions of every link that has none of its own.
    pub fn everywhere(&self, conditions: Conditions) {
        self.state().everywhere = conditions;
    }

    /// The conditions of what one sends to another; not of the way back.
    pub fn link(&self, from: ControllerId, to: ControllerId, conditions: Conditions) {
        self.state().links.insert((from, to), conditions);
    }

    /// Nothing passes between these two.
    pub fn cut(&self, one: ControllerId, other: ControllerId) {
        self.state().cuts.insert((one, other));
    }

    /// Nothing passes between groups: each is by itself, and the controllers of no group are one more.
    /// Takes the place of the groups before.
    pub fn partition(&self, groups: impl IntoIterator<Item = BTreeSet<ControllerId>>) {
        self.state().groups = groups.into_iter().collect();
    }

    /// No link is cut any more. Loss, duplication and delay stay.
    pub fn heal(&self) {
        let mut state = self.state();
        state.cuts.clear();
        state.groups.clear();
    }

    /// Nothing goes wrong any more.
    pub fn end(&self) {
        self.heal();
        let mut state = self.state();
        state.everywhere = Conditions::PERFECT;
        state.links.clear();
    }

    /// How long each copy of a message takes; none when it is lost.
    pub(super) fn journeys(&self, from: &BTreeSet<ControllerId>, to: &BTreeSet<ControllerId>) -> Vec<Duration> {
        let mut state = self.state();
        if state.is_cut(from, to) {
            return Vec::new();
        }
        let conditions = state.conditions(from, to);
        // As many draws for each message, whatever comes of them: one that is lost moves no other.
        let [lost, doubled, first, second] = [(); 4].map(|()| state.random.f64());
        if lost < conditions.loss {
            return Vec::new();
        }
        let span = conditions.longest.saturating_sub(conditions.shortest);
        let mut journeys = vec![conditions.shortest + span.mul_f64(first)];
        if doubled < conditions.duplication {
            journeys.push(conditions.shortest + span.mul_f64(second));
        }
        journeys
    }

    /// Whether nothing passes between two controllers, each with all of its names.
    pub(super) fn is_cut(&self, one: &BTreeSet<ControllerId>, other: &BTreeSet<ControllerId>) -> bool {
        self.state().is_cut(one, other)
    }
}

impl State {
    fn conditions(&self, from: &BTreeSet<ControllerId>, to: &BTreeSet<ControllerId>) -> Conditions {
        let own = self.links.iter().find(|((sender, receiver), _)| from.contains(sender) && to.contains(receiver));
        own.map_or(self.everywhere, |(_, conditions)| *conditions)
    }

    fn is_cut(&self, one: &BTreeSet<ControllerId>, other: &BTreeSet<ControllerId>) -> bool {
        let between = |(a, b): &(ControllerId, ControllerId)| {
            one.contains(a) && other.contains(b) || one.contains(b) && other.contains(a)
        };
        let group = |names: &BTreeSet<ControllerId>| self.groups.iter().position(|group| !group.is_disjoint(names));
        self.cuts.iter().any(between) || group(one) != group(other)
    }
}
