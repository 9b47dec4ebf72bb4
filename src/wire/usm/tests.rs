use proptest::prelude::*;

use crate::domain::credential::{AuthProtocol, ContextName, Passphrase, PrivacyProtocol, User, UserName};
use crate::domain::engine::EngineId;
use crate::wire::mib;
use crate::wire::snmp::pdu::{Pdu, PduKind, Value};
use crate::wire::usm::keys::{LocalKeys, MasterKeys};
use crate::wire::usm::message::{Head, Level, MessageError, Protection, ScopedPdu, Sealed, encode};
use crate::wire::usm::security::SecurityParameters;

fn engine() -> EngineId {
    "80001f880400112233".parse().unwrap()
}

fn keys(protocol: AuthProtocol, privacy: Option<PrivacyProtocol>, password: &str) -> LocalKeys {
    let passphrase = |text: &str| Passphrase::new(text).unwrap();
    MasterKeys::derive(&User {
        name: UserName::new("monitor").unwrap(),
        authentication: (protocol, passphrase(password)),
        privacy: privacy.map(|privacy| (privacy, passphrase("another one"))),
        context: ContextName::default(),
    })
    .localise(&engine())
}

fn head() -> Head {
    let security =
        SecurityParameters { engine: engine().as_bytes().to_vec(), boots: 7, time: 4_200, user: b"monitor".to_vec() };
    Head { id: 0x1234_5678, max_size: 1_472, reportable: true, security }
}

fn scoped() -> ScopedPdu {
    let context_engine = engine().as_bytes().to_vec();
    ScopedPdu { context_engine, context_name: b"vlan-7".to_vec(), pdu: Pdu::get(99, &[mib::SYS_DESCR]) }
}

fn written(protection: Protection<'_>) -> Vec<u8> {
    let mut out = vec![0xaa; 20];
    encode(&mut out, &head(), &scoped(), protection);
    out
}

#[test]
fn what_is_written_by_any_protocols_is_read() {
    for protocol in AuthProtocol::ALL {
        for privacy in PrivacyProtocol::ALL.map(Some).into_iter().chain([None]) {
            let keys = keys(protocol, privacy, "correct horse");
            let message = written(Protection::best(&keys, 0x0102_0304_0506_0708));
            let sealed = Sealed::read(&message).unwrap();
            assert_eq!(sealed.head(), &head());
            assert_eq!(sealed.level(), if privacy.is_some() { Level::Private } else { Level::Authentic });
            assert_eq!(sealed.open(Some(&keys)), Ok(scoped()), "{protocol} {privacy:?}");
            let in_clear = message.windows(6).any(|octets| octets == b"vlan-7");
            assert_eq!(in_clear, privacy.is_none());
        }
    }
}

#[test]
fn a_message_without_protection_needs_no_keys() {
    let message = written(Protection::Plain);
    let sealed = Sealed::read(&message).unwrap();
    assert_eq!((sealed.level(), sealed.open(None)), (Level::Plain, Ok(scoped())));
}

/// The first message of engine discovery, octet for octet by RFC 3412 and RFC 3414.
#[test]
fn discovery_is_written_by_the_rfcs() {
    let head = Head { id: 1, max_size: 1_472, reportable: true, security: SecurityParameters::default() };
    let scoped = ScopedPdu { context_engine: Vec::new(), context_name: Vec::new(), pdu: Pdu::get(1, &[]) };
    let mut out = Vec::new();
    encode(&mut out, &head, &scoped, Protection::Plain);
    #[rustfmt::skip]
    let expected = [
        0x30, 0x37,                               // SEQUENCE: SNMPv3Message
        0x02, 0x01, 0x03,                         // INTEGER: msgVersion
        0x30, 0x0d,                               // SEQUENCE: msgGlobalData
        0x02, 0x01, 0x01,                         // INTEGER: msgID
        0x02, 0x02, 0x05, 0xc0,                   // INTEGER: msgMaxSize
        0x04, 0x01, 0x04,                         // OCTET STRING: msgFlags, reportable
        0x02, 0x01, 0x03,                         // INTEGER: msgSecurityModel, USM
        0x04, 0x10, 0x30, 0x0e,                   // OCTET STRING: a SEQUENCE
        0x04, 0x00, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x04, 0x00, 0x04, 0x00, 0x04, 0x00,
        0x30, 0x11,                               // SEQUENCE: ScopedPDU
        0x04, 0x00, 0x04, 0x00,                   // contextEngineID, contextName
        0xa0, 0x0b,                               // GetRequest-PDU
        0x02, 0x01, 0x01, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00, 0x30, 0x00,
    ];
    assert_eq!(out, expected);
}

#[test]
fn another_password_and_a_missing_key_open_nothing() {
    let right = keys(AuthProtocol::Sha256, Some(PrivacyProtocol::Aes128), "correct horse");
    let message = written(Protection::best(&right, 1));
    let sealed = Sealed::read(&message).unwrap();
    let wrong = keys(AuthProtocol::Sha256, Some(PrivacyProtocol::Aes128), "battery staple");
    assert_eq!(sealed.open(Some(&wrong)), Err(MessageError::Digest));
    let other = keys(AuthProtocol::Sha512, Some(PrivacyProtocol::Aes128), "correct horse");
    assert_eq!(sealed.open(Some(&other)), Err(MessageError::Digest));
    assert_eq!(sealed.open(None), Err(MessageError::NoKey));
    let half = keys(AuthProtocol::Sha256, None, "correct horse");
    assert_eq!(sealed.open(Some(&half)), Err(MessageError::NoKey));
}

#[test]
fn no_bit_of_a_message_can_be_changed() {
    let keys = keys(AuthProtocol::Sha1, Some(PrivacyProtocol::Aes256), "correct horse");
    let message = written(Protection::best(&keys, 77));
    let mut tampered = message.clone();
    for place in 0..message.len() * 8 {
        tampered[place / 8] ^= 1 << (place % 8);
        // Without its authentication flag it opens as what it claims to be: unprotected, and unread.
        let opened = Sealed::read(&tampered).and_then(|sealed| sealed.open(Some(&keys)));
        assert!(opened.is_err(), "bit {place}");
        tampered[place / 8] ^= 1 << (place % 8);
    }
    for length in 0..message.len() {
        assert!(Sealed::read(&message[..length]).is_err(), "{length}");
    }
    // Octets behind the message are not part of it.
    let longer = [message.as_slice(), b"more"].concat();
    assert_eq!(Sealed::read(&longer).unwrap().open(Some(&keys)), Ok(scoped()));
}

#[test]
fn other_versions_models_and_flags_are_refused() {
    let message = written(Protection::Plain);
    let altered = |place: usize, octet: u8| {
        let mut message = message.clone();
        message[place] = octet;
        Sealed::read(&message).map(|_| ()).unwrap_err()
    };
    let version = message.windows(3).position(|octets| octets == [2, 1, 3]).unwrap();
    let flags = message.windows(3).position(|octets| octets == [4, 1, 4]).unwrap();
    assert_eq!(altered(version + 2, 1), MessageError::Version(1));
    assert_eq!(altered(flags + 2, 0x02), MessageError::Flags);
    assert_eq!(altered(flags + 5, 2), MessageError::Model(2));
}

proptest! {
    // Each makes keys anew.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_message_is_read_back(
        id in 0..=0x7fff_ffff_u32, boots: u32, time: u32, salt: u64, reportable: bool,
        user: Vec<u8>, context: Vec<u8>, text: Vec<u8>,
    ) {
        let keys = keys(AuthProtocol::Sha256, Some(PrivacyProtocol::Aes128), "correct horse");
        let security = SecurityParameters { engine: engine().as_bytes().to_vec(), boots, time, user };
        let head = Head { id, max_size: 65_507, reportable, security };
        let varbinds = vec![(mib::SYS_DESCR, Value::OctetString(text))];
        let pdu = Pdu { kind: PduKind::Response, request_id: id, error_status: 0, error_index: 0, varbinds };
        let scoped = ScopedPdu { context_engine: Vec::new(), context_name: context, pdu };
        for protection in
            [Protection::Plain, Protection::Authentic(&keys.authentication), Protection::best(&keys, salt)]
        {
            let mut out = Vec::new();
            encode(&mut out, &head, &scoped, protection);
            let sealed = Sealed::read(&out).unwrap();
            prop_assert_eq!(sealed.head(), &head);
            prop_assert_eq!(sealed.level(), protection.level());
            prop_assert_eq!(sealed.open(Some(&keys)), Ok(scoped.clone()));
        }
    }

    /// Damage that leaves the head readable, which any octets hardly are.
    #[test]
    fn damaged_messages_are_read_or_refused(damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut message = written(Protection::Plain);
        for (place, octet) in damage {
            let place = place.index(message.len());
            message[place] = octet;
        }
        if let Ok(sealed) = Sealed::read(&message) {
            let level = sealed.level();
            prop_assert!(level == Level::Plain || sealed.open(None) == Err(MessageError::NoKey));
        }
    }
}
