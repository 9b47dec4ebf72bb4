//! What an echo request carries, and its reply repeats.

use std::net::Ipv4Addr;

/// Octets that nobody can know who was not asked: a reply with others answers nothing of ours. They
/// differ from address to address, for a host with several may answer as another than was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cookie(u128);

impl Cookie {
    /// How many octets there are.
    pub const LENGTH: usize = size_of::<u128>();

    pub fn new(random: &mut fastrand::Rng) -> Self {
        Self(random.u128(..))
    }

    /// The octets for one address.
    pub fn of(self, address: Ipv4Addr) -> [u8; Self::LENGTH] {
        (self.0 ^ u128::from(address.to_bits())).to_be_bytes()
    }
}
