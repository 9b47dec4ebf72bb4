//! Frames from a link (ARP, IPv4, ICMP, UDP): whatever comes is sorted or refused, a frame that was padded
//! means what it meant, and what is cut off in its Ethernet header means nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::frame::decode;

fuzz_target!(|octets: &[u8]| {
    let Ok(meant) = decode(octets) else { return };
    assert!(octets.len() >= 14 && decode(&octets[..13]).is_err());
    let padded = [octets, &[0; 46]].concat();
    assert_eq!(decode(&padded).as_ref(), Ok(&meant), "padding changes nothing");
});
