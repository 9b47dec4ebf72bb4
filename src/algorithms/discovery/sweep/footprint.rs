//! What a sweep takes: the lengths of its frames, attempts and waits, and the memory of those who are
//! waited for.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use super::access::{self, MOST_CORRECTIONS};
use super::agent::{self, Conversation};
use super::cookie::Cookie;
use super::desk::Desk;
use super::host::Host;
use super::lane::{Loss, Waiting};
use super::targets::Target;
use super::window::Window;
use super::{Probe, SNMP_PORT, Wanted};
use crate::algorithms::discovery::credentials::{PreparedAccess, PreparedCredential};
use crate::domain::address::MacAddr;
use crate::wire::icmp::Echo;
use crate::wire::ipv4::Heading;
use crate::wire::snmp::pdu::Pdu;
use crate::wire::udp::Datagram;
use crate::wire::{arp, icmp, udp};

/// The lengths of the frames that a sweep sends, in octets, without padding and check sequence; and how
/// many questions an agent is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lengths {
    /// Of an ARP request.
    pub resolution: usize,
    /// Of an echo request.
    pub echo: usize,
    /// Of the first question to an agent: for each round of credentials, for each packet of an attempt.
    pub first_questions: Vec<Vec<usize>>,
    /// Of a question for some rows of a table; the longest that there is.
    pub further_question: usize,
    /// How many of these are asked for all tables.
    pub further_questions: u64,
    /// How often the first question is asked again, as in one of the rounds, because an agent tells what its
    /// engine is.
    pub corrections: u64,
}

impl Lengths {
    /// The lengths with these credentials, when each table has so many rows.
    pub(in crate::algorithms::discovery) fn of(
        credentials: Arc<[PreparedCredential]>,
        wanted: Wanted,
        rows: u32,
    ) -> Self {
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
        let echo = Echo { identifier: 0, sequence: 0, payload: &[0; Cookie::LENGTH] };
        // A frame that does not fit is not sent, by the sweep neither.
        let echo = icmp::encode_echo_request(&mut frame, &heading, &echo).map_or(0, |()| frame.len());
        let mut datagram = |payload: &[u8]| {
            let datagram = Datagram { source_port: 0, destination_port: SNMP_PORT, payload };
            udp::encode(&mut frame, &heading, &datagram).map_or(0, |()| frame.len())
        };
        let has_users = credentials.iter().any(|one| matches!(one.access, PreparedAccess::User(_)));
        let mut desk = Desk::new(credentials, 0);
        let mut rounds = |pdu: &Pdu| -> Vec<Vec<usize>> {
            let rounds = access::rounds(&mut desk, pdu);
            rounds.iter().map(|round| round.iter().map(|message| datagram(message)).collect()).collect()
        };
        let first_questions = rounds(&agent::first_question());
        let tables = agent::further_questions(rows, wanted);
        let further_question = tables.iter().flat_map(&mut rounds).flatten().max().unwrap_or(0);
        // One more than there are full answers: only what lies behind the last row ends a table.
        let questions = |table: &Pdu| u64::from(rows / table.error_index.max(1)) + 1;
        let further_questions = tables.iter().map(questions).sum();
        let corrections = if has_users { u64::from(MOST_CORRECTIONS) } else { 0 };
        Self { resolution, echo, first_questions, further_question, further_questions, corrections }
    }
}

/// How often anybody is asked at most of so many, with so many attempts ordered: on a link that is seen to
/// lose packets more often than that.
pub fn most_attempts(ordered: u8, addresses: usize) -> u8 {
    Loss::most_attempts(ordered.max(1), addresses)
}

/// How long it takes at least to begin with so many addresses on link through the kernel, no more than
/// `most` of them within the time for which its neighbour table keeps each; and how long that holds up
/// at most what could leave.
pub fn held_up(addresses: usize, most: usize) -> Duration {
    Window::span_of(addresses, most)
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
    use crate::algorithms::discovery::credentials::prepare;
    use crate::domain::credential::{
        self, AuthProtocol, ContextName, Credential, Passphrase, PrivacyProtocol, User, UserName,
    };
    use crate::domain::secret::Community;

    fn communities(texts: &[&str]) -> Vec<Credential> {
        texts.iter().map(|text| Credential::from(Community::new(text).unwrap())).collect()
    }

    fn user() -> Credential {
        let password = |text| Passphrase::new(text).unwrap();
        let user = User {
            name: UserName::new("scout").unwrap(),
            authentication: (AuthProtocol::Sha256, password("first-password")),
            privacy: Some((PrivacyProtocol::Aes128, password("second-password"))),
            context: ContextName::default(),
        };
        Credential { subnets: Vec::new(), access: credential::Access::User(user) }
    }

    #[test]
    fn lengths_are_those_of_the_frames() {
        let lengths = Lengths::of(prepare(&communities(&["public", "a-longer-one"])), Wanted::default(), 16);
        assert_eq!((lengths.resolution, lengths.echo), (14 + 28, 14 + 20 + 8 + 16));
        let [public, longer] = lengths.first_questions[0][..] else { panic!("{lengths:?}") };
        assert_eq!((lengths.first_questions.len(), longer), (1, public + 6));
        assert!(public > 14 + 20 + 8 + 6 * 14 && lengths.further_question > 14 + 20 + 8 + 6 * 15, "{lengths:?}");
        assert_eq!((lengths.further_questions, lengths.corrections), (3, 0), "two full answers and the end");
        assert_eq!(Lengths::of(prepare(&[]), Wanted::default(), 0).first_questions, Vec::<Vec<usize>>::new());
    }

    #[test]
    fn no_more_communities_are_tried_at_once_than_their_ids_can_tell_apart() {
        let many: Vec<String> = (0..20).map(|n| format!("community-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let rounds = Lengths::of(prepare(&communities(&many)), Wanted::default(), 0).first_questions;
        assert_eq!(rounds.iter().map(Vec::len).collect::<Vec<_>>(), [16, 4]);
    }

    #[test]
    fn a_user_is_asked_after_the_engine_and_neighbours_are_three_tables_more() {
        let mut credentials = vec![user()];
        credentials.extend(communities(&["public"]));
        let wanted = Wanted { neighbours: true, counters: false };
        let lengths = Lengths::of(prepare(&credentials), wanted, 8);
        assert_eq!(lengths.first_questions.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
        let [engine, asked, public] = lengths.first_questions.concat()[..] else { panic!("{lengths:?}") };
        assert!(engine < public && public < asked, "{lengths:?}");
        assert_eq!((lengths.further_questions, lengths.corrections), (8, 3));
    }

    #[test]
    fn counters_are_two_tables_more_in_frames_that_are_no_longer() {
        let of = |counters| Lengths::of(prepare(&communities(&["public"])), Wanted { neighbours: false, counters }, 48);
        let (without, with) = (of(false), of(true));
        // Eight rows at once; of the eight wide columns six; of the two narrow ones eight.
        assert_eq!((without.further_questions, with.further_questions), (7, 7 + 9 + 7));
        assert!(with.further_question < 14 + 20 + 8 + 400, "{with:?}");
    }

    #[test]
    fn an_address_that_is_silent_costs_less_than_two_hundred_octets() {
        assert!(octets(1, 0) < 200 && octets(1, 1) > octets(1, 0));
        assert_eq!(octets(65_534, 0), 65_534 * octets(1, 0));
    }
}
