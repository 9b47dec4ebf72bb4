//! The support bundle: what somebody needs who is to say why a controller does not do what it should,
//! and nothing that must stay secret.

mod archive;
mod log;
mod started;

use std::collections::VecDeque;
use std::path::Path;

use serde_json::{Value, json};

use crate::app::admin::look;
use crate::app::audit::{Outcome, newest_head, verify_own};
use crate::app::config::{ConfigError, Flags, Loaded, NibSettings, Sources, load};
use crate::app::events::{EventQuery, each_event};
use crate::app::failure::Failure;
use crate::app::folder::DataFolder;
use crate::app::inventory;
use crate::app::maintenance::check;
use crate::app::support::archive::Archive;
use crate::app::tiers;
use crate::domain::credential::{Access, Credential};
use crate::domain::event::{Event, EventSeq, EventType};
use crate::domain::secret::HIDDEN;
use crate::domain::time::Timestamp;
use crate::nib::NibReader;
use crate::nib::sqlite::engine_version;
use crate::southbound::interfaces::links;

pub use crate::app::support::archive::Written;
pub use crate::app::support::started::Started;

/// How many of the last events are in a bundle, and among how many the last cycles are looked for.
const EVENTS: u64 = 2_000;
/// How many of the last cycles.
const CYCLES: usize = 20;

/// What the system tells about itself (os-release(5)), the network and this process (proc(5)).
const SYSTEM: [(&str, &str); 6] = [
    ("os.txt", "/etc/os-release"),
    ("kernel.txt", "/proc/version"),
    ("routes.txt", "/proc/net/route"),
    ("neighbours.txt", "/proc/net/arp"),
    ("counters.txt", "/proc/net/dev"),
    ("limits.txt", "/proc/self/limits"),
];

/// What a bundle is made of.
pub struct SupportOrder<'a> {
    /// Where settings come from, and with them where the data folder is.
    pub sources: Sources,
    /// What settings a controller that runs has, by what it was started with; `None` where that is no way to
    /// start one.
    pub of_controller: &'a dyn Fn(&Started) -> Option<Sources>,
    /// The controller that is meant; without a wish all of the data folder.
    pub controller: Option<&'a str>,
    /// When it is made.
    pub at: Timestamp,
}

/// Writes a bundle into a new file that only its owner can read. What cannot be told is told as a problem
/// in it, and a configuration that is refused is one: what is broken is what a bundle is made for.
///
/// # Errors
/// [`Failure::Usage`] when the file cannot be made, when it is there already, or when no such controller
/// is.
pub fn write(order: &SupportOrder<'_>, target: &Path) -> Result<Written, Failure> {
    let (loaded, refused) = configuration(&order.sources)?;
    let places = match order.controller {
        Some(wanted) => vec![(None, tiers::chosen(loaded.config.nib.clone(), Some(wanted))?)],
        None => tiers::all(&loaded.config.nib),
    };
    // Before anything is looked at: that may take a while.
    let file = archive::create(target)?;
    let mut bundle = Bundle { archive: Archive::new(order.at), secrets: Secrets::of(&loaded), problems: Vec::new() };
    let process = places.iter().find_map(|(_, nib)| DataFolder::user(nib.data_dir())).and_then(|user| user.pid);
    bundle.of_program(order.at);
    bundle.of_configuration(order, process, &loaded, refused.as_ref());
    bundle.of_log(process);
    bundle.of_host();
    for (tier, nib) in &places {
        let folder = tier.map(|tier| format!("{tier}/")).unwrap_or_default();
        bundle.of_controller(&folder, nib);
    }
    bundle.finish(target, file)
}

/// The configuration; of one that is refused only where the NIB is, and what is wrong with the rest.
fn configuration(sources: &Sources) -> Result<(Loaded, Option<ConfigError>), Failure> {
    match load(sources.clone()) {
        Ok(loaded) => Ok((loaded, None)),
        Err(error) => {
            let flags = Flags { data_dir: sources.flags.data_dir.clone(), ..Flags::default() };
            let rest = load(Sources { flags, ..Sources::default() }).map_err(Failure::usage)?;
            Ok((rest, Some(error)))
        }
    }
}

/// The secrets that the configuration holds: whoever names one, here or on the network, names it in vain.
struct Secrets(Vec<String>);

impl Secrets {
    fn of(loaded: &Loaded) -> Self {
        // Not the default, which is a word.
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        let secrets = |credential: Credential| match credential.access {
            Access::Community(community) if community.as_bytes() == b"public" => Vec::new(),
            Access::Community(community) => vec![text(community.as_bytes())],
            Access::User(user) => {
                let (authentication, privacy) = (user.authentication.1, user.privacy.map(|(_, privacy)| privacy));
                [Some(authentication), privacy].into_iter().flatten().map(|one| text(one.as_bytes())).collect()
            }
        };
        Self(loaded.config.security.preferred().into_iter().flat_map(secrets).collect())
    }

    fn hide(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), HIDDEN))
    }

    /// Only in texts: names of members and numbers are ours.
    fn hide_in(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.hide(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_in(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.hide_in(member)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

struct Bundle {
    archive: Archive,
    secrets: Secrets,
    /// What could not be told, by the file that misses it.
    problems: Vec<(String, String)>,
}

impl Bundle {
    fn json(&mut self, name: &str, mut value: Value) {
        self.secrets.hide_in(&mut value);
        self.archive.add(name, format!("{value:#}\n").as_bytes());
    }

    fn json_lines(&mut self, name: &str, values: impl IntoIterator<Item = Value>) {
        let line = |mut value: Value| {
            self.secrets.hide_in(&mut value);
            format!("{value}\n")
        };
        let text: String = values.into_iter().map(line).collect();
        self.archive.add(name, text.as_bytes());
    }

    /// A file of what could be told, or a problem.
    fn told<E: Into<anyhow::Error>>(&mut self, name: &str, told: Result<Value, E>) {
        match told {
            Ok(value) => self.json(name, value),
            Err(error) => self.problem(name, &format!("{:#}", error.into())),
        }
    }

    fn problem(&mut self, name: &str, text: &str) {
        let text = self.secrets.hide(text);
        self.problems.push((name.to_owned(), text));
    }

    fn of_program(&mut self, at: Timestamp) {
        let versions = json!({
            "pdsno": env!("CARGO_PKG_VERSION"),
            "sqlite": engine_version(),
            "architecture": std::env::consts::ARCH,
            "made_at": at,
        });
        self.json("versions.json", versions);
    }

    /// As `pdsno config show` tells it: that of the controller that runs, unless a file is named.
    fn of_configuration(
        &mut self,
        order: &SupportOrder<'_>,
        process: Option<u32>,
        own: &Loaded,
        refused: Option<&ConfigError>,
    ) {
        let Some(process) = process.filter(|_| order.sources.file.is_none()) else {
            return self.configuration("this command", own, refused);
        };
        let was_started = started::started(process).map_err(|error| error.to_string());
        let sources = was_started.and_then(|how| (order.of_controller)(&how).ok_or("not a controller".to_owned()));
        match sources.and_then(|sources| configuration(&sources).map_err(|error| format!("{error:#}"))) {
            Ok((loaded, refused)) => {
                self.secrets.0.extend(Secrets::of(&loaded).0);
                self.configuration(&format!("process {process}"), &loaded, refused.as_ref());
            }
            Err(error) => {
                self.configuration("this command", own, refused);
                let why = format!("what process {process} was started with cannot be told: {error}");
                self.problem("configuration.json", &why);
            }
        }
    }

    fn configuration(&mut self, of: &str, loaded: &Loaded, refused: Option<&ConfigError>) {
        if let Some(error) = refused {
            let problems: Vec<String> = match error.problems() {
                [] => vec![error.to_string()],
                problems => problems.iter().map(ToString::to_string).collect(),
            };
            for problem in problems {
                self.problem("configuration.json", &problem);
            }
            return;
        }
        let rows = loaded.rows();
        let row = |row: &crate::app::config::Row| json!({ "value": row.value, "origin": row.origin.to_string() });
        let keys: serde_json::Map<String, Value> = rows.iter().map(|one| (one.key.to_owned(), row(one))).collect();
        self.json(
            "configuration.json",
            json!({ "of": of, "keys": keys, "notes": loaded.notes(), "inactive": loaded.inactive() }),
        );
    }

    fn of_log(&mut self, process: Option<u32>) {
        match log::last_lines(process) {
            Ok(text) => self.archive.add("log.txt", self.secrets.hide(&text).as_bytes()),
            Err(error) => self.problem("log.txt", &format!("{error:#}")),
        }
    }

    fn of_host(&mut self) {
        let interface = |link: crate::domain::link::Link| {
            json!({
                "name": link.name, "index": link.index, "mac": link.mac, "running": link.running,
                "addresses": link.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        };
        let interfaces: Vec<Value> = links().into_iter().map(interface).collect();
        self.json("interfaces.json", Value::Array(interfaces));
        for (name, path) in SYSTEM {
            self.copy(name, Path::new(path));
        }
    }

    fn copy(&mut self, name: &str, path: &Path) {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let text = self.secrets.hide(&text);
                self.archive.add(name, text.as_bytes());
            }
            Err(error) => self.problem(name, &format!("{}: {error}", path.display())),
        }
    }

    fn of_controller(&mut self, folder: &str, nib: &NibSettings) {
        let name = |file: &str| format!("{folder}{file}");
        for (file, target) in [("live_status.json", "/api/v1/status"), ("live_metrics.txt", "/metrics")] {
            match look(nib.data_dir(), target) {
                Ok(Some(Value::String(text))) => self.archive.add(&name(file), self.secrets.hide(&text).as_bytes()),
                Ok(Some(told)) => self.json(&name(file), told),
                Ok(None) => {}
                Err(error) => self.told(&name(file), Err(error)),
            }
        }
        if let Some(process) = DataFolder::user(nib.data_dir()).and_then(|user| user.pid) {
            self.copy(&name("daemon_limits.txt"), Path::new(&format!("/proc/{process}/limits")));
            self.copy(&name("daemon_process.txt"), Path::new(&format!("/proc/{process}/status")));
        }
        let reader = match inventory::open(&nib.path) {
            Ok(reader) => reader,
            Err(error) => return self.told(&name("status.json"), Err(error)),
        };
        let status = inventory::status(&nib.path, nib.data_dir(), &reader).map(|status| json!(status));
        self.told(&name("status.json"), status);
        self.of_events(folder, &reader);
        self.told(&name("event_log.json"), event_log(&reader));
        let checked = check(&nib.path).map(|report| {
            json!({
                "sound": report.is_sound(), "schema": report.schema, "devices": report.devices, "facts": report.facts,
                "events": report.events, "entries": report.entries, "problem_count": report.problem_count,
                "problems": report.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            })
        });
        self.told(&name("nib_check.json"), checked);
    }

    fn of_events(&mut self, folder: &str, reader: &dyn NibReader) {
        let file = format!("{folder}events.jsonl");
        let events = match last_events(reader) {
            Ok(events) => events,
            Err(error) => return self.told(&file, Err(error)),
        };
        let cycles = events.iter().rev().filter(|event| is_cycle(event.event_type)).take(CYCLES);
        let cycles: Vec<Value> = cycles.map(|event| json!(event)).collect();
        self.json_lines(&format!("{folder}cycles.jsonl"), cycles.into_iter().rev());
        self.json_lines(&file, events.iter().map(|event| json!(event)));
    }

    fn finish(mut self, target: &Path, file: std::fs::File) -> Result<Written, Failure> {
        let problems: Vec<Value> =
            self.problems.iter().map(|(file, problem)| json!({ "file": file, "problem": problem })).collect();
        self.json("problems.json", Value::Array(problems));
        self.archive.finish(target, file)
    }
}

fn is_cycle(event_type: EventType) -> bool {
    matches!(
        event_type,
        EventType::DiscoveryCycleCompleted | EventType::DiscoveryCycleFailed | EventType::DiscoverySkipped
    )
}

fn last_events(reader: &dyn NibReader) -> anyhow::Result<VecDeque<Event>> {
    let first = reader.next_event()?.number().saturating_sub(EVENTS);
    let mut query = EventQuery { from: EventSeq::from_number(first), ..EventQuery::default() };
    let mut events = VecDeque::new();
    let told = each_event(reader, &mut query, |event| {
        events.push_back(event);
        Ok::<(), std::convert::Infallible>(())
    });
    match told {
        Ok(()) => Ok(events),
        Err(crate::app::events::Ended::Nib(error)) => Err(error.into()),
        Err(crate::app::events::Ended::Told(never)) => match never {},
    }
}

/// What `pdsno audit verify` and `pdsno audit checkpoint` tell.
fn event_log(reader: &dyn NibReader) -> anyhow::Result<Value> {
    let failed = |failure: Failure| anyhow::anyhow!("{failure}");
    let examination = verify_own(reader).map_err(failed)?;
    // A log of a few entries has none yet.
    let head = newest_head(reader).ok();
    Ok(json!({
        "origin": examination.origin,
        "verified": examination.outcome == Outcome::Verified,
        "findings": examination.findings,
        "checked": examination.checked,
        "not_checked": examination.unchecked,
        "newest_head": head,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_wherever_a_text_names_it() {
        let secrets = Secrets(vec!["s3cret".to_owned(), "other".to_owned()]);
        let mut value = json!({ "s3cret": ["a s3cret", { "x": "other s3cret" }, 7, null, true] });
        secrets.hide_in(&mut value);
        let hidden = format!("{HIDDEN} {HIDDEN}");
        assert_eq!(value, json!({ "s3cret": [format!("a {HIDDEN}"), { "x": hidden }, 7, null, true] }));
        assert_eq!(secrets.hide("nothing"), "nothing");
    }
}
