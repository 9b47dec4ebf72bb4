//! What was set in one place: the defaults, a file, the environment, the flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use figment::value::{Dict, Empty, Map, Value};
use figment::{Metadata, Profile, Provider};

use crate::app::config::keys::{KEYS, Key, Kind, SECTIONS, suggestion};
use crate::app::config::problem::{Origin, Problem};
use crate::app::config::yaml::{self, Node};

/// The defaults. Those of policy are the text that the operator is given.
const DEFAULTS: &str = concat!(
    "controller: {cluster: pdsno, id: auto_assigned, role: auto_determined, region: null, parent_id: null,\n",
    "  subnets: [], interface: null, oui_file: null}\n",
    "nib: {backend: sqlite, path: ./data/pdsno.db, wal_mode: true}\n",
    "communication: {mode: in_process, rest_port: 8080, mqtt_broker: 'localhost:1883', listen: '127.0.0.1:8080'}\n",
    "security: {signing_key: null, cert: null, freshness_window_seconds: 300,\n",
    "  snmp_communities: [public], snmp_communities_file: null, snmp_credentials: null,\n",
    "  snmp_credentials_file: null}\n",
    include_str!("../../../config/policy_default.yaml"),
);

/// What was set in one place, for known keys only.
pub(super) struct Layer {
    name: &'static str,
    settings: BTreeMap<&'static str, (Value, Place)>,
}

/// Where a setting stands.
enum Place {
    Default,
    // The numbers of its section and of the key in it.
    File(Rc<SourceFile>, [usize; 2]),
    Environment(String),
    Flag(&'static str),
}

struct SourceFile {
    path: PathBuf,
    text: String,
}

impl SourceFile {
    fn origin(&self, steps: &[usize]) -> Origin {
        let (line, column) = yaml::locate(&self.text, steps).unwrap_or((1, 1));
        Origin::File { path: self.path.clone(), line, column }
    }
}

impl Layer {
    fn new(name: &'static str) -> Self {
        Self { name, settings: BTreeMap::new() }
    }

    /// The defaults.
    pub(super) fn defaults() -> Result<Self, Problem> {
        let mut problems = Vec::new();
        let mut layer = Self::file(Path::new("config/policy_default.yaml"), DEFAULTS.to_owned(), &mut problems)?;
        if let Some(problem) = problems.pop() {
            return Err(problem);
        }
        layer.name = "defaults";
        for (_, place) in layer.settings.values_mut() {
            *place = Place::Default;
        }
        Ok(layer)
    }

    /// A file's settings. Keys that do not exist or are repeated go to `problems`.
    ///
    /// # Errors
    /// The place where the text stops being a YAML document with sections.
    pub(super) fn file(path: &Path, text: String, problems: &mut Vec<Problem>) -> Result<Self, Problem> {
        let file = Rc::new(SourceFile { path: path.to_owned(), text });
        let problem = |origin, reason| Problem { origin, key: None, reason };
        let root = yaml::parse(&file.text).map_err(|error| {
            let (line, column) = error.at;
            problem(Origin::File { path: path.to_owned(), line, column }, error.reason)
        })?;
        let sections = match root {
            Node::Scalar(Value::Empty(..)) => Vec::new(),
            Node::Map(sections) => sections,
            other => {
                let reason = format!("expected the sections {}, found {}", SECTIONS.join(", "), other.kind());
                return Err(problem(file.origin(&[]), reason));
            }
        };
        let mut walk = Walk { layer: Self::new("file"), file, problems };
        walk.sections(sections);
        Ok(walk.layer)
    }

    /// The variables `PDSNO_<SECTION>__<KEY>`; other names are none of the configuration's.
    pub(super) fn environment(variables: Vec<(String, String)>, problems: &mut Vec<Problem>) -> Self {
        let mut layer = Self::new("environment");
        for (name, text) in variables {
            if !name.strip_prefix("PDSNO_").is_some_and(|rest| rest.contains("__")) {
                continue;
            }
            match KEYS.iter().find(|key| key.variable() == name) {
                Some(key) => layer.set(key, typed(key, text), Place::Environment(name)),
                None => {
                    let known: Vec<String> = KEYS.iter().map(Key::variable).collect();
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    let reason = format!("no such setting; {}", suggestion(&name, &known));
                    problems.push(Problem { origin: Origin::Environment(name), key: None, reason });
                }
            }
        }
        layer
    }

    /// An empty layer for flags.
    pub(super) fn flags() -> Self {
        Self::new("flags")
    }

    /// Sets a key by a flag.
    pub(super) fn flag(&mut self, flag: &'static str, path: &str, value: Value) {
        if let Some(key) = Key::find(path) {
            let value = match value {
                Value::String(_, text) => typed(key, text),
                other => other,
            };
            self.set(key, value, Place::Flag(flag));
        }
    }

    fn set(&mut self, key: &'static Key, value: Value, place: Place) {
        self.settings.insert(key.path, (value, place));
    }

    /// The name under which figment knows this layer.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// The keys that are set, in the order of their names.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.settings.keys().copied()
    }

    /// Where a key of this layer was set, or an item of its list.
    pub(super) fn origin(&self, path: &str, item: Option<usize>) -> Option<Origin> {
        let (_, place) = self.settings.get(path)?;
        Some(match place {
            Place::Default => Origin::Default,
            Place::File(file, [section, key]) => match item {
                Some(item) => file.origin(&[*section, *key, item]),
                None => file.origin(&[*section, *key]),
            },
            Place::Environment(name) => Origin::Environment(name.clone()),
            Place::Flag(flag) => Origin::Flag(flag),
        })
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name)
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        let mut sections: BTreeMap<String, Dict> = BTreeMap::new();
        for (path, (value, _)) in &self.settings {
            if let Some((section, name)) = path.split_once('.') {
                sections.entry(section.to_owned()).or_default().insert(name.to_owned(), value.clone());
            }
        }
        let sections = sections.into_iter().map(|(name, keys)| (name, Value::from(keys))).collect();
        Ok(Profile::Default.collect(sections))
    }
}

/// Text without types, read as the key wants it. What does not fit stays text and is refused later,
/// together with everything else.
fn typed(key: &Key, text: String) -> Value {
    let trimmed = text.trim();
    match key.kind {
        Kind::Optional if trimmed.is_empty() || trimmed == "null" => Value::from(Empty::Unit),
        Kind::Whole => trimmed.parse::<u64>().map_or_else(|_| Value::from(text.as_str()), Value::from),
        Kind::Switch => trimmed.parse::<bool>().map_or_else(|_| Value::from(text.as_str()), Value::from),
        Kind::List if trimmed.is_empty() => Value::from(Vec::<Value>::new()),
        Kind::List => Value::from(trimmed.split(',').map(str::trim).collect::<Vec<_>>()),
        Kind::Text | Kind::Optional => Value::from(text),
    }
}

/// The way through a file.
struct Walk<'a> {
    layer: Layer,
    file: Rc<SourceFile>,
    problems: &'a mut Vec<Problem>,
}

impl Walk<'_> {
    // Each place costs a pass over the file, and nobody reads further anyway.
    const MOST: usize = 50;

    fn refuse(&mut self, steps: &[usize], key: Option<String>, reason: String) {
        if self.problems.len() < Self::MOST {
            let origin = self.file.origin(steps);
            self.problems.push(Problem { origin, key, reason });
        }
    }

    fn sections(&mut self, sections: Vec<(Node, Node)>) {
        let mut seen = BTreeMap::new();
        for (at, (name, content)) in sections.into_iter().enumerate() {
            let Some(name) = name.as_text() else {
                self.refuse(&[at], None, format!("expected the name of a section, found {}", name.kind()));
                continue;
            };
            let named = || Some(name.to_owned());
            if let Some(first) = seen.insert(name.to_owned(), at) {
                let first = self.file.origin(&[first]);
                self.refuse(&[at], named(), format!("the section is there already, at {first}; join the two"));
            } else if !SECTIONS.contains(&name) {
                self.refuse(&[at], named(), format!("no such section; {}", suggestion(name, &SECTIONS)));
            } else {
                match content {
                    Node::Map(keys) => self.keys(at, name, keys),
                    Node::Scalar(Value::Empty(..)) => {}
                    other => {
                        let reason = format!("expected a section with keys, found {}", other.kind());
                        self.refuse(&[at], named(), reason);
                    }
                }
            }
        }
    }

    fn keys(&mut self, section_at: usize, section: &str, keys: Vec<(Node, Node)>) {
        let mut seen = BTreeMap::new();
        for (at, (name, value)) in keys.into_iter().enumerate() {
            let steps = [section_at, at];
            let Some(name) = name.as_text() else {
                self.refuse(&steps, None, format!("expected a key of {section}, found {}", name.kind()));
                continue;
            };
            let path = format!("{section}.{name}");
            if let Some(first) = seen.insert(name.to_owned(), at) {
                let first = self.file.origin(&[section_at, first]);
                self.refuse(&steps, Some(path), format!("set already, at {first}; keep one"));
            } else if let Some(key) = Key::find(&path) {
                self.layer.set(key, Value::from(value), Place::File(Rc::clone(&self.file), steps));
            } else {
                let reason = format!("no such key; {}", nearest(section, name));
                self.refuse(&steps, Some(path), reason);
            }
        }
    }
}

/// What may have been meant: the same name in another section, else a similar one in this section.
fn nearest(section: &str, name: &str) -> String {
    match KEYS.iter().find(|key| key.split().1 == name) {
        Some(elsewhere) => format!("did you mean {}?", elsewhere.path),
        None => {
            let here: Vec<&str> = KEYS.iter().map(Key::split).filter(|key| key.0 == section).map(|key| key.1).collect();
            suggestion(name, &here)
        }
    }
}
