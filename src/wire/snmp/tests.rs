use proptest::prelude::*;

use std::net::Ipv4Addr;

use snmp_parser::error::SnmpError;
use snmp_parser::{PduType, SnmpPdu, parse_snmp_v2c};

use super::pdu::varbind;
use super::*;
use crate::wire::mib;
use crate::wire::oid::OidError;
use crate::wire::oid::tests::any_oid;

fn public() -> Community {
    Community::new("public").unwrap()
}

/// A response of one variable, `sysUpTime.0` = 4,200,000, by RFC 3416 and X.690.
#[rustfmt::skip]
const RESPONSE: &[u8] = &[
    0x30, 0x2b,                                     // SEQUENCE: the message
    0x02, 0x01, 0x01,                               // INTEGER: version 2c
    0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', // OCTET STRING: community
    0xa2, 0x1e,                                     // Response-PDU
    0x02, 0x04, 0x12, 0x34, 0x56, 0x78,             // INTEGER: request-id
    0x02, 0x01, 0x00,                               // INTEGER: error-status
    0x02, 0x01, 0x00,                               // INTEGER: error-index
    0x30, 0x10,                                     // SEQUENCE OF: variable-bindings
    0x30, 0x0e,                                     // SEQUENCE: VarBind
    0x06, 0x08, 0x2b, 6, 1, 2, 1, 1, 3, 0,          // OBJECT IDENTIFIER: 1.3.6.1.2.1.1.3.0
    0x43, 0x02, 0x40, 0x16,                         // TimeTicks: 16,406
];

/// Any value that has a form of its own. An empty string alone loses nothing: the parser drops its type.
fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i32>().prop_map(Value::Integer),
        any::<Vec<u8>>().prop_map(Value::OctetString),
        any_oid().prop_map(Value::ObjectId),
        any::<u32>().prop_map(|bits| Value::IpAddress(bits.into())),
        any::<u32>().prop_map(Value::Counter32),
        any::<u32>().prop_map(Value::Gauge32),
        any::<u32>().prop_map(Value::TimeTicks),
        any::<u64>().prop_map(Value::Counter64),
        Just(Value::Null),
        Just(Value::NoSuchObject),
        Just(Value::NoSuchInstance),
        Just(Value::EndOfMibView),
    ]
}

/// Writes a response with variables whose values are given as a tag and content.
fn encode_response(request_id: u32, error: (u32, u32), varbinds: &[(Oid, u8, Vec<u8>)]) -> Vec<u8> {
    let mut out = Vec::new();
    ber::value(&mut out, ber::SEQUENCE, |out| {
        ber::unsigned(out, VERSION_2C);
        ber::octet_string(out, b"public");
        ber::value(out, 0xa2, |out| {
            [request_id, error.0, error.1].into_iter().for_each(|number| ber::unsigned(out, number));
            ber::value(out, ber::SEQUENCE, |out| {
                for (oid, tag, content) in varbinds {
                    ber::value(out, ber::SEQUENCE, |out| {
                        ber::object_identifier(out, oid);
                        ber::value(out, *tag, |out| out.extend_from_slice(content));
                    });
                }
            });
        });
    });
    out
}

#[test]
fn a_get_request_is_written_by_rfc_3416() {
    let mut out = vec![0xaa; 100];
    encode_get(&mut out, &public(), RequestId::MIN, &[mib::SYS_DESCR]);
    #[rustfmt::skip]
    let expected = [
        0x30, 0x26,                                     // SEQUENCE: the message
        0x02, 0x01, 0x01,                               // INTEGER: version 2c
        0x04, 0x06, b'p', b'u', b'b', b'l', b'i', b'c', // OCTET STRING: community
        0xa0, 0x19,                                     // GetRequest-PDU
        0x02, 0x01, 0x01,                               // INTEGER: request-id
        0x02, 0x01, 0x00,                               // INTEGER: error-status
        0x02, 0x01, 0x00,                               // INTEGER: error-index
        0x30, 0x0e,                                     // SEQUENCE OF: variable-bindings
        0x30, 0x0c,                                     // SEQUENCE: VarBind
        0x06, 0x08, 0x2b, 6, 1, 2, 1, 1, 1, 0,          // OBJECT IDENTIFIER: 1.3.6.1.2.1.1.1.0
        0x05, 0x00,                                     // NULL
    ];
    assert_eq!(out, expected);
}

#[test]
fn a_get_bulk_request_has_its_own_tag_and_counts() {
    let mut out = Vec::new();
    encode_get_bulk(&mut out, &public(), RequestId::MAX, 1, 300, &[mib::SYS_UP_TIME, mib::IF_DESCR]);
    #[rustfmt::skip]
    let expected = [
        0xa5, 0x2c,                                     // GetBulkRequest-PDU
        0x02, 0x04, 0x7f, 0xff, 0xff, 0xff,             // INTEGER: request-id
        0x02, 0x01, 0x01,                               // INTEGER: non-repeaters
        0x02, 0x02, 0x01, 0x2c,                         // INTEGER: max-repetitions
    ];
    assert_eq!(out[13..28], expected);
}

#[test]
fn a_response_is_read_by_rfc_3416() {
    let pdu = Pdu {
        kind: PduKind::Response,
        request_id: 0x1234_5678,
        error_status: 0,
        error_index: 0,
        varbinds: vec![(mib::SYS_UP_TIME, Value::TimeTicks(16_406))],
    };
    let expected = Message { community: b"public".to_vec(), pdu };
    assert_eq!(decode_response(RESPONSE), Ok(expected));
    assert!(!format!("{:?}", decode_response(RESPONSE)).contains("public"));
}

#[test]
fn every_kind_of_value_is_read() {
    let oid = || mib::SYS_OBJECT_ID;
    for (tag, content, value) in [
        (0x02, vec![0xff], Value::Integer(-1)),
        (0x02, vec![0x7f, 0xff, 0xff, 0xff], Value::Integer(i32::MAX)),
        (0x04, vec![0xc3, 0x28, 0x00], Value::OctetString(vec![0xc3, 0x28, 0x00])),
        (0x04, vec![], Value::OctetString(vec![])),
        (0x05, vec![], Value::Null),
        (0x06, vec![0x2b, 6, 1, 4, 1, 9], Value::ObjectId("1.3.6.1.4.1.9".parse().unwrap())),
        (0x06, vec![0x2b, 0x86], Value::Other),
        (0x40, vec![10, 0, 1, 7], Value::IpAddress(Ipv4Addr::new(10, 0, 1, 7))),
        (0x41, vec![0x00, 0xff, 0xff, 0xff, 0xff], Value::Counter32(u32::MAX)),
        (0x42, vec![0x3b, 0x9a, 0xca, 0x00], Value::Gauge32(1_000_000_000)),
        (0x43, vec![0x01], Value::TimeTicks(1)),
        (0x44, vec![0x9f, 0x78, 0x04], Value::Other),
        (0x46, vec![0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Value::Counter64(u64::MAX)),
        (0x80, vec![], Value::NoSuchObject),
        (0x81, vec![], Value::NoSuchInstance),
        (0x82, vec![], Value::EndOfMibView),
    ] {
        let datagram = encode_response(7, (0, 0), &[(oid(), tag, content.clone())]);
        let response =
            decode_response(&datagram).unwrap_or_else(|error| panic!("{tag:#04x} {content:?}: {error:?}")).pdu;
        assert_eq!(response.varbinds, [(oid(), value)]);
    }
}

#[test]
fn an_error_status_is_a_response_too() {
    let response = decode_response(&encode_response(7, (2, 1), &[(mib::SYS_DESCR, 0x05, vec![])])).unwrap().pdu;
    assert_eq!((response.error_status, response.error_index), (2, 1));
}

#[test]
fn what_is_no_response_of_version_2c_is_refused() {
    let mut request = Vec::new();
    encode_get(&mut request, &public(), RequestId::MIN, &[mib::SYS_DESCR]);
    assert_eq!(decode_response(&request), Err(PduError::Kind(0)));
    encode_get_bulk(&mut request, &public(), RequestId::MIN, 0, 1, &[mib::SYS_DESCR]);
    assert_eq!(decode_response(&request), Err(PduError::Kind(5)));
    for version in [0, 3] {
        let mut other = RESPONSE.to_vec();
        other[4] = version;
        assert_eq!(decode_response(&other), Err(PduError::Message(SnmpError::InvalidVersion)));
    }
    let mut bad_name = RESPONSE.to_vec();
    bad_name[40] = 0x80;
    assert_eq!(decode_response(&bad_name), Err(PduError::Name { index: 1, source: OidError::Encoding }));
    assert_eq!(decode_response(&RESPONSE[..40]), Err(PduError::Truncated { length: 40 }));
}

#[test]
fn nesting_without_end_is_refused() {
    // Constructed values of indefinite length, one in the other, as the value of a variable.
    let nested = [0x30, 0x80].repeat(30_000);
    for tag in [0x04, 0x24, 0x30] {
        assert!(decode_response(&encode_response(7, (0, 0), &[(mib::SYS_DESCR, tag, nested.clone())])).is_ok());
    }
    assert!(decode_response(&nested).is_err());
    let inner = [RESPONSE[..13].to_vec(), [0xa2, 0x80].repeat(20_000)].concat();
    assert!(decode_response(&inner).is_err());
}

#[test]
fn request_ids_stay_positive() {
    assert_eq!(RequestId::MAX.next(), RequestId::MIN);
    assert_eq!(RequestId::MIN.next().get(), 2);
    assert_eq!(RequestId::from_seed(0x8000_0000), RequestId::MIN);
    assert_eq!(RequestId::from_seed(u32::MAX), RequestId::MAX);
}

#[test]
fn damaged_responses_are_read_or_refused() {
    let rich = encode_response(
        0x1234_5678,
        (0, 0),
        &[
            (mib::SYS_DESCR, 0x04, vec![b'x'; 200]),
            (mib::SYS_OBJECT_ID, 0x06, vec![0x2b, 6, 1, 4, 1, 0x82, 0x37]),
            (mib::SYS_SERVICES, 0x02, vec![0x4e]),
            (mib::IF_SPEED, 0x42, vec![0x00, 0xff, 0xff, 0xff, 0xff]),
            (mib::SYS_LOCATION, 0x82, vec![]),
        ],
    );
    for valid in [RESPONSE, &rich] {
        assert!(decode_response(valid).is_ok());
        for length in 0..valid.len() {
            assert!(decode_response(&valid[..length]).is_err(), "{length}");
        }
        let mut damaged = valid.to_vec();
        for place in 0..valid.len() {
            for octet in 0..=u8::MAX {
                damaged[place] = octet;
                let _ = decode_response(&damaged);
            }
            damaged[place] = valid[place];
        }
    }
}

proptest! {
    #[test]
    fn a_request_is_what_an_independent_parser_reads(
        community in "[ -~]{1,64}",
        seed: u32,
        bulk in prop::option::of((any::<u16>(), any::<u16>())),
        oids in prop::collection::vec(any_oid(), 0..20),
    ) {
        let id = RequestId::from_seed(seed);
        let mut out = Vec::new();
        let secret = Community::new(&community).unwrap();
        match bulk {
            Some((skipped, repeated)) => encode_get_bulk(&mut out, &secret, id, skipped, repeated, &oids),
            None => encode_get(&mut out, &secret, id, &oids),
        }
        let (rest, message) = parse_snmp_v2c(&out).unwrap();
        prop_assert!(rest.is_empty());
        prop_assert_eq!(message.community, community);
        let variables = match (&message.pdu, bulk) {
            (SnmpPdu::Generic(pdu), None) => {
                prop_assert_eq!((pdu.pdu_type, pdu.req_id, pdu.err.0, pdu.err_index), (PduType::GetRequest, id.get(), 0, 0));
                &pdu.var
            }
            (SnmpPdu::Bulk(pdu), Some((skipped, repeated))) => {
                prop_assert_eq!((pdu.req_id, pdu.non_repeaters, pdu.max_repetitions), (id.get(), skipped.into(), repeated.into()));
                &pdu.var
            }
            (pdu, _) => return Err(TestCaseError::fail(format!("{pdu:?}"))),
        };
        let read: Vec<_> = variables.iter().map(|variable| varbind(variable).unwrap()).collect();
        prop_assert_eq!(read, oids.into_iter().map(|oid| (oid, Value::Null)).collect::<Vec<_>>());
    }

    #[test]
    fn a_response_is_read_back(
        request_id in 0..=u32::MAX, error: (u32, u32), names in prop::collection::vec((any_oid(), any::<Vec<u8>>()), 0..20),
    ) {
        let varbinds: Vec<_> = names.iter().map(|(oid, octets)| (oid.clone(), 0x04, octets.clone())).collect();
        let response = decode_response(&encode_response(request_id, error, &varbinds)).unwrap().pdu;
        prop_assert_eq!((response.request_id, response.error_status, response.error_index), (request_id, error.0, error.1));
        let expected: Vec<_> = names.into_iter().map(|(oid, octets)| (oid, Value::OctetString(octets))).collect();
        prop_assert_eq!(response.varbinds, expected);
    }

    #[test]
    fn what_an_agent_writes_is_read_back(
        kind in prop::sample::select(vec![PduKind::Get, PduKind::GetNext, PduKind::Response, PduKind::GetBulk, PduKind::Report]),
        numbers: [u32; 3],
        varbinds in prop::collection::vec((any_oid(), any_value()), 0..10),
    ) {
        let [request_id, error_status, error_index] = numbers;
        let pdu = Pdu { kind, request_id, error_status, error_index, varbinds };
        let mut out = Vec::new();
        encode(&mut out, b"public", &pdu);
        prop_assert_eq!(decode(&out).map(|message| message.pdu), Ok(pdu.clone()));
        let mut alone = Vec::new();
        pdu.append(&mut alone);
        alone.extend([0, 0, 0]);
        prop_assert_eq!(Pdu::read(&alone), Ok(pdu));
    }

    #[test]
    fn any_octets_are_read_or_refused(datagram: Vec<u8>) {
        let _ = decode_response(&datagram);
    }

    #[test]
    fn any_octets_in_a_variable_are_read_or_refused(tag: u8, content in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = decode_response(&encode_response(7, (0, 0), &[(mib::SYS_DESCR, tag, content)]));
    }
}
