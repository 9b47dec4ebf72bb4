//! Who may import whom: the layer table.

use crate::source::{Source, hold, program};
use crate::tokens::{NamedPath, identifiers, paths, program_tokens};

/// Each layer with those that it may use, itself aside. `bin` is the tools beside the program.
pub const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("wire", &["domain"]),
    ("nib", &["domain"]),
    ("southbound", &["domain", "wire"]),
    ("algorithms", &["domain", "wire"]),
    ("actors", &["domain", "wire", "nib", "southbound", "algorithms"]),
    ("eastwest", &["domain", "wire", "actors"]),
    ("northbound", &["domain", "wire", "actors"]),
    ("app", &["domain", "wire", "nib", "southbound", "algorithms", "actors", "eastwest", "northbound"]),
    ("cli", &["domain", "app"]),
    ("main", &["cli"]),
    ("bin", &["algorithms"]),
];

/// Layers that compute: no input or output, no clock, no task, no thread.
const PURE: &[&str] = &["domain", "wire", "algorithms"];

/// What a layer that computes must not name, nor anything below it.
const IMPURE: &[&str] = &[
    "std::env",
    "std::fs",
    "std::io",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::ToSocketAddrs",
    "std::net::UdpSocket",
    "std::os",
    "std::process",
    "std::thread",
    "std::time::Instant",
    "std::time::SystemTime",
];

const EVERYWHERE: &[&str] = &[];

/// The crates that the program is built of, each with the layers that may use it.
const CRATES: &[(&str, &[&str])] = &[
    ("actix", &["actors", "eastwest", "northbound", "app"]),
    ("actix_web", &["northbound", "app"]),
    ("aes", &["wire"]),
    ("anstyle", &["cli"]),
    ("anyhow", &["app", "cli", "bin"]),
    ("base64", &["domain", "wire"]),
    ("cfb_mode", &["wire"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("csv", &["algorithms", "cli"]),
    ("fastrand", &["algorithms", "actors", "eastwest", "app"]),
    ("figment", &["app"]),
    ("flate2", &["app"]),
    ("getrandom", &["nib", "app"]),
    ("http_body_util", &["app"]),
    ("hyper", &["app"]),
    ("hyper_util", &["app"]),
    ("indicatif", &["cli"]),
    ("ipnet", EVERYWHERE),
    ("jiff", &["domain", "app"]),
    ("libc", &["southbound", "app"]),
    ("netlink_packet_core", &["wire"]),
    ("netlink_packet_route", &["wire"]),
    ("nix", &["southbound", "app"]),
    ("pnet", &["wire", "southbound"]),
    ("prometheus_client", &["actors"]),
    ("refinery", &["nib"]),
    ("ring", &["wire", "algorithms"]),
    ("rusqlite", &["nib"]),
    ("rustix", &["nib", "southbound", "app", "cli"]),
    ("secrecy", &["domain", "wire", "northbound", "app", "cli"]),
    ("serde", EVERYWHERE),
    ("serde_json", EVERYWHERE),
    ("serde_json_canonicalizer", &["wire"]),
    ("snmp_parser", &["wire"]),
    ("socket2", &["southbound"]),
    ("strsim", &["app"]),
    ("tar", &["app"]),
    ("thiserror", EVERYWHERE),
    ("tokio", &["nib", "actors", "eastwest", "northbound", "app"]),
    ("tracing", &["actors", "eastwest", "northbound", "app", "cli"]),
    ("tracing_subscriber", &["app"]),
    ("unicode_width", &["cli"]),
    ("uuid", &["domain"]),
    ("yaml_serde", &["app"]),
];

/// What of a source the table does not allow.
fn violations(source: &Source) -> Vec<String> {
    let module = source.module();
    let Some(layer) = module.first() else { return Vec::new() };
    let Some((layer, allowed)) = LAYERS.iter().find(|(name, _)| name == layer) else {
        return vec![source.say(1, &format!("{layer} is no layer: give it its place in tests/layering/imports.rs"))];
    };
    let mut said = Vec::new();
    for path in paths(source) {
        let refusal = match own(&path) {
            Some(target) => import(layer, allowed, target.first().map(String::as_str)),
            None => foreign(layer, &path.segments),
        };
        said.extend(refusal.map(|refusal| source.say(path.line, &refusal)));
    }
    if PURE.contains(layer) {
        let words = identifiers(&program_tokens(source)).into_iter();
        let waits = words.filter(|(word, _)| word == "async" || word == "await");
        said.extend(waits.map(|(_, line)| source.say(line, &format!("{layer} computes and does not wait"))));
    }
    said
}

/// The place in this crate that a path leads to; `None` for a path that leads elsewhere.
fn own(path: &NamedPath) -> Option<Vec<String>> {
    let [first, rest @ ..] = path.segments.as_slice() else { return None };
    let mut place = match first.as_str() {
        "crate" | "pdsno" if !rest.is_empty() => Vec::new(),
        "self" | "super" => path.module.clone(),
        _ => return None,
    };
    for segment in if first == "super" { &path.segments } else { rest } {
        match segment.as_str() {
            "super" => drop(place.pop()),
            "self" => {}
            name => place.push(name.to_owned()),
        }
    }
    Some(place)
}

fn import(layer: &str, allowed: &[&str], target: Option<&str>) -> Option<String> {
    match target {
        None => None,
        Some("*") => Some(format!("{layer} imports everything there is")),
        Some(target) if target == layer || allowed.contains(&target) => None,
        Some(target) => Some(format!("{layer} may not use {target}")),
    }
}

fn foreign(layer: &str, segments: &[String]) -> Option<String> {
    let [first, _, ..] = segments else { return None };
    if first == "std" {
        let name = segments.join("::").replace("::self", "");
        // A module that is imported whole can be used for anything in it.
        let within = |part: &str, whole: &str| part == whole || part.starts_with(&format!("{whole}::"));
        let name = name.trim_end_matches("::*");
        let impure = IMPURE.iter().find(|impure| within(name, impure) || within(impure, name));
        return impure.filter(|_| PURE.contains(&layer)).map(|impure| format!("{layer} may not use {impure}"));
    }
    if first == "fastrand" && segments.get(1).is_none_or(|name| name != "Rng") {
        return Some("randomness is a parameter: take a seed, and a generator made from it".to_owned());
    }
    let (_, layers) = CRATES.iter().find(|(name, _)| name == first)?;
    (!layers.is_empty() && !layers.contains(&layer)).then(|| format!("{layer} may not use the crate {first}"))
}

#[test]
fn the_program_keeps_to_the_layers() {
    hold(&program(), violations);
}

#[test]
fn every_dependency_has_its_place() {
    let manifest = include_str!("../../Cargo.toml");
    let section = manifest.split("[dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let lines = section.lines().filter(|line| !line.starts_with('#'));
    let names: Vec<String> =
        lines.filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.replace('-', "_")).collect();
    let mut listed: Vec<&str> = CRATES.iter().map(|(name, _)| *name).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, sorted, "the table in tests/layering/imports.rs says which layer may use a crate");
}

/// What is said about a text at a place.
fn said(path: &str, text: &str) -> Vec<String> {
    violations(&Source::made_up(path, text))
}

#[test]
fn imports_go_downward_only() {
    assert_eq!(said("src/domain/a.rs", "use crate::wire::arp;"), ["src/domain/a.rs:1: domain may not use wire"]);
    assert_eq!(said("src/wire.rs", "\nuse crate::nib::Row;"), ["src/wire.rs:2: wire may not use nib"]);
    assert_eq!(said("src/app/a.rs", "fn f() { crate::cli::main() }"), ["src/app/a.rs:1: app may not use cli"]);
    assert_eq!(said("src/main.rs", "fn main() { pdsno::app::x() }"), ["src/main.rs:1: main may not use app"]);
    assert_eq!(said("src/cli/a.rs", "use crate::{app::b, nib::Row};"), ["src/cli/a.rs:1: cli may not use nib"]);
    assert_eq!(said("src/app/a/b.rs", "use super::super::super::cli::x;"), ["src/app/a/b.rs:1: app may not use cli"]);
    assert_eq!(said("src/actors.rs", "use crate::*;"), ["src/actors.rs:1: actors imports everything there is"]);
    assert_eq!(said("src/nib/a.rs", "use crate::domain::link;\nuse super::Row;\nuse self::b::C;"), [""; 0]);
}

#[test]
fn layers_beside_each_other_do_not_meet() {
    assert_eq!(said("src/nib/a.rs", "use crate::southbound::x;"), ["src/nib/a.rs:1: nib may not use southbound"]);
    assert_eq!(said("src/southbound.rs", "crate::nib::x!();"), ["src/southbound.rs:1: southbound may not use nib"]);
    assert_eq!(
        said("src/northbound/a.rs", "use crate::eastwest::x;"),
        ["src/northbound/a.rs:1: northbound may not use eastwest"]
    );
}

#[test]
fn a_new_module_needs_a_place() {
    assert_eq!(
        said("src/extras/a.rs", ""),
        ["src/extras/a.rs:1: extras is no layer: give it its place in tests/layering/imports.rs"]
    );
    assert_eq!(said("src/app/a.rs", "use crate::extras::x;"), ["src/app/a.rs:1: app may not use extras"]);
}

#[test]
fn layers_that_compute_touch_nothing() {
    for text in [
        "use std::time::Instant;",
        "use std::time;",
        "use std::{fs, net::UdpSocket};",
        "fn f() { std::thread::spawn(f); }",
        "use std::net::*;",
        "use std::process::{self, Command};",
    ] {
        assert!(!said("src/algorithms/a.rs", text).is_empty(), "{text}");
        assert_eq!(said("src/app/a.rs", text), [""; 0]);
    }
    assert_eq!(said("src/algorithms/a.rs", "fn f() { fastrand::u8(..); fastrand::Rng::with_seed(1); }").len(), 1);
    assert_eq!(said("src/wire/a.rs", "async fn f() {}"), ["src/wire/a.rs:1: wire computes and does not wait"]);
    assert_eq!(said("src/domain/a.rs", "use std::{net::Ipv4Addr, time::Duration};"), [""; 0]);
}

#[test]
fn crates_stay_in_their_layers() {
    assert_eq!(
        said("src/algorithms/a.rs", "use tokio::sync::mpsc;"),
        ["src/algorithms/a.rs:1: algorithms may not use the crate tokio"]
    );
    assert_eq!(said("src/app/a.rs", "fn f(c: rusqlite::Connection) {}").len(), 1);
    assert_eq!(said("src/nib/a.rs", "use actix::Actor;\nuse rusqlite::Row;").len(), 1);
    assert_eq!(said("src/nib/a.rs", "#[cfg(test)]\nmod tests { use actix::Actor; }"), [""; 0]);
}
