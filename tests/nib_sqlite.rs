//! What only a file can do: be refused, fill its disk, lose its process, be copied, be damaged.

#[path = "nib_sqlite/crash.rs"]
mod crash;
#[path = "nib_sqlite/log.rs"]
mod log;
#[path = "nib_contract/members.rs"]
mod members;
#[path = "nib_contract/samples.rs"]
mod samples;
#[path = "nib_sqlite/scene.rs"]
mod scene;
#[path = "nib_contract/sealers.rs"]
mod sealers;
#[path = "nib_sqlite/tables.rs"]
mod tables;

use std::fs;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use pdsno::domain::device::{Device, Version};
use pdsno::domain::event::{EventSeq, EventType};
use pdsno::nib::sqlite::{BackupError, OpenError, OpenMode, SqliteNib, SqliteReader, backup, check};
use pdsno::nib::{Change, EventQuery, NibError, NibReader, NibStore};
use rusqlite::Connection;

use samples::{NOW, append, device, id, insert};
use scene::{MIGRATE, Scene, flip_bytes};

// --- the event log's seat belt

#[test]
fn events_cannot_be_changed_deleted_or_put_elsewhere() {
    let scene = Scene::with_devices(3);
    let sql = scene.sql();
    for (statement, reason) in [
        ("UPDATE events SET actor = 'me' WHERE seq = 1", "never changed"),
        ("UPDATE OR REPLACE events SET seq = 0 WHERE seq = 1", "never changed"),
        ("DELETE FROM events WHERE seq = 1", "never deleted"),
        ("DELETE FROM events", "never deleted"),
        ("INSERT INTO events VALUES (9, 'X', 'a', 's', 0, '{}')", "without gaps"),
        ("INSERT INTO events VALUES (-1, 'X', 'a', 's', 0, '{}')", "without gaps"),
        ("INSERT OR REPLACE INTO events VALUES (1, 'X', 'a', 's', 0, '{}')", "without gaps"),
        ("INSERT INTO events VALUES (NULL, 'X', 'a', 's', 0, '{}')", "without gaps"),
    ] {
        let refusal = sql.execute(statement, []).unwrap_err().to_string();
        assert!(refusal.contains(reason), "{statement}: {refusal}");
    }
    assert_eq!(sql.execute("INSERT INTO events VALUES (4, 'X', 'a', 's', 0, '{}')", []).unwrap(), 1);
}

#[test]
fn the_first_event_has_position_zero() {
    let scene = Scene::new();
    let sql = Connection::open_in_memory().unwrap();
    for statement in scene.schema() {
        sql.execute_batch(&statement).unwrap();
    }
    sql.execute("INSERT INTO events VALUES (1, 'X', 'a', 's', 0, '{}')", []).unwrap_err();
    sql.execute("INSERT INTO events VALUES (0, 'X', 'a', 's', 0, '{}')", []).unwrap();
}

#[test]
fn a_device_is_shown_by_its_id_to_who_looks_with_sql() {
    let scene = Scene::with_devices(1);
    let shown: (String, String, String, i64) = scene
        .sql()
        .query_row("SELECT device_id, mac, addresses, updated_at FROM devices", [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })
        .unwrap();
    assert_eq!((shown.0.as_str(), shown.1.as_str()), ("nib-dev-000001", "00:1b:00:00:00:01"));
    assert_eq!(shown.2, r#"["10.0.0.1"]"#);
    assert!(shown.3 > 1_700_000_000_000, "{} ms", shown.3);
}

// --- opening

#[test]
fn a_missing_nib_is_created_only_when_that_was_asked_for() {
    let scene = Scene::empty();
    assert!(matches!(SqliteNib::open(&scene.path, OpenMode::Current), Err(OpenError::Missing { .. })));
    let error = SqliteReader::open(&scene.path).unwrap_err();
    assert!(error.to_string().contains("pdsno init"), "{error}");
    assert_eq!(scene.files(), [""; 0]);

    let nib = SqliteNib::open(&scene.path, MIGRATE).unwrap();
    let migrated = nib.migrated().unwrap();
    assert_eq!((migrated.from, migrated.to), (None, migrated.applied.len() as i64));
    assert_eq!(migrated.applied[..2], ["V1__devices_facts_events", "V2__registry_streams_policies"]);
    let event = nib.reader().unwrap().last_event(EventType::NibMigrated).unwrap().unwrap();
    assert_eq!((event.seq, event.timestamp), (EventSeq::FIRST, NOW));
    assert_eq!(event.subject, scene.path.to_string_lossy());
    assert_eq!(event.payload["applied"][0], "V1__devices_facts_events");
    drop(nib);
    assert_eq!(scene.files(), ["nib.sqlite"], "no draft, no log, no shared memory is left");

    for mode in [OpenMode::Current, MIGRATE] {
        assert_eq!(SqliteNib::open(&scene.path, mode).unwrap().migrated(), None);
    }
}

#[test]
fn a_nib_whose_directory_is_missing_is_not_created() {
    let scene = Scene::empty();
    let error = SqliteNib::open(&scene.path.with_file_name("nowhere").join("nib.sqlite"), MIGRATE).unwrap_err();
    assert!(matches!(error, OpenError::Io { .. }), "{error:?}");
    assert_eq!(scene.files(), [""; 0]);
}

#[test]
fn the_file_keeps_the_promised_settings() {
    let scene = Scene::with_devices(1);
    let sql = scene.sql();
    let text = |pragma: &str| sql.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get::<_, String>(0)).unwrap();
    assert_eq!(text("journal_mode"), "wal");
    let id: i64 = sql.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
    assert_eq!(id.to_be_bytes()[4..], *b"pdNB");
}

/// Opens what must be refused, in every way; returns the refusal of the writer.
fn refused_untouched(scene: &Scene) -> OpenError {
    let (bytes, files) = (fs::read(&scene.path).unwrap(), scene.files());
    let error = SqliteNib::open(&scene.path, MIGRATE).unwrap_err();
    SqliteNib::open(&scene.path, OpenMode::Current).unwrap_err();
    assert!(fs::read(&scene.path).unwrap() == bytes, "the file was changed");
    assert_eq!(scene.files(), files);
    let text = error.to_string();
    assert!(text.contains(&*scene.path.to_string_lossy()), "{text}");
    error
}

#[test]
fn a_foreign_file_is_refused_untouched() {
    let long = "x".repeat(100_000);
    for content in ["", "x", "controller:\n  role: local\n", "SQLite format 3\0", long.as_str()] {
        let scene = Scene::empty();
        fs::write(&scene.path, content).unwrap();
        let error = refused_untouched(&scene);
        assert!(matches!(error, OpenError::NotANib { .. }), "{error:?}");
        assert!(matches!(SqliteReader::open(&scene.path), Err(OpenError::NotANib { .. })));
        assert!(matches!(check(&scene.path), Err(OpenError::NotANib { .. })));
        assert_eq!(scene.files(), ["nib.sqlite"]);
    }
}

#[test]
fn a_database_of_another_program_is_refused_untouched() {
    for journal in ["delete", "wal"] {
        let scene = Scene::empty();
        let other = Connection::open(&scene.path).unwrap();
        other.pragma_update_and_check(None, "journal_mode", journal, |_| Ok(())).unwrap();
        other.execute_batch("CREATE TABLE notes (text TEXT); PRAGMA application_id = 7").unwrap();
        if journal == "wal" {
            // Still open there, with a log beside it that has all of its content.
            let error = refused_untouched(&scene);
            assert!(matches!(error, OpenError::NotANib { .. }), "{error:?}");
        }
        drop(other);
        let error = refused_untouched(&scene);
        assert!(error.to_string().contains("application id 7"), "{error}");
    }
}

#[test]
fn a_directory_is_refused() {
    let scene = Scene::empty();
    fs::create_dir(&scene.path).unwrap();
    assert!(matches!(SqliteNib::open(&scene.path, MIGRATE), Err(OpenError::NotANib { .. })));
}

#[test]
fn a_newer_schema_is_refused_untouched() {
    let scene = Scene::with_devices(1);
    scene.alter("INSERT INTO refinery_schema_history VALUES (99, 'sites', '2027-01-01T00:00:00Z', '1')");
    let error = refused_untouched(&scene);
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error:?}");
    assert!(matches!(SqliteReader::open(&scene.path), Err(OpenError::Newer { .. })));
    assert!(matches!(check(&scene.path), Err(OpenError::Newer { .. })));
}

#[test]
fn another_history_is_refused_untouched() {
    let scene = Scene::with_devices(1);
    scene.alter("UPDATE refinery_schema_history SET checksum = '1' WHERE version = 1");
    let error = refused_untouched(&scene);
    assert!(matches!(&error, OpenError::Divergent { migration, .. } if migration == "V1__devices_facts_events"));

    for edit in ["DROP TABLE refinery_schema_history", "UPDATE refinery_schema_history SET checksum = NULL"] {
        let scene = Scene::with_devices(1);
        scene.alter(edit);
        let error = refused_untouched(&scene);
        assert!(matches!(error, OpenError::Corrupt { .. }), "{error:?}");
    }
}

#[test]
fn a_damaged_file_is_refused_untouched() {
    let scene = Scene::with_devices(500);
    let length = fs::metadata(&scene.path).unwrap().len();
    flip_bytes(&scene.path, scene.rows());
    assert!(matches!(refused_untouched(&scene), OpenError::Corrupt { .. }));

    let scene = Scene::with_devices(500);
    let file = fs::File::options().write(true).open(&scene.path).unwrap();
    file.set_len(length / 2).unwrap();
    assert!(matches!(refused_untouched(&scene), OpenError::Corrupt { .. }));
}

#[test]
fn a_migration_that_was_interrupted_before_its_end_did_not_happen() {
    // What a killed process leaves: a draft beside the name that it never got.
    let scene = Scene::empty();
    let draft = scene.path.with_file_name(".nib.sqlite.new-00000000");
    Connection::open(&draft).unwrap().execute_batch("BEGIN; CREATE TABLE devices (number); COMMIT").unwrap();
    let nib = SqliteNib::open(&scene.path, MIGRATE).unwrap();
    assert_eq!(nib.migrated().unwrap().from, None);
    assert_eq!(nib.reader().unwrap().next_event().unwrap(), EventSeq::from_number(1));
}

#[test]
fn a_lock_that_another_process_keeps_makes_the_nib_unavailable() {
    let scene = Scene::with_devices(1);
    let mut nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    let other = scene.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answers = nib.commit_each(&[&[append(1)], &[append(2)]]);
    assert_eq!(answers.len(), 2);
    for answer in answers {
        let error = answer.unwrap_err();
        assert!(matches!(error, NibError::Unavailable { source: Some(_), .. }), "{error:?}");
    }
    other.execute_batch("ROLLBACK").unwrap();
    nib.commit(&[append(1)]).unwrap();
}

// --- readers of other processes

#[test]
fn a_reader_of_a_closed_nib_leaves_no_trace() {
    let scene = Scene::with_devices(3);
    let bytes = fs::read(&scene.path).unwrap();
    let reader = SqliteReader::open(&scene.path).unwrap();
    assert_eq!(reader.devices(None, None, 10).unwrap().len(), 3);
    assert_eq!(scene.files(), ["nib.sqlite"]);
    drop(reader);
    assert_eq!(scene.files(), ["nib.sqlite"]);
    assert!(fs::read(&scene.path).unwrap() == bytes);
}

#[test]
fn a_reader_beside_a_controller_sees_its_commits() {
    let scene = Scene::with_devices(1);
    let mut nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    let reader = SqliteReader::open(&scene.path).unwrap();
    nib.commit(&[insert(2), append(2)]).unwrap();
    assert_eq!(reader.device(id(2)).unwrap(), Some(device(2)));
}

#[test]
fn a_reader_of_a_nib_at_rest_says_so_when_a_controller_opens_it() {
    let scene = Scene::with_devices(1);
    let reader = SqliteReader::open(&scene.path).unwrap();
    reader.next_event().unwrap();
    let _nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    let error = reader.next_event().unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    SqliteReader::open(&scene.path).unwrap().next_event().unwrap();
}

#[test]
fn a_checkpoint_that_stopped_half_way_is_no_damage() {
    let scene = Scene::with_devices(1);
    let mut nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    let growth: Vec<Change> = (2..200).flat_map(|number| [insert(number), append(number)]).collect();
    nib.commit(&growth).unwrap();
    // What a kill leaves: the first page is of the new state, the pages that it counts are not there.
    let left = Scene::empty();
    for suffix in ["", "-wal"] {
        let of = |scene: &Scene| scene.path.with_file_name(format!("nib.sqlite{suffix}"));
        fs::copy(of(&scene), of(&left)).unwrap();
    }
    fs::File::options().write(true).open(&left.path).unwrap().write_all_at(&500_u32.to_be_bytes(), 28).unwrap();

    let reader = SqliteReader::open(&left.path).unwrap();
    assert_eq!(reader.device(id(199)).unwrap(), Some(device(199)));
    assert!(check(&left.path).unwrap().is_sound());
    backup(&left.path, &left.path.with_file_name("copy")).unwrap();
    SqliteNib::open(&left.path, OpenMode::Current).unwrap().commit(&[append(3)]).unwrap();
}

#[test]
fn any_name_can_be_opened() {
    let scene = Scene::empty();
    for name in ["a b?mode=memory", "100%25#x", "größe", "-wal"] {
        let path = scene.path.with_file_name(name);
        drop(SqliteNib::open(&path, MIGRATE).unwrap());
        assert_eq!(SqliteReader::open(&path).unwrap().next_event().unwrap(), EventSeq::from_number(1), "{name}");
    }
    assert_eq!(scene.files().len(), 4);
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let scene = Scene::with_devices(2);
    scene.alter("UPDATE devices SET mac = 'zz' WHERE number = 2");
    let error = SqliteReader::open(&scene.path).unwrap().device(id(2)).unwrap_err();
    assert!(matches!(error, NibError::Corrupt { .. }));
    let text = error.to_string();
    assert!(text.contains("nib-dev-000002") && text.contains("mac") && text.contains("zz"), "{text}");
}

// --- a full disk

#[test]
fn on_a_full_disk_nothing_is_written_and_it_goes_on_when_there_is_room() {
    let scene = Scene::with_devices(10);
    let mut nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    let reader = nib.reader().unwrap();
    let before = reader.next_event().unwrap();
    nib.limit_pages(40).unwrap();
    let much: Vec<Change> = (100..2_000).flat_map(|number| [insert(number), append(number)]).collect();
    let answer = nib.commit(&much);
    assert!(matches!(answer, Err(NibError::Full { .. })), "{answer:?}");
    assert_eq!(reader.next_event().unwrap(), before);
    assert_eq!(reader.next_device().unwrap(), id(11));

    // Of a batch, what was answered with success is there, the rest is not.
    let small = [insert(11), append(11)];
    let answers = nib.commit_each(&[&small, &much, &[append(12)]]);
    assert!(matches!(answers[1], Err(NibError::Full { .. })), "{:?}", answers[1]);
    let written = answers.iter().filter(|answer| answer.is_ok()).count() as u64;
    assert_eq!(reader.next_event().unwrap().number(), before.number() + written);
    assert_eq!(reader.device(id(11)).unwrap().is_some(), answers[0].is_ok());

    nib.limit_pages(1_000_000).unwrap();
    nib.commit(&much).unwrap();
    drop(nib);
    assert!(check(&scene.path).unwrap().is_sound());
}

// --- copies

#[test]
fn a_backup_is_a_nib_of_one_moment_while_a_controller_writes() {
    let scene = Scene::with_devices(50);
    let mut nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let writing = scope.spawn(|| {
            let mut number = 51;
            while !done.load(Ordering::SeqCst) {
                nib.commit(&[insert(number), append(number)]).unwrap();
                number += 1;
            }
            number
        });
        for round in 0..5 {
            let target = scene.path.with_file_name(format!("backup-{round}"));
            let size = backup(&scene.path, &target).unwrap();
            assert_eq!(size, fs::metadata(&target).unwrap().len());
            let report = check(&target).unwrap();
            assert!(report.is_sound(), "{:?}", report.problems);
            assert_eq!(report.devices + 1, report.events, "row and event of a commit are both there");
        }
        done.store(true, Ordering::SeqCst);
        assert!(writing.join().unwrap() > 51);
    });
    let mut copy = SqliteNib::open(&scene.path.with_file_name("backup-4"), OpenMode::Current).unwrap();
    let next = copy.reader().unwrap().next_device().unwrap().number();
    copy.commit(&[insert(next), append(next)]).unwrap();
}

#[test]
fn a_backup_of_a_closed_nib_leaves_one_file() {
    let scene = Scene::with_devices(3);
    let bytes = fs::read(&scene.path).unwrap();
    let target = scene.path.with_file_name("copy");
    backup(&scene.path, &target).unwrap();
    assert_eq!(scene.files(), ["copy", "nib.sqlite"]);
    assert!(fs::read(&scene.path).unwrap() == bytes);
}

#[test]
fn a_backup_replaces_nothing_and_leaves_nothing_when_it_fails() {
    let scene = Scene::with_devices(3);
    let target = scene.path.with_file_name("copy");
    fs::write(&target, "mine").unwrap();
    let error = backup(&scene.path, &target).unwrap_err();
    assert!(matches!(error, BackupError::TargetExists { .. }), "{error:?}");
    assert!(matches!(backup(&scene.path, &scene.path), Err(BackupError::TargetExists { .. })));
    assert_eq!(fs::read(&target).unwrap(), b"mine");

    let nowhere = scene.path.with_file_name("nowhere").join("copy");
    assert!(matches!(backup(&scene.path, &nowhere), Err(BackupError::Copy { .. })));
    let missing = scene.path.with_file_name("missing");
    let error = backup(&missing, &scene.path.with_file_name("other")).unwrap_err();
    assert!(matches!(error, BackupError::Source(OpenError::Missing { .. })), "{error:?}");
    assert_eq!(scene.files(), ["copy", "nib.sqlite"]);
}

#[test]
fn a_damaged_nib_has_no_backup() {
    let scene = Scene::with_devices(500);
    flip_bytes(&scene.path, scene.rows());
    let error = backup(&scene.path, &scene.path.with_file_name("copy")).unwrap_err();
    assert!(matches!(error, BackupError::Damaged { .. }), "{error:?}");
    assert_eq!(scene.files(), ["nib.sqlite"]);
}

// --- the check

#[test]
fn a_sound_nib_has_no_problems_also_beside_a_controller() {
    let scene = Scene::with_devices(20);
    let report = check(&scene.path).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    assert_eq!((report.devices, report.facts, report.events), (20, 20, 21));
    assert_eq!(scene.files(), ["nib.sqlite"]);

    let mut nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    nib.commit(&[insert(21), append(21)]).unwrap();
    assert_eq!(check(&scene.path).unwrap().events, 22);
}

#[test]
fn a_check_finds_what_was_edited_behind_the_triggers() {
    for (edit, problem) in [
        ("DROP TRIGGER events_are_never_changed", "schema trigger events_are_never_changed: it is missing"),
        ("DROP INDEX events_by_type", "schema index events_by_type: it is missing"),
        ("CREATE TABLE notes (text TEXT)", "schema table notes: it is not of a NIB"),
        ("DELETE FROM counters", "counters: it has 0 rows"),
        ("UPDATE counters SET next_device = 2", "devices nib-dev-000002: its number"),
        ("UPDATE devices SET mac = 'x' WHERE number = 1", "devices nib-dev-000001: mac: \"x\" is not a MAC"),
        (
            "UPDATE devices SET status = 'gone' WHERE number = 2",
            "devices nib-dev-000002: status: unknown device status",
        ),
        ("UPDATE devices SET addresses = '[\"10.0.0.300\"]' WHERE number = 3", "devices nib-dev-000003: addresses"),
        ("UPDATE devices SET addresses = '[\"10.0.0.2\",\"10.0.0.1\"]' WHERE number = 3", "not ascending"),
        ("UPDATE devices SET rtt_ns = -1 WHERE number = 1", "devices nib-dev-000001: rtt_ns"),
        ("UPDATE devices SET number = -7 WHERE number = 3", "devices -7: number"),
        (
            "UPDATE device_facts SET value = '{}' WHERE device = 2",
            "device_facts nib-dev-000002 snmp_uptime \"10.0.0.2\": value",
        ),
        ("UPDATE device_facts SET kind = 'mood' WHERE device = 2", "unknown kind of fact"),
        (
            "DELETE FROM devices WHERE number = 3",
            "device_facts nib-dev-000003 snmp_uptime \"10.0.0.3\": there is no such device",
        ),
    ] {
        let scene = Scene::with_devices(3);
        scene.alter(edit);
        let report = check(&scene.path).unwrap();
        let found: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|found| found.contains(problem)), "{edit}: {found:?}");
        assert_eq!(report.problem_count, found.len() as u64);
    }
}

#[test]
fn a_check_finds_an_event_that_was_removed_changed_or_moved() {
    for (edit, problem) in [
        ("DELETE FROM events WHERE seq = 2", "events 3: it follows 1"),
        ("DELETE FROM events WHERE seq = 0", "events 1: it follows -1"),
        ("UPDATE events SET seq = 17 WHERE seq = 3", "events 17: it follows 2"),
        ("UPDATE events SET payload = 'x' WHERE seq = 2", "events 2: payload"),
        ("UPDATE events SET payload = '[]' WHERE seq = 2", "events 2: payload: the payload is not an object"),
        ("UPDATE events SET event_type = 'NOTHING' WHERE seq = 1", "events 1: event_type"),
    ] {
        let scene = Scene::with_devices(3);
        let triggers: Vec<String> = scene.schema().into_iter().filter(|sql| sql.contains("TRIGGER events_")).collect();
        scene.alter(
            "DROP TRIGGER events_are_gapless; DROP TRIGGER events_are_never_changed; \
             DROP TRIGGER events_are_never_deleted",
        );
        scene.alter(edit);
        scene.alter(&triggers.join(";"));
        let report = check(&scene.path).unwrap();
        let found: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert!(found.len() == 1 && found[0].starts_with(problem), "{edit}: {found:?}");
    }
}

#[test]
fn a_check_of_damaged_pages_goes_on_and_tells_a_hundred_problems_at_most() {
    let scene = Scene::with_devices(500);
    scene.alter("UPDATE devices SET status = 'gone'");
    let report = check(&scene.path).unwrap();
    assert_eq!((report.problem_count, report.problems.len()), (500, 100));
    flip_bytes(&scene.path, scene.rows());
    let report = check(&scene.path).unwrap();
    assert_eq!(report.problems[0].table, "file");
    assert!(report.problem_count > 1);
}

#[test]
fn a_reader_is_told_which_row_broke_the_rules_and_others_stay_readable() {
    let scene = Scene::with_devices(3);
    scene.alter("UPDATE devices SET version = -1 WHERE number = 2");
    let reader = SqliteReader::open(&scene.path).unwrap();
    assert_eq!(reader.device(id(1)).unwrap(), Some(Device { version: Version::FIRST, ..device(1) }));
    assert!(reader.devices(None, None, 10).unwrap_err().to_string().contains("nib-dev-000002"));
    assert_eq!(reader.events(&EventQuery::default()).unwrap().len(), 4);
}
