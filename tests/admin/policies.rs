//! Policy, blocklist, cycles on demand, and what operators should look at.

use std::fs;
use std::path::Path;

use pdsno::actors::presence::{ChildReport, PresenceReport};
use pdsno::app::client::{Request, Verb};
use pdsno::domain::change::Change;
use pdsno::domain::controller::Role;
use pdsno::domain::event::{EventType, NewEvent};
use pdsno::domain::number::{PolicyVersion, StreamSeq};
use pdsno::nib::sqlite::SqliteReader;
use pdsno::nib::{LogReader, NibReader, PolicyReader};
use pdsno::wire::presence::{ChildPresence, State};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::members::{admit, controller, issue};
use crate::place::{Place, folder_of_global, folder_of_regional, folder_with_nib};
use crate::program::{Ran, pdsno, run};
use crate::registry::{myself, verb};
use crate::samples::NOW;

fn file(folder: &Path, text: &str) -> String {
    let path = folder.join("site-policy.yaml");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Runs the program on a folder where nothing runs.
fn alone(folder: &Path, arguments: &[&str]) -> Ran {
    let mut command = pdsno(arguments);
    run(command.arg("--data-dir").arg(folder)).unwrap()
}

fn told(ran: &Ran) -> &str {
    assert_eq!((ran.code(), ran.err.as_str()), (Some(0), ""), "{ran:?}");
    &ran.out
}

// ---- policy ----

#[actix::test]
async fn a_policy_is_set_by_somebody_and_tells_what_it_replaced() {
    let place = Place::start_global();
    place.become_member("global_cntl_1", Role::Global).await;
    let texts = TempDir::new().unwrap();
    let policy = file(texts.path(), "policy:\n  probe_rate: 500\n  discovery_interval: 60\n");

    let set = verb(&place, &["policy", "set", &policy, "--expires", "2099-06-30"]).await;
    let expected = "policy version 2, in place of 1, valid until 2099-06-30T00:00:00.000Z\n\
                    discovery_interval             300 -> 60\n\
                    probe_rate                     2000 -> 500\n";
    assert_eq!(told(&set), expected);
    let again = verb(&place, &["policy", "set", &policy]).await;
    assert_eq!((again.code(), again.out.as_str()), (Some(1), ""), "{again:?}");
    assert!(again.err.contains("version 2, which is in effect, says the same already"), "{again:?}");

    file(texts.path(), "policy: {probe_rate: 100}");
    let set = verb(&place, &["policy", "set", &policy, "--format", "json"]).await.json().unwrap();
    assert_eq!((&set["policy"]["version"], &set["replaced"]["version"]), (&json!("3"), &json!("2")));
    let interval = json!({ "key": "discovery_interval", "from": 60, "to": 300 });
    assert_eq!(set["changes"], json!([interval, { "key": "probe_rate", "from": 500, "to": 100 }]));

    let events = place.ask(&Request::get("/api/v1/events?type=POLICY_SET")).await.unwrap();
    let by: Vec<&Value> = events["events"].as_array().unwrap().iter().map(|event| &event["payload"]["by"]).collect();
    assert_eq!(by, [&Value::Null, &myself(), &myself()]);

    let history = verb(&place, &["policy", "history"]).await;
    let lines: Vec<&str> = told(&history).lines().collect();
    assert_eq!(lines.len(), 4, "{history:?}");
    assert!(lines[3].starts_with("3") && lines[3].ends_with("probe_rate: 500 -> 100"), "{history:?}");
    let history = verb(&place, &["policy", "history", "--format", "json"]).await.json().unwrap();
    assert_eq!(history["policies"][1]["values"]["probe_rate"], 500);
}

#[actix::test]
async fn policies_come_in_pages_and_bad_ones_are_refused() {
    let place = Place::start_global();
    place.become_member("global_cntl_1", Role::Global).await;
    let values = place.ask(&Request::get("/api/v1/policy")).await.unwrap()["in_effect"]["values"].clone();
    let put = |body: Value| Request::change(Verb::Put, "/api/v1/policy", Some(body));
    let mut wild = values.clone();
    wild["probe_attempts"] = json!(11);
    for (body, status, reason) in [
        (json!({ "values": wild }), 400, "MALFORMED"),
        (json!({ "values": {} }), 400, "MALFORMED"),
        (json!({ "values": values, "by": "root" }), 400, "MALFORMED"),
        (json!({ "values": values }), 409, "POLICY_UNCHANGED"),
        (json!({ "values": values, "expires_at": "2000-01-01T00:00:00Z" }), 409, "POLICY_OVER"),
    ] {
        let refusal = place.refusal(&put(body.clone())).await;
        assert_eq!((refusal.status, refusal.reason.as_str()), (status, reason), "{body}: {refusal:?}");
    }
    let first = place.ask(&Request::get("/api/v1/policy/history?limit=1")).await.unwrap();
    assert_eq!((&first["policies"][0]["version"], &first["next"]), (&json!("1"), &json!(1)));
    let last = place.ask(&Request::get("/api/v1/policy/history?after=1")).await.unwrap();
    assert_eq!(last, json!({ "policies": [], "next": null }));
    assert_eq!(place.refusal(&Request::get("/api/v1/policy/history?limit=0")).await.reason, "MALFORMED");
}

#[test]
fn a_policy_is_set_without_a_running_controller_too_and_only_by_the_global_one() {
    let folder = folder_of_global();
    let texts = TempDir::new().unwrap();
    let policy = file(texts.path(), "policy: {probe_rate: 500}");
    let set = alone(folder.path(), &["policy", "set", &policy]);
    assert!(told(&set).contains("probe_rate                     2000 -> 500\n"), "{set:?}");
    let shown = alone(folder.path(), &["policy", "show"]);
    assert!(told(&shown).starts_with("version                        2\n"), "{shown:?}");
    let reader = SqliteReader::open(&folder.path().join("pdsno.db")).unwrap();
    let event = reader.last_event(EventType::PolicySet).unwrap().unwrap();
    assert_eq!(event.payload["by"]["uid"], rustix::process::geteuid().as_raw());
    assert_eq!(reader.edge().unwrap().size, event.seq.number() + 1);

    let regional = folder_of_regional();
    let refused = alone(regional.path(), &["policy", "set", &policy]);
    assert_eq!((refused.code(), refused.out.as_str()), (Some(1), ""), "{refused:?}");
    assert!(refused.err.contains("set at the Global Controller") && refused.err.contains("--as global"), "{refused:?}");
    let reader = SqliteReader::open(&regional.path().join("pdsno.db")).unwrap();
    assert_eq!(reader.policy().unwrap(), None);
    // It shows what it has all the same.
    let shown = alone(regional.path(), &["policy", "show"]);
    assert!(told(&shown).contains("this controller's own configuration"), "{shown:?}");
}

#[test]
fn a_controller_without_a_name_says_how_it_gets_one() {
    let folder = folder_with_nib();
    let texts = TempDir::new().unwrap();
    let policy = file(texts.path(), "policy: {probe_rate: 500}");
    for arguments in [
        &["policy", "set", &policy][..],
        &["token", "issue", "--role", "regional", "--region", "zone-A"],
        &["blocklist", "add", "192.0.2.7", "--reason", "noise"],
    ] {
        let ran = alone(folder.path(), arguments);
        assert_eq!((ran.code(), ran.out.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.err.contains("has no name yet") && ran.err.contains("start it once"), "{ran:?}");
    }
}

#[test]
fn a_file_is_checked_without_a_controller_and_each_problem_has_its_place() {
    let texts = TempDir::new().unwrap();
    let policy = file(texts.path(), "policy:\n  probe_rat: 5\n  probe_attempts: 11\n");
    let elsewhere = TempDir::new().unwrap();
    for arguments in [&["policy", "check", &policy][..], &["policy", "set", &policy]] {
        let ran = run(pdsno(arguments).current_dir(elsewhere.path())).unwrap();
        assert_eq!((ran.code(), ran.out.as_str()), (Some(2), ""), "{ran:?}");
        for part in [":2:3: policy.probe_rat: no such key", ":3:3: policy.probe_attempts: expected", "2 problems"] {
            assert!(ran.err.contains(part), "{part} in {ran:?}");
        }
    }
    file(texts.path(), "policy: {probe_rate: 500, discovery_protocols: [arp, arp]}");
    let ran = run(&mut pdsno(&["policy", "check", &policy])).unwrap();
    assert_eq!(ran.code(), Some(0), "{ran:?}");
    assert!(ran.out.contains(" is a policy\n") && ran.out.contains("probe_rate                     500\n"), "{ran:?}");
    assert!(ran.err.contains("note: policy.discovery_protocols: a protocol is there twice"), "{ran:?}");
    let ran = run(&mut pdsno(&["policy", "check", &policy, "--format", "json"])).unwrap();
    let checked: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&checked["values"]["probe_rate"], checked["notes"].as_array().map(Vec::len)), (&json!(500), Some(1)));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    file(texts.path(), "policy: {probe_rate: 500}");
    let ran = alone(elsewhere.path(), &["policy", "set", &policy, "--expires", "soon"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.err.contains("\"soon\"") && ran.err.contains("90d"), "{ran:?}");
}

// ---- who is there ----

#[actix::test]
async fn who_is_heard_and_what_he_runs_is_told_beside_what_is_written() {
    let place = Place::start_global();
    place.become_member("global_cntl_1", Role::Global).await;
    let row = controller(1);
    let id = row.id.clone();
    place.write(vec![issue(1), admit(row)]).await;
    let unheard = verb(&place, &["controllers", "list", "--format", "json"]).await.json().unwrap();
    assert_eq!((&unheard["controllers"][0]["id"], &unheard["controllers"][0]["presence"]), (&json!(id), &Value::Null));

    let below = ChildPresence {
        id: "local_cntl_zoneA_9".parse().unwrap(),
        online: true,
        policy_version: Some(PolicyVersion::from_number(7)),
        last_contact: Some(NOW),
        last_report: StreamSeq::from_number(4),
    };
    let child = ChildReport {
        id: id.clone(),
        role: Role::Local,
        region: "zone-A".parse().unwrap(),
        online: true,
        state: Some(State::Active),
        last_contact: Some(NOW),
        policy_version: Some(PolicyVersion::from_number(1)),
        last_report: StreamSeq::from_number(3),
        children: vec![below],
    };
    let report = PresenceReport { state: State::Active, parent: None, children: vec![child] };
    *place.presence.lock().unwrap() = Some(report);

    let list = verb(&place, &["controllers", "list"]).await;
    let words: Vec<&str> = told(&list).lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!((words[0], words[4], words[5]), (id.as_str(), "yes", "1"), "{list:?}");
    let shown = verb(&place, &["controllers", "show", id.as_str()]).await;
    for line in
        ["online            yes\n", "last report       3\n", "local_cntl_zoneA_9 online, policy 7, last contact"]
    {
        assert!(told(&shown).contains(line), "{line} in {shown:?}");
    }
    let policy = verb(&place, &["policy", "show"]).await;
    let runs: Vec<Vec<&str>> = told(&policy).lines().map(|line| line.split_whitespace().collect()).collect();
    let line = |name: &str| runs.iter().find(|words| words.first() == Some(&name)).unwrap().clone();
    assert_eq!(line(id.as_str())[1..4], ["-", "1", "yes"], "{policy:?}");
    assert_eq!(line("local_cntl_zoneA_9")[1..5], [id.as_str(), "7", "(other)", "yes"], "{policy:?}");
}

// ---- blocklist ----

#[actix::test]
async fn keys_and_sources_are_blocked_with_a_reason_and_unblocked() {
    let place = Place::start_global();
    let key = "A".repeat(43) + "=";
    for blocked in [key.as_str(), "192.0.2.7"] {
        let added = verb(&place, &["blocklist", "add", blocked, "--reason", "tries token after token"]).await;
        assert_eq!(told(&added), format!("{blocked} is refused from now on\n"));
    }
    let list = verb(&place, &["blocklist", "list"]).await;
    let lines: Vec<Vec<&str>> = told(&list).lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!((lines[1][0], lines[1][1], lines[2][0], lines[2][1]), ("key", key.as_str(), "source", "192.0.2.7"));
    let removed = verb(&place, &["blocklist", "remove", &key]).await;
    assert_eq!(told(&removed), format!("{key} is refused no longer\n"));
    let again = verb(&place, &["blocklist", "remove", &key]).await;
    assert_eq!((again.code(), again.out.as_str()), (Some(1), ""), "{again:?}");
    assert!(again.err.contains("is not on the blocklist"), "{again:?}");
    let list = verb(&place, &["blocklist", "list", "--format", "json"]).await.json().unwrap();
    let source = json!({ "kind": "source", "value": "192.0.2.7" });
    assert_eq!(list, json!({ "blocklist": [{ "blocked": source, "reason": "tries token after token" }] }));

    let events = place.ask(&Request::get("/api/v1/events?type=BLOCKLIST_CHANGED")).await.unwrap();
    let by: Vec<&Value> = events["events"].as_array().unwrap().iter().map(|event| &event["payload"]["by"]).collect();
    assert_eq!(by, [&myself(), &myself(), &myself()]);
    for (arguments, code) in [(["a b", "noise"], 2), (["192.0.2.8", " "], 2)] {
        let ran = verb(&place, &["blocklist", "add", arguments[0], "--reason", arguments[1]]).await;
        assert_eq!((ran.code(), ran.out.as_str()), (Some(code), ""), "{ran:?}");
    }
}

// ---- cycles on demand ----

#[actix::test]
async fn cycles_below_are_asked_for_with_a_reason() {
    let place = Place::start_global();
    let all = verb(&place, &["discover"]).await;
    assert_eq!(told(&all), "2 controllers were asked for a discovery cycle\n");
    let one = verb(&place, &["discover", "local_cntl_zoneA_1", "--reason", "new switch"]).await;
    assert_eq!(told(&one), "1 controller was asked for a discovery cycle\n");
    let nobody = verb(&place, &["discover", "local_cntl_zoneA_2", "--reason", "nobody"]).await;
    assert_eq!((nobody.code(), nobody.out.as_str()), (Some(1), ""), "{nobody:?}");
    assert!(nobody.err.contains("local_cntl_zoneA_2 is not an active Local Controller below"), "{nobody:?}");
    let waits = verb(&place, &["discover", "--wait"]).await;
    assert_eq!(waits.code(), Some(2), "{waits:?}");
    let events = place.ask(&Request::get("/api/v1/events?type=DISCOVERY_REQUESTED")).await.unwrap();
    let events = events["events"].as_array().unwrap();
    let told: Vec<_> = events.iter().map(|event| (&event["actor"], &event["subject"])).collect();
    let (global, local) = (json!("global_cntl_1"), json!("local_cntl_zoneA_1"));
    assert_eq!(told[..2], [(&global, &global), (&global, &local)]);
    let payload = json!({ "by": myself(), "reason": "new switch", "controller": "local_cntl_zoneA_1" });
    assert_eq!((events.len(), &events[1]["payload"]), (3, &payload));
    let demands = place.demands.lock().unwrap();
    let asked: Vec<_> =
        demands.iter().map(|demand| (demand.controller.as_ref().map(ToString::to_string), &demand.reason)).collect();
    assert_eq!(asked[1], (Some("local_cntl_zoneA_1".to_owned()), &"new switch".to_owned()));
    assert_eq!((asked.len(), &asked[0].0), (3, &None));
}

#[actix::test]
async fn a_local_controllers_own_cycle_needs_it_to_run() {
    let place = Place::start();
    let ended = Err(pdsno::actors::discovery::Refused::Running);
    place.cycles.lock().unwrap().push(ended);
    let refused = verb(&place, &["discover", "--wait", "--reason", "new switch"]).await;
    assert_eq!((refused.code(), refused.out.as_str()), (Some(1), ""), "{refused:?}");
    let events = place.ask(&Request::get("/api/v1/events?type=DISCOVERY_REQUESTED")).await.unwrap();
    let payload = json!({ "by": myself(), "reason": "new switch", "controller": null });
    assert_eq!(events["events"][0]["payload"], payload, "what was asked for is told, also what was refused");
    let others = verb(&place, &["discover", "local_cntl_zoneA_1"]).await;
    assert_eq!(others.code(), Some(2), "{others:?}");
    let folder = place.stop().await;
    let ran = alone(folder.path(), &["discover"]);
    assert_eq!(ran.code(), Some(2), "{ran:?}");
    assert!(ran.err.contains("no controller runs") && ran.err.contains("pdsno scan"), "{ran:?}");
}

// ---- what operators should look at ----

#[actix::test]
async fn anomalies_and_silences_are_told_apart_from_the_other_events() {
    let place = Place::start_global();
    let event = |event_type, subject: &str| {
        let (actor, subject) = ("global_cntl_1".to_owned(), subject.to_owned());
        Change::Append(NewEvent { event_type, actor, subject, timestamp: NOW, payload: json!({}) })
    };
    let events = vec![
        event(EventType::AnomalyGlobalMacCollision, "nib-dev-000001"),
        event(EventType::ControllerStarted, "global_cntl_1"),
        event(EventType::DiscoveryLcMissing, "local_cntl_zoneA_1"),
    ];
    place.write(events).await;
    let told_of = |answer: &Value| -> Vec<Value> {
        answer["anomalies"].as_array().unwrap().iter().map(|event| event["event_type"].clone()).collect()
    };
    let all = place.ask(&Request::get("/api/v1/anomalies")).await.unwrap();
    assert_eq!(told_of(&all), ["ANOMALY_GLOBAL_MAC_COLLISION", "DISCOVERY_LC_MISSING"]);
    let first = place.ask(&Request::get("/api/v1/anomalies?limit=1")).await.unwrap();
    let rest = place.ask(&Request::get(format!("/api/v1/anomalies?from={}", first["next"]))).await.unwrap();
    assert_eq!((told_of(&rest), &rest["next"]), (vec![json!("DISCOVERY_LC_MISSING")], &Value::Null));
    assert_eq!(place.refusal(&Request::get("/api/v1/anomalies?limit=0")).await.reason, "MALFORMED");
    let status = verb(&place, &["status"]).await;
    assert!(told(&status).contains("DISCOVERY_LC_MISSING local_cntl_zoneA_1\n"), "{status:?}");
}
