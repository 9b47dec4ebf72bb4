//! All addresses of a sweep, and how far the first question to each is.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::domain::subnet::AddressSet;

/// The state of one address. Small: a /16 has 65,534 of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target {
    /// When it was first asked, to measure the round trip of an answer to the only attempt; through
    /// the kernel, when it was last asked, for an echo reply tells which attempt it answers.
    pub asked_at: Duration,
    pub address: Ipv4Addr,
    /// Its entry among the hosts, once it has answered.
    pub host: Option<u32>,
    pub attempts: u8,
    pub given_up: bool,
}

/// The targets by their places: in the order in which they are asked.
///
/// That order is shuffled, so that no switch and no host sees a burst. Whoever sends, and looks who is
/// overdue, goes through this table from its begin to its end; only an answer jumps in it. By address
/// each packet would, and wait for memory longer than it is worked on.
#[derive(Debug)]
pub(super) struct Targets {
    by_place: Vec<Target>,
    /// The place of each address, in the order of the set that they are of.
    places: Vec<u32>,
    asked: usize,
}

impl Targets {
    /// The addresses of a set. This host's own are not asked; whoever speaks for one all the same is
    /// heard, and nobody waits for it.
    pub fn new(set: &AddressSet, own: &[Ipv4Addr], random: &mut fastrand::Rng) -> Self {
        let target = |address| Target {
            asked_at: Duration::ZERO,
            address,
            host: None,
            attempts: 0,
            given_up: own.contains(&address),
        };
        let (own, mut by_place): (Vec<Target>, Vec<Target>) = set.iter().map(target).partition(|one| one.given_up);
        random.shuffle(&mut by_place);
        let asked = by_place.len();
        by_place.extend(own);
        let mut places = vec![0; by_place.len()];
        for (place, target) in (0_u32..).zip(&by_place) {
            let position = set.position(target.address).and_then(|position| places.get_mut(position));
            position.into_iter().for_each(|it| *it = place);
        }
        Self { by_place, places, asked }
    }

    /// How many are asked. They have the first places.
    pub fn asked(&self) -> usize {
        self.asked
    }

    pub fn get(&self, place: u32) -> Option<&Target> {
        self.by_place.get(place as usize)
    }

    pub fn get_mut(&mut self, place: u32) -> Option<&mut Target> {
        self.by_place.get_mut(place as usize)
    }

    /// The place of an address of the set that this was made of.
    pub fn place_of(&self, set: &AddressSet, address: Ipv4Addr) -> Option<u32> {
        self.places.get(set.position(address)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::subnet::Subnet;

    #[test]
    fn each_address_has_one_place_and_our_own_are_behind_those_that_are_asked() {
        let subnets: [Subnet; 2] = ["10.0.1.0/28", "10.0.9.0/29"].map(|text| text.parse().unwrap());
        let set = AddressSet::new(&subnets);
        let own = [Ipv4Addr::new(10, 0, 1, 3), Ipv4Addr::new(10, 0, 9, 1), Ipv4Addr::new(10, 7, 7, 7)];
        let targets = Targets::new(&set, &own, &mut fastrand::Rng::with_seed(7));
        assert_eq!(targets.asked(), 14 + 6 - 2);
        let mut places: Vec<u32> = set.iter().map(|address| targets.place_of(&set, address).unwrap()).collect();
        for (address, place) in set.iter().zip(&places) {
            let target = targets.get(*place).unwrap();
            assert_eq!((target.address, target.given_up), (address, own.contains(&address)));
            assert_eq!(target.given_up, *place as usize >= targets.asked());
        }
        assert!(!places.is_sorted(), "they are shuffled");
        places.sort_unstable();
        assert_eq!(places, (0..20).collect::<Vec<_>>());
        assert_eq!(targets.place_of(&set, Ipv4Addr::new(10, 7, 7, 7)), None);
    }
}
