//! What an outsider is given: exports and proofs, checked with the root key alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use pdsno::actors::identity::Own;
use pdsno::algorithms::trust::authority::{Authority, Order};
use pdsno::app::audit::{Outcome, export, extend, proof_text, prove, read_proof, verify_own, verify_paths, write_new};
use pdsno::app::failure::Failure;
use pdsno::app::maintenance::backup;
use pdsno::domain::change::Change;
use pdsno::domain::event::EventType;
use pdsno::domain::key::PublicKey;
use pdsno::domain::log::{HeadKind, LogChange, StoredHead};
use pdsno::domain::number::Serial;
use pdsno::domain::registry::{Membership, RegistryChange, SignedDocument};
use pdsno::nib::{NibReader, NibStore};
use pdsno::wire::checkpoint::{Checkpoint, SignedCheckpoint};
use pdsno::wire::entry;
use pdsno::wire::evidence::{EntryLine, HeadLine, Manifest, Octets, line, read_line};
use pdsno::wire::note::{NoteSigner, SignatureType, VerifierKey};
use pdsno::wire::signature::{KeyPair, sha256};
use proptest::prelude::*;
use serde_json::json;

use crate::scene::{EPOCH, GLOBAL, LOCAL, REGIONAL, at, chain, found, happened, key, open, own, sealer};

/// A log at rest, with heads that another cosigned.
struct Rest {
    folder: tempfile::TempDir,
    reader: Box<dyn NibReader>,
}

impl Rest {
    /// A log of a tier with this many further events and heads after some of them.
    fn new(tier: &str, heads: &[usize]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pdsno.db");
        found(&path, tier);
        let own = own(tier);
        let mut store = open(&path);
        store.open_log(Box::new(sealer(&own, 1))).unwrap();
        let (mut last, mut count) = (None, 0);
        for until in heads {
            let events = (count..*until).map(|number| {
                let payload = json!({ "note": "x".repeat(if number == 3 { 20_000 } else { 5 }) });
                Change::Append(happened(&own.id, EventType::ConfigReloaded, &format!("file {number}"), payload))
            });
            store.commit(&events.collect::<Vec<_>>()).unwrap();
            count = *until;
            let reader = store.reader().unwrap();
            let head = signed_head(tier, reader.as_ref());
            let change = LogChange::PutHead { after: last, head: head.clone() };
            store.commit(&[Change::Log(change)]).unwrap();
            last = Some(head.size);
        }
        drop(store);
        let reader = open(&path).reader().unwrap();
        Self { folder, reader }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn export(&self, from: u64, to: Option<u64>) -> PathBuf {
        let folder = self.path(&format!("export-{from}"));
        export(self.reader.as_ref(), from, to, &folder).unwrap();
        folder
    }
}

fn signed_head(tier: &str, reader: &dyn NibReader) -> StoredHead {
    let witness = if tier == REGIONAL { (GLOBAL, key(1)) } else { (REGIONAL, key(2)) };
    signed_by(tier, reader, &key(chain(tier).1), witness)
}

/// The head of a log as it is, signed with this key and cosigned by another controller with its own.
fn signed_by(tier: &str, reader: &dyn NibReader, pair: &KeyPair, by: (&str, KeyPair)) -> StoredHead {
    let origin = own(tier).origin();
    let edge = reader.edge().unwrap();
    let tree = pdsno::algorithms::audit::frontier::Frontier::from_peaks(edge.size, edge.peaks).unwrap();
    let log = NoteSigner::new(origin.as_str().parse().unwrap(), SignatureType::Ed25519, pair);
    let mut note = SignedCheckpoint::sign(&Checkpoint::new(origin.clone(), tree.head()), &log, at(2)).unwrap();
    let name = own(by.0).origin().as_str().parse().unwrap();
    let witness = NoteSigner::new(name, SignatureType::CosignatureV1, &by.1);
    note.add(witness.sign(note.note().text(), at(3))).unwrap();
    StoredHead { origin, kind: HeadKind::Own, size: edge.size, note: note.to_string(), at: at(2) }
}

fn root() -> PublicKey {
    key(1).public_key()
}

fn outcome(path: &Path) -> Outcome {
    verify_paths(&[path], root()).unwrap()[0].outcome
}

#[test]
fn the_own_log_is_verified_with_its_tiles() {
    let rest = Rest::new(REGIONAL, &[10, 300]);
    let examination = verify_own(rest.reader.as_ref()).unwrap();
    assert_eq!((examination.outcome, examination.findings.len()), (Outcome::Verified, 0), "{examination:?}");
    assert!(examination.checked.iter().any(|line| line.contains("cosigned by pdsno/prod/global_cntl_1")));
}

#[test]
fn an_export_is_verified_with_the_root_key_alone() {
    for tier in [GLOBAL, REGIONAL, LOCAL] {
        let rest = Rest::new(tier, &[10, 20, 40]);
        let whole = verify_paths(&[rest.export(0, None)], root()).unwrap().remove(0);
        assert_eq!((whole.outcome, whole.findings), (Outcome::Verified, Vec::<String>::new()), "{tier}");
        assert!(!whole.unchecked.iter().any(|line| line.contains("payloads")));
        // A part, and one that ends between two heads.
        let part = verify_paths(&[rest.export(7, Some(18))], root()).unwrap().remove(0);
        assert_eq!(part.outcome, Outcome::Verified, "{:?}", part.findings);
        assert!(part.unchecked.iter().any(|line| line.contains("the 7 entries before")), "{:?}", part.unchecked);
    }
}

#[test]
fn an_export_of_the_topmost_log_tells_which_of_those_below_cosigned_it() {
    let rest = Rest::new(GLOBAL, &[10, 20]);
    let unwitnessed = "no known witness cosigned the newest head";
    let folder = rest.export(0, None);
    let proof = rest.path("proof");
    write_new(&proof, &proof_text(&prove(rest.reader.as_ref(), "4".parse().unwrap()).unwrap()).unwrap()).unwrap();
    let witness = "cosigned by pdsno/prod/regional_cntl_zoneA_1 at";
    for examination in
        verify_paths(&[&folder, &proof], root()).unwrap().iter().chain([&verify_own(rest.reader.as_ref()).unwrap()])
    {
        assert_eq!(examination.outcome, Outcome::Verified, "{examination:?}");
        assert!(examination.checked.iter().any(|line| line.contains(witness)), "{examination:?}");
        assert!(!examination.unchecked.iter().any(|line| line.contains("another history")), "{examination:?}");
    }
    // Whoever takes the chain out, or has another root key, is told less.
    edit(&folder, "chains.jsonl", |lines| drop(lines.pop()));
    let examination = verify_paths(&[&folder], root()).unwrap().remove(0);
    assert_eq!(examination.outcome, Outcome::Verified);
    let unchecked = examination.unchecked.concat();
    assert!(unchecked.contains(unwitnessed) && unchecked.contains("1 signature(s) on the newest head"), "{unchecked}");
    assert!(!examination.checked.concat().contains("cosigned by"), "{examination:?}");
}

#[test]
fn a_stranger_on_a_head_is_no_known_witness() {
    let rest = Rest::new(GLOBAL, &[10]);
    let mut store = open(&rest.path("pdsno.db"));
    store.open_log(Box::new(sealer(&own(GLOBAL), 2))).unwrap();
    let after = Some(rest.reader.edge().unwrap().size);
    store.commit(&[Change::Append(happened(&own(GLOBAL).id, EventType::ConfigReloaded, "file", json!({})))]).unwrap();
    // Under the name of the Regional Controller, with another key than its own.
    let head = signed_by(GLOBAL, store.reader().unwrap().as_ref(), &key(1), (REGIONAL, key(9)));
    store.commit(&[Change::Log(LogChange::PutHead { head, after })]).unwrap();
    drop(store);
    let examination = verify_paths(&[rest.export(0, None)], root()).unwrap().remove(0);
    assert_eq!(examination.outcome, Outcome::Verified);
    let unchecked = examination.unchecked.concat();
    assert!(unchecked.contains("no known witness") && unchecked.contains("1 signature(s)"), "{unchecked}");
    // The head before it is still known to be cosigned by who was let in.
    assert!(examination.checked.concat().contains("cosigned by pdsno/prod/regional_cntl_zoneA_1 at"));
}

#[test]
fn another_root_key_verifies_nothing() {
    let rest = Rest::new(REGIONAL, &[10]);
    let folder = rest.export(0, None);
    let examination = verify_paths(&[&folder], key(9).public_key()).unwrap().remove(0);
    assert_eq!(examination.outcome, Outcome::NotVerified(Some(0)));
    let proof = rest.path("proof");
    write_new(&proof, &proof_text(&prove(rest.reader.as_ref(), "5".parse().unwrap()).unwrap()).unwrap()).unwrap();
    let examination = verify_paths(&[&proof], key(9).public_key()).unwrap().remove(0);
    assert_eq!(examination.outcome, Outcome::NotVerified(Some(5)));
}

#[test]
fn what_is_no_export_is_unusable() {
    let folder = tempfile::tempdir().unwrap();
    for path in [folder.path().to_owned(), folder.path().join("nothing")] {
        assert!(matches!(verify_paths(&[path], root()), Err(Failure::Usage(_))));
    }
}

/// Puts other lines into an export, and tells of them in its manifest as a careful forger would.
fn edit(folder: &Path, name: &str, change: impl FnOnce(&mut Vec<Vec<u8>>)) {
    let octets = fs::read(folder.join(name)).unwrap();
    let mut lines: Vec<Vec<u8>> = octets.split_inclusive(|octet| *octet == b'\n').map(<[u8]>::to_vec).collect();
    change(&mut lines);
    let octets = lines.concat();
    fs::write(folder.join(name), &octets).unwrap();
    let mut manifest: Manifest = read_line(&fs::read(folder.join("manifest.json")).unwrap(), "it").unwrap();
    manifest.files.insert(name.to_owned(), sha256(&octets));
    fs::write(folder.join("manifest.json"), line(&manifest).unwrap()).unwrap();
}

/// An entry with another subject, signed by this key.
fn forged(octets: &[u8], pair: &KeyPair) -> Vec<u8> {
    let mut read: EntryLine = read_line(octets, "it").unwrap();
    let mut told = entry::decode(&read.body.0).unwrap();
    told.subject = "another".to_owned();
    let body = entry::encode(&told).unwrap();
    read.signature = entry::sign(&body, pair);
    read.body = Octets(body);
    line(&read).unwrap()
}

#[test]
fn an_edited_export_is_refused_with_the_first_bad_entry() {
    type Edit = fn(&mut Vec<Vec<u8>>);
    let edits: [(&str, Edit, Option<u64>); 6] = [
        ("entries.jsonl", |lines| lines[12] = forged(&lines[12], &key(9)), Some(12)),
        ("entries.jsonl", |lines| drop(lines.remove(12)), Some(12)),
        ("entries.jsonl", |lines| lines.swap(11, 12), Some(11)),
        ("entries.jsonl", |lines| lines.truncate(12), Some(12)),
        // Whoever has the log's key signs what he likes, and no head fits.
        ("entries.jsonl", |lines| lines[12] = forged(&lines[12], &key(2)), Some(10)),
        ("heads.jsonl", Vec::clear, Some(0)),
    ];
    for (number, (name, change, first)) in edits.into_iter().enumerate() {
        let rest = Rest::new(REGIONAL, &[5, 40]);
        let folder = rest.export(0, None);
        edit(&folder, name, change);
        let found = outcome(&folder);
        if number == 4 {
            let Outcome::NotVerified(Some(seq)) = found else { panic!("{found:?}") };
            assert!(seq <= 12, "the first entry that may be another one, after the last head that fits");
        } else {
            assert_eq!(found, Outcome::NotVerified(first), "edit {number}");
        }
    }
}

#[test]
fn a_log_that_breaks_its_own_rules_is_not_verified() {
    let rest = Rest::new(REGIONAL, &[5]);
    let mut store = open(&rest.path("pdsno.db"));
    let own = own(REGIONAL);
    store.open_log(Box::new(sealer(&own, 2))).unwrap();
    let after = rest.reader.edge().unwrap().size;
    let twice = rest.reader.last_event(EventType::ControllerValidated).unwrap().unwrap();
    store
        .commit(&[Change::Append(happened(&own.id, EventType::ControllerValidated, &twice.subject, twice.payload))])
        .unwrap();
    let head = signed_head(REGIONAL, store.reader().unwrap().as_ref());
    store.commit(&[Change::Log(LogChange::PutHead { head, after: Some(after) })]).unwrap();
    drop(store);
    let examination = verify_paths(&[rest.export(0, None)], root()).unwrap().remove(0);
    assert_eq!(examination.outcome, Outcome::NotVerified(Some(after)));
    assert!(examination.findings[0].contains("used before"), "{:?}", examination.findings);
}

/// The one above takes the newest head of the one below into its log, and signs a head of its own.
fn take_in(above: &Rest, tier: &str, below: &Rest, tier_below: &str) {
    let head = below.reader.head(&own(tier_below).origin()).unwrap().unwrap();
    let note = SignedCheckpoint::parse(head.note.as_bytes()).unwrap();
    let mut store = open(&above.path("pdsno.db"));
    let own = own(tier);
    store.open_log(Box::new(sealer(&own, 2))).unwrap();
    let after = Some(above.reader.edge().unwrap().size);
    let payload = json!({
        "origin": head.origin, "size": head.size.to_string(), "root": note.head().root, "previous": null,
        "checkpoint": head.note,
    });
    store.commit(&[Change::Append(happened(&own.id, EventType::ChildCheckpoint, tier_below, payload))]).unwrap();
    let head = signed_head(tier, store.reader().unwrap().as_ref());
    store.commit(&[Change::Log(LogChange::PutHead { head, after })]).unwrap();
}

#[test]
fn with_all_tiers_in_a_folder_a_proof_goes_as_far_up_as_heads_were_taken_in() {
    let [global, regional, local] =
        [(GLOBAL, 2), (REGIONAL, 3), (LOCAL, 20)].map(|(tier, events)| Rest::new(tier, &[events]));
    let (data, key) = (tempfile::tempdir().unwrap(), root().to_string());
    let mut count = 0;
    let mut proven = || {
        count += 1;
        // Each time with a copy of how the logs are now.
        let folder = data.path().join(count.to_string());
        for (tier, rest) in [("global", &global), ("regional", &regional), ("local", &local)] {
            fs::create_dir_all(folder.join(tier)).unwrap();
            backup(&rest.path("pdsno.db"), &folder.join(tier).join("pdsno.db")).unwrap();
        }
        let arguments = ["audit", "prove", "4", "proof.json", "--as", "local", "--data-dir", "."];
        let (code, said) = pdsno(&folder, &arguments);
        assert_eq!(code, Some(0), "{said}");
        let verified = pdsno(&folder, &["audit", "verify", "proof.json", "--root-key", &key]);
        assert_eq!(verified.0, Some(0), "{}", verified.1);
        (read_proof(&folder.join("proof.json")).unwrap().steps.len(), said)
    };
    let (steps, said) = proven();
    assert_eq!(steps, 1);
    assert!(
        said.contains("up to pdsno/prod/local_cntl_zoneA_1 only: pdsno/prod/regional_cntl_zoneA_1 has not cosigned")
    );
    take_in(&regional, REGIONAL, &local, LOCAL);
    let (steps, said) = proven();
    assert_eq!(steps, 2);
    assert!(said.contains("pdsno/prod/global_cntl_1 has not cosigned") && said.contains("in a minute"), "{said}");
    take_in(&global, GLOBAL, &regional, REGIONAL);
    let (steps, said) = proven();
    assert_eq!(steps, 3);
    assert!(said.contains("the proof goes up to pdsno/prod/global_cntl_1\n"), "{said}");
}

#[test]
fn one_event_is_proven_up_to_the_global_controller() {
    let local = Rest::new(LOCAL, &[10, 20]);
    let mut proof = prove(local.reader.as_ref(), "4".parse().unwrap()).unwrap();
    let regional = Rest::new(REGIONAL, &[3]);
    assert!(matches!(extend(regional.reader.as_ref(), proof.clone()), Err(Failure::Usage(_))), "not yet");
    take_in(&regional, REGIONAL, &local, LOCAL);

    proof = extend(regional.reader.as_ref(), proof).unwrap();
    assert_eq!(proof.steps.len(), 2);
    let path = local.path("proof.json");
    write_new(&path, &proof_text(&proof).unwrap()).unwrap();
    assert_eq!(read_proof(&path).unwrap(), proof);
    let examination = verify_paths(&[&path], root()).unwrap().remove(0);
    assert_eq!((examination.outcome, &examination.findings), (Outcome::Verified, &Vec::new()));
    for part in [
        "entry 4 CONFIG_RELOADED",
        "cosigned by pdsno/prod/regional_cntl_zoneA_1",
        "cosigned by pdsno/prod/global_cntl_1",
    ] {
        assert!(examination.checked.iter().any(|line| line.contains(part)), "{part}: {:?}", examination.checked);
    }
    // The step above says another head than the one below it.
    let other = prove(Rest::new(LOCAL, &[10]).reader.as_ref(), "4".parse().unwrap()).unwrap();
    let mixed = pdsno::wire::evidence::ProofFile::new(
        vec![other.steps[0].clone(), proof.steps[1].clone()],
        proof.chains.clone(),
    );
    let path = local.path("mixed.json");
    write_new(&path, &proof_text(&mixed.unwrap()).unwrap()).unwrap();
    assert_eq!(outcome(&path), Outcome::NotVerified(Some(4)));
}

#[test]
fn a_proof_without_a_signed_head_is_never_verified() {
    let rest = Rest::new(LOCAL, &[10]);
    let mut proof = prove(rest.reader.as_ref(), "4".parse().unwrap()).unwrap();
    let text = proof.steps[0].proof.clone();
    let signature = text.lines().find(|line| line.starts_with("\u{2014} pdsno/prod/local")).unwrap();
    proof.steps[0].proof = text.replace(&format!("{signature}\n"), "");
    let proof = pdsno::wire::evidence::ProofFile::new(proof.steps, proof.chains).unwrap();
    let path = rest.path("proof.json");
    write_new(&path, &proof_text(&proof).unwrap()).unwrap();
    assert_eq!(outcome(&path), Outcome::NotVerified(Some(4)), "a witness's signature alone is none of the log");
}

#[test]
fn independent_implementations_agree_with_an_export() {
    let rest = Rest::new(REGIONAL, &[10, 77]);
    let folder = rest.export(0, None);
    let mut tree = MemoryBackedTree::<sha2::Sha256, Vec<u8>>::new();
    for octets in fs::read(folder.join("entries.jsonl")).unwrap().split_inclusive(|octet| *octet == b'\n') {
        let read: EntryLine = read_line(octets, "it").unwrap();
        tree.push(entry::leaf(&read.body.0, &read.signature));
    }
    let heads = fs::read(folder.join("heads.jsonl")).unwrap();
    let newest: HeadLine =
        read_line(heads.split_inclusive(|octet| *octet == b'\n').next_back().unwrap(), "it").unwrap();
    let note = SignedCheckpoint::parse(newest.checkpoint.as_bytes()).unwrap();
    assert_eq!(tree.len(), note.head().size);
    assert_eq!(tree.root().as_bytes().as_slice(), note.head().root.as_bytes());
    // The same octets as another crate reads them, and verifies the log's signature on them.
    let name = own(REGIONAL).origin().as_str().parse().unwrap();
    let verifier = VerifierKey::new(name, SignatureType::Ed25519, key(2).public_key());
    let verifier = signed_note::StandardVerifier::new(&verifier.to_string()).unwrap();
    let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    let theirs = signed_note::Note::from_bytes(newest.checkpoint.as_bytes()).unwrap();
    let (verified, _) = theirs.verify(&known).unwrap();
    assert_eq!((verified.len(), verified[0].name()), (1, "pdsno/prod/regional_cntl_zoneA_1"));
}

/// Runs the program without a configuration.
fn pdsno(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pdsno"));
    let done = command.args(arguments).current_dir(folder).env_clear().output().unwrap();
    let said = [done.stdout, done.stderr].map(|octets| String::from_utf8(octets).unwrap());
    (done.status.code(), said.concat())
}

#[test]
fn the_command_line_says_what_was_found_by_its_exit_code() {
    let rest = Rest::new(REGIONAL, &[10]);
    let (folder, key) = (rest.folder.path(), root().to_string());
    let data = ["--data-dir", folder.to_str().unwrap()];
    let run = |arguments: &[&str]| pdsno(folder, arguments);
    for arguments in
        [&["audit", "verify"][..], &["audit", "list"], &["audit", "checkpoint"], &["audit", "export", "out"]]
    {
        let (code, said) = run(&[arguments, &data].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
    }
    assert_eq!(run(&[&["audit", "prove", "5", "proof.json"][..], &data].concat()).0, Some(0));
    for path in ["out", "proof.json"] {
        let (code, said) = run(&["audit", "verify", path, "--root-key", &key]);
        assert!(code == Some(0) && said.contains("not checked:"), "{said}");
    }
    assert_eq!(run(&["audit", "verify", "out"]).0, Some(2), "without a key nobody is believed");
    assert_eq!(run(&["audit", "verify", "nothing", "--root-key", &key]).0, Some(2));
    assert_eq!(run(&[&["audit", "prove", "5000"][..], &data].concat()).0, Some(2));
    edit(&folder.join("out"), "entries.jsonl", |lines| drop(lines.remove(7)));
    let (code, said) = run(&["audit", "verify", "out", "--root-key", &key]);
    assert!(code == Some(1) && said.contains("the first bad entry is 7"), "{said}");
}

/// A certificate for a next key, as the actors write it down: given under the old key, then used.
fn renew(rest: &Rest, octet: u8) -> Own {
    let mut own = own(REGIONAL);
    let root = Authority { chain: chain(GLOBAL).0, key: Arc::new(key(1)) };
    let order = Order {
        name: REGIONAL.parse().unwrap(),
        region: own.region.clone().unwrap(),
        public_key: key(octet).public_key(),
        serial: Serial::from_number(octet.into()),
        max_local_controllers: 64,
    };
    let (certificate, delegation) = root.issue(order, EPOCH, at(1)).unwrap();
    own.chain = root.chain.extended(certificate, delegation);
    own.key = Arc::new(key(octet));
    let row = rest.reader.membership().unwrap().unwrap();
    let told = SignedDocument::from_text(serde_json::to_string(&own.chain).unwrap());
    let payload = json!({ "serial": octet.to_string(), "chain": own.chain });
    let given = Membership { next_key_file: Some("next".to_owned()), next_chain: Some(told.clone()), ..row };
    let mut store = open(&rest.path("pdsno.db"));
    store.open_log(Box::new(sealer(&self::own(REGIONAL), 2))).unwrap();
    let given = RegistryChange::SetMembership(Box::new(given));
    // The chain of the old key is in the log, too, from when it was let in.
    let first = json!({ "chain": self::own(REGIONAL).chain });
    let first = happened(&own.id, EventType::MembershipGranted, REGIONAL, first);
    let event = happened(&own.id, EventType::MembershipRenewed, REGIONAL, payload);
    store.commit(&[Change::Append(first), Change::Registry(given), Change::Append(event)]).unwrap();
    store.open_log(Box::new(sealer(&own, 3))).unwrap();
    let row = rest.reader.membership().unwrap().unwrap();
    let serial = Serial::from_number(octet.into());
    let key_file = "next".to_owned();
    let used = Membership { chain: told, serial, key_file, next_key_file: None, next_chain: None, ..row };
    store.commit(&[Change::Registry(RegistryChange::SetMembership(Box::new(used)))]).unwrap();
    store.close().unwrap();
    own
}

/// A log goes on for some events under this key, and its head is signed with it.
fn go_on(rest: &Rest, own: &Own, seed: u8) {
    let mut store = open(&rest.path("pdsno.db"));
    store.open_log(Box::new(sealer(own, seed))).unwrap();
    let after = rest.reader.head(&own.origin()).unwrap().map(|head| head.size);
    let event = |number| Change::Append(happened(&own.id, EventType::ConfigReloaded, &format!("{number}"), json!({})));
    store.commit(&(0..5).map(event).collect::<Vec<_>>()).unwrap();
    let head = signed_by(REGIONAL, store.reader().unwrap().as_ref(), &own.key, (GLOBAL, key(1)));
    store.commit(&[Change::Log(LogChange::PutHead { head, after })]).unwrap();
    store.close().unwrap();
}

#[test]
fn what_was_handed_over_before_a_renewal_holds_after_it() {
    let rest = Rest::new(REGIONAL, &[10]);
    let (folder, key_text) = (rest.folder.path(), root().to_string());
    let run = |arguments: &[&str]| pdsno(folder, arguments);
    let handed = |arguments: &[&str]| {
        let (code, said) = run(&[&["audit"], arguments, &["--data-dir", "."]].concat());
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
    };
    let verified = |path: &str| {
        let (code, said) = run(&["audit", "verify", path, "--root-key", &key_text]);
        assert_eq!(code, Some(0), "{path}: {said}");
        said
    };
    handed(&["export", "before"]);
    handed(&["prove", "4", "before.json"]);
    let size = rest.reader.edge().unwrap().size;
    let renewed = renew(&rest, 22);
    go_on(&rest, &renewed, 4);
    handed(&["export", "after"]);
    handed(&["prove", &(size + 3).to_string(), "after.json"]);
    // The proof of an old entry is made anew, under a head that the new key signed.
    handed(&["prove", "4", "anew.json"]);
    assert!(verified("before").contains("1 key(s) of regional_cntl_zoneA_1"));
    assert!(verified("after").contains("2 key(s) of regional_cntl_zoneA_1"));
    for path in ["before.json", "anew.json"] {
        assert!(verified(path).contains("entry 4 CONFIG_RELOADED"), "{path}");
    }
    assert!(verified("after.json").contains(&format!("entry {} ", size + 3)));
    assert!(verify_own(rest.reader.as_ref()).unwrap().findings.is_empty());
    // The entries of the new export are those of the old one and more, first under one key, then under the other.
    let lines = |export: &str| fs::read_to_string(folder.join(export).join("entries.jsonl")).unwrap();
    assert!(lines("after").starts_with(&lines("before")));
    let by: Vec<bool> = lines("after")
        .split_inclusive('\n')
        .map(|octets| read_line::<EntryLine>(octets.as_bytes(), "it").unwrap())
        .map(|line| entry::is_signed(&line.body.0, &line.signature, &key(22).public_key()))
        .collect();
    let switch = usize::try_from(size).unwrap() + 2;
    assert_eq!(by, [vec![false; switch], vec![true; by.len() - switch]].concat());

    // Whoever has the old key still, as long as its certificate would last, signs nothing more with it.
    let bad = switch + 2;
    edit(&folder.join("after"), "entries.jsonl", |lines| lines[bad] = forged(&lines[bad], &key(2)));
    let examination = verify_paths(&[folder.join("after")], root()).unwrap().remove(0);
    assert_eq!(examination.outcome, Outcome::NotVerified(Some(bad as u64)));
    assert!(examination.findings[0].contains("signed with a later one"), "{:?}", examination.findings);
}

#[test]
fn a_log_that_its_old_key_went_on_with_is_not_verified() {
    let rest = Rest::new(REGIONAL, &[10]);
    let renewed = renew(&rest, 22);
    go_on(&rest, &renewed, 4);
    let bad = rest.reader.edge().unwrap().size;
    // All of it is consistent, and the heads are signed by one of the keys and cosigned.
    go_on(&rest, &own(REGIONAL), 5);
    let examination = verify_paths(&[rest.export(0, None)], root()).unwrap().remove(0);
    assert_eq!(examination.outcome, Outcome::NotVerified(Some(bad)), "{examination:?}");
    assert!(examination.findings[0].contains("signed with a later one"), "{:?}", examination.findings);
    assert_eq!(verify_own(rest.reader.as_ref()).unwrap().outcome, Outcome::NotVerified(Some(bad)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_flipped_bit_passes(file in 0_usize..6, place: prop::sample::Index, bit in 0_u8..8) {
        let rest = Rest::new(LOCAL, &[5, 9]);
        let folder = rest.export(0, Some(7));
        let proof = rest.path("proof.json");
        write_new(&proof, &proof_text(&prove(rest.reader.as_ref(), "4".parse().unwrap()).unwrap()).unwrap()).unwrap();
        let names = ["manifest.json", "entries.jsonl", "heads.jsonl", "links.jsonl", "chains.jsonl"];
        let (damaged, examined) = names.get(file).map_or((proof.clone(), proof), |name| (folder.join(name), folder));
        let mut octets = fs::read(&damaged).unwrap();
        prop_assert_eq!(outcome(&examined), Outcome::Verified, "undamaged");
        let at = place.index(octets.len());
        octets[at] ^= 1 << bit;
        fs::write(&damaged, octets).unwrap();
        let verdict = verify_paths(&[&examined], root());
        prop_assert!(!matches!(verdict, Ok(examinations) if examinations[0].outcome == Outcome::Verified));
    }
}
