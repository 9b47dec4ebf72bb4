//! Proofs and requests to witnesses: what is read and printed is read back as the same, and has one text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::tlog_proof::TlogProof;
use pdsno::wire::witness::AddCheckpoint;

fuzz_target!(|octets: &[u8]| {
    if let Ok(proof) = TlogProof::parse(octets) {
        assert_eq!(proof.to_string().as_bytes(), octets);
    }
    if let Ok(request) = AddCheckpoint::parse(octets) {
        assert_eq!(request.to_string().as_bytes(), octets);
    }
});
