//! Tokens and controllers, as operators decide about them.

use std::net::TcpStream;

use actix_web::web;
use pdsno::app::client::{Request, Verb};
use pdsno::app::user::user_name;
use pdsno::domain::token::BootstrapToken;
use serde_json::{Value, json};

use crate::place::Place;
use crate::program::{Ran, pdsno, run};
use crate::served::raw;

fn order(body: Value) -> Request {
    Request::change(Verb::Post, "/api/v1/tokens", Some(body))
}

/// Runs the program on the folder of a controller that runs here.
pub async fn verb(place: &Place, arguments: &[&str]) -> Ran {
    let mut command = pdsno(arguments);
    command.arg("--data-dir").arg(place.path());
    web::block(move || run(&mut command).map_err(|error| error.to_string())).await.unwrap().unwrap()
}

/// The user who runs the tests, as events have him.
pub fn myself() -> Value {
    let uid = rustix::process::geteuid().as_raw();
    json!({ "user": user_name(uid), "uid": uid })
}

async fn tokens(place: &Place) -> Vec<Value> {
    place.ask(&Request::get("/api/v1/tokens")).await.unwrap()["tokens"].as_array().unwrap().clone()
}

#[actix::test]
async fn a_token_is_made_by_somebody_told_once_and_taken_back() {
    let place = Place::start_global();
    let issued =
        place.ask(&order(json!({ "role": "regional", "region": "zone-A", "ttl_seconds": 120 }))).await.unwrap();
    let token: BootstrapToken = issued["token"].as_str().unwrap().parse().unwrap();
    assert_eq!((&issued["id"], &issued["ttl_seconds"]), (&json!(token.id), &json!(120)));

    let listed = tokens(&place).await;
    assert_eq!((listed.len(), &listed[0]["id"], &listed[0]["standing"]), (1, &issued["id"], &json!("usable")));
    assert!(!listed[0].as_object().unwrap().keys().any(|key| key.contains("secret") || key.contains("hash")));

    let take_back = Request::change(Verb::Delete, format!("/api/v1/tokens/{}", token.id), None);
    assert_eq!(place.ask(&take_back).await.unwrap(), Value::Null);
    assert_eq!(tokens(&place).await[0]["standing"], "revoked");
    let again = place.refusal(&take_back).await;
    assert_eq!((again.status, again.reason.as_str()), (409, "DONE_ALREADY"), "{again:?}");

    let events = "/api/v1/events?type=BOOTSTRAP_TOKEN_ISSUED,BOOTSTRAP_TOKEN_REVOKED";
    let events = place.ask(&Request::get(events)).await.unwrap();
    let by: Vec<&Value> = events["events"].as_array().unwrap().iter().map(|event| &event["payload"]["by"]).collect();
    assert_eq!(by, [&myself(), &myself()]);
    let secret = issued["token"].as_str().unwrap().split('.').nth(2).unwrap();
    assert!(!events.to_string().contains(secret));
}

#[actix::test]
async fn what_cannot_be_done_is_said_and_changes_nothing() {
    let place = Place::start_global();
    for (body, status, reason) in [
        (json!({ "role": "local", "region": "zone-A" }), 409, "CONTROLLER_TYPE_NOT_PERMITTED"),
        (json!({ "role": "regional", "region": "zone-A", "ttl_seconds": 10 }), 400, "MALFORMED"),
        (json!({ "role": "regional", "region": "zone A" }), 400, "MALFORMED"),
        (json!({ "role": "regional", "region": "zone-A", "uses": 2 }), 400, "MALFORMED"),
        (json!({ "role": "regional" }), 400, "MALFORMED"),
    ] {
        let refusal = place.refusal(&order(body.clone())).await;
        assert_eq!((refusal.status, refusal.reason.as_str()), (status, reason), "{body}: {refusal:?}");
    }
    let unknown = Request::change(Verb::Delete, "/api/v1/tokens/AAAAAAAAAAAAAAAA", None);
    assert_eq!(place.refusal(&unknown).await.reason, "UNKNOWN_TOKEN");
    let revoke = Request::change(
        Verb::Post,
        "/api/v1/controllers/regional_cntl_zoneA_1/revoke",
        Some(json!({ "reason": "its host was stolen" })),
    );
    for request in [Request::get("/api/v1/controllers/regional_cntl_zoneA_1"), revoke] {
        let refusal = place.refusal(&request).await;
        assert_eq!((refusal.status, refusal.reason.as_str()), (404, "UNKNOWN_CONTROLLER"), "{refusal:?}");
    }
    // Over TCP the same order is not even read.
    let answer = raw(TcpStream::connect(place.tcp).unwrap(), "POST /api/v1/tokens HTTP/1.1").await;
    assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("\r\nallow: GET\r\n"), "{answer}");
    assert_eq!(tokens(&place).await, [Value::Null; 0]);
    let events = place.ask(&Request::get("/api/v1/events")).await.unwrap();
    assert_eq!(events["events"].as_array().map(Vec::len), Some(1), "{events}");
}

#[actix::test]
async fn a_controller_without_a_name_validates_nobody() {
    let place = Place::start();
    let refusal = place.refusal(&order(json!({ "role": "regional", "region": "zone-A" }))).await;
    assert_eq!((refusal.status, refusal.reason.as_str()), (409, "NOT_VALIDATED"), "{refusal:?}");
}

#[actix::test]
async fn the_verbs_print_the_token_alone_and_lists_for_people_and_programs() {
    let place = Place::start_global();
    let ran = verb(&place, &["token", "issue", "--role", "regional", "--region", "zone-A", "--ttl", "1h"]).await;
    assert_eq!((ran.code(), ran.err.as_str()), (Some(0), ""), "{ran:?}");
    let token: BootstrapToken = ran.out.strip_suffix('\n').unwrap().parse().unwrap();

    let list = verb(&place, &["token", "list"]).await;
    assert!(list.out.starts_with("ID") && list.out.contains(&token.id.to_string()), "{list:?}");
    let list = verb(&place, &["token", "list", "--format", "json"]).await.json().unwrap();
    assert_eq!(list["tokens"][0]["standing"], "usable");

    let id = token.id.to_string();
    let revoked = verb(&place, &["token", "revoke", &id]).await;
    assert_eq!((revoked.code(), revoked.out), (Some(0), format!("token {id} taken back\n")));
    let again = verb(&place, &["token", "revoke", &id]).await;
    assert_eq!((again.code(), again.out.as_str()), (Some(1), ""), "{again:?}");

    let list = verb(&place, &["controllers", "list", "--format", "json"]).await.json().unwrap();
    assert_eq!(list, json!({ "controllers": [] }));
    for arguments in [
        &["controllers", "show", "regional_cntl_zoneA_1"][..],
        &["controllers", "reinstate", "regional_cntl_zoneA_1"],
        &["controllers", "revoke", "regional_cntl_zoneA_1", "--reason", "stolen"],
    ] {
        let ran = verb(&place, arguments).await;
        assert_eq!((ran.code(), ran.out.as_str()), (Some(1), ""), "{ran:?}");
        assert!(ran.err.contains("regional_cntl_zoneA_1 is not a controller that was validated here"), "{ran:?}");
    }
    let late = verb(&place, &["token", "issue", "--role", "regional", "--region", "zone-A", "--ttl", "2d"]).await;
    assert_eq!((late.code(), late.out.as_str()), (Some(2), ""), "{late:?}");
}
