//! What operators and tools see over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::channel;

use actix::{Actor, Addr, Arbiter, Context, Handler, ResponseFuture};
use actix_web::http::{Method, StatusCode, header};
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use pdsno::actors::Ping;
use pdsno::actors::discovery::CycleEnded;
use pdsno::actors::health::{HealthActor, Identity, Watch};
use pdsno::app::clock::SystemClock;
use pdsno::domain::controller::Role;
use pdsno::domain::cycle::{Completeness, CycleReport, DeltaCounts, Trigger};
use pdsno::domain::time::{Clock, Timestamp};
use pdsno::northbound::http::{Parts, routes};
use serde_json::{Value, json};

fn actor() -> HealthActor {
    let clock = Arc::new(SystemClock::start());
    let identity = Identity {
        role: Role::Local,
        controller_id: None,
        region: Some("zone-A".parse().unwrap()),
        subnets: vec!["10.0.1.0/24".parse().unwrap()],
        version: "1.2.3",
        started_at: clock.now(),
    };
    HealthActor::new(identity, clock)
}

fn cycle() -> CycleEnded {
    CycleEnded(Ok(CycleReport {
        trigger: Trigger::Bootstrap,
        completeness: Completeness::Complete,
        started_at: Timestamp::from_millis(0),
        duration_ms: 850.0,
        subnets: Vec::new(),
        targets: 254,
        protocols: BTreeMap::new(),
        address_resolution: None,
        rtt: None,
        hosts: 12,
        delta: DeltaCounts { new: 12, ..DeltaCounts::default() },
        nib_commit_ms: Some(3.5),
        too_long: None,
    }))
}

/// An API that has nothing but this actor.
fn only(health: Addr<HealthActor>) -> Parts {
    Parts {
        health,
        nib: None,
        discovery: None,
        registry: None,
        audit: None,
        policy: None,
        presence: None,
        demand: None,
        wishes: None,
        user_name: |_| None,
    }
}

struct Answer {
    status: StatusCode,
    media_type: String,
    allow: Option<String>,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// What a problem document says, of which status, title and media type are right (RFC 9457).
    fn problem(&self) -> String {
        assert_eq!(self.media_type, "application/problem+json");
        let document = self.json();
        assert_eq!(document["status"], self.status.as_u16());
        assert_eq!(document["title"], self.status.canonical_reason().unwrap());
        document["detail"].as_str().unwrap().to_owned()
    }
}

async fn ask(health: &Addr<HealthActor>, method: Method, path: &str) -> Answer {
    let service = init_service(App::new().configure(routes(only(health.clone())))).await;
    let response = call_service(&service, TestRequest::with_uri(path).method(method).to_request()).await;
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    Answer {
        status: response.status(),
        media_type: header(header::CONTENT_TYPE).unwrap_or_default(),
        allow: header(header::ALLOW),
        body: String::from_utf8(read_body(response).await.to_vec()).unwrap(),
    }
}

async fn get(health: &Addr<HealthActor>, path: &str) -> Answer {
    ask(health, Method::GET, path).await
}

/// An actor that never answers.
struct Hung;

impl Actor for Hung {
    type Context = Context<Self>;
}

impl Handler<Ping> for Hung {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: Ping, _: &mut Self::Context) -> Self::Result {
        Box::pin(std::future::pending())
    }
}

#[actix::test]
async fn a_controller_is_ready_once_a_first_cycle_has_ended() {
    let health = actor().start();
    let before = get(&health, "/readyz").await;
    assert_eq!(before.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(before.json(), json!({ "silent": [], "discovered": false }));
    health.send(cycle()).await.unwrap();
    let after = get(&health, "/readyz").await;
    assert_eq!((after.status, after.json()), (StatusCode::OK, json!({ "silent": [], "discovered": true })));
}

#[actix::test]
async fn a_controller_with_a_hung_actor_is_not_ready_and_names_it_but_lives() {
    tokio::time::pause();
    let health = actor().start();
    health.send(cycle()).await.unwrap();
    for name in ["nib", "discovery"] {
        health.send(Watch(name, Hung.start().recipient())).await.unwrap();
    }
    let answer = get(&health, "/readyz").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.json(), json!({ "silent": ["nib", "discovery"], "discovered": true }));
    assert_eq!(get(&health, "/healthz").await.json(), json!({ "status": "ok" }));
}

#[actix::test]
async fn the_status_is_who_this_is_and_what_happened_last() {
    let health = actor().start();
    let status = get(&health, "/api/v1/status").await.json();
    assert_eq!((&status["last_cycle"], &status["cycles"]), (&Value::Null, &json!(0)));
    health.send(cycle()).await.unwrap();
    let answer = get(&health, "/api/v1/status").await;
    assert_eq!((answer.status, answer.media_type.as_str()), (StatusCode::OK, "application/json"));
    let status = answer.json();
    assert_eq!((&status["role"], &status["region"]), (&json!("local"), &json!("zone-A")));
    assert_eq!((&status["version"], &status["subnets"]), (&json!("1.2.3"), &json!(["10.0.1.0/24"])));
    assert_eq!(
        (&status["last_cycle"]["delta"]["new"], &status["last_cycle"]["trigger"]),
        (&json!(12), &json!("bootstrap"))
    );
}

#[actix::test]
async fn metrics_come_in_the_text_format_of_openmetrics() {
    let health = actor().start();
    health.send(cycle()).await.unwrap();
    let answer = get(&health, "/metrics").await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.media_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(answer.body.contains("pdsno_discovery_cycles_total{result=\"complete\"} 1\n"), "{}", answer.body);
    assert!(answer.body.ends_with("# EOF\n"));
}

#[actix::test]
async fn what_is_not_there_is_a_problem_that_names_what_is() {
    let health = actor().start();
    for path in ["/", "/health", "/api/v1/devices", "/healthz/"] {
        let answer = get(&health, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert!(answer.problem().contains("/api/v1/status"), "{path}");
    }
}

#[actix::test]
async fn nothing_can_be_changed() {
    let health = actor().start();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        for path in ["/healthz", "/readyz", "/metrics", "/api/v1/status"] {
            let answer = ask(&health, method.clone(), path).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert!(answer.problem().contains("GET"), "{method} {path}");
            assert_eq!(answer.allow.as_deref(), Some("GET"), "{method} {path}");
        }
    }
}

#[actix::test]
async fn while_the_controller_stops_it_says_so() {
    let health = Actor::create(|context: &mut Context<HealthActor>| {
        actix::ActorContext::stop(context);
        actor()
    });
    for path in ["/readyz", "/metrics", "/api/v1/status"] {
        let answer = get(&health, path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.problem(), "the controller is stopping");
    }
    assert_eq!(get(&health, "/healthz").await.status, StatusCode::OK);
}

#[actix::test]
async fn a_controller_that_hangs_is_given_up_in_time() {
    let arbiter = Arbiter::new();
    let health = HealthActor::start_in_arbiter(&arbiter.handle(), |_| actor());
    let (release, held) = channel::<()>();
    arbiter.spawn_fn(move || assert!(held.recv().is_err(), "nothing is sent, the end is what counts"));
    tokio::time::pause();
    for path in ["/readyz", "/metrics", "/api/v1/status"] {
        let answer = get(&health, path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_eq!(answer.problem(), "the controller does not answer in time");
    }
    drop(release);
    arbiter.stop();
    arbiter.join().unwrap();
}

#[actix::test]
async fn two_applications_ask_two_controllers() {
    let (one, other) = (actor().start(), actor().start());
    one.send(cycle()).await.unwrap();
    let both = App::new()
        .service(web::scope("/one").configure(routes(only(one))))
        .service(web::scope("/other").configure(routes(only(other))));
    let service = init_service(both).await;
    for (path, status) in [("/one/readyz", StatusCode::OK), ("/other/readyz", StatusCode::SERVICE_UNAVAILABLE)] {
        let response = call_service(&service, TestRequest::with_uri(path).to_request()).await;
        assert_eq!(response.status(), status, "{path}");
    }
}
