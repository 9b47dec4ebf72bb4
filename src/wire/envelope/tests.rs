use super::*;
use crate::domain::key::Nonce;
use crate::wire::signature::tests::key;
use crate::wire::validation::{RenewalRequest, ValidationAck};
use proptest::prelude::*;
use serde_json::{Value, json};

fn header() -> Header {
    let mut author = Author::new("local_cntl_zoneA_1".parse().unwrap(), BootId::new([1; 16]));
    let to = Destination::Controller("regional_cntl_zoneA_1".parse().unwrap());
    author.header::<ValidationAck>(to, Epoch::from_number(u64::MAX), Timestamp::from_millis(1_000), [2; 10])
}

fn ack() -> ValidationAck {
    ValidationAck { serial: "18446744073709551615".parse().unwrap() }
}

/// Whatever JSON, signed as an acknowledgement.
fn signed(payload: &str) -> Vec<u8> {
    let dsse = Dsse::sign(payload_type(MessageType::ValidationAck), payload.as_bytes().to_vec(), &key(1));
    serde_json::to_vec(&dsse).unwrap()
}

fn payload(change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value = json!({ "header": header(), "body": ack() });
    change(&mut value);
    signed(&value.to_string())
}

fn malformed(bytes: &[u8]) -> Malformed {
    match read(bytes).unwrap().open::<ValidationAck>().unwrap_err() {
        OpenError::Malformed { source, .. } => source,
        signature => panic!("{signature}"),
    }
}

#[test]
fn what_is_sealed_is_opened() {
    let bytes = seal(header(), &ack(), &key(1)).unwrap();
    let sealed = read(&bytes).unwrap();
    assert_eq!(sealed.message_type(), MessageType::ValidationAck);
    assert_eq!(sealed.key(), &key(1).public_key());
    let message = sealed.open::<ValidationAck>().unwrap();
    assert_eq!(message, Message { header: header(), body: ack(), key: key(1).public_key() });
}

#[test]
fn the_form_is_that_of_the_protocol() {
    let outer: Value = serde_json::from_slice(&seal(header(), &ack(), &key(1)).unwrap()).unwrap();
    assert_eq!(outer["payload_type"], "application/vnd.pdsno.validation_ack.v1+json");
    let dsse: Dsse = serde_json::from_value(outer).unwrap();
    assert_eq!(
        String::from_utf8_lossy(dsse.unverified()),
        concat!(
            r#"{"body":{"serial":"18446744073709551615"},"header":{"boot_id":"01010101-0101-4101-8101-010101010101","#,
            r#""epoch":"18446744073709551615","message_id":"00000000-03e8-7202-8202-020202020202","#,
            r#""message_type":"VALIDATION_ACK","recipient_id":"regional_cntl_zoneA_1","schema_version":1,"#,
            r#""sender_id":"local_cntl_zoneA_1","seq":"1","timestamp":"1970-01-01T00:00:01.000Z"}}"#
        )
    );
}

#[test]
fn messages_are_numbered_and_named_each_by_itself() {
    let mut author = Author::new("a".parse().unwrap(), BootId::new([0; 16]));
    let topic = || Destination::Topic("policy".parse().unwrap());
    let now = Timestamp::from_millis(5);
    let first = author.header::<ValidationAck>(topic(), Epoch::default(), now, [0; 10]);
    let second = author.header::<ValidationAck>(topic(), Epoch::default(), now, [1; 10]);
    assert_eq!((first.seq.number(), second.seq.number()), (1, 2));
    assert_ne!(first.message_id, second.message_id);
    assert_eq!(serde_json::from_value::<Header>(serde_json::to_value(&first).unwrap()).unwrap(), first);
}

#[test]
fn what_is_too_long_is_neither_sent_nor_read() {
    #[derive(Serialize, Deserialize)]
    struct Long(String);
    impl Body for Long {
        const MESSAGE_TYPE: MessageType = MessageType::ValidationAck;
    }
    let refusal = seal(header(), &Long("x".repeat(LARGEST)), &key(1)).unwrap_err();
    assert!(matches!(refusal, SealError::TooLong { length, .. } if length > LARGEST));
    let megabyte = vec![b' '; 1 << 20];
    assert!(matches!(read(&megabyte), Err(Malformed::TooLong { length, max: LARGEST }) if length == 1 << 20));
    // At the limit it is looked at.
    assert!(matches!(read(&vec![b'x'; LARGEST]), Err(Malformed::Syntax(_))));
}

#[test]
fn nothing_is_read_that_the_key_did_not_sign() {
    let bytes = seal(header(), &ack(), &key(1)).unwrap();
    let mut outer: Value = serde_json::from_slice(&bytes).unwrap();
    outer["signatures"][0]["keyid"] = key(2).public_key().to_string().into();
    let refusal = read(outer.to_string().as_bytes()).unwrap().open::<ValidationAck>().unwrap_err();
    assert!(matches!(refusal, OpenError::Signature { key: named } if named == key(2).public_key()));
    // Also when what is signed is no JSON: the signature comes first.
    outer["payload"] = "AAAA".into();
    let refusal = read(outer.to_string().as_bytes()).unwrap().open::<ValidationAck>().unwrap_err();
    assert!(matches!(refusal, OpenError::Signature { .. }));
}

#[test]
fn a_signature_is_over_the_type_too() {
    let mut outer: Value = serde_json::from_slice(&seal(header(), &ack(), &key(1)).unwrap()).unwrap();
    outer["payload_type"] = payload_type(MessageType::RenewalRequest).into();
    let sealed = read(outer.to_string().as_bytes()).unwrap();
    assert!(matches!(sealed.open::<RenewalRequest>(), Err(OpenError::Signature { .. })));
}

#[test]
fn an_unknown_message_is_refused_by_name() {
    for unknown in ["application/json", "application/vnd.pdsno.VALIDATION_ACK.v1+json", ""] {
        let dsse = Dsse::sign(unknown.to_owned(), b"{}".to_vec(), &key(1));
        match read(&serde_json::to_vec(&dsse).unwrap()).unwrap_err() {
            Malformed::Shape { source, .. } => assert!(source.to_string().contains(&format!("{unknown:?}"))),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn duplicate_keys_unknown_fields_depth_and_great_numbers_are_malformed() {
    assert!(read(&payload(|_| ())).unwrap().open::<ValidationAck>().is_ok());

    let twice =
        json!({ "header": header(), "body": ack() }).to_string().replace(r#"{"serial""#, r#"{"serial":"1","serial""#);
    assert!(matches!(malformed(&signed(&twice)), Malformed::DuplicateKey { key } if key == "serial"));
    for place in ["/header", "/body", ""] {
        let bytes = payload(|value| value.pointer_mut(place).unwrap()["more"] = 1.into());
        assert!(matches!(malformed(&bytes), Malformed::Shape { source, .. } if source.to_string().contains("`more`")));
    }
    let deep = (0..200).fold(Value::Null, |inner, _| json!([inner]));
    assert!(matches!(malformed(&payload(|value| value["body"] = deep)), Malformed::TooDeep));
    let great = payload(|value| value["body"]["serial"] = 9_007_199_254_740_993_u64.into());
    assert!(matches!(malformed(&great), Malformed::NumberTooGreat { .. }));
    let number = payload(|value| value["header"]["seq"] = 1.into());
    assert!(matches!(malformed(&number), Malformed::Shape { .. }));
    assert!(matches!(malformed(&signed("not json")), Malformed::Syntax(_)));
}

#[test]
fn header_and_type_agree() {
    let other = payload(|value| value["header"]["message_type"] = "CHALLENGE".into());
    assert!(matches!(malformed(&other), Malformed::Shape { source, .. } if source.to_string().contains("CHALLENGE")));
    let newer = payload(|value| value["header"]["schema_version"] = 2.into());
    assert!(matches!(malformed(&newer), Malformed::Shape { source, .. } if source.to_string().contains("version 2")));
    let sealed = read(&seal(header(), &ack(), &key(1)).unwrap()).unwrap();
    assert!(matches!(sealed.open::<RenewalRequest>(), Err(OpenError::Malformed { .. })));
}

#[test]
fn a_message_is_for_one_or_for_a_topic() {
    let both = payload(|value| value["header"]["topic"] = "policy".into());
    let none = payload(|value| drop(value["header"].as_object_mut().unwrap().remove("recipient_id")));
    for bytes in [both, none] {
        assert!(matches!(malformed(&bytes), Malformed::Shape { source, .. } if source.to_string().contains("either")));
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(read(&bytes).is_err());
    }

    #[test]
    fn no_signed_bytes_make_it_panic(text in "\\PC{0,100}") {
        prop_assert!(read(&signed(&text)).unwrap().open::<ValidationAck>().is_err());
    }

    #[test]
    fn one_changed_octet_is_refused(at: prop::sample::Index, change in 1_u8..) {
        let mut bytes = seal(header(), &ack(), &key(1)).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= change;
        prop_assert!(read(&bytes).map(|sealed| sealed.open::<ValidationAck>().is_err()).unwrap_or(true));
    }

    #[test]
    fn every_header_is_read_back(seq: u64, epoch: u64, millis in 0_i64..1 << 45, random: [u8; 10], nonce: [u8; 32]) {
        let body = RenewalRequest {
            current_serial: ack().serial,
            public_key: key(3).public_key(),
            nonce: Nonce::from_bytes(nonce),
            signature: key(3).sign(&nonce),
        };
        let now = Timestamp::from_millis(millis);
        let mut header = Author::new("a".parse().unwrap(), BootId::new([9; 16])).header::<RenewalRequest>(
            Destination::Topic("t".parse().unwrap()), Epoch::from_number(epoch), now, random);
        header.seq = MessageSeq::from_number(seq);
        let bytes = seal(header.clone(), &body, &key(1)).unwrap();
        let message = read(&bytes).unwrap().open::<RenewalRequest>().unwrap();
        prop_assert_eq!((message.header, message.body), (header, body));
    }
}
