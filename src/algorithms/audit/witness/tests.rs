use super::*;
use crate::algorithms::audit::build;
use crate::algorithms::audit::frontier::Frontier;
use crate::algorithms::audit::tests::{Stored, leaves};
use crate::wire::checkpoint::Checkpoint;
use crate::wire::note::SignatureType;
use crate::wire::signature::KeyPair;
use crate::wire::signature::tests::key;

const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);
const ORIGIN: &str = "pdsno/prod/local_cntl_zoneA_5";

fn origin() -> Origin {
    ORIGIN.parse().unwrap()
}

fn signer(pair: &KeyPair) -> NoteSigner<'_> {
    NoteSigner::new(ORIGIN.parse().unwrap(), SignatureType::Ed25519, pair)
}

/// A log of 40 entries, of which the last `changed` are others than in the true one.
fn history(changed: usize) -> Stored {
    let mut leaves = leaves(40);
    leaves.iter_mut().rev().take(changed).for_each(|leaf| *leaf = hash::node(leaf, leaf));
    Stored::of(&leaves)
}

fn signed(log: &Stored, size: u64) -> SignedCheckpoint {
    let head = Frontier::read(log, size).unwrap().head();
    SignedCheckpoint::sign(&Checkpoint::new(origin(), head), &signer(&key(1)), NOW).unwrap()
}

fn request(log: &Stored, old: u64, size: u64) -> AddCheckpoint {
    let proof = build::consistency(log, old, size).unwrap_or_default();
    AddCheckpoint { old, proof, checkpoint: signed(log, size) }
}

/// What a witness answers that has cosigned the true log at this size; 0 for never.
fn answer(last: u64, request: &AddCheckpoint) -> Answer {
    let pair = key(1);
    let keys = [signer(&pair).key().clone()];
    let last = (last > 0).then(|| signed(&history(0), last));
    consider(Some(KnownLog { origin: &origin(), keys: &keys, last: last.as_ref() }), request)
}

#[test]
fn a_log_that_only_grows_is_accepted() {
    let log = history(0);
    for (last, size) in [(0, 0), (0, 17), (17, 18), (18, 32), (32, 40), (40, 40)] {
        assert_eq!(answer(last, &request(&log, last, size)), Answer::Accept, "{last} to {size}");
    }
}

#[test]
fn an_unknown_log_and_an_unknown_key_are_told_apart() {
    let request = request(&history(0), 0, 17);
    assert_eq!(consider(None, &request), Answer::UnknownOrigin);
    let (pair, other) = (key(2), "pdsno/prod/local_cntl_zoneA_6".parse().unwrap());
    let strangers = [NoteSigner::new(ORIGIN.parse().unwrap(), SignatureType::Ed25519, &pair).key().clone()];
    let known = KnownLog { origin: &other, keys: &strangers, last: None };
    assert_eq!(consider(Some(known), &request), Answer::UnknownOrigin);
    let known = KnownLog { origin: &origin(), ..known };
    assert_eq!(consider(Some(known), &request), Answer::BadSignature(Unverified::NoKnownKey));

    // The right key's signature under another head.
    let text = request.checkpoint.to_string().replacen("\n17\n", "\n18\n", 1);
    let forged = AddCheckpoint { checkpoint: SignedCheckpoint::parse(text.as_bytes()).unwrap(), ..request };
    assert!(matches!(answer(0, &forged), Answer::BadSignature(Unverified::BadSignature { .. })));
}

#[test]
fn another_size_than_the_last_is_answered_with_it() {
    let log = history(0);
    assert_eq!(answer(17, &request(&log, 0, 32)), Answer::SizeConflict { last: 17 });
    assert_eq!(answer(17, &request(&log, 20, 32)), Answer::SizeConflict { last: 17 });
    assert_eq!(answer(0, &request(&log, 5, 32)), Answer::SizeConflict { last: 0 });
    assert_eq!(answer(17, &request(&log, 33, 32)), Answer::Backwards { old: 33, size: 32 });
    let proof = build::consistency(&log, 5, 32).unwrap();
    let unwanted = AddCheckpoint { old: 0, proof, ..request(&log, 0, 32) };
    assert!(matches!(answer(0, &unwanted), Answer::Unproven(ProofRefused::TooLong(_))));

    assert_eq!(after_conflict(32, 17), Conflict::ProveFrom(17));
    assert_eq!(after_conflict(32, 33), Conflict::Truncated { here: 32, seen: 33 });
}

#[test]
fn another_history_is_kept_as_evidence() {
    let (pair, other) = (key(1), history(30));
    let keys = [signer(&pair).key().clone()];
    let Answer::Inconsistent(fork) = answer(32, &request(&other, 32, 32)) else { panic!("it is another root") };
    assert_eq!((fork.why, fork.is_proof(&keys)), (Contradiction::SameSize, true));
    assert_eq!((fork.seen.head().size, fork.shown.head().size), (32, 32));
    assert_ne!(fork.seen.head().root, fork.shown.head().root);
    let stranger = [signer(&key(2)).key().clone()];
    assert!(!fork.is_proof(&stranger));

    // Rewritten below the last head: no proof can be made, with whatever hashes.
    let Answer::Inconsistent(fork) = answer(30, &request(&other, 30, 40)) else { panic!("it is unproven") };
    assert_eq!((fork.why, fork.is_proof(&keys)), (Contradiction::Unproven(ProofRefused::OldRoot), false));
    let stolen = AddCheckpoint { proof: request(&history(0), 32, 40).proof, ..request(&other, 32, 40) };
    assert!(matches!(answer(32, &stolen), Answer::Inconsistent(_)));

    // Changed only above it: that is its future.
    assert_eq!(answer(10, &request(&other, 10, 40)), Answer::Accept);
}

#[test]
fn a_log_that_was_cut_off_is_behind() {
    let log = history(0);
    for old in [0, 17, 32] {
        let Answer::Behind(fork) = answer(32, &request(&log, old, 17)) else { panic!("it is behind") };
        assert_eq!((fork.why, fork.seen.head().size, fork.shown.head().size), (Contradiction::Shrunk, 32, 17));
    }
}

#[test]
fn a_cosignature_is_verified_by_everybody() {
    let (log, pair) = (history(0), key(9));
    let name = "pdsno/prod/regional_cntl_zoneA_1".parse().unwrap();
    let witness = NoteSigner::new(name, SignatureType::CosignatureV1, &pair);
    let mut checkpoint = signed(&log, 17);
    let cosignature = cosign(&checkpoint, &witness, NOW);
    checkpoint.add(cosignature).unwrap();
    let keys = [witness.key().clone()];
    assert_eq!(checkpoint.verify(&keys).unwrap()[0].time, Some(NOW));
}
