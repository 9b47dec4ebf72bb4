//! Subnets and the set of addresses that a cycle covers.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

/// An IPv4 subnet in CIDR form, host bits zero (RFC 4632).
///
/// ```
/// use pdsno::domain::subnet::Subnet;
///
/// let subnet: Subnet = "10.0.1.0/24".parse()?;
/// assert_eq!(subnet.hosts().count(), 254);
/// assert!("10.0.1.7/24".parse::<Subnet>().unwrap_err().to_string().contains("10.0.1.0/24"));
/// # Ok::<(), pdsno::domain::subnet::SubnetError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet(Ipv4Net);

/// Why a text is not a subnet that can be scanned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubnetError {
    /// Not CIDR notation.
    #[error("{text:?} is not a subnet; write an IPv4 address and a prefix length, for example 10.0.1.0/24")]
    Syntax {
        /// What was given.
        text: String,
    },
    /// An address inside a subnet where the subnet itself is meant.
    #[error("{text:?} has host bits set; the subnet is {subnet}, the single address {address}/32")]
    HostBits {
        /// What was given.
        text: String,
        /// The subnet that contains it.
        subnet: Subnet,
        /// The address itself.
        address: Ipv4Addr,
    },
    /// IPv6.
    #[error("{text:?} is IPv6, which is not served yet; give an IPv4 subnet")]
    Ipv6 {
        /// What was given.
        text: String,
    },
    /// More than an eighth of the address space that any network can have.
    #[error("{text:?} is larger than a /8; no link has that many hosts, split it")]
    TooWide {
        /// What was given.
        text: String,
    },
    /// Loopback, multicast or reserved: no device on a link can have such an address.
    #[error("{text:?} is {kind}, no device on a link has such an address")]
    NotUnicast {
        /// What was given.
        text: String,
        /// The name of the block.
        kind: &'static str,
    },
}

impl Subnet {
    /// The network's address: all host bits zero.
    pub fn network(self) -> Ipv4Addr {
        self.0.network()
    }

    /// The address of all hosts: all host bits one.
    pub fn broadcast(self) -> Ipv4Addr {
        self.0.broadcast()
    }

    /// The prefix length, 8 to 32.
    pub fn prefix(self) -> u8 {
        self.0.prefix_len()
    }

    /// Whether the address lies in the subnet.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        self.0.contains(&address)
    }

    /// Whether all of `other` lies in this subnet. Two subnets are nested or have nothing in common.
    pub fn covers(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }

    /// The addresses that a host can have: without network and broadcast address, except in a /31
    /// (RFC 3021) and a /32, which have neither.
    pub fn hosts(self) -> impl Iterator<Item = Ipv4Addr> + Clone {
        let range = self.host_range();
        (range.first..=range.last).map(Ipv4Addr::from_bits)
    }

    /// Whether addresses here are routed on the public Internet: outside of the blocks of RFC 1918,
    /// RFC 6598, RFC 3927, RFC 2544 and RFC 5737.
    pub fn is_public(self) -> bool {
        !PRIVATE.iter().any(|(base, prefix)| {
            Ipv4Net::new(Ipv4Addr::from_octets(*base), *prefix).is_ok_and(|block| block.contains(&self.0))
        })
    }

    fn host_range(self) -> Range {
        let (first, last) = (self.network().to_bits(), self.broadcast().to_bits());
        if self.prefix() >= 31 { Range { first, last } } else { Range { first: first + 1, last: last - 1 } }
    }

    fn kind_without_devices(net: Ipv4Net) -> Option<&'static str> {
        match net.network().octets()[0] {
            0 => Some("the unspecified block"),
            127 => Some("loopback"),
            224..=239 => Some("multicast"),
            240..=255 => Some("reserved"),
            _ => None,
        }
    }
}

/// Blocks that are not routed on the public Internet, after the RFCs named at [`Subnet::is_public`].
const PRIVATE: [([u8; 4], u8); 9] = [
    ([10, 0, 0, 0], 8),
    ([172, 16, 0, 0], 12),
    ([192, 168, 0, 0], 16),
    ([100, 64, 0, 0], 10),
    ([169, 254, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([192, 0, 2, 0], 24),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
];

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Subnet {
    type Err = SubnetError;

    fn from_str(given: &str) -> Result<Self, SubnetError> {
        let text = given.trim();
        let owned = || text.to_owned();
        if text.split('/').next().is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()) {
            return Err(SubnetError::Ipv6 { text: owned() });
        }
        let net = match text.parse::<Ipv4Addr>() {
            Ok(address) => Ipv4Net::from(address),
            Err(_) => text.parse::<Ipv4Net>().map_err(|_| SubnetError::Syntax { text: owned() })?,
        };
        if net.prefix_len() < 8 {
            return Err(SubnetError::TooWide { text: owned() });
        }
        if net.addr() != net.network() {
            return Err(SubnetError::HostBits { text: owned(), subnet: Self(net.trunc()), address: net.addr() });
        }
        match Self::kind_without_devices(net) {
            Some(kind) => Err(SubnetError::NotUnicast { text: owned(), kind }),
            None => Ok(Self(net)),
        }
    }
}

impl TryFrom<String> for Subnet {
    type Error = SubnetError;

    fn try_from(text: String) -> Result<Self, SubnetError> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    first: u32,
    last: u32,
}

impl Range {
    fn len(self) -> usize {
        (self.last - self.first) as usize + 1
    }
}

/// The addresses of a scan: distinct, in ascending order, reachable by position and by value
/// without a list of them.
///
/// ```
/// use pdsno::domain::subnet::AddressSet;
///
/// let set = AddressSet::new(&["10.0.1.0/30".parse()?, "10.0.0.0/31".parse()?]);
/// assert_eq!(set.len(), 4);
/// assert_eq!(set.get(2), Some([10, 0, 1, 1].into()));
/// assert_eq!(set.position([10, 0, 1, 1].into()), Some(2));
/// # Ok::<(), pdsno::domain::subnet::SubnetError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressSet {
    // Disjoint and ascending, each with the number of addresses before it.
    ranges: Vec<(Range, usize)>,
}

impl AddressSet {
    /// The host addresses of all subnets; what overlaps counts once.
    pub fn new(subnets: &[Subnet]) -> Self {
        let mut ranges = Vec::new();
        let mut before = 0;
        for subnet in merge(subnets).kept {
            let range = subnet.host_range();
            ranges.push((range, before));
            before += range.len();
        }
        Self { ranges }
    }

    /// How many addresses there are.
    pub fn len(&self) -> usize {
        self.ranges.last().map_or(0, |(range, before)| before + range.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// The address at a position, counted from 0 in ascending order.
    pub fn get(&self, position: usize) -> Option<Ipv4Addr> {
        let at = self.ranges.partition_point(|(_, before)| *before <= position).checked_sub(1)?;
        let (range, before) = self.ranges.get(at)?;
        let offset = u32::try_from(position - before).ok()?;
        (offset <= range.last - range.first).then(|| Ipv4Addr::from_bits(range.first + offset))
    }

    /// The position of an address; `None` when it is not in the set.
    pub fn position(&self, address: Ipv4Addr) -> Option<usize> {
        let bits = address.to_bits();
        let at = self.ranges.partition_point(|(range, _)| range.first <= bits).checked_sub(1)?;
        let (range, before) = self.ranges.get(at)?;
        (bits <= range.last).then(|| before + (bits - range.first) as usize)
    }

    /// Whether the address is in the set.
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        self.position(address).is_some()
    }

    /// All addresses in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Ipv4Addr> + '_ {
        self.ranges.iter().flat_map(|(range, _)| (range.first..=range.last).map(Ipv4Addr::from_bits))
    }
}

/// The subnets as one text, with commas and without spaces, as `--subnets` takes them.
pub fn listed(subnets: &[Subnet]) -> String {
    subnets.iter().map(Subnet::to_string).collect::<Vec<_>>().join(",")
}

/// What became of a list of subnets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// Disjoint subnets in ascending order.
    pub kept: Vec<Subnet>,
    /// Each subnet that was dropped, with the one that covers it.
    pub dropped: Vec<(Subnet, Subnet)>,
}

/// Drops every subnet that another one of the list covers, repeated ones included.
pub fn merge(subnets: &[Subnet]) -> Merged {
    let mut sorted = subnets.to_vec();
    // Wider first among those that start at the same address, so that a cover precedes what it covers.
    sorted.sort_by_key(|subnet| (subnet.network(), subnet.prefix()));
    let mut merged = Merged { kept: Vec::new(), dropped: Vec::new() };
    for subnet in sorted {
        match merged.kept.last() {
            Some(cover) if cover.covers(subnet) => merged.dropped.push((subnet, *cover)),
            _ => merged.kept.push(subnet),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn subnet(text: &str) -> Subnet {
        text.parse().unwrap()
    }

    fn some_subnet() -> impl Strategy<Value = Subnet> {
        (0_u32..1 << 12, 22_u8..=32).prop_map(|(low, prefix)| {
            let net = Ipv4Net::new(Ipv4Addr::from_bits(0x0a00_0000 | low), prefix).unwrap();
            Subnet(net.trunc())
        })
    }

    proptest! {
        #[test]
        fn a_set_is_the_union_of_its_subnets(subnets in prop::collection::vec(some_subnet(), 0..6)) {
            let set = AddressSet::new(&subnets);
            let kept = merge(&subnets).kept;
            let model: BTreeSet<Ipv4Addr> = kept.iter().flat_map(|subnet| subnet.hosts()).collect();
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), model.iter().copied().collect::<Vec<_>>());
            for (position, address) in model.iter().enumerate() {
                prop_assert_eq!(set.get(position), Some(*address));
                prop_assert_eq!(set.position(*address), Some(position));
            }
            prop_assert_eq!(set.get(model.len()), None);
        }

        #[test]
        fn merging_keeps_every_address_and_no_overlap(subnets in prop::collection::vec(some_subnet(), 0..6)) {
            let merged = merge(&subnets);
            prop_assert_eq!(merged.kept.len() + merged.dropped.len(), subnets.len());
            for subnet in &subnets {
                prop_assert!(merged.kept.iter().any(|kept| kept.covers(*subnet)));
            }
            for (at, one) in merged.kept.iter().enumerate() {
                prop_assert!(merged.kept.iter().skip(at + 1).all(|other| !one.covers(*other) && !other.covers(*one)));
            }
        }

        #[test]
        fn any_text_is_read_or_refused_by_name(text in "[0-9./:a-f]{0,20}") {
            match text.parse::<Subnet>() {
                Ok(subnet) => prop_assert_eq!(subnet.to_string().parse::<Subnet>(), Ok(subnet)),
                Err(refusal) => {
                    let named = refusal.to_string().contains(&format!("{:?}", text.trim()));
                    prop_assert!(named, "{refusal}");
                }
            }
        }
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        let refusal = |text: &str| text.parse::<Subnet>().unwrap_err();
        assert!(matches!(refusal("10.0.1.0/33"), SubnetError::Syntax { .. }));
        assert!(matches!(refusal(""), SubnetError::Syntax { .. }));
        assert!(matches!(refusal("fd00::/64"), SubnetError::Ipv6 { .. }));
        assert!(matches!(refusal("10.0.0.0/7"), SubnetError::TooWide { .. }));
        assert!(matches!(refusal("224.0.0.0/24"), SubnetError::NotUnicast { kind: "multicast", .. }));
        assert!(matches!(refusal("127.0.0.0/8"), SubnetError::NotUnicast { kind: "loopback", .. }));
        let HostBits { subnet: inside, .. } = refusal("10.0.1.7/24") else { panic!("host bits are refused") };
        assert_eq!(inside, subnet("10.0.1.0/24"));
    }

    use SubnetError::HostBits;

    #[test]
    fn a_bare_address_is_a_subnet_of_one() {
        assert_eq!(subnet("10.0.1.7"), subnet("10.0.1.7/32"));
        assert_eq!(subnet("10.0.1.7").hosts().collect::<Vec<_>>(), [Ipv4Addr::new(10, 0, 1, 7)]);
    }

    #[test]
    fn public_and_private_blocks_are_told_apart() {
        for private in ["10.0.0.0/8", "172.31.0.0/16", "192.168.4.0/24", "100.64.1.0/24", "169.254.0.0/16"] {
            assert!(!subnet(private).is_public(), "{private}");
        }
        for public in ["8.8.8.0/24", "172.32.0.0/16", "172.0.0.0/8", "192.0.0.0/16"] {
            assert!(subnet(public).is_public(), "{public}");
        }
    }
}
