//! What the kernel tells of links, addresses and neighbours (rtnetlink(7)): notices, read for what
//! they mean to discovery. What it answers about routes is in [`route`].

pub mod route;

use std::net::Ipv4Addr;

use netlink_packet_core::{NetlinkBuffer, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::link::{LinkFlags, LinkHeader};
use netlink_packet_route::neighbour::{NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState};

use crate::domain::address::MacAddr;

// The types of messages, as linux/rtnetlink.h numbers them.
const NEW_LINK: u16 = 16;
const DELETED_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const DELETED_ADDRESS: u16 = 21;
const NEW_NEIGHBOUR: u16 = 28;

/// Something that happened to this host's part of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// A link is there, or has gone; which of its properties changed is not said.
    Link {
        /// The kernel's number for it.
        index: u32,
        /// Whether it is up and has a carrier.
        running: bool,
    },
    /// Some link has an IPv4 address more or less.
    Address,
    /// The kernel has learnt, or confirmed, who has an address.
    Neighbour {
        /// The address.
        address: Ipv4Addr,
        /// Who has it.
        mac: MacAddr,
    },
    /// There was more than was told, or what was told cannot be read.
    Lost,
}

/// The notices in one datagram, in order. What discovery is not concerned with is left out.
pub fn decode(datagram: &[u8]) -> Vec<Notice> {
    let mut notices = Vec::new();
    let mut rest = datagram;
    while !rest.is_empty() {
        let Ok(message) = NetlinkBuffer::new_checked(rest) else {
            notices.push(Notice::Lost);
            break;
        };
        notices.extend(notice(message.message_type(), message.payload()));
        // Messages begin at multiples of four octets (netlink(3), NLMSG_ALIGN).
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
        rest = length.checked_next_multiple_of(4).and_then(|length| rest.get(length..)).unwrap_or_default();
    }
    notices
}

fn notice(message_type: u16, payload: &[u8]) -> Option<Notice> {
    match message_type {
        NEW_LINK | DELETED_LINK => Some(match LinkHeader::parse(payload) {
            Ok(header) => {
                let running = header.flags.contains(LinkFlags::Up | LinkFlags::Running);
                Notice::Link { index: header.index, running: running && message_type == NEW_LINK }
            }
            Err(_) => Notice::Lost,
        }),
        NEW_ADDRESS | DELETED_ADDRESS => Some(Notice::Address),
        NEW_NEIGHBOUR => neighbour(&NeighbourMessage::parse(payload).ok()?),
        _ => None,
    }
}

/// An IPv4 neighbour with a hardware address that it told itself: an entry that somebody made by hand
/// (permanent, noarp) says nothing about who is there.
fn neighbour(message: &NeighbourMessage) -> Option<Notice> {
    use NeighbourState::{Delay, Probe, Reachable, Stale};
    let learnt = matches!(message.header.state, Reachable | Stale | Delay | Probe);
    if message.header.family != AddressFamily::Inet || !learnt {
        return None;
    }
    let address = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::Destination(NeighbourAddress::Inet(address)) => Some(*address),
        _ => None,
    })?;
    let mac = message.attributes.iter().find_map(|attribute| match attribute {
        NeighbourAttribute::LinkLayerAddress(octets) => <[u8; 6]>::try_from(octets.as_slice()).ok(),
        _ => None,
    })?;
    Some(MacAddr::new(mac)).filter(|mac| mac.is_station()).map(|mac| Notice::Neighbour { address, mac })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A message with its header (netlink(7), struct nlmsghdr), in the byte order of the host.
    fn message(message_type: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + payload.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(message_type.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    /// struct ifinfomsg: family, type, index, flags, mask.
    fn link(index: u32, flags: u32) -> Vec<u8> {
        [&[0, 0, 1, 0][..], &index.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 4]].concat()
    }

    /// struct ndmsg, then NDA_DST and NDA_LLADDR.
    fn neighbour(family: u8, state: u16, mac: Option<[u8; 6]>) -> Vec<u8> {
        let mut bytes = [&[family, 0, 0, 0][..], &2_u32.to_ne_bytes(), &state.to_ne_bytes(), &[0, 1]].concat();
        bytes.extend([8_u16.to_ne_bytes(), 1_u16.to_ne_bytes()].concat());
        bytes.extend([10, 0, 1, 9]);
        if let Some(mac) = mac {
            bytes.extend([10_u16.to_ne_bytes(), 2_u16.to_ne_bytes()].concat());
            bytes.extend(mac);
            bytes.extend([0, 0]);
        }
        bytes
    }

    const UP: u32 = 0x1;
    const RUNNING: u32 = 0x40;
    const INET: u8 = 2;
    const BRIDGE: u8 = 7;
    const REACHABLE: u16 = 0x02;
    const STALE: u16 = 0x04;
    const FAILED: u16 = 0x20;
    const PERMANENT: u16 = 0x80;
    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    #[test]
    fn a_link_runs_that_is_there_and_up_and_has_a_carrier() {
        for (message_type, flags, running) in
            [(16, UP | RUNNING, true), (16, UP, false), (16, RUNNING, false), (17, UP | RUNNING, false)]
        {
            let told = decode(&message(message_type, &link(7, flags)));
            assert_eq!(told, [Notice::Link { index: 7, running }], "{message_type} {flags:#x}");
        }
    }

    #[test]
    fn a_neighbour_counts_with_a_proven_hardware_address_only() {
        let known = [Notice::Neighbour { address: [10, 0, 1, 9].into(), mac: MacAddr::new(MAC) }];
        assert_eq!(decode(&message(28, &neighbour(INET, REACHABLE, Some(MAC)))), known);
        assert_eq!(decode(&message(28, &neighbour(INET, STALE, Some(MAC)))), known);
        for (message_type, payload) in [
            (28, neighbour(INET, FAILED, Some(MAC))),
            (28, neighbour(INET, PERMANENT, Some(MAC))),
            (28, neighbour(INET, REACHABLE, None)),
            (28, neighbour(BRIDGE, REACHABLE, Some(MAC))),
            (28, neighbour(INET, REACHABLE, Some([0xff; 6]))),
            (29, neighbour(INET, REACHABLE, Some(MAC))),
            (24, vec![0; 12]),
        ] {
            assert_eq!(decode(&message(message_type, &payload)), [], "{message_type} {payload:02x?}");
        }
    }

    #[test]
    fn all_messages_of_a_datagram_are_read_in_order() {
        let datagram =
            [message(16, &link(3, UP)), message(20, &[0; 9]), message(28, &neighbour(INET, STALE, Some(MAC)))];
        let told = decode(&datagram.concat());
        assert!(
            matches!(told[..], [Notice::Link { index: 3, .. }, Notice::Address, Notice::Neighbour { .. }]),
            "{told:?}"
        );
    }

    #[test]
    fn what_is_cut_off_is_lost_and_nothing_panics() {
        let whole = [message(28, &neighbour(INET, STALE, Some(MAC))), message(16, &link(3, UP))].concat();
        for length in 1..whole.len() {
            let told = decode(&whole[..length]);
            assert!(told.len() <= 2, "{length}: {told:?}");
        }
        assert_eq!(decode(&whole[..whole.len() - 1]).last(), Some(&Notice::Lost));
        assert_eq!(decode(&message(16, &[0; 8])), [Notice::Lost]);
        assert_eq!(decode(&[0; 64]), [Notice::Lost], "a message shorter than its header leads nowhere");
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_lost(
            message_type in 0_u16..40,
            payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..96),
        ) {
            proptest::prop_assert!(decode(&message(message_type, &payload)).len() <= 1);
            decode(&payload);
        }
    }
}
