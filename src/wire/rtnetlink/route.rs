//! The question by which way the kernel sends to an address, and its answer (`RTM_GETROUTE`, rtnetlink(7)).

use std::net::Ipv4Addr;

use netlink_packet_core::{ErrorBuffer, ErrorMessage, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader};
use netlink_packet_core::{NetlinkMessage, NetlinkPayload, Parseable};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

// The types of answers, as linux/netlink.h and linux/rtnetlink.h number them.
const ERROR: u16 = 2;
const NEW_ROUTE: u16 = 24;

/// The protocol number of ICMP (RFC 790): rules may send it another way than other packets.
const ICMP: u8 = 1;

/// The way of packets to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The kernel's number of the interface that they leave by.
    pub interface: u32,
    /// The router that they are handed to; `None` where the address is on link.
    pub gateway: Option<Ipv4Addr>,
    /// Our address that they come from.
    pub source: Ipv4Addr,
}

/// Why there is no way to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unroutable {
    /// There is no route, it forbids, or it leads to everybody at once, who is not asked.
    #[error("no route")]
    NoRoute,
    /// There is a route, and no address of ours that an answer could come to.
    #[error("no source address")]
    NoSource,
}

/// The question for the way to an address.
pub fn encode_question(sequence: u32, address: Ipv4Addr) -> Vec<u8> {
    let mut route = RouteMessage::default();
    route.header.address_family = AddressFamily::Inet;
    route.header.destination_prefix_length = 32;
    route.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(address)));
    route.attributes.push(RouteAttribute::IpProto(ICMP));
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = sequence;
    let question = RouteNetlinkMessage::GetRoute(route);
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(question));
    message.finalize();
    let mut octets = vec![0; message.buffer_len()];
    message.serialize(&mut octets);
    octets
}

/// The answer to the question with this number; `None` when the datagram is none.
pub fn decode_answer(datagram: &[u8], sequence: u32) -> Option<Result<Route, Unroutable>> {
    let message = NetlinkBuffer::new_checked(datagram).ok().filter(|answer| answer.sequence_number() == sequence)?;
    match message.message_type() {
        NEW_ROUTE => Some(route(&RouteMessage::parse(message.payload()).ok()?)),
        ERROR => {
            let payload = message.payload();
            let error = ErrorMessage::parse(&ErrorBuffer::new_checked(&payload).ok()?).ok()?;
            // Whatever it is that the kernel does not like, it would not send either.
            error.code.map(|_| Err(Unroutable::NoRoute))
        }
        _ => None,
    }
}

fn route(message: &RouteMessage) -> Result<Route, Unroutable> {
    if !matches!(message.header.kind, RouteType::Unicast | RouteType::Local) {
        return Err(Unroutable::NoRoute);
    }
    let (mut interface, mut gateway, mut source) = (None, None, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Oif(index) => interface = Some(*index),
            RouteAttribute::Gateway(RouteAddress::Inet(address)) => gateway = Some(*address),
            RouteAttribute::PrefSource(RouteAddress::Inet(address)) => source = Some(*address),
            _ => {}
        }
    }
    let interface = interface.ok_or(Unroutable::NoRoute)?;
    let source = source.filter(|source| !source.is_unspecified()).ok_or(Unroutable::NoSource)?;
    Ok(Route { interface, gateway, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GATEWAY: [u8; 4] = [10, 0, 1, 251];
    const SOURCE: [u8; 4] = [10, 0, 1, 250];

    /// An answer with its header, as the kernel of this machine would write it.
    fn answer(message_type: u16, sequence: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + payload.len()).unwrap();
        [&length.to_ne_bytes()[..], &message_type.to_ne_bytes(), &[0; 2], &sequence.to_ne_bytes(), &[0; 4], payload]
            .concat()
    }

    /// struct rtmsg of a type, then attributes of four octets.
    fn route(kind: u8, attributes: &[(u16, [u8; 4])]) -> Vec<u8> {
        let mut payload = vec![2, 32, 0, 0, 254, 0, 0, kind, 0, 0, 0, 0];
        for (number, value) in attributes {
            payload.extend([8_u16.to_ne_bytes(), number.to_ne_bytes()].concat());
            payload.extend(value);
        }
        payload
    }

    fn told(kind: u8, attributes: &[(u16, [u8; 4])]) -> Result<Route, Unroutable> {
        decode_answer(&answer(NEW_ROUTE, 7, &route(kind, attributes)), 7).unwrap()
    }

    const OIF: u16 = 4;
    const VIA: u16 = 5;
    const PREFERRED: u16 = 7;

    #[test]
    fn the_question_is_for_one_address() {
        let octets = encode_question(7, Ipv4Addr::new(10, 2, 0, 9));
        let length = u32::try_from(octets.len()).unwrap();
        assert_eq!((octets.len(), &octets[..4]), (16 + 12 + 8 + 8, &length.to_ne_bytes()[..]));
        assert_eq!((&octets[4..6], &octets[8..12]), (&26_u16.to_ne_bytes()[..], &7_u32.to_ne_bytes()[..]));
        assert_eq!((&octets[16..18], &octets[32..36]), (&[2, 32][..], &[10, 2, 0, 9][..]));
    }

    #[test]
    fn a_way_has_an_interface_a_source_and_perhaps_a_router() {
        let index = 3_u32.to_ne_bytes();
        let routed = told(1, &[(OIF, index), (VIA, GATEWAY), (PREFERRED, SOURCE)]);
        assert_eq!(routed, Ok(Route { interface: 3, gateway: Some(GATEWAY.into()), source: SOURCE.into() }));
        let near = told(1, &[(OIF, index), (PREFERRED, SOURCE)]);
        assert_eq!(near, Ok(Route { interface: 3, gateway: None, source: SOURCE.into() }));
    }

    #[test]
    fn without_a_source_or_to_everybody_there_is_no_way() {
        let index = 3_u32.to_ne_bytes();
        assert_eq!(told(1, &[(OIF, index)]), Err(Unroutable::NoSource));
        assert_eq!(told(1, &[(OIF, index), (PREFERRED, [0; 4])]), Err(Unroutable::NoSource));
        assert_eq!(told(1, &[(PREFERRED, SOURCE)]), Err(Unroutable::NoRoute));
        for kind in [3, 5, 6, 7, 8] {
            assert_eq!(told(kind, &[(OIF, index), (PREFERRED, SOURCE)]), Err(Unroutable::NoRoute), "{kind}");
        }
    }

    #[test]
    fn a_refusal_is_an_answer_and_what_answers_another_question_is_none() {
        let refusal = [&(-101_i32).to_ne_bytes()[..], &[0; 16]].concat();
        assert_eq!(decode_answer(&answer(ERROR, 7, &refusal), 7), Some(Err(Unroutable::NoRoute)));
        assert_eq!(decode_answer(&answer(ERROR, 8, &refusal), 7), None);
        assert_eq!(decode_answer(&answer(ERROR, 7, &[0; 20]), 7), None, "that all is well is no way");
        assert_eq!(decode_answer(&answer(16, 7, &[0; 16]), 7), None);
        let whole = answer(NEW_ROUTE, 7, &route(1, &[(OIF, [3, 0, 0, 0]), (PREFERRED, SOURCE)]));
        for length in 0..whole.len() {
            assert_eq!(decode_answer(&whole[..length], 7), None, "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_octets_are_read_or_passed_over(payload in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..96)) {
            for message_type in [ERROR, NEW_ROUTE] {
                decode_answer(&answer(message_type, 7, &payload), 7);
            }
            decode_answer(&payload, 7);
        }
    }
}
