//! SNMP messages: a response that is read has no more bindings than octets, and all of what it says comes
//! from octets that are there.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::snmp::{Value, decode_response};

fuzz_target!(|octets: &[u8]| {
    let Ok(response) = decode_response(octets) else { return };
    // A binding is at least two headers of two octets each.
    assert!(response.varbinds.len() * 4 <= octets.len());
    let stands_there = |part: &[u8]| part.is_empty() || octets.windows(part.len()).any(|window| window == part);
    assert!(stands_there(&response.community));
    for (name, value) in &response.varbinds {
        assert_eq!(name.to_string().parse().as_ref(), Ok(name), "a name is read back");
        if let Value::OctetString(text) = value {
            assert!(stands_there(text));
        }
    }
});
