//! Envelopes: what is read says the same when it is written, and opens only under a signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::envelope::read;
use pdsno::wire::presence::Heartbeat;

fuzz_target!(|octets: &[u8]| {
    let Ok(sealed) = read(octets) else { return };
    assert_eq!(read(octets).as_ref().ok(), Some(&sealed), "it is read alike each time");
    if let Ok(message) = sealed.open::<Heartbeat>() {
        assert_eq!(message.header.message_type, sealed.message_type());
        assert_eq!(&message.key, sealed.key());
    }
});
