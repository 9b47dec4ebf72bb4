//! The tables of the later migrations: what is kept when a NIB is opened again, what an older NIB
//! gets, and what a check finds in them.

use pdsno::domain::counters::{Counters, InterfaceCounters};
use pdsno::domain::device::Version;
use pdsno::domain::event::{EventSeq, EventType};
use pdsno::domain::fact::{FactVersions, SnmpEngine};
use pdsno::domain::number::{PolicyVersion, Serial, StreamSeq};
use pdsno::domain::policy::PolicyRow;
use pdsno::domain::registry::{Blocked, NextCertificate, RegistryChange};
use pdsno::domain::stream::{Sighting, Stream, StreamChange};
use pdsno::nib::sqlite::{OpenError, OpenMode, SqliteNib, SqliteReader, backup, check};
use pdsno::nib::{Change, EventQuery, NibReader, NibStore};
use refinery::Migration;
use rusqlite::{Connection, params};

use crate::members::{admit, controller, document, issue, key, token_id, update};
use crate::samples::{NOW, append, device, id, insert};
use crate::scene::{MIGRATE, Scene, uptime};

const V1: &str = include_str!("../../src/nib/sqlite/migrations/V1__devices_facts_events.sql");

fn seq(number: u64) -> StreamSeq {
    StreamSeq::from_number(number)
}

/// One row of each kind at least.
fn some_of_everything() -> Vec<Change> {
    let next = NextCertificate {
        serial: Serial::from_number(4),
        public_key: key(9),
        certificate: document("next"),
        delegation: None,
    };
    let prepared = pdsno::domain::registry::ControllerRow { next: Some(next), ..controller(2) };
    let enqueue = |body: &str| StreamChange::Enqueue { stream: Stream::Reports, body: body.to_owned(), at: NOW };
    let reporter = controller(1).id;
    vec![
        insert(1),
        issue(1),
        issue(2),
        issue(3),
        admit(controller(1)),
        admit(controller(2)),
        update(prepared),
        Change::Registry(RegistryChange::Block { blocked: Blocked::Key(key(7)), reason: "lost".to_owned(), at: NOW }),
        Change::Stream(enqueue("{}")),
        Change::Stream(enqueue("[1]")),
        Change::Stream(StreamChange::Acknowledge { stream: Stream::Reports, up_to: seq(1) }),
        Change::Stream(StreamChange::Receive {
            from: reporter.clone(),
            stream: Stream::Reports,
            after: seq(0),
            seq: seq(3),
        }),
        Change::PutSighting(Sighting {
            reporter,
            reported: id(5),
            device: id(1),
            last_seen: NOW,
            is_active: true,
            told_by: seq(3),
            facts: FactVersions::default(),
        }),
        Change::PutPolicy(PolicyRow {
            version: PolicyVersion::from_number(2),
            document: document("policy"),
            issued_at: NOW,
            expires_at: NOW,
            taken_at: NOW,
        }),
        Change::PutCounters(Counters {
            device: id(1),
            read_at: NOW,
            engine: Some(SnmpEngine { engine_id: "80001f8804".parse().unwrap(), boots: 3 }),
            interfaces: vec![counted(1), counted(2)],
        }),
        append(1),
    ]
}

fn counted(index: u32) -> InterfaceCounters {
    InterfaceCounters { index, ..InterfaceCounters::default() }
}

fn full() -> Scene {
    let scene = Scene::new();
    SqliteNib::open(&scene.path, OpenMode::Current).unwrap().commit(&some_of_everything()).unwrap();
    scene
}

/// What every reader must find of [`some_of_everything`].
fn assert_full(reader: &dyn NibReader) {
    assert_eq!(reader.tokens(None, 9).unwrap().len(), 3);
    assert_eq!(reader.controller(&controller(1).id).unwrap(), Some(controller(1)));
    let second = reader.controller_by_key(&key(9)).unwrap().unwrap();
    assert_eq!((second.id, second.version), (controller(2).id, Version::FIRST.next()));
    assert_eq!(reader.next_serial().unwrap(), Serial::from_number(5));
    assert_eq!(reader.blocklist().unwrap().len(), 1);
    let waiting = reader.outbox(Stream::Reports, seq(0), 9).unwrap();
    assert_eq!(waiting.iter().map(|item| item.seq).collect::<Vec<_>>(), [seq(2)]);
    assert_eq!(reader.received(&controller(1).id, Stream::Reports).unwrap(), seq(3));
    assert_eq!(reader.sightings_of(id(1)).unwrap().len(), 1);
    assert_eq!(reader.policy().unwrap().unwrap().version, PolicyVersion::from_number(2));
    assert_eq!(reader.counters(id(1), id(1)).unwrap()[0].interfaces, [counted(1), counted(2)]);
}

#[test]
fn an_opened_nib_goes_on_where_it_was_closed() {
    let scene = full();
    assert_full(&SqliteReader::open(&scene.path).unwrap());
    let mut nib = SqliteNib::open(&scene.path, OpenMode::Current).unwrap();
    let reader = nib.reader().unwrap();
    assert_full(&*reader);
    // No number is given twice, whatever was acknowledged or used before.
    let third = pdsno::domain::registry::ControllerRow { serial: Serial::from_number(5), ..controller(3) };
    let enqueue = StreamChange::Enqueue { stream: Stream::Reports, body: "{}".to_owned(), at: NOW };
    nib.commit(&[admit(third), Change::Stream(enqueue)]).unwrap();
    assert_eq!(reader.position(Stream::Reports).unwrap().last, seq(3));
}

#[test]
fn a_backup_has_all_of_it() {
    let scene = full();
    let copy = scene.path.with_file_name("copy");
    backup(&scene.path, &copy).unwrap();
    assert_full(&SqliteReader::open(&copy).unwrap());
    assert!(check(&copy).unwrap().is_sound());
}

/// A NIB as the first migration alone made it, with devices from 1.
fn of_first_schema(devices: u32) -> Scene {
    let scene = Scene::with_devices(devices);
    let old = scene.path.with_file_name("old");
    let sql = Connection::open(&old).unwrap();
    let first = Migration::unapplied("V1__devices_facts_events", V1).unwrap();
    sql.execute_batch(V1).unwrap();
    sql.execute_batch(
        "CREATE TABLE refinery_schema_history \
         (version int4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255))",
    )
    .unwrap();
    sql.execute(
        "INSERT INTO refinery_schema_history VALUES (1, ?1, '2026-11-21T00:00:00Z', ?2)",
        params![first.name(), first.checksum().to_string()],
    )
    .unwrap();
    sql.execute("ATTACH ?1 AS newer", [scene.path.to_str().unwrap()]).unwrap();
    let columns = "number, mac, addresses, hostname, vendor, device_type, firmware, region, local_controller, status, \
         first_seen, last_seen, missed_cycles, methods, rtt_ns, version, updated_at";
    sql.execute_batch(&format!(
        "INSERT INTO devices ({columns}) SELECT {columns} FROM newer.devices;
         INSERT INTO device_facts SELECT device, kind, source, value, protocol, observed_at FROM newer.device_facts;
         INSERT INTO events (seq, event_type, actor, subject, timestamp, payload) \
             SELECT seq, event_type, actor, subject, timestamp, payload FROM newer.events ORDER BY seq;
         UPDATE counters SET next_device = {devices} + 1;
         DETACH newer"
    ))
    .unwrap();
    drop(sql);
    std::fs::rename(&old, &scene.path).unwrap();
    scene
}

#[test]
fn a_nib_of_the_first_schema_keeps_its_rows_and_gets_the_new_tables() {
    let scene = of_first_schema(3);
    let refusal = SqliteNib::open(&scene.path, OpenMode::Current).unwrap_err();
    assert!(matches!(refusal, OpenError::Older { found: 1, .. }), "{refusal:?}");

    let mut nib = SqliteNib::open(&scene.path, MIGRATE).unwrap();
    let migrated = nib.migrated().unwrap().clone();
    assert_eq!((migrated.from, migrated.applied[0].as_str()), (Some(1), "V2__registry_streams_policies"));
    let reader = nib.reader().unwrap();
    for number in 1..=3 {
        assert_eq!(reader.device(id(number)).unwrap(), Some(device(number)));
    }
    assert_eq!(reader.facts(id(1), id(3)).unwrap().len(), 3);
    assert_eq!((reader.next_device().unwrap(), reader.next_serial().unwrap()), (id(4), Serial::from_number(2)));
    let told = reader.last_event(EventType::NibMigrated).unwrap().unwrap();
    assert_eq!((told.seq, &told.payload["from"]), (EventSeq::from_number(4), &1.into()));
    assert_eq!(reader.events(&EventQuery::default()).unwrap().len(), 5);

    let more: Vec<Change> = some_of_everything().into_iter().filter(|change| *change != insert(1)).collect();
    nib.commit(&more).unwrap();
    nib.commit(&[insert(4), uptime(4), append(4)]).unwrap();
    assert_full(&*reader);
    drop((reader, nib));
    let report = check(&scene.path).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
}

#[test]
fn a_check_reads_every_table() {
    let report = check(&full().path).unwrap();
    assert!(report.is_sound(), "{:?}", report.problems);
    // 3 tokens, 1 row of names, 2 controllers, 3 certificates, 1 blocked key, 1 stream, 1 item that
    // waits, 1 received, 1 sighting, 1 policy, 2 interfaces.
    assert_eq!((report.devices, report.others), (1, 17));
}

#[test]
fn a_check_finds_what_does_not_go_together() {
    let (one, two) = (controller(1).id, controller(2).id);
    for (edit, problem) in [
        ("UPDATE bootstrap_tokens SET secret_hash = 'x'", format!("bootstrap_tokens {}: secret_hash", token_id(1))),
        (
            "UPDATE bootstrap_tokens SET used_as = 'local_cntl_zoneA_7' WHERE used_as = 'local_cntl_zoneA_1'",
            format!("bootstrap_tokens {}: the controller that used it is missing", token_id(1)),
        ),
        (
            "UPDATE bootstrap_tokens SET used_at = NULL, used_as = NULL, used_by_key = NULL",
            format!("controllers {one}: it did not use the token"),
        ),
        ("UPDATE names SET region = 'zone-B'", "names zoneA: region: it stands for another region".to_owned()),
        ("UPDATE names SET next_local = 2", format!("controllers {two}: the number in its name")),
        ("DELETE FROM names", format!("controllers {one}: the number in its name")),
        ("UPDATE controllers SET standing = 'gone'", format!("controllers {one}: standing: unknown standing")),
        ("UPDATE controllers SET metadata = '['", format!("controllers {one}: metadata")),
        (
            "UPDATE controllers SET role = 'regional' WHERE controller_id = 'local_cntl_zoneA_1'",
            format!("controllers {one}: its name is not of its tier and region"),
        ),
        (
            "DELETE FROM controllers WHERE controller_id = 'local_cntl_zoneA_1'",
            "certificates 2: there is no such controller".to_owned(),
        ),
        ("DELETE FROM certificates WHERE serial = 2", format!("controllers {one}: serial: it has no certificate")),
        ("UPDATE certificates SET public_key = 'x' WHERE serial = 4", format!("controllers {two}: next_public_key")),
        ("UPDATE counters SET next_serial = 4", "certificates 4: its number is to be given yet".to_owned()),
        ("UPDATE blocklist SET value = 'x'", "blocklist key \"x\": value".to_owned()),
        ("UPDATE streams SET stream = 'rivers'", "streams rivers: stream: unknown stream".to_owned()),
        ("UPDATE outbox SET body = 'x'", "outbox reports 2: its body is not JSON".to_owned()),
        ("UPDATE outbox SET seq = 1", "outbox reports 1: its number is not one that waits".to_owned()),
        ("UPDATE outbox SET seq = 3", "outbox reports 3: its number is not one that waits".to_owned()),
        ("DELETE FROM streams", "outbox reports 2: its number is not one that waits".to_owned()),
        ("UPDATE received SET stream = 'rivers'", format!("received {one}: stream: unknown stream")),
        ("UPDATE sightings SET device = 9", format!("sightings {one} nib-dev-000005: there is no such device")),
        ("UPDATE sightings SET told_by = -1", format!("sightings {one} nib-dev-000005: told_by")),
        ("UPDATE interface_counters SET uptime = -1", "interface_counters nib-dev-000001 1: uptime".to_owned()),
        ("UPDATE interface_counters SET reason = 'x'", "interface_counters nib-dev-000001 1: reason".to_owned()),
        ("UPDATE counter_readings SET engine_id = 'x'", "interface_counters nib-dev-000001 1: engine_id".to_owned()),
        ("DELETE FROM interface_counters", "counter_readings nib-dev-000001: it is of no interface".to_owned()),
        (
            "DELETE FROM counter_readings",
            "interface_counters nib-dev-000001: it is not known when they were read".to_owned(),
        ),
        (
            "UPDATE counter_readings SET device = 9",
            "counter_readings nib-dev-000009: there is no such device".to_owned(),
        ),
        (
            "INSERT INTO membership VALUES (1, 'c', 'x y', 'local', 'z', NULL, 'p', 'c', 1, 'k', NULL, NULL, 1, 1, 1, 1)",
            "membership x y: controller_id".to_owned(),
        ),
    ] {
        let scene = full();
        scene.alter(edit);
        let report = check(&scene.path).unwrap();
        let found: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|found| found.starts_with(&problem)), "{edit}: {found:?}");
    }
}

#[test]
fn the_file_itself_refuses_what_cannot_be() {
    let scene = full();
    let sql = scene.sql();
    sql.pragma_update(None, "foreign_keys", true).unwrap();
    for statement in [
        "UPDATE bootstrap_tokens SET used_at = 1",
        "UPDATE bootstrap_tokens SET revoked_at = 1 WHERE used_at IS NOT NULL",
        "UPDATE bootstrap_tokens SET role = 'global'",
        "DELETE FROM bootstrap_tokens",
        "UPDATE controllers SET token_id = (SELECT token_id FROM bootstrap_tokens LIMIT 1)",
        "UPDATE certificates SET public_key = (SELECT public_key FROM certificates LIMIT 1)",
        "UPDATE certificates SET is_next = 0",
        "DELETE FROM controllers",
        "DELETE FROM names",
        "UPDATE streams SET acknowledged = last + 1",
        "DELETE FROM devices",
        "UPDATE sightings SET device = 9",
        "INSERT INTO membership SELECT 2, 'c', 'x', 'local', 'z', NULL, 'p', 'c', 1, 'k', NULL, NULL, 1, 1, 1, 1",
        "INSERT INTO membership SELECT 1, 'c', 'x', 'local', NULL, NULL, 'p', 'c', 1, 'k', NULL, NULL, 1, 1, 1, 1",
    ] {
        let refusal = sql.execute(statement, []).unwrap_err().to_string();
        assert!(refusal.contains("constraint failed"), "{statement}: {refusal}");
    }
}
