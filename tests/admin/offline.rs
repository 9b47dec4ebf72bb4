//! While no controller runs: the same requests, answered by its actors alone.

use std::fs;
use std::path::Path;

use pdsno::app::admin::request;
use pdsno::app::client::{Request, Verb};
use pdsno::app::config::{Config, Flags, Sources, load};
use pdsno::app::failure::Failure;
use pdsno::app::folder::DataFolder;
use serde_json::json;
use tempfile::TempDir;

use crate::place::folder_with_nib;
use crate::program::listing;

fn config(folder: &Path) -> Config {
    let flags = Flags { data_dir: Some(folder.to_str().unwrap().to_owned()), ..Flags::default() };
    load(Sources { file: None, environment: Vec::new(), flags }).unwrap().config
}

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
