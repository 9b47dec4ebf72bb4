//! Whether `docs/protocol.md` says what is so: its example is made here, and it knows every name.

use std::collections::BTreeSet;

use pdsno::algorithms::validation::refusals::{Effect, effect_of};
use pdsno::domain::certificate::{Certificate, Delegation};
use pdsno::domain::event::EventType;
use pdsno::domain::message::{BootId, MessageType};
use pdsno::domain::number::Epoch;
use pdsno::domain::policy::PolicyDocument;
use pdsno::domain::reason::Reason;
use pdsno::domain::time::Timestamp;
use pdsno::wire::anchor::{Checkpoint, CheckpointAnswer};
use pdsno::wire::envelope::{Author, Destination, Header, read, seal};
use pdsno::wire::policy::{PolicyAck, PolicyRefusal, PolicyRequest, PolicyUpdate};
use pdsno::wire::presence::{ChildPresence, Heartbeat, HeartbeatAck};
use pdsno::wire::refused::MessageRefused;
use pdsno::wire::report::{
    Anomaly, DiscoveryReport, DiscoveryRequest, DiscoverySummary, Report, ReportedCounts, ReportedCycle,
    ReportedDevice, ReportedFact, Reporters, StreamAck, StreamRequest, Summary,
};
use pdsno::wire::signature::{KeyPair, PrivateKeyFile};
use pdsno::wire::statement::Chain;
use pdsno::wire::validation::{
    Challenge, ChallengeResponse, Grant, ParentRenewed, Refused, RenewalRequest, RenewalResult, ValidationAck,
    ValidationRequest, ValidationResult,
};
use secrecy::zeroize::Zeroizing;
use serde::de::DeserializeOwned;

const PROTOCOL: &str = include_str!("../docs/protocol.md");
const TRUST: &str = include_str!("../docs/trust.md");

/// The block of code behind a mark.
fn example(name: &str) -> &'static str {
    let behind = PROTOCOL.split_once(&format!("<!-- example: {name} -->\n```json\n"));
    let (_, block) = behind.unwrap_or_else(|| panic!("docs/protocol.md has no example {name}"));
    block.split_once("```").map(|(block, _)| block.trim_end()).unwrap_or_default()
}

/// The words of a text that are set as code.
fn code(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The lines of a section.
fn section<'t>(text: &'t str, heading: &str) -> &'t str {
    let behind = text.split_once(&format!("\n{heading}\n")).map(|(_, behind)| behind).unwrap_or_default();
    behind.split("\n## ").next().unwrap_or_default()
}

/// The cells of the rows of the tables of a section.
fn rows<'t>(text: &'t str, heading: &str) -> Vec<Vec<&'t str>> {
    let lines = section(text, heading).lines().filter(|line| line.starts_with("| `"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

#[test]
fn the_example_is_what_is_sent() {
    let key = KeyPair::from_pkcs8(PrivateKeyFile::new(&Zeroizing::new([1; 32])).as_bytes()).unwrap();
    let now: Timestamp = "2026-11-21T10:00:00.250Z".parse().unwrap();
    let mut author = Author::new("regional_cntl_zoneA_1".parse().unwrap(), BootId::new([2; 16]));
    let to = Destination::Controller("local_cntl_zoneA_1".parse().unwrap());
    let header = author.header::<HeartbeatAck>(to, Epoch::from_number(1), now, [3; 10]);
    let ack = HeartbeatAck { sent_at: "2026-11-21T10:00:00.248Z".parse().unwrap(), children: 4 };

    let sealed = String::from_utf8(seal(header.clone(), &ack, &key).unwrap()).unwrap();
    assert_eq!(example("envelope"), sealed);
    let payload = serde_json_canonicalizer::to_string(&serde_json::json!({ "header": header, "body": ack })).unwrap();
    assert_eq!(example("payload"), payload);

    let message = read(example("envelope").as_bytes()).unwrap().open::<HeartbeatAck>().unwrap();
    assert_eq!((message.header, message.body, message.key), (header, ack, key.public_key()));
}

#[test]
fn every_message_is_told() {
    for kind in MessageType::ALL {
        let name = kind.as_str();
        let is_told = PROTOCOL.contains(&format!("\n| {name} |")) || PROTOCOL.contains(&format!("\n### {name}\n"));
        assert!(is_told, "docs/protocol.md has no table of {name}");
    }
}

#[test]
fn the_messages_that_introduce_are_those_that_are_named() {
    let told = PROTOCOL.split_once("**Messages that introduce.**").unwrap().1;
    let told = code(told.split_once("are taken from").unwrap().0);
    let introduce: BTreeSet<&str> =
        MessageType::ALL.into_iter().filter(|kind| kind.introduces()).map(MessageType::as_str).collect();
    assert_eq!(told, introduce);
}

/// What a member does at a refusal stands in two lists, of those that end it and those that may end.
#[test]
fn what_a_member_gives_up_at_is_told() {
    let (_, told) = PROTOCOL.split_once("It gives up at").unwrap();
    let (over, rest) = told.split_once(';').unwrap();
    let (barred, _) = rest.split_once("it lets nobody in").unwrap();
    for reason in Reason::ALL {
        let name = reason.as_str();
        assert_eq!(code(over).contains(name), matches!(effect_of(reason), Effect::Over(_)), "{name}");
        assert_eq!(code(barred).contains(name), matches!(effect_of(reason), Effect::Barred(_)), "{name}");
    }
}

/// The fields of an object, as its reader names them when it refuses one that it does not know.
fn fields<T: DeserializeOwned>() -> Vec<String> {
    let Err(refusal) = serde_json::from_str::<T>(r#"{"?":0}"#) else { panic!("an unknown field was taken") };
    let fields: Vec<String> =
        code(&refusal.to_string()).into_iter().filter(|name| *name != "?").map(str::to_owned).collect();
    assert!(!fields.is_empty(), "{refusal}");
    fields
}

#[test]
fn every_field_is_told() {
    let words: BTreeSet<&str> = code(PROTOCOL)
        .into_iter()
        .flat_map(|code| code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .collect();
    let objects = [
        fields::<Header>(),
        fields::<MessageRefused>(),
        fields::<ValidationRequest>(),
        fields::<Challenge>(),
        fields::<ChallengeResponse>(),
        fields::<ValidationResult>(),
        fields::<Grant>(),
        fields::<Refused>(),
        fields::<ValidationAck>(),
        fields::<RenewalRequest>(),
        fields::<RenewalResult>(),
        fields::<ParentRenewed>(),
        fields::<Heartbeat>(),
        fields::<ChildPresence>(),
        fields::<HeartbeatAck>(),
        fields::<DiscoveryReport>(),
        fields::<Report>(),
        fields::<ReportedCycle>(),
        fields::<ReportedCounts>(),
        fields::<ReportedDevice>(),
        fields::<ReportedFact>(),
        fields::<DiscoverySummary>(),
        fields::<Summary>(),
        fields::<Anomaly>(),
        fields::<Reporters>(),
        fields::<StreamAck>(),
        fields::<StreamRequest>(),
        fields::<DiscoveryRequest>(),
        fields::<PolicyUpdate>(),
        fields::<PolicyAck>(),
        fields::<PolicyRefusal>(),
        fields::<PolicyRequest>(),
        fields::<Checkpoint>(),
        fields::<CheckpointAnswer>(),
        fields::<Chain>(),
        fields::<Certificate>(),
        fields::<Delegation>(),
        fields::<PolicyDocument>(),
    ];
    let untold: Vec<String> = objects.into_iter().flatten().filter(|field| !words.contains(field.as_str())).collect();
    assert_eq!(untold, [""; 0]);
}

#[test]
fn every_reason_is_told_with_what_follows_from_it() {
    let rows = rows(PROTOCOL, "## Reasons");
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| code(row[0])).collect();
    assert_eq!(named, Reason::ALL.into_iter().map(Reason::as_str).collect());
    for reason in Reason::ALL {
        let row = rows.iter().find(|row| code(row[0]).contains(reason.as_str())).unwrap();
        let says = |word: &str| row.last().unwrap().split(", ").any(|said| said.trim_end_matches(" |") == word);
        assert_eq!(says("alarm"), reason.is_alarming(), "{reason}: alarm");
        assert_eq!(says("stops"), reason.remedy().is_some(), "{reason}: stops");
        let told = row[1].contains(&format!("told as `{}`", reason.outward()));
        assert_eq!(told, reason.outward() != reason, "{reason}: told as");
    }
}

#[test]
fn every_event_is_told_with_its_meaning() {
    let rows = rows(PROTOCOL, "## Events");
    let named: Vec<&str> = rows.iter().map(|row| row[0].trim_matches('`')).collect();
    let events: Vec<&str> = EventType::ALL.into_iter().map(EventType::as_str).collect();
    assert_eq!(named, events);
    assert!(rows.iter().all(|row| row[1].len() > 10), "each has a meaning");
}

#[test]
fn what_an_operator_is_told_to_do_something_about_is_an_event() {
    let rows = rows(TRUST, "## What events mean and what to do");
    assert!(rows.len() > 10, "the table is where it is looked for");
    for name in rows.iter().flat_map(|row| code(row[0])) {
        assert!(name.parse::<EventType>().is_ok(), "{name} is no event");
    }
}
