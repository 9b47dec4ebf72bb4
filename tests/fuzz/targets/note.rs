//! Signed notes and checkpoints: one text for one note, so what is read is printed as it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::checkpoint::{Checkpoint, SignedCheckpoint};
use pdsno::wire::note::{Note, VerifierKey};

fuzz_target!(|octets: &[u8]| {
    if let Ok(note) = Note::parse(octets) {
        assert_eq!(note.to_string().as_bytes(), octets);
    }
    if let Ok(signed) = SignedCheckpoint::parse(octets) {
        assert_eq!(signed.note().to_string().as_bytes(), octets);
        assert_eq!(signed.checkpoint().to_string(), signed.note().text());
    }
    if let Ok(text) = std::str::from_utf8(octets) {
        if let Ok(checkpoint) = Checkpoint::parse(text) {
            assert_eq!(checkpoint.to_string(), text);
        }
        if let Ok(key) = text.parse::<VerifierKey>() {
            assert_eq!(key.to_string(), text);
        }
    }
});
