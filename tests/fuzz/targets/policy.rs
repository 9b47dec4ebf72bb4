//! Policy documents: one that is read is written as what it was, within its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pdsno::domain::policy::{Policy, PolicyDocument};
use pdsno::wire::canonical;

fuzz_target!(|octets: &[u8]| {
    if let Ok(policy) = canonical::read::<Policy>(octets, "a policy") {
        let probing = &policy.discovery.probing;
        assert!(probing.rate > 0 && (1..=10).contains(&probing.attempts) && !policy.discovery.protocols.is_empty());
        let written = canonical::to_bytes(&policy).expect("what is read can be written");
        assert_eq!(canonical::read::<Policy>(&written, "a policy").expect("and read"), policy);
    }
    if let Ok(document) = canonical::read::<PolicyDocument>(octets, "a policy document") {
        let written = canonical::to_bytes(&document).expect("what is read can be written");
        assert_eq!(canonical::read::<PolicyDocument>(&written, "a policy document").expect("and read"), document);
    }
});
