//! What messages say: the first octet chooses the kind, the rest is the document. What is read and written
//! is read back as the same.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use pdsno::wire::{anchor, canonical, policy, presence, refused, report, validation};
use serde::Serialize;
use serde::de::DeserializeOwned;

fn round<T: Serialize + DeserializeOwned + PartialEq + Debug>(octets: &[u8]) {
    let Ok(body) = canonical::read::<T>(octets, "a body") else { return };
    let written = canonical::to_bytes(&body).expect("what is read can be written");
    let again: T = canonical::read(&written, "a body").expect("what is written can be read");
    assert_eq!(again, body);
    assert_eq!(canonical::to_bytes(&again).expect("again"), written);
}

/// The kinds, in the order of their numbers.
const KINDS: [fn(&[u8]); 22] = [
    round::<validation::ValidationRequest>,
    round::<validation::Challenge>,
    round::<validation::ChallengeResponse>,
    round::<validation::ValidationResult>,
    round::<validation::ValidationAck>,
    round::<validation::RenewalRequest>,
    round::<validation::RenewalResult>,
    round::<validation::ParentRenewed>,
    round::<presence::Heartbeat>,
    round::<presence::HeartbeatAck>,
    round::<policy::PolicyUpdate>,
    round::<policy::PolicyRequest>,
    round::<report::DiscoveryReport>,
    round::<report::DiscoverySummary>,
    round::<report::StreamAck>,
    round::<report::StreamRequest>,
    round::<report::DiscoveryRequest>,
    round::<policy::PolicyAck>,
    round::<refused::MessageRefused>,
    round::<anchor::Checkpoint>,
    round::<anchor::CheckpointAnswer>,
    round::<pdsno::wire::envelope::Header>,
];

fuzz_target!(|octets: &[u8]| {
    let Some((kind, document)) = octets.split_first() else { return };
    if let Some(round) = KINDS.get(usize::from(*kind)) {
        round(document);
    }
});
