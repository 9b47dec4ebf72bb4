//! Entries of an event log: one text for one entry, so what is read is written as the octets it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::entry::{decode, encode};

fuzz_target!(|octets: &[u8]| {
    let Ok(entry) = decode(octets) else { return };
    assert_eq!(encode(&entry).expect("what is read can be written"), octets);
});
