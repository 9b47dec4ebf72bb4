//! The lines of an export and the file of a proof: the first octet chooses the kind. One text for one
//! value, so what is read is written as the octets it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::wire::evidence::{EntryLine, HeadLine, LinkLine, Manifest, ProofFile, line, read_line};
use pdsno::wire::statement::Chain;
use serde::Serialize;
use serde::de::DeserializeOwned;

fn round<T: Serialize + DeserializeOwned>(octets: &[u8]) {
    if let Ok(value) = read_line::<T>(octets, "a line") {
        assert_eq!(line(&value).expect("what is read can be written"), octets);
    }
}

/// The kinds, in the order of their numbers.
const KINDS: [fn(&[u8]); 6] =
    [round::<Manifest>, round::<EntryLine>, round::<HeadLine>, round::<LinkLine>, round::<Chain>, round::<ProofFile>];

fuzz_target!(|octets: &[u8]| {
    let Some((kind, line)) = octets.split_first() else { return };
    if let Some(round) = KINDS.get(usize::from(*kind)) {
        round(line);
    }
});
