//! Canonical JSON: what is read and written is read back as the same, and written as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::canonical::{read_value, value_to_bytes};

fuzz_target!(|octets: &[u8]| {
    let Ok(value) = read_value(octets) else { return };
    let canonical = value_to_bytes(&value).expect("what is read has a canonical form");
    let again = read_value(&canonical).expect("the canonical form is read");
    assert_eq!(value_to_bytes(&again).expect("and written"), canonical, "the form is its own");
    // Strict readers and serde_json agree on what a document says.
    let loose: serde_json::Value = serde_json::from_slice(octets).expect("strict is no looser");
    assert_eq!(loose, value);
});
