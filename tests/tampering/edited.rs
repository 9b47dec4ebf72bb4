//! Attacks 27 and 28: somebody edits the files of the three controllers of a program that is stopped.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Instant;

use pdsno::app::clock::SystemClock;
use pdsno::domain::time::Clock as _;
use rusqlite::Connection;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::handle::Daemon;
use crate::program::{LIMIT, Ran, Tested, pdsno, run};
use crate::site::{HOSTS, Site, TIERS};
use crate::vandal::{alter, flip, forge};

/// A program that ran until everything was found and told, and ended in order.
fn stopped() -> Tested<Site> {
    let site = Site::new()?;
    let mut daemon = site.start()?;
    daemon.await_cycle()?;
    site.await_devices("global", HOSTS)?;
    end(daemon)?;
    Ok(site)
}

fn end(daemon: Daemon) -> Tested {
    daemon.signal(Signal::TERM)?;
    let (status, log) = daemon.end()?;
    assert_eq!(status.code(), Some(0), "{log:?}");
    Ok(())
}

fn copied(from: &Path, to: &Path) -> Tested {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copied(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The folder of a tier, copied and edited, and what `audit verify` says of it.
fn verified(site: &Site, tier: &str, edit: impl FnOnce(&Path)) -> Tested<Ran> {
    let folder = TempDir::new()?;
    let data = folder.path().join("data");
    copied(&site.data(), &data)?;
    edit(&data.join(tier).join("pdsno.db"));
    run(pdsno(&["audit", "verify", "--as", tier, "--format", "json", "--data-dir"]).arg(&data))
}

/// The one number that a query has.
fn number(path: &Path, query: &str) -> Tested<i64> {
    Ok(Connection::open(path)?.query_row(query, [], |row| row.get(0))?)
}

/// The last entry of a log, which no head covers yet.
fn last(site: &Site, tier: &str) -> Tested<i64> {
    let last = number(&site.nib(tier), "SELECT max(seq) FROM events")?;
    let covered = number(&site.nib(tier), "SELECT max(size) FROM heads WHERE kind = 'own'")?;
    assert!(covered <= last, "the last word of {tier} came after the last head");
    Ok(last)
}

#[test]
fn attack_27_with_its_triggers_in_place_no_event_is_changed_or_deleted() -> Tested {
    let site = stopped()?;
    for tier in TIERS {
        let path = site.nib(tier);
        let before = fs::read(&path)?;
        for (statement, reason) in [
            ("UPDATE events SET subject = 'somebody_else' WHERE seq = 1", "never changed"),
            ("DELETE FROM events WHERE seq = 1", "never deleted"),
            ("UPDATE log_entries SET body = x'00' WHERE seq = 1", "never changed"),
            ("DELETE FROM log_entries WHERE seq = 1", "never deleted"),
        ] {
            let sql = Connection::open(&path)?;
            sql.pragma_update(None, "foreign_keys", false)?;
            let refusal = sql.execute(statement, []).err().ok_or(statement)?.to_string();
            assert!(refusal.contains(reason), "{statement}: {refusal}");
        }
        assert!(fs::read(&path)? == before, "{tier}");
        assert_eq!(verified(&site, tier, |_| {})?.code(), Some(0), "{tier}");
    }
    Ok(())
}

#[test]
fn attack_27_an_event_that_was_edited_or_deleted_is_named_by_who_verifies_the_folder() -> Tested {
    let site = stopped()?;
    for tier in TIERS {
        let last = last(&site, tier)?;
        for seq in [0, 2, last / 2, last] {
            for statement in [
                format!("UPDATE events SET subject = 'somebody_else' WHERE seq = {seq}"),
                format!("UPDATE events SET payload = '{{}}', timestamp = 0 WHERE seq = {seq}"),
                format!("DELETE FROM events WHERE seq = {seq}"),
                format!("DELETE FROM log_entries WHERE seq = {seq}"),
            ] {
                let ran = verified(&site, tier, |path| alter(path, &statement))?;
                assert_eq!(ran.code(), Some(1), "{tier}, {statement}: {ran:?}");
                let told: Value = serde_json::from_str(&ran.out)?;
                assert_eq!(told["first_bad_seq"], seq, "{tier}, {statement}: {ran:?}");
                assert_eq!(told["verified"], false);
                assert!(ran.err.contains(&format!("the first bad entry is {seq}")), "{ran:?}");
            }
        }
    }
    Ok(())
}

/// Starts the program over logs that were edited: of each it is told what is wrong, its controller only
/// answers, and nothing is written there.
fn started(site: &Site, bad: &BTreeMap<&str, String>) -> Tested {
    let before: Vec<_> = TIERS.iter().map(|tier| fs::read(site.nib(tier))).collect::<Result<_, _>>()?;
    let mut daemon = site.begin(&["--listen", "none"])?;
    for (role, what) in TIERS.iter().filter_map(|tier| bad.get_key_value(tier)) {
        let told = daemon.await_line("LOG_CORRUPT", |line| {
            line["role"] == **role && line["message"].as_str().is_some_and(|told| told.contains("LOG_CORRUPT"))
        })?;
        // A bit may also make a head one that cannot even be read as a note: then it is named by its size.
        let unread = what.replace("head of ", "entry ").replace(" entries", " of the event log: the note");
        let is_it = |reason: &str| reason.contains(what.as_str()) || reason.contains(&unread);
        let named = told["reason"].as_str().is_some_and(is_it);
        assert!(named && told["level"] == "ERROR", "{role}, {what}: {told}");
    }
    for role in bad.keys() {
        // As soon as its socket answers.
        let deadline = Instant::now() + LIMIT;
        let live = loop {
            let status = site.json(&["status", "--as", role])?;
            if status["live"]["log"].is_object() {
                break status["live"].clone();
            }
            assert!(Instant::now() < deadline, "{role}: {status}");
        };
        assert_eq!(live["log"]["state"], "LOG_CORRUPT", "{role}");
    }
    if bad.contains_key("global") {
        let issued = site.verb(&["token", "issue", "--role", "regional", "--region", "zone-B"])?;
        assert_eq!(issued.code(), Some(1), "{issued:?}");
    }
    end(daemon)?;
    for (tier, before) in TIERS.iter().zip(before) {
        assert_eq!(
            fs::read(site.nib(tier))? == before,
            bad.contains_key(tier),
            "{tier}: who is read-only writes nothing"
        );
    }
    Ok(())
}

#[test]
fn attack_27_an_edited_log_is_named_at_the_start_and_its_controller_is_read_only() -> Tested {
    let site = stopped()?;
    let [global, regional] = [last(&site, "global")?, last(&site, "regional")?];
    alter(&site.nib("global"), &format!("UPDATE events SET subject = 'somebody_else' WHERE seq = {global}"));
    alter(&site.nib("regional"), &format!("DELETE FROM events WHERE seq = {regional}"));
    let [global, regional] = [global, regional].map(|seq| format!("entry {seq} "));
    started(&site, &[("global", global.clone()), ("regional", regional.clone())].into())?;
    // One more, further back: the first is the one that is named.
    alter(&site.nib("local"), &format!("DELETE FROM events WHERE seq = {}", last(&site, "local")?));
    alter(&site.nib("local"), "UPDATE events SET subject = 'somebody_else' WHERE seq = 1");
    started(&site, &[("global", global), ("local", "entry 1 ".to_owned()), ("regional", regional)].into())
}

/// Everything that a log is made of: table, column, row, and whose entry is named.
fn parts(site: &Site, tier: &str) -> Tested<Vec<(&'static str, &'static str, String, i64)>> {
    let (path, last) = (site.nib(tier), last(site, tier)?);
    let mut parts = Vec::new();
    for seq in [1, last] {
        for column in ["body", "signature", "leaf"] {
            parts.push(("log_entries", column, format!("seq = {seq}"), seq));
        }
    }
    let size = last + 1;
    parts.push(("event_log", "peaks", "true".to_owned(), size));
    if number(&path, "SELECT count(*) FROM log_tiles")? > 0 {
        parts.push(("log_tiles", "hash", "level = 1 AND idx = 0".to_owned(), 255));
    }
    Ok(parts)
}

/// A stopped program whose Local Controller has a log that is long enough for a tile of its tree.
fn with_a_tile() -> Tested<Site> {
    let site = stopped()?;
    let folder = site.data().join("local");
    assert!(forge(&folder, 300, SystemClock::start().now()) > 300, "by its own key: it is its own log");
    let mut daemon = site.start()?;
    daemon.await_cycle()?;
    end(daemon)?;
    Ok(site)
}

#[test]
fn attack_28_one_flipped_bit_in_the_file_of_a_stopped_controller_is_named() -> Tested {
    let site = with_a_tile()?;
    let mut tiles = 0;
    for tier in TIERS {
        assert_eq!(verified(&site, tier, |_| {})?.code(), Some(0), "{tier}, before");
        for (table, column, row, seq) in parts(&site, tier)? {
            tiles += usize::from(table == "log_tiles");
            for bit in [0, 77, 201] {
                let ran = verified(&site, tier, |path| flip(path, table, column, &row, bit))?;
                assert_eq!(ran.code(), Some(1), "{tier}, {table} {column} {row}: {ran:?}");
                let told: Value = serde_json::from_str(&ran.out)?;
                assert_eq!(told["first_bad_seq"], seq, "{tier}, {table} {column} {row}: {ran:?}");
            }
        }
    }
    assert_eq!(tiles, 1);
    Ok(())
}

#[test]
fn attack_28_one_flipped_bit_of_a_signed_head_is_noticed() -> Tested {
    let site = stopped()?;
    for tier in TIERS {
        let path = site.nib(tier);
        for which in ["min", "max"] {
            let size = number(&path, &format!("SELECT {which}(size) FROM heads WHERE kind = 'own'"))?;
            let row = format!("kind = 'own' AND size = {size}");
            let bits = number(&path, &format!("SELECT length(CAST(note AS BLOB)) * 8 FROM heads WHERE {row}"))?;
            // In origin, size, root and the log's own signature; those of witnesses come after it.
            let own = number(&path, &format!("SELECT instr(note, char(8212)) * 8 FROM heads WHERE {row}"))?;
            assert!(own > 0 && bits > own);
            for bit in (3..own).step_by(97).chain([own + 400, own + 600]) {
                let ran =
                    verified(&site, tier, |path| flip(path, "heads", "note", &row, usize::try_from(bit).unwrap()))?;
                assert_eq!(ran.code(), Some(1), "{tier}, bit {bit} of head {size}: {ran:?}");
            }
        }
    }
    Ok(())
}

#[test]
fn attack_28_a_flipped_bit_is_named_at_the_start_and_its_controller_is_read_only() -> Tested {
    let site = with_a_tile()?;
    let flips = [
        [("global", "body"), ("regional", "signature"), ("local", "leaf")],
        [("global", "peaks"), ("regional", "note"), ("local", "hash")],
    ];
    let sound = TempDir::new()?;
    copied(&site.data(), sound.path())?;
    for flips in flips {
        let mut bad = BTreeMap::new();
        for (tier, column) in flips {
            let (path, last) = (site.nib(tier), last(&site, tier)?);
            let head = number(&path, "SELECT max(size) FROM heads WHERE kind = 'own'")?;
            let (table, row, what) = match column {
                "peaks" => ("event_log", "true".to_owned(), format!("entry {} ", last + 1)),
                "note" => ("heads", format!("kind = 'own' AND size = {head}"), format!("head of {head} entries")),
                "hash" => ("log_tiles", "idx = 0".to_owned(), "entry 255 ".to_owned()),
                _ => ("log_entries", format!("seq = {last}"), format!("entry {last} ")),
            };
            flip(&path, table, column, &row, 301);
            bad.insert(tier, what);
        }
        started(&site, &bad)?;
        // As it was, for the next flips.
        for tier in TIERS {
            fs::copy(sound.path().join(tier).join("pdsno.db"), site.nib(tier))?;
        }
    }
    Ok(())
}
