use std::convert::Infallible;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::algorithms::audit::frontier::FrontierError;
use crate::algorithms::audit::proof::ProofRefused;
use crate::algorithms::audit::stored::TileHashes;
use crate::algorithms::audit::tests::Stored as Hashes;
use crate::algorithms::audit::{build, hash};
use crate::domain::time::Timestamp;
use crate::wire::checkpoint::Checkpoint;
use crate::wire::entry::tests::entry as sample;
use crate::wire::entry::{self, EntryError};
use crate::wire::note::{NoteSigner, SignatureType, Unverified};
use crate::wire::signature::tests::key;
use crate::wire::tlog_proof::TlogProof;

const NOW: Timestamp = Timestamp::from_millis(1_795_255_200_000);
const ORIGIN: &str = "pdsno/prod/regional_cntl_zoneA_1";
const WITNESS: &str = "pdsno/prod/global_cntl_1";

/// The log's controller signs all entries, with either of its keys.
struct OneActor([PublicKey; 2]);

impl Signers for OneActor {
    fn keys(&self, entry: &Entry) -> &[PublicKey] {
        if entry.actor == "regional_cntl_zoneA_1" { &self.0 } else { &[] }
    }
}

#[derive(Clone)]
struct Row {
    body: Vec<u8>,
    signature: Signature,
    leaf: Digest,
    tiles: Vec<TileHash>,
    payload: Option<Vec<u8>>,
}

/// A log: its rows, what is stored of its tree, and its signed heads.
#[derive(Clone, Default)]
struct Log {
    rows: Vec<Row>,
    tree: Frontier,
    heads: Vec<SignedCheckpoint>,
}

impl Log {
    /// A log of this many entries with heads at these sizes; each is cosigned.
    fn new(length: u64, heads: &[u64]) -> Self {
        let mut log = Self::default();
        for seq in 0..length {
            log.append(&sample(seq));
            if heads.contains(&log.tree.size()) {
                log.sign();
            }
        }
        log
    }

    fn append(&mut self, entry: &Entry) {
        self.append_by(entry, 1);
    }

    fn append_by(&mut self, entry: &Entry, octet: u8) {
        let body = entry::encode(entry).unwrap();
        let signature = entry::sign(&body, &key(octet));
        let leaf = hash::leaf(&entry::leaf(&body, &signature));
        let tiles = self.tree.push(leaf);
        self.rows.push(Row { body, signature, leaf, tiles, payload: None });
    }

    fn sign(&mut self) {
        self.heads.push(head(self.tree.head()));
    }

    fn hashes(&self) -> Hashes {
        Hashes::of(&self.rows.iter().map(|row| row.leaf).collect::<Vec<_>>())
    }

    fn verify(&self) -> Report {
        self.verify_from(0, &[])
    }

    fn verify_from(&self, begin: u64, links: &[Link]) -> Report {
        let before = Frontier::read(&self.hashes(), begin).unwrap();
        verify(before, &self.rows[begin as usize..], &self.heads, links)
    }

    fn link(&self, old: u64, new: u64) -> Link {
        Link { old, new, proof: build::consistency(&self.hashes(), old, new).unwrap() }
    }
}

fn head(head: TreeHead) -> SignedCheckpoint {
    let (log, witness) = (key(2), key(3));
    let log = NoteSigner::new(ORIGIN.parse().unwrap(), SignatureType::Ed25519, &log);
    let witness = NoteSigner::new(WITNESS.parse().unwrap(), SignatureType::CosignatureV1, &witness);
    let mut signed = SignedCheckpoint::sign(&Checkpoint::new(ORIGIN.parse().unwrap(), head), &log, NOW).unwrap();
    let cosignature = witness.sign(signed.note().text(), NOW);
    signed.add(cosignature).unwrap();
    signed
}

fn verify(before: Frontier, rows: &[Row], heads: &[SignedCheckpoint], links: &[Link]) -> Report {
    let log = [VerifierKey::new(ORIGIN.parse().unwrap(), SignatureType::Ed25519, key(2).public_key())];
    let witnesses = [VerifierKey::new(WITNESS.parse().unwrap(), SignatureType::CosignatureV1, key(3).public_key())];
    let signers = OneActor([1, 4].map(|octet| key(octet).public_key()));
    let trust = Trust { log: &log, witnesses: &witnesses, signers: &signers };
    let mut verifier = Verifier::new(ORIGIN.parse().unwrap(), trust, before, heads);
    for Row { body, signature, leaf, tiles, payload } in rows {
        let (leaf, tiles, payload) = (Some(*leaf), Some(tiles.as_slice()), payload.as_deref());
        verifier.push(&Stored { body, signature, leaf, tiles, payload });
    }
    verifier.finish(links)
}

fn standings(report: &Report) -> Vec<(u64, Standing)> {
    report.heads.iter().map(|head| (head.head.size, head.standing)).collect()
}

#[test]
fn a_key_that_was_given_up_signs_nothing_more() {
    let log = |octets: &[u8]| {
        let mut log = Log::default();
        (0..).zip(octets).for_each(|(seq, octet)| log.append_by(&sample(seq), *octet));
        log.sign();
        log
    };
    for renewed in [&[1, 1, 4, 4][..], &[4, 1], &[4, 4]] {
        let whole = 0..renewed.len() as u64;
        assert_eq!(log(renewed).verify().verdict(), Verdict::Verified(whole), "{renewed:?}");
    }
    for (taken_up, bad) in [(&[1, 1, 4, 1, 1][..], 3), (&[4, 1, 1, 4], 3)] {
        let report = log(taken_up).verify();
        assert!(matches!(report.findings[0], Finding { seq: Some(seq), reason: Reason::GivenUp(_) } if seq == bad));
        assert_eq!(report.verdict(), Verdict::Broken(Some(bad)), "{taken_up:?}");
    }
}

fn flip(hash: Digest, bit: usize) -> Digest {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Digest::from_bytes(bytes)
}

#[test]
fn a_whole_log_is_verified_up_to_its_last_head() {
    let report = Log::new(300, &[1, 100, 256, 290]).verify();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!(report.verdict(), Verdict::Verified(0..290), "what no head covers is not verified");
    assert_eq!((report.entries.clone(), report.leaves, report.tiles), (0..300, 300, 1));
    assert!(report.heads.iter().all(|head| head.standing == Standing::Matched));
    assert!(report.heads.iter().all(|head| head.cosigned == [(WITNESS.parse().unwrap(), NOW)]));
}

#[test]
fn without_a_head_nothing_is_verified() {
    let report = Log::new(20, &[]).verify();
    assert_eq!((report.verdict(), report.entries.clone(), report.findings.len()), (Verdict::Nothing, 0..20, 0));
    let log = Log::new(20, &[10]);
    assert_eq!(log.verify_from(10, &[]).verdict(), Verdict::Nothing, "the head covers none of these");
    assert_eq!(Log::default().verify().verdict(), Verdict::Nothing);
}

#[test]
fn a_part_is_verified_by_the_head_after_it() {
    let log = Log::new(600, &[100, 300, 500]);
    let report = log.verify_from(257, &[]);
    assert_eq!(report.verdict(), Verdict::Verified(257..500));
    assert_eq!(standings(&report), [(100, Standing::Unchecked), (300, Standing::Matched), (500, Standing::Matched)]);
    let report = log.verify_from(257, &[log.link(100, 300)]);
    assert_eq!(standings(&report)[0], (100, Standing::Linked));

    // With a false frontier no root is right.
    let mut peaks = Frontier::read(&log.hashes(), 257).unwrap().peaks().to_vec();
    peaks[0] = flip(peaks[0], 9);
    let report = verify(Frontier::from_peaks(257, peaks).unwrap(), &log.rows[257..], &log.heads, &[]);
    assert_eq!(report.verdict(), Verdict::Broken(Some(257)));
    assert!(matches!(report.findings[0].reason, Reason::Root { size: 300 }));
    assert!(matches!(Frontier::from_peaks(257, Vec::new()), Err(FrontierError::Count { .. })));
}

#[test]
fn a_part_before_the_head_is_verified_by_a_proof() {
    let mut log = Log::new(500, &[500]);
    let link = log.link(400, 500);
    log.rows.truncate(400);
    let report = log.verify_from(300, std::slice::from_ref(&link));
    assert_eq!(report.verdict(), Verdict::Verified(300..400));
    assert_eq!((report.not_shown(), report.heads[0].standing), (400..500, Standing::Linked));

    let broken = Link { proof: link.proof.iter().map(|hash| flip(*hash, 0)).collect(), ..link.clone() };
    let report = log.verify_from(300, &[broken]);
    assert!(matches!(report.findings[0].reason, Reason::Link { old: 400, new: 500, source: _ }));
    // The proof of other entries.
    log.rows.pop();
    assert_eq!(log.verify_from(300, &[link]).verdict(), Verdict::Broken(Some(399)));
}

#[test]
fn a_log_that_was_cut_off_lacks_the_first_entry_that_is_gone() {
    let mut log = Log::new(100, &[50, 100]);
    log.rows.truncate(70);
    let report = log.verify();
    assert!(matches!(report.findings[0].reason, Reason::Truncated { size: 100 }));
    assert_eq!((report.verdict(), report.covered), (Verdict::Broken(Some(70)), Some(50)));
}

#[test]
fn a_rewritten_log_does_not_fit_the_heads_that_others_have() {
    let (honest, mut rewritten) = (Log::new(60, &[20, 40, 60]), Log::new(30, &[]));
    for seq in 30..60 {
        rewritten.append(&Entry { subject: "device 18".to_owned(), ..sample(seq) });
    }
    rewritten.heads.clone_from(&honest.heads);
    let report = rewritten.verify();
    assert!(matches!(report.findings[0].reason, Reason::Root { size: 40 }));
    assert_eq!(report.verdict(), Verdict::Broken(Some(20)), "from there on an entry may be another one");

    // Signed anew: both heads of one size are the proof.
    rewritten.sign();
    let report = rewritten.verify();
    assert!(report.findings.iter().any(|finding| matches!(finding.reason, Reason::Fork { size: 60 })));
}

#[test]
fn entries_taken_away_added_or_moved_are_named() {
    let log = Log::new(20, &[20]);
    let with = |change: fn(&mut Vec<Row>)| {
        let mut changed = log.clone();
        change(&mut changed.rows);
        // The hashes are those of the rows, as a careful forger would have them.
        let report = verify(Frontier::new(), &changed.rows, &changed.heads, &[]);
        let Finding { seq, reason: Reason::OtherPlace(said) } = &report.findings[0] else {
            panic!("{:?}", report.findings)
        };
        assert_eq!(report.verdict(), Verdict::Broken(*seq));
        (seq.unwrap(), *said)
    };
    assert_eq!(with(|rows| drop(rows.remove(7))), (7, 8));
    assert_eq!(with(|rows| rows.insert(7, rows[6].clone())), (7, 6));
    assert_eq!(with(|rows| rows.swap(7, 8)), (7, 8));
    assert_eq!(with(|rows| drop(rows.remove(0))), (0, 1));
}

#[test]
fn entries_of_others_are_refused() {
    let refused = |entry: Entry, pair: u8| {
        let mut log = Log::new(3, &[]);
        log.append(&entry);
        let row = log.rows.last_mut().unwrap();
        row.signature = entry::sign(&row.body, &key(pair));
        row.leaf = hash::leaf(&entry::leaf(&row.body, &row.signature));
        let mut report = log.verify();
        assert_eq!((report.verdict(), report.entries.clone()), (Verdict::Broken(Some(3)), 0..3));
        report.findings.remove(0).reason
    };
    let other_log = Entry { origin: WITNESS.parse().unwrap(), ..sample(3) };
    assert!(matches!(refused(other_log, 1), Reason::OtherLog(origin) if origin.as_str() == WITNESS));
    let other_actor = Entry { actor: "local_cntl_zoneA_1".to_owned(), ..sample(3) };
    assert!(matches!(refused(other_actor, 1), Reason::UnknownActor(actor) if actor == "local_cntl_zoneA_1"));
    assert!(matches!(refused(sample(3), 2), Reason::Signature(_)));
}

#[test]
fn a_payload_beside_the_log_is_compared_or_counted_as_missing() {
    let (payload, octets) = entry::payload(json!({"a": "x".repeat(20_000)})).unwrap();
    let mut log = Log::new(2, &[]);
    log.append(&Entry { payload, ..sample(2) });
    log.sign();
    let report = log.verify();
    assert_eq!((report.payloads, report.payloads_missing, report.verdict()), (0, 1, Verdict::Verified(0..3)));
    log.rows[2].payload = octets;
    let report = log.verify();
    assert_eq!((report.payloads, report.payloads_missing, report.verdict()), (1, 0, Verdict::Verified(0..3)));
    log.rows[2].payload.as_mut().unwrap()[9] ^= 1;
    let report = log.verify();
    assert!(matches!(report.findings[0], Finding { seq: Some(2), reason: Reason::Payload }));
}

#[test]
fn heads_of_others_and_without_right_signatures_are_refused() {
    let log = Log::new(10, &[10]);
    let text = log.heads[0].to_string();
    let with = |head: SignedCheckpoint| {
        let mut report = verify(Frontier::new(), &log.rows, &[head], &[]);
        assert_eq!((report.verdict(), report.covered), (Verdict::Broken(None), None));
        report.findings.remove(0).reason
    };
    let parse = |text: &str| SignedCheckpoint::parse(text.as_bytes()).unwrap();
    assert!(matches!(with(parse(&text.replacen("prod", "test", 1))), Reason::HeadOrigin { size: 10, .. }));
    let resized = parse(&text.replacen("\n10\n", "\n11\n", 1));
    assert!(matches!(with(resized), Reason::HeadSignature { size: 11, source: Unverified::BadSignature { .. } }));
    let [signature, cosignature] = log.heads[0].note().signatures() else { panic!("of the log and the witness") };
    let without = parse(&text.replacen(&format!("{signature}\n"), "", 1));
    assert!(matches!(with(without), Reason::HeadSignature { source: Unverified::NoKnownKey, .. }));
    // The first octets of its time.
    let cosignature = cosignature.to_string();
    let later = cosignature.replacen("AAAABr", "AAAABs", 1);
    assert_ne!(later, cosignature, "the time is changed");
    assert!(matches!(with(parse(&text.replacen(&cosignature, &later, 1))), Reason::Cosignature { size: 10, .. }));
}

#[test]
fn a_stored_hash_that_is_missing_or_too_many_is_noticed() {
    let mut log = Log::new(300, &[300]);
    let tile = log.rows[255].tiles.remove(0);
    let report = log.verify();
    let Finding { seq, reason: Reason::TileCount { wanted: 1, found: 0 } } = report.findings[0] else { panic!() };
    assert_eq!(seq, Some(255));
    log.rows[255].tiles = vec![tile];
    log.rows[17].tiles = vec![tile];
    assert_eq!(log.verify().verdict(), Verdict::Broken(Some(17)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn one_flipped_bit_names_its_entry(at in 0..40_usize, place: prop::sample::Index, bit in 0..8_u8) {
        let log = Log::new(40, &[16, 40]);
        let first_bad = |change: &dyn Fn(&mut Row)| {
            let mut changed = log.clone();
            change(&mut changed.rows[at]);
            let report = verify(Frontier::new(), &changed.rows, &changed.heads, &[]);
            assert_eq!(report.entries.end, at as u64);
            report.verdict()
        };
        let named = Verdict::Broken(Some(at as u64));
        prop_assert_eq!(&first_bad(&|row| {
            let index = place.index(row.body.len());
            row.body[index] ^= 1 << bit;
        }), &named);
        prop_assert_eq!(&first_bad(&|row| {
            let mut octets = *row.signature.as_bytes();
            octets[place.index(64)] ^= 1 << bit;
            row.signature = Signature::from_bytes(octets);
        }), &named);
        prop_assert_eq!(&first_bad(&|row| row.leaf = flip(row.leaf, place.index(256))), &named);
        // With a leaf hash that fits the forged signature it is the signature that is wrong.
        prop_assert_eq!(&first_bad(&|row| {
            let mut octets = *row.signature.as_bytes();
            octets[place.index(64)] ^= 1 << bit;
            row.signature = Signature::from_bytes(octets);
            row.leaf = hash::leaf(&entry::leaf(&row.body, &row.signature));
        }), &named);
    }

    #[test]
    fn one_flipped_bit_of_a_head_is_noticed(place: prop::sample::Index, bit in 0..8_u8) {
        let log = Log::new(5, &[5]);
        let mut octets = log.heads[0].to_string().into_bytes();
        let index = place.index(octets.len());
        octets[index] ^= 1 << bit;
        if let Ok(head) = SignedCheckpoint::parse(&octets) {
            let report = verify(Frontier::new(), &log.rows, &[head], &[]);
            // A witness whose name or key id was changed is unknown: then its cosignature is not told.
            let uncosigned = report.verdict() == Verdict::Verified(0..5) && report.heads[0].cosigned.is_empty();
            prop_assert!(uncosigned || matches!(report.verdict(), Verdict::Broken(_)), "{report:?}");
        }
    }
}

#[test]
fn one_flipped_bit_of_a_stored_hash_is_noticed() {
    let log = Log::new(256, &[256]);
    for bit in [0, 100, 255] {
        let mut changed = log.clone();
        changed.rows[255].tiles[0].hash = flip(changed.rows[255].tiles[0].hash, bit);
        let report = changed.verify();
        assert!(matches!(report.findings[0], Finding { seq: Some(255), reason: Reason::Tile { level: 1, index: 0 } }));
    }
}

#[test]
fn one_entry_is_verified_by_its_proof_and_by_nothing_less() {
    let mut log = Log::new(300, &[280]);
    let proof_of = |log: &Log, index: u64| TlogProof {
        extra: None,
        index,
        path: build::inclusion(&log.hashes(), index, 280).unwrap(),
        checkpoint: log.heads[0].clone(),
    };
    let keys = [VerifierKey::new(ORIGIN.parse().unwrap(), SignatureType::Ed25519, key(2).public_key())];
    let signers = OneActor([1, 4].map(|octet| key(octet).public_key()));
    let check = |row: &Row, proof: &TlogProof, keys: &[VerifierKey]| {
        let Row { body, signature, .. } = row;
        let stored = Stored { body, signature, leaf: None, tiles: None, payload: row.payload.as_deref() };
        one(&ORIGIN.parse().unwrap(), &Trust { log: keys, witnesses: &[], signers: &signers }, &stored, proof)
    };
    for index in [0, 17, 255, 256, 279] {
        let proven = check(&log.rows[index as usize], &proof_of(&log, index), &keys).unwrap();
        assert_eq!((proven.head.size, proven.particulars), (280, Particulars::Inside));
        assert!(proven.cosigned.is_empty(), "no witness is known");
    }
    let proof = proof_of(&log, 17);
    assert!(matches!(check(&log.rows[18], &proof, &keys), Err(Reason::OtherPlace(18))));
    assert!(matches!(check(&log.rows[17], &proof, &[]), Err(Reason::HeadSignature { size: 280, .. })));
    let short = TlogProof { path: proof.path[1..].to_vec(), ..proof.clone() };
    let refused = check(&log.rows[17], &short, &keys).unwrap_err();
    assert!(matches!(refused, Reason::Inclusion { size: 280, source: ProofRefused::TooShort(_) }));
    // An entry that the actor signed, but that was never in the log.
    log.rows[17].body = entry::encode(&Entry { subject: "device 18".to_owned(), ..sample(17) }).unwrap();
    log.rows[17].signature = entry::sign(&log.rows[17].body, &key(1));
    let refused = check(&log.rows[17], &proof, &keys).unwrap_err();
    assert!(matches!(refused, Reason::Inclusion { size: 280, source: ProofRefused::Root }));
    let beyond = TlogProof { index: 290, ..proof };
    let refused = check(&log.rows[290], &beyond, &keys).unwrap_err();
    assert!(matches!(refused, Reason::Inclusion { source: ProofRefused::NoSuchEntry { .. }, .. }));
}

/// Nothing that is handed to the verifier makes it panic, and nothing false is verified.
#[test]
fn what_is_no_entry_is_refused() {
    let mut log = Log::new(3, &[3]);
    log.rows[1].body = b"{}".to_vec();
    let report = verify(Frontier::new(), &log.rows, &log.heads, &[Link { old: u64::MAX, new: 0, proof: Vec::new() }]);
    assert!(matches!(report.findings[0], Finding { seq: Some(1), reason: Reason::Body(EntryError::Malformed(_)) }));
    assert!(report.findings[0].to_string().starts_with("entry 1: "));
}

/// A store that says which hashes were asked for.
struct Counted(Hashes, std::cell::RefCell<Vec<usize>>);

impl TileHashes for Counted {
    type Error = Infallible;

    fn read(&self, level: u8, first: u64, count: usize) -> Result<Vec<Digest>, Infallible> {
        self.1.borrow_mut().push(count);
        self.0.read(level, first, count)
    }
}

#[test]
fn a_proof_reads_little() {
    let leaves: Vec<Digest> = (0..100_003_u64).map(|i| hash::leaf(&i.to_be_bytes())).collect();
    let store = Counted(Hashes::of(&leaves), std::cell::RefCell::default());
    for index in [0, 77_777, 100_002] {
        build::inclusion(&store, index, 100_003).unwrap();
        let reads = store.1.take();
        assert!(reads.len() <= 40 && reads.iter().sum::<usize>() <= 1_500, "{reads:?}");
    }
}
