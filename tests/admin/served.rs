//! What is answered over the socket, and what over TCP.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use actix_web::web;
use pdsno::actors::discovery::Refused;
use pdsno::actors::discovery::cycle::CycleError;
use pdsno::actors::health::Note;
use pdsno::actors::sweeper::SweepError;
use pdsno::app::client::{Request, Verb};
use pdsno::app::socket::NAME;
use pdsno::domain::cycle::{Completeness, CycleReport, DeltaCounts, Trigger};
use pdsno::domain::time::Timestamp;
use serde_json::{Value, json};

use crate::place::Place;
use crate::program::{pdsno, run};

/// Sends a request as it is, and returns the answer as it is.
pub async fn raw(mut stream: impl Read + Write + Send + 'static, head: &str) -> String {
    let request = format!("{head}\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    let exchange = web::block(move || {
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    });
    exchange.await.unwrap()
}

fn report() -> CycleReport {
    CycleReport {
        trigger: Trigger::OnDemand,
        completeness: Completeness::Complete,
        started_at: Timestamp::from_millis(0),
        duration_ms: 850.0,
        subnets: Vec::new(),
        targets: 254,
        protocols: BTreeMap::new(),
        address_resolution: None,
        rtt: None,
        hosts: 12,
        delta: DeltaCounts::default(),
        nib_commit_ms: None,
        too_long: None,
    }
}

fn cycle(query: &str) -> Request {
    Request::change(Verb::Post, format!("/api/v1/discovery/cycles{query}"), None)
}

#[actix::test]
async fn over_tcp_everything_can_be_read_and_nothing_changed() {
    let place = Place::start();
    let tcp = || TcpStream::connect(place.tcp).unwrap();
    for path in ["/healthz", "/metrics", "/api/v1/status", "/api/v1/devices", "/api/v1/events"] {
        let answer = raw(tcp(), &format!("GET {path} HTTP/1.1")).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
        let answer = raw(tcp(), &format!("DELETE {path} HTTP/1.1")).await;
        assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: GET\r\n"), "{path}: {answer}");
    }
    let answer = raw(tcp(), "POST /api/v1/discovery/cycles HTTP/1.1").await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: \r\n"), "{answer}");
    assert!(answer.contains("admin socket") && answer.contains("METHOD_NOT_ALLOWED"), "{answer}");
    // The same over the socket gets as far as the actor.
    place.cycles.lock().unwrap().push(Ok(Ok(report())));
    let answer = raw(UnixStream::connect(place.path().join(NAME)).unwrap(), "POST /api/v1/discovery/cycles HTTP/1.1");
    let answer = answer.await;
    assert!(answer.starts_with("HTTP/1.1 202 "), "{answer}");
}

#[actix::test]
async fn a_cycle_is_started_or_waited_for_and_refusals_are_problems() {
    let place = Place::start();
    let refused = Err(Refused::Running);
    let failed = Ok(Err(Arc::new(CycleError::Sweep(SweepError::Ended))));
    *place.cycles.lock().unwrap() = vec![Ok(Ok(report())), Ok(Ok(report())), refused, Err(Refused::Stopping), failed];
    assert_eq!(place.ask(&cycle("")).await.unwrap(), json!({ "started": true }));
    assert_eq!(place.ask(&cycle("?wait=true")).await.unwrap()["hosts"], 12);
    let because = |body| Request::change(Verb::Post, "/api/v1/discovery/cycles", Some(body));
    let refusal = place.refusal(&because(json!({ "raeson": "" }))).await;
    assert_eq!((refusal.status, refusal.reason.as_str()), (400, "MALFORMED"), "{refusal:?}");
    for (query, status, reason) in
        [("", 409, "CYCLE_RUNNING"), ("", 503, "STOPPING"), ("?wait=true", 500, "CYCLE_FAILED")]
    {
        let refusal = place.refusal(&cycle(query)).await;
        assert_eq!((refusal.status, refusal.reason.as_str()), (status, reason), "{refusal:?}");
        assert!(!refusal.detail.is_empty(), "{refusal:?}");
    }
    for query in ["?wait=perhaps", "?wiat=true"] {
        let refusal = place.refusal(&cycle(query)).await;
        assert_eq!((refusal.status, refusal.reason.as_str()), (400, "MALFORMED"), "{refusal:?}");
    }
}

#[actix::test]
async fn what_is_not_there_and_what_cannot_be_done_to_it_are_problems() {
    let place = Place::start();
    let missing = place.refusal(&Request::get("/api/v1/nothing")).await;
    assert_eq!((missing.status, missing.reason.as_str()), (404, "NO_SUCH_RESOURCE"));
    assert!(missing.detail.contains("/api/v1/devices"), "{missing:?}");
    let read = place.refusal(&Request::get("/api/v1/discovery/cycles")).await;
    assert_eq!((read.status, read.detail.as_str()), (405, "this resource takes POST"));
}

#[actix::test]
async fn rows_come_in_pages_that_lead_to_each_other() {
    let place = Place::start();
    let first = place.ask(&Request::get("/api/v1/events?limit=1")).await.unwrap();
    assert_eq!((&first["events"][0]["event_type"], &first["next"]), (&json!("NIB_MIGRATED"), &json!(1)));
    let last = place.ask(&Request::get("/api/v1/events?from=1&limit=1")).await.unwrap();
    assert_eq!(last, json!({ "events": [], "next": null }));
    let none = place.ask(&Request::get("/api/v1/events?type=DEVICE_UPDATED,DEVICE_INACTIVE")).await.unwrap();
    assert_eq!(none, json!({ "events": [], "next": null }));
    let devices = place.ask(&Request::get("/api/v1/devices?status=active&after=nib-dev-000001")).await.unwrap();
    assert_eq!(devices, json!({ "devices": [], "next": null }));
    for target in
        ["events?limit=0", "events?limit=1001", "events?type=DEVICE_EXPLODED", "devices?status=gone", "devices?page=2"]
    {
        let refusal = place.refusal(&Request::get(format!("/api/v1/{target}"))).await;
        assert_eq!((refusal.status, refusal.reason.as_str()), (400, "MALFORMED"), "{target}: {refusal:?}");
    }
}

#[actix::test]
async fn the_status_verb_asks_the_controller_that_runs() {
    let place = Place::start();
    let note = Note { section: "policy", value: json!({ "version": "3", "runs_everywhere": true }) };
    place.health.send(note).await.unwrap();
    let path = place.path().to_str().unwrap().to_owned();
    let status = move |format: &'static str| {
        let path = path.clone();
        async move {
            let ran = web::block(move || {
                run(&mut pdsno(&["status", "--format", format, "--data-dir", &path])).map_err(|error| error.to_string())
            });
            let ran = ran.await.unwrap().unwrap();
            assert_eq!((ran.code(), ran.err.as_str()), (Some(0), ""), "{ran:?}");
            ran.out
        }
    };
    let told: Value = serde_json::from_str(&status("json").await).unwrap();
    assert_eq!((&told["running"], &told["live"]["version"]), (&json!(true), &json!("1.2.3")));
    assert_eq!(told["live"]["policy"]["version"], "3");
    let sheet = status("table").await;
    assert!(sheet.contains("runs as     local, version 1.2.3\n"), "{sheet}");
    assert!(sheet.contains("policy      runs everywhere: true; version: 3\n"), "{sheet}");
    // When it has ended the NIB is what there is.
    let folder = place.stop().await;
    let told: Value = serde_json::from_str(&status("json").await).unwrap();
    assert_eq!((&told["running"], &told["live"]), (&json!(false), &Value::Null));
    drop(folder);
}
