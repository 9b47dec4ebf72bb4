//! While no controller runs: the same requests, answered by its actors alone.

use std::fs;
use std::sync::Arc;

use pdsno::actors::membership::keys::KeyStore;
use pdsno::app::admin::request;
use pdsno::app::client::{Request, Verb};
use pdsno::app::entropy::SystemEntropy;
use pdsno::app::failure::Failure;
use pdsno::app::folder::DataFolder;
use pdsno::app::keys::KeyFiles;
use pdsno::app::registry::{issue_token, tokens};
use pdsno::domain::controller::Role;
use pdsno::domain::event::EventType;
use pdsno::domain::token::TokenLifetime;
use pdsno::nib::sqlite::SqliteReader;
use pdsno::nib::{LogReader, NibReader, RegistryReader};
use pdsno::wire::checkpoint::SignedCheckpoint;
use pdsno::wire::entry;
use pdsno::wire::note::{SignatureType, VerifierKey};
use serde_json::json;
use tempfile::TempDir;

use crate::place::{config, folder_of_global, folder_with_nib};
use crate::program::{listing, pdsno, run};

#[test]
fn without_a_controller_the_nib_answers_and_nothing_is_left() {
    let folder = folder_with_nib();
    let before: Vec<_> = listing(folder.path()).unwrap().into_keys().collect();
    let events = request(&config(folder.path()), &Request::get("/api/v1/events")).unwrap();
    assert_eq!(events["events"][0]["event_type"], "NIB_MIGRATED");
    let after: Vec<_> = listing(folder.path()).unwrap().into_keys().collect();
    assert_eq!(before, after);
    assert!(DataFolder::user(folder.path()).is_none());
    // What only a running controller has, is not there.
    let cycle = Request::change(Verb::Post, "/api/v1/discovery/cycles", None);
    let refusal = request(&config(folder.path()), &cycle).unwrap_err();
    assert!(matches!(refusal, Failure::Failed(_)), "{refusal}");
}

#[test]
fn what_is_done_without_a_controller_is_an_entry_of_its_log() {
    let folder = folder_of_global();
    let key = KeyFiles::new(folder.path(), Arc::new(SystemEntropy)).load("first.key").unwrap().unwrap();
    let config = config(folder.path());
    let region = "zone-A".parse().unwrap();
    let issued = issue_token(&config, Role::Regional, &region, TokenLifetime::default()).unwrap();
    assert_eq!(tokens(&config).unwrap().tokens[0].id, issued.id);

    let reader = SqliteReader::open(&folder.path().join("pdsno.db")).unwrap();
    let event = reader.last_event(EventType::BootstrapTokenIssued).unwrap().unwrap();
    assert_eq!(event.payload["by"]["uid"], rustix::process::geteuid().as_raw());
    let entry = reader.entries(event.seq, 1).unwrap().remove(0).sealed;
    assert!(entry::is_signed(&entry.body, &entry.signature, &key.public_key()));
    assert_eq!(reader.edge().unwrap().size, event.seq.number() + 1);
}

#[test]
fn a_head_is_signed_without_a_controller_and_told_as_text_or_json() {
    let folder = folder_of_global();
    let data = folder.path().to_str().unwrap();
    let checkpoint =
        |more: &[&str]| run(&mut pdsno(&[&["audit", "checkpoint", "--data-dir", data], more].concat())).unwrap();
    let none = checkpoint(&[]);
    assert_eq!((none.code(), none.out.as_str()), (Some(1), ""), "{none:?}");
    assert!(none.err.contains("pdsno audit checkpoint --now"), "{none:?}");

    let first = checkpoint(&["--now", "--format", "json"]).json().unwrap();
    let reader = || SqliteReader::open(&folder.path().join("pdsno.db")).unwrap();
    assert_eq!(first["size"], reader().edge().unwrap().size);
    assert_eq!(first["signed_by"], json!(["pdsno/site/global_cntl_1"]));
    // The note is printed as it is stored, and signed by the key in the folder.
    let note = checkpoint(&["--now"]).printed().unwrap();
    assert_eq!(first["checkpoint"], note.as_str(), "nothing came since, so it is the same head");
    assert_eq!(checkpoint(&[]).printed().unwrap(), note);
    let key = KeyFiles::new(folder.path(), Arc::new(SystemEntropy)).load("first.key").unwrap().unwrap();
    let name = "pdsno/site/global_cntl_1".parse().unwrap();
    let known = [VerifierKey::new(name, SignatureType::Ed25519, key.public_key())];
    assert_eq!(SignedCheckpoint::parse(note.as_bytes()).unwrap().verify(&known).unwrap().len(), 1);

    // A token is an entry, so the next head has one more.
    issue_token(&config(folder.path()), Role::Regional, &"zone-A".parse().unwrap(), TokenLifetime::default()).unwrap();
    let next = checkpoint(&["--now", "--format", "json"]).json().unwrap();
    assert_eq!(next["size"].as_u64().unwrap(), first["size"].as_u64().unwrap() + 1);
    assert!(DataFolder::user(folder.path()).is_none());
    // No log, no head.
    let standalone = folder_with_nib();
    let refused = run(&mut pdsno(&["audit", "checkpoint", "--now", "--data-dir", standalone.path().to_str().unwrap()]));
    let refused = refused.unwrap();
    assert_eq!((refused.code(), refused.out.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.err.contains("the controller has no name yet"), "{refused:?}");
}

#[test]
fn without_its_key_nothing_is_done() {
    let folder = folder_of_global();
    KeyFiles::new(folder.path(), Arc::new(SystemEntropy)).remove("first.key").unwrap();
    let region = "zone-A".parse().unwrap();
    let refusal = issue_token(&config(folder.path()), Role::Regional, &region, TokenLifetime::default());
    let text = refusal.err().unwrap().to_string();
    assert!(text.contains("the key first.key of global_cntl_1 is missing"), "{text}");
    let reader = SqliteReader::open(&folder.path().join("pdsno.db")).unwrap();
    assert_eq!(reader.tokens(None, 10).unwrap(), []);
}

#[test]
fn a_wrong_folder_is_refused_and_not_made() {
    let parent = TempDir::new().unwrap();
    let wrong = parent.path().join("elsewhere");
    let refusal = request(&config(&wrong), &Request::get("/healthz")).unwrap_err();
    assert!(matches!(refusal, Failure::Usage(_)), "{refusal}");
    assert!(refusal.to_string().contains("--data-dir"), "{refusal}");
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn somebody_who_takes_no_requests_is_named() {
    let folder = folder_with_nib();
    let held = DataFolder::take(folder.path()).unwrap();
    let refusal = request(&config(folder.path()), &Request::get("/healthz")).unwrap_err();
    assert!(matches!(refusal, Failure::Usage(_)), "{refusal}");
    let text = refusal.to_string();
    assert!(text.contains(&std::process::id().to_string()) && text.contains("takes no requests"), "{text}");
    drop(held);
    assert_eq!(request(&config(folder.path()), &Request::get("/healthz")).unwrap(), json!({ "status": "ok" }));
}
