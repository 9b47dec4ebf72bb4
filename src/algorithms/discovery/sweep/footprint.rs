//! What a sweep takes: the lengths of its frames, and the memory of those who are waited for.

use std::net::Ipv4Addr;

use super::agent::{self, Conversation, ROWS_AT_ONCE};
use super::host::Host;
use super::lane::Waiting;
use super::{COOKIE_LENGTH, Probe, SNMP_PORT, Target};
use crate::domain::address::MacAddr;
use crate::domain::secret::Community;
use crate::wire::icmp::Echo;
use crate::wire::ipv4::Heading;
use crate::wire::udp::Datagram;
use crate::wire::{arp, icmp, udp};

/// The lengths of the frames that a sweep sends, in octets, without padding and check sequence; and how
/// many questions a table takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lengths {
    /// Of an ARP request.
    pub resolution: usize,
    /// Of an echo request.
    pub echo: usize,
    /// Of the first question to an agent, for each community that is tried.
    pub first_question: Vec<usize>,
    /// Of a question for some rows of the interface table; the longest that there is.
    pub further_question: usize,
    /// How many of these are asked for a table.
    pub further_questions: u64,
}

impl Lengths {
    /// The lengths with these communities, when a table has so many rows.
    pub fn of(communities: &[Community], rows: u32) -> Self {
        let heading = Heading {
            source_mac: MacAddr::new([2, 0, 0, 0, 0, 1]),
            source: Ipv4Addr::UNSPECIFIED,
            destination_mac: MacAddr::new([2, 0, 0, 0, 0, 2]),
            destination: Ipv4Addr::UNSPECIFIED,
            identification: 0,
        };
        let mut frame = Vec::new();
        arp::encode_request(&mut frame, heading.source_mac, heading.source, heading.destination);
        let resolution = frame.len();
        let echo = Echo { identifier: 0, sequence: 0, payload: &[0; COOKIE_LENGTH] };
        // A frame that does not fit is not sent, by the sweep neither.
        let echo = icmp::encode_echo_request(&mut frame, &heading, &echo).map_or(0, |()| frame.len());
        let mut datagram = |payload: &[u8]| {
            let datagram = Datagram { source_port: 0, destination_port: SNMP_PORT, payload };
            udp::encode(&mut frame, &heading, &datagram).map_or(0, |()| frame.len())
        };
        let mut message = Vec::new();
        let tried = communities.get(..communities.len().min(agent::MOST_COMMUNITIES as usize)).unwrap_or_default();
        let talk = Conversation::new(u32::MAX, tried.len());
        let first_question = (0_u32..)
            .zip(tried)
            .map(|(packet, _)| {
                talk.encode(packet, tried, &mut message);
                datagram(&message)
            })
            .collect();
        let longest = tried.iter().max_by_key(|community| community.as_bytes().len());
        let further_question = longest.map_or(0, |community| {
            agent::encode_rows(&mut message, community, rows);
            datagram(&message)
        });
        // One more than there are full answers: only what lies behind the last row ends a table.
        let further_questions = u64::from(rows / u32::from(ROWS_AT_ONCE)) + 1;
        Self { resolution, echo, first_question, further_question, further_questions }
    }
}

/// What a sweep holds for so many addresses, of which so many answer, in octets. Tables of interfaces
/// come on top.
pub fn octets(addresses: usize, hosts: usize) -> u64 {
    // A queue is up to twice as long as what it holds.
    let queued = 2 * size_of::<Waiting>() + size_of::<Probe>();
    let address = size_of::<Target>() + size_of::<u32>() + queued;
    let host = size_of::<Host>() + size_of::<Conversation>() + 2 * queued;
    (addresses.saturating_mul(address)).saturating_add(hosts.saturating_mul(host)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_those_of_the_frames() {
        let communities = ["public", "a-longer-one"].map(|text| Community::new(text).unwrap());
        let lengths = Lengths::of(&communities, 16);
        assert_eq!((lengths.resolution, lengths.echo), (14 + 28, 14 + 20 + 8 + 16));
        let [public, longer] = lengths.first_question[..] else { panic!("{lengths:?}") };
        assert_eq!(longer, public + 6);
        assert!(public > 14 + 20 + 8 + 6 * 14 && lengths.further_question > 14 + 20 + 8 + 6 * 15, "{lengths:?}");
        assert_eq!(lengths.further_questions, 3, "two full answers and the end");
        assert_eq!(Lengths::of(&[], 0).first_question, Vec::<usize>::new());
    }

    #[test]
    fn no_more_communities_are_counted_than_are_tried() {
        let many: Vec<Community> = (0..20).map(|n| Community::new(&format!("community-{n}")).unwrap()).collect();
        assert_eq!(Lengths::of(&many, 0).first_question.len(), 16);
    }

    #[test]
    fn an_address_that_is_silent_costs_less_than_two_hundred_octets() {
        assert!(octets(1, 0) < 200 && octets(1, 1) > octets(1, 0));
        assert_eq!(octets(65_534, 0), 65_534 * octets(1, 0));
    }
}
