//! SNMP messages of v2c and v3: what is read has no more bindings than octets, all of what it says comes
//! from octets that are there, and what is read without keys needed none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::snmp::pdu::Pdu;
use pdsno::wire::snmp::{Value, decode};
use pdsno::wire::usm::message::{Level, Sealed};

fuzz_target!(|octets: &[u8]| {
    if let Ok(message) = decode(octets) {
        assert!(stands(octets, &message.community));
        check(octets, &message.pdu);
    }
    if let Ok(sealed) = Sealed::read(octets)
        && let Ok(scoped) = sealed.open(None)
    {
        assert_eq!(sealed.level(), Level::Plain);
        check(octets, &scoped.pdu);
    }
});

fn stands(octets: &[u8], part: &[u8]) -> bool {
    part.is_empty() || octets.windows(part.len()).any(|window| window == part)
}

fn check(octets: &[u8], response: &Pdu) {
    // A binding is at least two headers of two octets each.
    assert!(response.varbinds.len() * 4 <= octets.len());
    for (name, value) in &response.varbinds {
        assert_eq!(name.to_string().parse().as_ref(), Ok(name), "a name is read back");
        if let Value::OctetString(text) = value {
            assert!(stands(octets, text));
        }
    }
}
