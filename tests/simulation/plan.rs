//! What a run does, decided by its seed alone.

use std::time::Duration;

/// How long faults go on.
pub const TROUBLE: Duration = Duration::from_secs(20 * 60);

/// How long the controllers then have to agree.
pub const PEACE: Duration = Duration::from_secs(30 * 60);

/// The whole run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    /// Each Regional Controller with the number of its Local ones.
    pub regions: Vec<usize>,
    /// Milliseconds that each machine's clock is off, by node.
    pub skews: Vec<i64>,
    /// Of a hundred messages so many are lost, and so many come twice.
    pub lost: u32,
    pub doubled: u32,
    /// Messages take at most so long.
    pub slowest: Duration,
    /// What happens when, ascending.
    pub acts: Vec<(Duration, Act)>,
}

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// A device turns up, or moves: its number, the Local Controller that sees it, its last octet.
    Put(u8, usize, u8),
    /// A Local Controller's whole subnet fills with devices of its own: more than are written at once.
    Crowd(usize),
    /// A device goes away.
    Take(u8),
    /// What a device's agent says changes.
    Rewire(u8),
    /// A node ends at one of its next commits, before or after that one; a batch counts as one.
    Kill(usize, u64, bool),
    /// A node cannot be reached, and then it can again.
    Part(usize),
    Join(usize),
    /// An operator sets a policy with this interval in seconds.
    SetPolicy(u64),
    /// An operator has a token made that nobody uses, at a node.
    Token(usize),
    /// A node's certificate is due: it asks for one for its next key.
    Renew(usize),
    /// The same, and it ends as it takes that key, before it tells anybody.
    RenewAndEnd(usize),
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let regions: Vec<usize> = match random.u8(0..4) {
            0 => vec![2, 2],
            1 => vec![3, 2],
            2 => vec![2, 1, 1],
            _ => vec![2, 2, 2],
        };
        let locals: usize = regions.iter().sum();
        let nodes = 1 + regions.len() + locals;
        let skews = (0..nodes).map(|_| random.i64(-20_000..20_000)).collect();
        let mut acts = Vec::new();
        let at = |random: &mut fastrand::Rng| Duration::from_millis(random.u64(0..TROUBLE.as_millis() as u64));
        for device in 0..random.u8(8..20) {
            for _ in 0..random.u8(1..4) {
                let when = at(&mut random);
                let act = match random.u8(0..6) {
                    0 => Act::Take(device),
                    1 => Act::Rewire(device),
                    _ => Act::Put(device, random.usize(0..locals), random.u8(1..250)),
                };
                acts.push((when, act));
            }
        }
        for _ in 0..random.u8(0..12) {
            acts.push((at(&mut random), Act::Kill(random.usize(0..nodes), random.u64(0..12), random.bool())));
        }
        for _ in 0..random.u8(0..6) {
            let (node, begin) = (random.usize(0..nodes), at(&mut random));
            acts.push((begin, Act::Part(node)));
            acts.push((begin + Duration::from_secs(random.u64(5..400)), Act::Join(node)));
        }
        for _ in 0..random.u8(0..4) {
            acts.push((at(&mut random), Act::SetPolicy(random.u64(60..600))));
        }
        for _ in 0..random.u8(0..3) {
            acts.push((at(&mut random), Act::Token(random.usize(0..=regions.len()))));
        }
        for _ in 0..random.u8(1..8) {
            let (node, when) = (random.usize(1..nodes), at(&mut random));
            acts.push((when, Act::Renew(node)));
            // Each of the two commits several times for it: either may end at any of them.
            let above = if node <= regions.len() { 0 } else { 1 + region_of(&regions, node) };
            match random.u8(0..4) {
                0 => acts.push((when, Act::Kill(node, random.u64(0..5), random.bool()))),
                1 => acts.push((when, Act::Kill(above, random.u64(0..5), random.bool()))),
                _ => {}
            }
        }
        // A controller may end in the middle of what it writes about so many.
        if seed % 3 == 1 {
            let (local, when) = (random.usize(0..locals), TROUBLE / 4);
            acts.push((when, Act::Crowd(local)));
            acts.push((when, Act::Kill(1 + regions.len() + local, random.u64(0..4), random.bool())));
        }
        if seed.is_multiple_of(3) {
            acts.extend(two_keys_in_a_row(seed, regions.len()));
        }
        acts.sort_by_key(|(when, _)| *when);
        Self {
            seed,
            regions,
            skews,
            lost: random.u32(0..30),
            doubled: random.u32(0..20),
            slowest: Duration::from_millis(random.u64(1..8_000)),
            acts,
        }
    }

    /// The node above a node; nodes are numbered: the Global Controller, the Regional ones, the Local
    /// ones region by region.
    pub fn above(&self, node: usize) -> Option<usize> {
        let regions = self.regions.len();
        match node {
            0 => None,
            regional if regional <= regions => Some(0),
            local => Some(1 + self.region_of(local)),
        }
    }

    /// The region of a node below the Global Controller, from 0.
    pub fn region_of(&self, node: usize) -> usize {
        region_of(&self.regions, node)
    }

    /// How many nodes there are.
    pub const fn nodes(&self) -> usize {
        self.skews.len()
    }

    /// The node of a Local Controller, from 0.
    pub const fn local(&self, number: usize) -> usize {
        1 + self.regions.len() + number
    }
}

/// A parent goes to its second key and ends, so that those below miss it and ask for that; and goes to
/// its third one and ends about when they are told. Hardly anything comes after it that they could
/// learn that by.
fn two_keys_in_a_row(seed: u64, regions: usize) -> [(Duration, Act); 2] {
    // Its own draws, so that the rest of the plan is as without it.
    let mut random = fastrand::Rng::with_seed(seed ^ 0x0021);
    let (regional, first) = (random.usize(1..=regions), TROUBLE - Duration::from_secs(80));
    let second = first + Duration::from_millis(random.u64(22_000..34_000));
    [first, second].map(|when| (when, Act::RenewAndEnd(regional)))
}

fn region_of(regions: &[usize], node: usize) -> usize {
    if node <= regions.len() {
        return node.saturating_sub(1);
    }
    let mut first = 1 + regions.len();
    for (region, locals) in regions.iter().enumerate() {
        first += locals;
        if node < first {
            return region;
        }
    }
    panic!("there is no node {node}");
}
