//! Certificates and delegations in chains: what is read and written is read back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::canonical;
use pdsno::wire::statement::Chain;

fuzz_target!(|octets: &[u8]| {
    let Ok(chain) = canonical::read::<Chain>(octets, "a chain") else { return };
    let written = canonical::to_bytes(&chain).expect("what is read can be written");
    let again: Chain = canonical::read(&written, "a chain").expect("what is written can be read");
    assert_eq!(again, chain);
    for (one, other) in chain.certificates.iter().zip(&again.certificates) {
        assert_eq!(one.digest(), other.digest(), "what was signed is the same octets");
    }
});
