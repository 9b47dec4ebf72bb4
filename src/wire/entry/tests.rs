//! Entries that are read back, refused, and signed.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::wire::signature::tests::key;

/// An entry at this place, for tests.
pub(crate) fn entry(seq: u64) -> Entry {
    Entry {
        origin: "pdsno/prod/regional_cntl_zoneA_1".parse().unwrap(),
        seq: EventSeq::from_number(seq),
        event_id: EventId::new(Timestamp::from_millis(1_795_255_200_250), [7; 10]),
        event_type: EventType::DeviceDiscovered,
        actor: "regional_cntl_zoneA_1".to_owned(),
        subject: "device 17".to_owned(),
        action: Some("change-vlan".to_owned()),
        decision: Some(Decision::Approve),
        policy_version: Some(u64::MAX),
        epoch: Epoch::from_number(3),
        timestamp: Timestamp::from_millis(1_795_255_200_250),
        payload: Payload::Inside(json!({"mac": "52:54:00:00:00:11", "count": 3, "é": [null, 0.5]})),
    }
}

#[test]
fn a_body_is_one_line_of_sorted_fields() {
    let body = String::from_utf8(encode(&entry(12)).unwrap()).unwrap();
    assert_eq!(
        body,
        concat!(
            r#"{"action":"change-vlan","actor":"regional_cntl_zoneA_1","decision":"APPROVE","epoch":"3","#,
            r#""event_id":"01a1fd8c-69fa-7707-8707-070707070707","event_type":"DEVICE_DISCOVERED","#,
            r#""origin":"pdsno/prod/regional_cntl_zoneA_1","payload":{"count":3,"mac":"52:54:00:00:00:11","#,
            r#""é":[null,0.5]},"policy_version":"18446744073709551615","seq":"12","subject":"device 17","#,
            r#""timestamp":"2026-11-21T10:00:00.250Z","v":1}"#
        )
    );
}

#[test]
fn what_is_written_is_read_back() {
    let beside = Payload::Beside(sha256(b"{}"));
    let bare = Entry { action: None, decision: None, policy_version: None, payload: beside, ..entry(0) };
    for entry in [entry(u64::MAX), bare] {
        assert_eq!(decode(&encode(&entry).unwrap()).unwrap(), entry);
    }
}

#[test]
fn a_long_payload_is_kept_beside() {
    // {"a":"…"} has eight octets around the text.
    let of = |length: usize| json!({"a": "x".repeat(length - 8)});
    assert_eq!(payload(of(PAYLOAD_LIMIT)).unwrap(), (Payload::Inside(of(PAYLOAD_LIMIT)), None));
    let (kept, octets) = payload(of(PAYLOAD_LIMIT + 1)).unwrap();
    let octets = octets.unwrap();
    assert_eq!((kept, octets.len()), (Payload::Beside(sha256(&octets)), PAYLOAD_LIMIT + 1));
    let too_long = Entry { payload: Payload::Inside(of(PAYLOAD_LIMIT + 1)), ..entry(0) };
    assert!(matches!(encode(&too_long), Err(EntryError::PayloadTooLong(length)) if length == PAYLOAD_LIMIT + 1));
}

#[test]
fn the_longest_entry_fits_a_bundle() {
    // Each control character is six octets of JSON.
    let text = "\u{1}".repeat(TEXT_LIMIT);
    let particulars = json!({"a": "x".repeat(PAYLOAD_LIMIT - 8)});
    let longest = Entry {
        actor: text.clone(),
        subject: text.clone(),
        action: Some(text.clone()),
        payload: Payload::Inside(particulars),
        ..entry(u64::MAX)
    };
    assert_eq!(decode(&encode(&longest).unwrap()).unwrap(), longest);
    for (field, long) in [
        ("actor", Entry { actor: format!("{text}x"), ..entry(0) }),
        ("subject", Entry { subject: format!("{text}x"), ..entry(0) }),
        ("action", Entry { action: Some(format!("{text}x")), ..entry(0) }),
    ] {
        assert!(matches!(encode(&long), Err(EntryError::TextTooLong { field: named, .. }) if named == field));
    }
    let origin = format!("pdsno/{}", "x".repeat(MAX_LEAF)).parse().unwrap();
    assert!(matches!(encode(&Entry { origin, ..entry(0) }), Err(EntryError::LeafTooLong(_))));
    assert!(matches!(decode(&vec![b' '; MAX_LEAF]), Err(EntryError::LeafTooLong(_))));
}

#[test]
fn each_other_spelling_is_refused() {
    let body = String::from_utf8(encode(&entry(12)).unwrap()).unwrap();
    let changed = |from: &str, to: &str| {
        let text = body.replacen(from, to, 1);
        assert_ne!(text, body, "{from} is there");
        decode(text.as_bytes()).unwrap_err()
    };
    assert!(matches!(changed("\"v\":1", "\"v\":2"), EntryError::Version(v) if v == 2));
    for (from, to) in [
        ("{\"action\"", "{ \"action\""),
        ("\"seq\":\"12\"", "\"seq\":\"012\""),
        ("\"policy_version\":\"1", "\"policy_version\":\"+1"),
        ("é", "\\u00e9"),
        ("0.5", "5e-1"),
        (".250Z", ".25Z"),
    ] {
        assert!(matches!(changed(from, to), EntryError::NotCanonical), "{to}");
    }
    for (from, to) in [
        ("\"v\":1", "\"v\":1,\"w\":1"),
        ("\"v\":1", "\"v\":1,\"v\":1"),
        ("\"seq\":\"12\"", "\"seq\":12"),
        (",\"v\":1", ""),
        ("APPROVE", "approve"),
        ("\"count\":3", "\"count\":9007199254740993"),
        ("}", ""),
    ] {
        assert!(matches!(changed(from, to), EntryError::Malformed(_)), "{to}");
    }
    assert!(matches!(changed("\"payload\":{", "\"payload_sha256\":null,\"payload\":{"), EntryError::NotCanonical));
    let digest = format!("\"payload_sha256\":\"{}\",\"policy", sha256(b""));
    assert!(matches!(changed("\"policy", &digest), EntryError::Payload));
    let not_an_object = Entry { payload: Payload::Inside(json!([1])), ..entry(0) };
    assert!(matches!(encode(&not_an_object), Err(EntryError::Payload)));
    assert!(matches!(payload(json!("x")), Err(EntryError::Payload)));
    assert!(matches!(payload(json!({"n": u64::MAX})), Err(EntryError::Unwritable(_))));
}

proptest! {
    #[test]
    fn a_flipped_bit_changes_what_it_says_or_is_refused(at: prop::sample::Index, bit in 0..8_u8) {
        let body = encode(&entry(12)).unwrap();
        let signature = sign(&body, &key(1));
        prop_assert!(is_signed(&body, &signature, &key(1).public_key()));
        let mut changed = body.clone();
        changed[at.index(body.len())] ^= 1 << bit;
        prop_assert!(!is_signed(&changed, &signature, &key(1).public_key()));
        prop_assert!(decode(&changed).map_or(true, |read| read != entry(12)));
        prop_assert_ne!(leaf(&changed, &signature), leaf(&body, &signature));
    }

    #[test]
    fn a_body_is_in_canonical_form(
        actor in ".{0,40}",
        subject in ".{0,40}",
        action in prop::option::of(".{0,40}"),
        key in ".{0,20}",
        number: f64,
        is_beside: bool,
    ) {
        let inside = Payload::Inside(json!({ key: [number] }));
        let payload = if is_beside { Payload::Beside(sha256(b"")) } else { inside };
        let body = encode(&Entry { actor, subject, action, payload, ..entry(u64::MAX) });
        // A number that would be rounded has no canonical form.
        if let Ok(body) = body {
            let value = serde_json::from_slice::<Value>(&body).unwrap();
            prop_assert_eq!(canonical::value_to_bytes(&value).unwrap(), body);
        }
    }

    #[test]
    fn an_event_and_its_entry_have_one_body(subject in ".{0,40}", length in PAYLOAD_LIMIT - 20..PAYLOAD_LIMIT + 20) {
        let entry = Entry { action: None, decision: None, subject, ..entry(7) };
        let event = NewEvent {
            event_type: entry.event_type,
            actor: entry.actor.clone(),
            subject: entry.subject.clone(),
            timestamp: entry.timestamp,
            payload: json!({"b": null, "a": "x".repeat(length)}),
        };
        let Entry { origin, seq, event_id, policy_version, epoch, .. } = &entry;
        let (seq, event_id, policy_version, epoch) = (*seq, *event_id, *policy_version, *epoch);
        let (body, beside) = of_event(Setting { origin, seq, event_id, policy_version, epoch }, &event).unwrap();
        let (payload, octets) = payload(event.payload).unwrap();
        prop_assert_eq!(body, encode(&Entry { payload, ..entry.clone() }).unwrap());
        prop_assert_eq!(beside.map(|(_, octets)| octets), octets);
    }

    #[test]
    fn what_is_read_is_written_the_same(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(entry) = decode(&octets) {
            prop_assert_eq!(encode(&entry).unwrap(), octets);
        }
    }
}

#[test]
fn the_signature_is_of_the_type_too() {
    let body = encode(&entry(0)).unwrap();
    let bare = key(1).sign(&body);
    assert!(!is_signed(&body, &bare, &key(1).public_key()));
    let signature = sign(&body, &key(1));
    assert_eq!(leaf(&body, &signature).split_at(body.len()), (body.as_slice(), signature.as_bytes().as_slice()));
}
