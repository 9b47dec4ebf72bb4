//! The event log in a file that somebody edits.

use pdsno::actors::log_check::Extent::{self, SinceHead, Whole};
use pdsno::algorithms::audit::frontier::Frontier;
use pdsno::app::maintenance;
use pdsno::domain::event::NewEvent;
use pdsno::domain::log::{Edge, HeadKind, LogChange, StoredHead};
use pdsno::nib::sqlite::{SqliteNib, SqliteReader};
use pdsno::nib::{Change, LogReader, NibError, NibStore};
use pdsno::wire::checkpoint::{Checkpoint, SignedCheckpoint};
use pdsno::wire::note::{NoteSigner, SignatureType};
use rusqlite::Connection;
use serde_json::json;

use crate::samples::{NOW, append, discovered, insert};
use crate::scene::{MIGRATE, Scene};
use crate::sealers::{checked, key, origin, sealer};

/// Entries in the log of [`logged`], and those under its head. The last has a long payload.
const ENTRIES: u64 = 602;
const HEAD: u64 = 301;

/// A closed NIB with a log and a signed head.
fn logged() -> Scene {
    let scene = Scene::empty();
    let mut nib = SqliteNib::open(&scene.path, MIGRATE).unwrap();
    nib.open_log(sealer(1)).unwrap();
    nib.commit(&(0..300).map(append).collect::<Vec<_>>()).unwrap();
    let edge = nib.reader().unwrap().edge().unwrap();
    nib.commit(&[put_head(&edge)]).unwrap();
    let long = NewEvent { payload: json!({ "text": "x".repeat(20_000) }), ..discovered(1) };
    nib.commit(&(0..300).map(append).chain([Change::Append(long)]).collect::<Vec<_>>()).unwrap();
    nib.close().unwrap();
    scene
}

fn put_head(edge: &Edge) -> Change {
    let (key, tree) = (key(1), Frontier::try_from(edge).unwrap());
    let signer = NoteSigner::new(origin().as_str().parse().unwrap(), SignatureType::Ed25519, &key);
    let signed = SignedCheckpoint::sign(&Checkpoint::new(origin(), tree.head()), &signer, NOW).unwrap();
    let head = StoredHead { origin: origin(), kind: HeadKind::Own, size: edge.size, note: signed.to_string(), at: NOW };
    Change::Log(LogChange::PutHead { head, after: None })
}

fn found(scene: &Scene, extent: Extent) -> Result<std::ops::Range<u64>, (u64, String)> {
    checked(&SqliteReader::open(&scene.path).unwrap(), &[1], extent)
}

/// `FLIP table column octet condition` as SQL that flips one bit of one row; other SQL as it is.
fn flipped(connection: &Connection, sql: &str) -> String {
    let words: Vec<&str> = sql.splitn(5, ' ').collect();
    let ["FLIP", table, column, octet, condition] = words[..] else { return sql.to_owned() };
    let select = format!("SELECT {column} FROM {table} WHERE {condition}");
    let mut octets: Vec<u8> = connection.query_row(&select, [], |row| row.get(0)).unwrap();
    octets[octet.parse::<usize>().unwrap()] ^= 1;
    let hex: String = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("UPDATE {table} SET {column} = x'{hex}' WHERE {condition}")
}

/// Edits the file as somebody does who drops the triggers first, and puts them back.
fn edit(scene: &Scene, sql: &str) {
    let connection = scene.sql();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    let triggers: Vec<String> = scene.schema().into_iter().filter(|sql| sql.contains("TRIGGER")).collect();
    for trigger in &triggers {
        let name = trigger.split_whitespace().nth(2).unwrap();
        connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    connection.execute_batch(&flipped(&connection, sql)).unwrap();
    connection.execute_batch(&triggers.join(";\n")).unwrap();
}

#[test]
fn what_is_in_the_log_cannot_be_changed_deleted_or_put_elsewhere() {
    let scene = logged();
    let sql = scene.sql();
    let entry = "SELECT 602, event_id, leaf, signature, payload, body FROM log_entries WHERE seq = 5";
    let other = "SELECT 700, 'other', leaf, signature, payload, body FROM log_entries WHERE seq = 5";
    sql.execute("INSERT INTO evidence VALUES (0, 'o', 's', 't', 'w', 0)", []).unwrap();
    for (statement, reason) in [
        ("UPDATE log_entries SET leaf = x'00' WHERE seq = 1".to_owned(), "never changed"),
        ("DELETE FROM log_entries WHERE seq = 601".to_owned(), "never deleted"),
        ("UPDATE log_tiles SET hash = x'00'".to_owned(), "never changed"),
        ("DELETE FROM log_tiles".to_owned(), "never deleted"),
        ("INSERT OR REPLACE INTO log_tiles VALUES (1, 0, x'00')".to_owned(), "without gaps"),
        ("UPDATE payloads SET octets = x'00'".to_owned(), "never changed"),
        ("DELETE FROM payloads".to_owned(), "never deleted"),
        ("INSERT OR REPLACE INTO payloads SELECT digest, x'00' FROM payloads".to_owned(), "never changed"),
        ("UPDATE evidence SET why = 'x'".to_owned(), "never changed"),
        ("DELETE FROM evidence".to_owned(), "never deleted"),
        ("INSERT OR REPLACE INTO evidence VALUES (0, 'o', 's', 't', 'x', 0)".to_owned(), "without gaps"),
        (format!("INSERT OR REPLACE INTO log_entries {entry}"), "ids of their own"),
        (format!("INSERT INTO log_entries {other}"), "without gaps"),
        ("UPDATE event_log SET origin = 'x'".to_owned(), "keeps its origin"),
        ("DELETE FROM event_log".to_owned(), "never deleted"),
    ] {
        let refusal = sql.execute(&statement, []).unwrap_err().to_string();
        assert!(refusal.contains(reason), "{statement}: {refusal}");
    }
}

#[test]
fn a_log_is_gone_on_with_by_the_key_and_by_nobody_else() {
    let scene = logged();
    let before = SqliteReader::open(&scene.path).unwrap().edge().unwrap();
    assert_eq!(before.size, ENTRIES);
    let mut nib = SqliteNib::open(&scene.path, MIGRATE).unwrap();
    let refusal = nib.commit(&[insert(1), append(1)]).unwrap_err();
    assert!(matches!(refusal, NibError::Unavailable { .. }), "{refusal:?}");
    assert!(refusal.to_string().contains("key"), "{refusal}");
    nib.commit(&[insert(1)]).unwrap();
    let reader = nib.reader().unwrap();
    assert_eq!((reader.edge().unwrap(), reader.next_event().unwrap().number()), (before, ENTRIES));

    nib.open_log(sealer(2)).unwrap();
    nib.commit(&[append(1)]).unwrap();
    assert_eq!(checked(reader.as_ref(), &[1, 2], Whole), Ok(0..ENTRIES + 1));
}

#[test]
fn what_opening_wrote_is_sealed_before_anything_else() {
    let scene = logged();
    // As a migration does it.
    scene.alter("INSERT INTO events VALUES (602, 'NIB_MIGRATED', 'a', 's', 0, '{}')");
    let mut nib = SqliteNib::open(&scene.path, MIGRATE).unwrap();
    nib.open_log(sealer(2)).unwrap();
    nib.commit(&[append(1)]).unwrap();
    assert_eq!(checked(nib.reader().unwrap().as_ref(), &[1, 2], SinceHead), Ok(HEAD..ENTRIES + 2));
}

#[test]
fn a_sound_log_is_told_how_far_it_was_checked() {
    let scene = logged();
    assert_eq!(found(&scene, Whole), Ok(0..ENTRIES));
    assert_eq!(found(&scene, SinceHead), Ok(HEAD..ENTRIES));
    let report = maintenance::check(&scene.path).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!(report.entries, ENTRIES);
}

#[test]
fn whatever_is_edited_behind_the_triggers_is_named() {
    for (sql, seq, why) in [
        ("FLIP log_entries body 40 seq = 400", 400, ""),
        ("FLIP log_entries leaf 31 seq = 400", 400, "leaf"),
        ("UPDATE log_entries SET leaf = x'00' WHERE seq = 400", 400, "leaf"),
        ("FLIP log_tiles hash 0 idx = 1", 511, "tile"),
        ("DELETE FROM log_tiles WHERE idx = 1", 511, "tiles"),
        ("FLIP payloads octets 100 true", 601, "payload"),
        ("DELETE FROM payloads", 601, "payload"),
        ("DELETE FROM log_entries WHERE seq = 400", 400, "missing"),
        ("DELETE FROM log_entries WHERE seq = 601", 601, "edge"),
        ("UPDATE events SET actor = 'me' WHERE seq = 400", 400, "actor"),
        ("UPDATE events SET payload = '{}' WHERE seq = 400", 400, "payload"),
        ("DELETE FROM events WHERE seq = 601", 601, "event"),
        ("FLIP event_log peaks 5 true", 602, "edge"),
        ("UPDATE event_log SET size = 601", 601, "edge"),
    ] {
        let scene = logged();
        edit(&scene, sql);
        for extent in [Whole, SinceHead] {
            let (named, reason) = found(&scene, extent).unwrap_err();
            assert!(named == seq && reason.contains(why), "{sql}, {extent:?}: {named}, {reason}");
        }
        let report = maintenance::check(&scene.path).unwrap();
        let named = |problem: &pdsno::nib::sqlite::Problem| problem.key.as_deref() == Some(seq.to_string().as_str());
        let told: Vec<String> = report.problems.iter().take(5).map(ToString::to_string).collect();
        assert!(report.problems.iter().any(named) && report.problem_count < 5, "{sql}: {told:?}");
    }
}

#[test]
fn what_hashes_do_not_show_a_signature_shows() {
    // Whoever has no key can make the hashes fit, but neither sign an entry nor a head.
    let scene = logged();
    edit(&scene, "FLIP log_entries signature 3 seq = 400");
    let (named, _) = found(&scene, SinceHead).unwrap_err();
    assert_eq!(named, 400);

    let scene = logged();
    edit(&scene, "UPDATE heads SET note = replace(note, char(10) || '301' || char(10), char(10) || '302' || char(10))");
    let (named, reason) = found(&scene, SinceHead).unwrap_err();
    assert!(named <= HEAD && reason.contains("sign"), "{named}: {reason}");
}

#[test]
fn entries_before_the_head_are_checked_when_the_whole_is() {
    let scene = logged();
    edit(&scene, "FLIP log_entries body 40 seq = 100");
    assert_eq!(found(&scene, SinceHead), Ok(HEAD..ENTRIES), "their hashes alone are under the head");
    assert_eq!(found(&scene, Whole).unwrap_err().0, 100);

    let scene = logged();
    edit(&scene, "FLIP log_entries leaf 0 seq = 299");
    assert_eq!(found(&scene, SinceHead).unwrap_err().0, 299, "a hash that the head's root needs");
}

#[test]
fn a_log_that_was_cut_off_below_its_head_is_found() {
    let scene = logged();
    edit(&scene, "DELETE FROM log_entries WHERE seq >= 200; UPDATE event_log SET size = 200");
    for extent in [Whole, SinceHead] {
        let (named, reason) = found(&scene, extent).unwrap_err();
        assert!(named == 200, "{named}: {reason}");
    }
}
