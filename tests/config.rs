//! Configuration from the outside: which layer wins, what is refused and in which words, what is
//! never shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use pdsno::app::config::{
    Config, ConfigError, FileError, Flags, Loaded, Origin, Problem, Row, Sources, check_file, load,
};
use pdsno::domain::policy::Probing;
use pdsno::domain::protocol::Protocol;
use pdsno::domain::secret::{Community, HIDDEN};
use proptest::prelude::*;
use secrecy::SecretString;

const SECRET: &str = "h0nter2";

fn defaults() -> Loaded {
    load(Sources::default()).unwrap()
}

/// A folder with a file `c.yaml` in it.
struct Site(tempfile::TempDir);

impl Site {
    fn new(text: impl AsRef<[u8]>) -> Self {
        let site = Self(tempfile::tempdir().unwrap());
        std::fs::write(site.file(), text).unwrap();
        site
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("c.yaml")
    }

    fn sources(&self) -> Sources {
        Sources { file: Some(self.file()), ..Sources::default() }
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        load(self.sources())
    }

    /// The refusals as text, with the folder's name left out.
    fn refusals(&self) -> Vec<String> {
        texts(&self.load().map(|_| "it was accepted").unwrap_err())
            .into_iter()
            .map(|text| text.replace(&format!("{}/", self.0.path().display()), ""))
            .collect()
    }
}

fn texts(error: &ConfigError) -> Vec<String> {
    assert!(!error.problems().is_empty(), "{error:?}");
    error.problems().iter().map(ToString::to_string).collect()
}

fn environment(name: &str, value: &str) -> Sources {
    Sources { environment: vec![(name.to_owned(), value.to_owned())], ..Sources::default() }
}

fn flags(flags: Flags) -> Sources {
    Sources { flags, ..Sources::default() }
}

fn some(texts: &[&str]) -> Option<Vec<String>> {
    Some(texts.iter().map(|text| (*text).to_owned()).collect())
}

fn row(loaded: &Loaded, key: &str) -> Row {
    loaded.rows().into_iter().find(|row| row.key == key).unwrap()
}

// ---- which layer wins ----

/// A flag, how the value that it sets is shown, and the setting of it.
type FlagSample = (&'static str, &'static str, fn(&mut Flags));

/// A key with a value for the file, for the environment and for the flag that sets it, if one does.
struct Sample {
    key: &'static str,
    file: &'static str,
    environment: &'static str,
    flag: Option<FlagSample>,
}

const fn sample(key: &'static str, file: &'static str, environment: &'static str) -> Sample {
    Sample { key, file, environment, flag: None }
}

const fn flagged(key: &'static str, file: &'static str, environment: &'static str, flag: FlagSample) -> Sample {
    Sample { key, file, environment, flag: Some(flag) }
}

/// All keys, except files of secrets and credentials, which have tests of their own.
fn samples() -> Vec<Sample> {
    vec![
        sample("controller.cluster", "prod", "lab"),
        flagged("controller.id", "a_1", "b_1", ("--id", "c_1", |f| f.id = Some("c_1".into()))),
        flagged("controller.role", "global", "regional", ("--role", "all", |f| f.role = Some("all".into()))),
        flagged("controller.region", "zone-B", "zone-C", ("--region", "zone-D", |f| f.region = Some("zone-D".into()))),
        flagged("controller.parent_id", "up_1", "up_2", ("--parent", "up_3", |f| f.parent = Some("up_3".into()))),
        flagged(
            "controller.subnets",
            "[10.1.0.0/24, 10.1.1.0/24]",
            "10.2.0.0/24,10.2.1.0/24",
            ("--subnets", "[10.3.0.0/24]", |f| f.subnets = some(&["10.3.0.0/24"])),
        ),
        flagged("controller.interface", "eth1", "eth2", ("--interface", "eth3", |f| f.interface = Some("eth3".into()))),
        sample("controller.oui_file", "/a/oui.csv", "/b/oui.csv"),
        sample("nib.backend", "sqlite", "sqlite"),
        flagged("nib.path", "/a/x.db", "/b/x.db", ("--data-dir", "/c/pdsno.db", |f| f.data_dir = Some("/c".into()))),
        sample("nib.wal_mode", "true", "true"),
        sample("communication.mode", "rest+mqtt", "in_process"),
        sample("communication.rest_port", "8081", "8082"),
        sample("communication.mqtt_broker", "a:1883", "b:1883"),
        flagged(
            "communication.listen",
            "127.0.0.1:1",
            "127.0.0.1:2",
            ("--listen", "none", |f| f.listen = Some("none".into())),
        ),
        sample("policy.discovery_interval", "60", "61"),
        sample("policy.missed_cycles_before_inactive", "4", "5"),
        flagged(
            "policy.discovery_protocols",
            "[icmp, arp]",
            "[icmp]",
            ("--protocols", "[arp]", |f| f.protocols = some(&["arp"])),
        ),
        sample("policy.discovery_neighbours", "true", "false"),
        sample("policy.discovery_counters", "true", "false"),
        flagged("policy.probe_rate", "100", "101", ("--probe-rate", "102", |f| f.probe_rate = Some(102))),
        sample("policy.probe_attempts", "1", "2"),
        flagged("policy.probe_timeout_ms", "200", "201", ("--timeout", "202", |f| f.timeout_ms = Some(202))),
        flagged("policy.allow_public", "true", "false", ("--allow-public", "true", |f| f.allow_public = Some(true))),
        flagged("policy.allow_large", "true", "false", ("--allow-large", "true", |f| f.allow_large = Some(true))),
        sample("policy.lc_report_timeout", "700", "701"),
        sample("policy.emergency_rate_limit_per_hour", "6", "0"),
        sample("policy.discovery_spike_threshold", "51", "1"),
        sample("security.signing_key", "/a/key", "/b/key"),
        sample("security.cert", "/a/cert", "/b/cert"),
        sample("security.freshness_window_seconds", "10", "11"),
        flagged(
            "security.snmp_communities",
            "[one, two]",
            "three",
            ("--community", "", |f| f.communities = Some(vec![SecretString::from("four")])),
        ),
    ]
}

fn variable(key: &str) -> String {
    format!("PDSNO_{}", key.replace('.', "__").to_uppercase())
}

/// A file with a value for each of these keys, and the line of each.
fn file_of<'a>(samples: impl Iterator<Item = &'a Sample>) -> (String, BTreeMap<&'static str, usize>) {
    let (mut text, mut lines, mut open) = ("# a site\n".to_owned(), BTreeMap::new(), "");
    for sample in samples {
        let (section, name) = sample.key.split_once('.').unwrap();
        if section != open {
            text += &format!("{section}:\n");
            open = section;
        }
        text += &format!("  {name}: {}\n", sample.file);
        lines.insert(sample.key, text.lines().count());
    }
    (text, lines)
}

/// How a row shows a value: lists in brackets, what may be a secret hidden.
fn shown(key: &str, value: &str) -> String {
    match key {
        "security.signing_key" | "security.snmp_communities" => HIDDEN.to_owned(),
        _ if value.contains(',') && !value.starts_with('[') => format!("[{}]", value.replace(',', ", ")),
        _ => value.to_owned(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Each key is set in a random choice of layers; the strongest of them holds and is named.
    #[test]
    fn the_strongest_layer_holds_for_each_key(layers in prop::collection::vec(0_u8..8, 32)) {
        let samples = samples();
        prop_assert_eq!(samples.len(), layers.len());
        let chosen: Vec<(&Sample, u8)> = samples.iter().zip(layers.iter().copied()).collect();
        // Role local or all would ask for subnets, and all for a region; they are always given, by file at the least.
        let asked_for = ["controller.subnets", "controller.region"];
        let in_file = |(sample, mask): &&(&Sample, u8)| mask & 1 != 0 || asked_for.contains(&sample.key);
        let (text, lines) = file_of(chosen.iter().filter(in_file).map(|(sample, _)| *sample));
        let site = Site::new(&text);
        let mut sources = site.sources();
        for (sample, mask) in &chosen {
            if mask & 2 != 0 {
                sources.environment.push((variable(sample.key), sample.environment.trim_matches(['[', ']']).into()));
            }
            if let Some((_, _, set)) = sample.flag.filter(|_| mask & 4 != 0) {
                set(&mut sources.flags);
            }
        }
        let loaded = load(sources).unwrap();
        let default = defaults();
        for (sample, mask) in &chosen {
            let found = row(&loaded, sample.key);
            let (value, origin) = match (sample.flag, mask) {
                (Some((flag, value, _)), mask) if mask & 4 != 0 => (shown(sample.key, value), flag.to_owned()),
                (_, mask) if mask & 2 != 0 => {
                    let origin = format!("environment variable {}", variable(sample.key));
                    (shown(sample.key, sample.environment), origin)
                }
                _ => match lines.get(sample.key) {
                    Some(line) => (shown(sample.key, sample.file), format!("{}:{line}", site.file().display())),
                    None => (row(&default, sample.key).value, "default".to_owned()),
                },
            };
            prop_assert_eq!((found.value, found.origin.to_string()), (value, origin), "{}", sample.key);
        }
    }

    /// Whatever a file holds, it is read or refused.
    #[test]
    fn no_file_is_too_strange(text in "((policy|controller|security|nib):|[-:{}\\[\\],&*!#?<|>%@'\"\n ]|[a-c]|\\PC){0,60}") {
        let site = Site::new(text);
        let _ = site.load();
    }
}

#[test]
fn the_samples_are_all_the_keys() {
    let sampled: Vec<&str> = samples().iter().map(|sample| sample.key).collect();
    let keys: Vec<&str> = defaults().rows().iter().map(|row| row.key).collect();
    assert_eq!(
        [
            sampled,
            vec!["security.snmp_communities_file", "security.snmp_credentials", "security.snmp_credentials_file"]
        ]
        .concat(),
        keys
    );
}

#[test]
fn typed_values_arrive_where_they_belong() {
    let site = Site::new(
        "controller: {id: lc_5, role: local, region: zone-A, parent_id: rc_1, subnets: [10.0.1.0/24]}\n\
         communication: {listen: none}\npolicy: {discovery_interval: 60, probe_attempts: 5}\n\
         security: {snmp_communities: [one, '12345', one]}\n",
    );
    let Config { controller, nib, communication, policy, security } = site.load().unwrap().config;
    assert_eq!(controller.id, Some("lc_5".parse().unwrap()));
    assert_eq!(controller.role, Some("local".parse().unwrap()));
    assert_eq!(controller.region, Some("zone-A".parse().unwrap()));
    assert_eq!(controller.parent, Some("rc_1".parse().unwrap()));
    assert_eq!(controller.subnets, ["10.0.1.0/24".parse().unwrap()]);
    assert_eq!((nib.path.as_path(), nib.data_dir()), (Path::new("./data/pdsno.db"), Path::new("./data")));
    assert_eq!(communication.listen, None);
    assert_eq!(policy.discovery.interval, Duration::from_secs(60));
    assert_eq!(policy.discovery.probing, Probing { attempts: 5, ..Probing::default() });
    assert_eq!(policy.discovery.protocols, Protocol::ALL);
    let communities: Vec<&[u8]> = security.snmp_communities.iter().map(|community| community.as_bytes()).collect();
    assert_eq!(communities, [&b"one"[..], b"12345"]);
}

#[test]
fn the_words_of_the_seed_mean_that_nobody_chose() {
    for word in ["auto_assigned", "auto_determined", "null", "~", ""] {
        let keys = ["id", "role", "region", "parent_id"];
        let text = keys.iter().fold("controller:\n".to_owned(), |text, key| format!("{text}  {key}: {word}\n"));
        let controller = Site::new(text).load().unwrap().config.controller;
        assert_eq!((controller.id, controller.role, controller.region, controller.parent), (None, None, None, None));
    }
    let site = Site::new("controller: {parent_id: rc_1}");
    for word in ["auto_assigned", "null", ""] {
        let mut sources = site.sources();
        sources.environment = vec![("PDSNO_CONTROLLER__PARENT_ID".into(), word.into())];
        assert_eq!(load(sources).unwrap().config.controller.parent, None, "{word:?}");
    }
}

#[test]
fn a_data_folder_without_a_path_is_the_current_one() {
    let loaded = load(environment("PDSNO_NIB__PATH", "pdsno.db")).unwrap();
    assert_eq!(loaded.config.nib.data_dir(), Path::new("."));
    let loaded = load(flags(Flags { data_dir: Some("/var/lib/pdsno/".into()), ..Flags::default() })).unwrap();
    assert_eq!(loaded.config.nib.path, Path::new("/var/lib/pdsno/pdsno.db"));
}

// ---- the shipped files ----

fn shipped(name: &str) -> (PathBuf, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    (path, text)
}

#[test]
fn every_shipped_file_says_what_is_the_default() {
    let mut files = 0;
    for entry in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("config")).unwrap() {
        let path = entry.unwrap().path();
        // Beside them are files for others: what is read by systemd is in a folder of its own.
        if path.is_dir() {
            continue;
        }
        let loaded = check_file(&path).unwrap();
        for (found, default) in loaded.rows().into_iter().zip(defaults().rows()) {
            match found.key {
                "controller.region" if found.origin != Origin::Default => assert_eq!(found.value, "zone-A"),
                _ => assert_eq!(found.value, default.value, "{}", found.key),
            }
        }
        assert!(loaded.inactive().is_empty() && loaded.notes().is_empty(), "{:?}", loaded.notes());
        files += 1;
    }
    assert_eq!(files, 2);
}

#[test]
fn each_shipped_file_has_all_its_keys() {
    let from_file = |name| {
        let rows = check_file(&shipped(name).0).unwrap().rows();
        rows.into_iter().filter(|row| row.origin != Origin::Default).map(|row| row.key).collect::<Vec<_>>()
    };
    let keys: Vec<&str> = defaults().rows().iter().map(|row| row.key).collect();
    assert_eq!(from_file("context_runtime.yaml"), keys);
    let of_policy: Vec<&str> = keys.into_iter().filter(|key| key.starts_with("policy.")).collect();
    assert_eq!(from_file("policy_default.yaml"), of_policy);
}

#[test]
fn each_shipped_key_is_explained_and_marked_when_it_is_inactive() {
    let inactive = [
        ("communication", "rest_port"),
        ("communication", "mqtt_broker"),
        ("policy", "emergency_rate_limit_per_hour"),
        ("security", "signing_key"),
        ("security", "cert"),
    ];
    for name in ["context_runtime.yaml", "policy_default.yaml"] {
        let (mut section, mut comment, mut keys) = (String::new(), String::new(), 0);
        for line in shipped(name).1.lines() {
            if let Some(words) = line.strip_prefix("  # ") {
                comment += words;
            } else if let Some((key, _)) = line.strip_prefix("  ").and_then(|line| line.split_once(':')) {
                assert!(comment.len() > 20, "{name}: {section}.{key} has no explanation");
                let marked = comment.contains("(inactive: ");
                assert_eq!(marked, inactive.contains(&(section.as_str(), key)), "{name}: {section}.{key}");
                keys += 1;
                comment.clear();
            } else if let Some(name) = line.strip_suffix(':') {
                name.clone_into(&mut section);
            }
        }
        assert_eq!(keys, if name == "policy_default.yaml" { 13 } else { 35 });
    }
}

#[test]
fn the_default_policy_is_that_of_the_domain() {
    assert_eq!(defaults().config.policy.discovery.probing, Probing::default());
}

// ---- what is refused, and in which words ----

#[test]
fn each_wrong_value_is_named_with_its_place_and_what_was_expected() {
    for (text, refusal) in [
        (
            "policy:\n  probe_rate: fast",
            r#"c.yaml:2:3: policy.probe_rate: expected a whole number from 1 to 1000000, found "fast""#,
        ),
        (
            "policy: {probe_rate: 0}",
            "c.yaml:1:10: policy.probe_rate: expected a whole number from 1 to 1000000, found 0",
        ),
        (
            "policy: {probe_rate: 1000001}",
            "c.yaml:1:10: policy.probe_rate: expected a whole number from 1 to 1000000, found 1000001",
        ),
        (
            "policy: {probe_rate: -5}",
            "c.yaml:1:10: policy.probe_rate: expected a whole number from 1 to 1000000, found -5",
        ),
        (
            "policy: {probe_rate: 1.5}",
            "c.yaml:1:10: policy.probe_rate: expected a whole number from 1 to 1000000, found 1.5",
        ),
        (
            "policy: {probe_rate: }",
            "c.yaml:1:10: policy.probe_rate: expected a whole number from 1 to 1000000, found nothing",
        ),
        (
            "policy: {probe_rate: [1]}",
            "c.yaml:1:10: policy.probe_rate: expected a whole number from 1 to 1000000, found a list",
        ),
        (
            "policy: {probe_rate: 99999999999999999999999999}",
            "c.yaml:1:10: policy.probe_rate: expected a whole number from 1 to 1000000, found 99999999999999999999999999",
        ),
        (
            "policy: {probe_rate: !odd 5}",
            "c.yaml:1:10: policy.probe_rate: expected a whole number from 1 to 1000000, found a mapping or a tagged value",
        ),
        (
            "policy: {probe_attempts: 11}",
            "c.yaml:1:10: policy.probe_attempts: expected a whole number from 1 to 10, found 11",
        ),
        (
            "policy: {probe_timeout_ms: 99}",
            "c.yaml:1:10: policy.probe_timeout_ms: expected a whole number from 100 to 10000, found 99",
        ),
        (
            "policy: {discovery_interval: 86401}",
            "c.yaml:1:10: policy.discovery_interval: expected a whole number from 1 to 86400, found 86401",
        ),
        (
            "policy: {missed_cycles_before_inactive: 0}",
            "c.yaml:1:10: policy.missed_cycles_before_inactive: expected a whole number from 1 to 1000, found 0",
        ),
        (
            "policy: {lc_report_timeout: 0}",
            "c.yaml:1:10: policy.lc_report_timeout: expected a whole number from 1 to 86400, found 0",
        ),
        (
            "policy: {emergency_rate_limit_per_hour: 1001}",
            "c.yaml:1:10: policy.emergency_rate_limit_per_hour: expected a whole number from 0 to 1000, found 1001",
        ),
        (
            "policy: {discovery_spike_threshold: 0}",
            "c.yaml:1:10: policy.discovery_spike_threshold: expected a whole number from 1 to 1000000, found 0",
        ),
        ("policy: {allow_public: yes}", r#"c.yaml:1:10: policy.allow_public: expected true or false, found "yes""#),
        (
            "policy: {discovery_protocols: arp}",
            r#"c.yaml:1:10: policy.discovery_protocols: expected a list such as [a, b], found "arp""#,
        ),
        (
            "policy: {discovery_protocols: []}",
            "c.yaml:1:10: policy.discovery_protocols: name at least one of arp, icmp and snmp",
        ),
        (
            "policy:\n  discovery_protocols:\n    - arp\n    - lldp",
            r#"c.yaml:4:7: policy.discovery_protocols: unknown protocol "lldp"; one of: arp, icmp, snmp"#,
        ),
        (
            "communication: {rest_port: 65536}",
            "c.yaml:1:17: communication.rest_port: expected a whole number from 1 to 65535, found 65536",
        ),
        (
            "communication: {rest_port: 0}",
            "c.yaml:1:17: communication.rest_port: expected a whole number from 1 to 65535, found 0",
        ),
        (
            "communication: {mode: rest}",
            r#"c.yaml:1:17: communication.mode: unknown mode "rest"; the modes are in_process and rest+mqtt"#,
        ),
        (
            "communication: {mqtt_broker: localhost}",
            r#"c.yaml:1:17: communication.mqtt_broker: "localhost" is not a broker; write host:port with a port from 1 to 65535, for example localhost:1883"#,
        ),
        (
            "communication: {listen: 127.0.0.1:70000}",
            r#"c.yaml:1:17: communication.listen: "127.0.0.1:70000" is not an address to listen on; write address:port, for example 127.0.0.1:8080, or none"#,
        ),
        (
            "communication: {listen: 8080}",
            "c.yaml:1:17: communication.listen: expected a text, in quotes if need be, found 8080",
        ),
        (
            "nib: {backend: postgres}",
            "c.yaml:1:7: nib.backend: postgres comes later; the backend that there is now is sqlite",
        ),
        ("nib: {backend: mysql}", r#"c.yaml:1:7: nib.backend: unknown backend "mysql"; the backend is sqlite"#),
        (
            "nib: {wal_mode: false}",
            "c.yaml:1:7: nib.wal_mode: false is not possible: readers work beside the writer, which needs the write-ahead log",
        ),
        ("nib: {path: ''}", "c.yaml:1:7: nib.path: a path must not be empty"),
        (
            "nib: {path: data/}",
            r#"c.yaml:1:7: nib.path: "data/" is a folder; give the path of a file in it, for example data/pdsno.db"#,
        ),
        (
            "controller: {role: root}",
            r#"c.yaml:1:14: controller.role: unknown role "root"; one of: global, regional, local, all"#,
        ),
        (
            "controller: {region: 7}",
            "c.yaml:1:14: controller.region: expected a text or null, in quotes if need be, found 7",
        ),
        (
            "controller: {subnets: [10.0.1.0/24, 10.0.2.7/24]}",
            r#"c.yaml:1:37: controller.subnets: "10.0.2.7/24" has host bits set; the subnet is 10.0.2.0/24, the single address 10.0.2.7/32"#,
        ),
        (
            "controller: {subnets: [10.0.1.0/33]}",
            r#"c.yaml:1:24: controller.subnets: "10.0.1.0/33" is not a subnet; write an IPv4 address and a prefix length, for example 10.0.1.0/24"#,
        ),
        (
            "controller: {interface: eth0/1}",
            r#"c.yaml:1:14: controller.interface: "eth0/1" is not the name of an interface; `ip link` lists them"#,
        ),
        (
            "security: {freshness_window_seconds: 3601}",
            "c.yaml:1:12: security.freshness_window_seconds: expected a whole number from 1 to 3600, found a number",
        ),
    ] {
        assert_eq!(Site::new(text).refusals(), [refusal], "{text}");
    }
}

#[test]
fn each_unknown_key_is_named_with_the_nearest_known_one() {
    for (text, refusal) in [
        ("policy:\n  prob_rate: 1", "c.yaml:2:3: policy.prob_rate: no such key; did you mean probe_rate?"),
        ("policy:\n  rest_port: 1", "c.yaml:2:3: policy.rest_port: no such key; did you mean communication.rest_port?"),
        ("nib:\n  colour: 1", "c.yaml:2:3: nib.colour: no such key; known are backend, path, wal_mode"),
        ("polcy:\n  probe_rate: 1", "c.yaml:1:1: polcy: no such section; did you mean policy?"),
        (
            "<<: {policy: {}}",
            "c.yaml:1:1: <<: no such section; known are controller, nib, communication, policy, security",
        ),
        ("policy.probe_rate: 5", "c.yaml:1:1: policy.probe_rate: no such section; did you mean policy?"),
        ("policy: {5: 6}", "c.yaml:1:10: expected a key of policy, found a number"),
        ("[policy]: 1", "c.yaml:1:1: expected the name of a section, found a list"),
        (
            "policy: {\"a\\e[31m\": 6}",
            "c.yaml:1:10: policy.a\\u{1b}[31m: no such key; known are discovery_interval, missed_cycles_before_inactive, discovery_protocols, discovery_neighbours, discovery_counters, probe_rate, probe_attempts, probe_timeout_ms, allow_public, allow_large, lc_report_timeout, emergency_rate_limit_per_hour, discovery_spike_threshold",
        ),
    ] {
        assert_eq!(Site::new(text).refusals(), [refusal], "{text}");
    }
}

#[test]
fn what_is_set_twice_is_refused_at_the_second_place() {
    let refusals = Site::new("policy:\n  probe_rate: 1\n  7: x\n  probe_rate: 2\nnib: {}\npolicy: {}\n").refusals();
    assert_eq!(
        refusals,
        [
            "c.yaml:3:3: expected a key of policy, found a number",
            "c.yaml:4:3: policy.probe_rate: set already, at c.yaml:2; keep one",
            "c.yaml:6:1: policy: the section is there already, at c.yaml:1; join the two",
        ]
    );
}

#[test]
fn what_is_no_configuration_at_all_is_refused_at_its_place() {
    for (text, start) in [
        ("policy: [1\nnib: 2\n", "c.yaml:2:4: not valid YAML: "),
        ("policy:\n\tprobe_rate: 1\n", "c.yaml:2:1: not valid YAML: "),
        ("policy: {probe_rate: \"1}\n", "c.yaml:2:1: not valid YAML: found unexpected end of stream"),
        ("policy: {probe_rate: *there}", "c.yaml:1:22: not valid YAML: unknown anchor"),
        ("policy: {}\n---\nnib: {}\n", "c.yaml:3:1: a second document begins here; a configuration is one document"),
        (
            "- policy\n",
            "c.yaml:1:1: expected the sections controller, nib, communication, policy, security, found a list",
        ),
        (
            "just words",
            "c.yaml:1:1: expected the sections controller, nib, communication, policy, security, found a text",
        ),
        ("policy: fast", "c.yaml:1:1: policy: expected a section with keys, found a text"),
        (&"[".repeat(5_000), "c.yaml:1:129: not valid YAML: recursion limit exceeded"),
    ] {
        let refusals = Site::new(text).refusals();
        assert!(refusals.len() == 1 && refusals[0].starts_with(start), "{refusals:?} for {text}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the refusal takes is what is tested")]
fn a_bomb_of_aliases_is_refused_before_it_goes_off() {
    let list = |item: &str| format!("[{}]", [item; 9].join(", "));
    let bomb = (1..12).fold(format!("a0: &a0 {}\n", list("x")), |bomb, level| {
        format!("{bomb}a{level}: &a{level} {}\n", list(&format!("*a{}", level - 1)))
    });
    let start = Instant::now();
    assert_eq!(Site::new(bomb).refusals(), ["c.yaml:1:1: not usable as YAML: repetition limit exceeded"]);
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_file_that_is_no_text_is_refused_by_name() {
    let cause = |path: &Path| match check_file(path).unwrap_err() {
        ConfigError::File { path: named, source } => {
            assert_eq!(named, path);
            source
        }
        other => panic!("{other}"),
    };
    let site = Site::new(b"policy:\n  # caf\xe9\n");
    assert!(matches!(cause(&site.file()), FileError::NotUtf8 { line: 2 }));
    assert!(matches!(cause(site.0.path()), FileError::Directory));
    assert!(matches!(cause(&site.0.path().join("none.yaml")), FileError::Missing));
    assert!(matches!(cause(Path::new("/dev/zero")), FileError::TooLarge));
    assert!(matches!(cause(Path::new("/proc/self/mem")), FileError::Unreadable(_)));
    let error = check_file(&site.0.path().join("none.yaml")).unwrap_err();
    assert!(error.to_string().ends_with("/none.yaml"), "{error}");
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "it does not exist");
}

#[test]
fn an_empty_file_sets_nothing() {
    for text in ["", "\n\n", "# nothing\n", "---\n", "policy:\nnib:\n", "\u{feff}policy: {}\n"] {
        assert_eq!(Site::new(text).load().unwrap(), defaults(), "{text:?}");
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let site = Site::new(
        "controller:\n  role: root\n  subnets: [10.0.0.1/8, 8.8.8.0/24]\npolicy:\n  colour: red\n  probe_rate: 0\n",
    );
    let mut sources = site.sources();
    sources.environment =
        vec![("PDSNO_POLICY__PROBE_ATTEMPTS".into(), "many".into()), ("PDSNO_POLICY__PROB_RATE".into(), "1".into())];
    sources.flags.listen = Some("here".into());
    let error = load(sources).unwrap_err();
    let text = error.to_string().replace(&format!("{}/", site.0.path().display()), "");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "8 problems in the configuration:");
    for start in [
        "  c.yaml:5:3: policy.colour: ",
        "  environment variable PDSNO_POLICY__PROB_RATE: no such setting; did you mean PDSNO_POLICY__PROBE_RATE?",
        "  c.yaml:2:3: controller.role: ",
        "  c.yaml:3:13: controller.subnets: \"10.0.0.1/8\" has host bits set",
        "  --listen: communication.listen: ",
        "  c.yaml:6:3: policy.probe_rate: ",
        "  environment variable PDSNO_POLICY__PROBE_ATTEMPTS: policy.probe_attempts: expected a whole number from 1 to 10, found \"many\"",
        "  c.yaml:3:3: controller.subnets: 8.8.8.0/24 is routed on the public Internet",
    ] {
        assert!(lines.iter().any(|line| line.starts_with(start)), "{start} in\n{text}");
    }
}

#[test]
fn a_weaker_layer_may_be_wrong_where_a_stronger_one_speaks() {
    let site = Site::new("policy: {probe_rate: fast}");
    let mut sources = site.sources();
    sources.flags.probe_rate = Some(7);
    assert_eq!(load(sources).unwrap().config.policy.discovery.probing.rate, 7);
}

#[test]
fn only_variables_with_a_section_are_settings() {
    let variables = ["PDSNO_CONFIG", "PDSNO_DATA_DIR", "PDSNO_LOG", "PATH", "OTHER__THING", "XPDSNO_A__B"];
    let other = variables.map(|name| (name.to_owned(), "x".to_owned())).to_vec();
    assert_eq!(load(Sources { environment: other, ..Sources::default() }).unwrap(), defaults());
    for (name, hint) in [
        ("PDSNO_POLICY__PROBE_RAET", "did you mean PDSNO_POLICY__PROBE_RATE?"),
        ("PDSNO_policy__probe_rate", "did you mean PDSNO_POLICY__PROBE_RATE?"),
        ("PDSNO_POLCY__PROBE_RATE", "did you mean PDSNO_POLICY__PROBE_RATE?"),
    ] {
        let refusals = texts(&load(environment(name, "1")).unwrap_err());
        assert_eq!(refusals, [format!("environment variable {name}: no such setting; {hint}")]);
    }
}

// ---- what only several keys together tell ----

#[test]
fn a_public_range_must_be_allowed() {
    let named = |allow_public| {
        load(flags(Flags { subnets: some(&["10.0.1.0/24", "8.8.8.0/24"]), allow_public, ..Flags::default() }))
    };
    let refusals = texts(&named(None).unwrap_err());
    assert_eq!(refusals.len(), 1);
    assert!(refusals[0].starts_with("--subnets: controller.subnets: 8.8.8.0/24 is routed"), "{refusals:?}");
    assert!(refusals[0].contains("--allow-public"));
    assert!(named(Some(true)).unwrap().config.policy.allow_public);
}

#[test]
fn a_large_range_must_be_allowed() {
    let named =
        |subnets: &[&str], allow_large| load(flags(Flags { subnets: some(subnets), allow_large, ..Flags::default() }));
    // A /16 has 65,534 hosts, and a /31 two more: that is the most.
    assert!(named(&["10.0.0.0/16", "10.1.0.0/31"], None).is_ok());
    let refusals = texts(&named(&["10.0.0.0/16", "10.1.0.0/30", "10.1.0.4/32"], None).unwrap_err());
    assert!(refusals[0].contains("65537 addresses are more than 65536"), "{refusals:?}");
    assert!(refusals[0].contains("--allow-large"));
    assert!(named(&["10.0.0.0/8"], Some(true)).is_ok());
    // What overlaps counts once.
    assert!(named(&["10.0.0.0/16", "10.0.0.0/17", "10.0.0.0/16"], None).is_ok());
}

#[test]
fn a_local_controller_needs_a_subnet_and_a_hierarchy_a_region_too() {
    for (role, needs) in [("local", true), ("all", true), ("global", false), ("regional", false)] {
        let loaded = load(flags(Flags { role: Some(role.into()), ..Flags::default() }));
        assert_eq!(loaded.is_err(), needs, "{role}");
        if let Err(error) = loaded {
            let text = error.to_string();
            assert!(text.contains(&format!("controller.subnets: the role {role} needs a subnet")), "{text}");
            assert!(text.contains("--subnets"));
            assert_eq!(text.contains("controller.region: the role all needs the region"), role == "all", "{text}");
        }
    }
    let all = |region: Option<&str>| {
        let (role, region) = (Some("all".to_owned()), region.map(str::to_owned));
        load(flags(Flags { role, region, subnets: some(&["10.0.1.0/24"]), ..Flags::default() }))
    };
    assert!(all(Some("zone-A")).is_ok());
    assert_eq!(texts(&all(None).unwrap_err()).len(), 1);
}

#[test]
fn overlaps_are_merged_and_told() {
    let subnets = some(&["10.0.1.128/25", "10.0.1.0/24", "10.0.2.0/24", "10.0.2.0/24"]);
    let protocols = some(&["arp", "icmp", "arp"]);
    let loaded = load(flags(Flags { subnets, protocols, ..Flags::default() })).unwrap();
    assert_eq!(row(&loaded, "controller.subnets").value, "[10.0.1.0/24, 10.0.2.0/24]");
    assert_eq!(row(&loaded, "policy.discovery_protocols").value, "[arp, icmp]");
    assert_eq!(
        loaded.notes(),
        [
            "policy.discovery_protocols: a protocol is there twice and is used once",
            "controller.subnets: 10.0.1.128/25 is left out, 10.0.1.0/24 covers it",
            "controller.subnets: 10.0.2.0/24 is there twice and is scanned once",
        ]
    );
}

#[test]
fn snmp_needs_a_community() {
    let refusals = texts(&load(environment("PDSNO_SECURITY__SNMP_COMMUNITIES", "")).unwrap_err());
    assert_eq!(
        refusals,
        ["environment variable PDSNO_SECURITY__SNMP_COMMUNITIES: security.snmp_communities: snmp needs a community; \
          give one, or leave snmp out of policy.discovery_protocols"]
    );
    let mut sources = environment("PDSNO_SECURITY__SNMP_COMMUNITIES", "");
    sources.flags.protocols = some(&["arp"]);
    assert!(load(sources).is_ok());
}

// ---- secrets ----

#[test]
fn no_refusal_shows_what_security_holds() {
    let long = SECRET.repeat(20);
    let mut refused: Vec<ConfigError> = [
        format!("security: {SECRET}"),
        format!("security: [{SECRET}]"),
        format!("security: {{snmp_communities: {SECRET}}}"),
        format!("security: {{snmp_communities: {{{SECRET}: 1, {SECRET}: 2}}}}"),
        format!("security: {{snmp_communities: [{{{SECRET}: 1}}]}}"),
        format!("security: {{snmp_communities: [[{SECRET}]]}}"),
        format!("security: {{snmp_communities: [!{SECRET} {SECRET}]}}"),
        format!("security: {{snmp_communities: [*{SECRET}]}}"),
        format!("security: {{snmp_communities: [{long}]}}"),
        format!("security: {{snmp_communities: [{SECRET}\u{e9}]}}"),
        format!("security: {{snmp_communities: [{SECRET}"),
        format!("security: {{snmp_communities: [\"{SECRET}]}}"),
        format!("security: {{snmp_communities: [a: {SECRET}: b]}}"),
        format!("security: {{snmp_communities_file: {SECRET}}}"),
        format!("security: {{snmp_communities_file: [{SECRET}]}}"),
        format!("security: {{signing_key: '-----BEGIN PRIVATE KEY-----{SECRET}'}}"),
        format!("security: {{signing_key: [{SECRET}]}}"),
        format!("security: {{cert: \"{SECRET}\\n{SECRET}\"}}"),
        format!("security: {{freshness_window_seconds: {SECRET}}}"),
    ]
    .iter()
    .map(|text| Site::new(text).load().expect_err(text))
    .collect();
    for name in ["FRESHNESS_WINDOW_SECONDS", "SNMP_COMMUNITIES_FILE", "SNMP_COMMUNITY"] {
        refused.push(load(environment(&format!("PDSNO_SECURITY__{name}"), SECRET)).expect_err(name));
    }
    let communities = Some(vec![SecretString::from(long)]);
    refused.push(load(flags(Flags { communities, ..Flags::default() })).unwrap_err());
    for error in refused {
        let text = format!("{error}\n{error:?}");
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[test]
fn numbers_that_may_be_a_secret_are_not_shown_either() {
    for number in ["8675309", "0x1F8675309", "8675309.5", "-8675309"] {
        let error = Site::new(format!("security: {{snmp_communities: [{number}]}}")).refusals().concat();
        assert!(!error.contains("8675309") && error.contains("in quotes"), "{error}");
    }
    let loaded = load(environment("PDSNO_SECURITY__SNMP_COMMUNITIES", "0123, 45")).unwrap();
    let communities: Vec<&[u8]> = loaded.config.security.snmp_communities.iter().map(|c| c.as_bytes()).collect();
    assert_eq!(communities, [&b"0123"[..], b"45"]);
}

#[test]
fn no_output_shows_a_community_or_a_key() {
    let site = Site::new(format!("security: {{signing_key: /keys/{SECRET}, snmp_communities: [{SECRET}, {SECRET}]}}"));
    let loaded = site.load().unwrap();
    let rows: Vec<String> =
        loaded.rows().iter().map(|row| format!("{} {} {}", row.key, row.value, row.origin)).collect();
    assert!(!rows.concat().contains(SECRET), "{rows:?}");
    assert!(!loaded.notes().concat().contains(SECRET));
    assert!(!format!("{:?}", loaded.config.security.snmp_communities).contains(SECRET));
    let given = Flags { communities: Some(vec![SecretString::from(SECRET)]), ..Flags::default() };
    assert!(!format!("{given:?}").contains(SECRET));
}

// ---- credentials ----

const CREDENTIALS: &str =
    "- {user: monitor, auth_protocol: sha256, auth_password: hunter2hunter2}\n- community: hunter2\n";

/// A site whose configuration names `credentials.yaml`, with the given text.
fn with_credentials(text: &str, more: &str) -> Site {
    let site = Site::new("");
    let file = site.0.path().join("credentials.yaml");
    std::fs::write(&file, text).unwrap();
    let text = format!("security:\n  snmp_credentials_file: {}\n{more}", file.display());
    std::fs::write(site.file(), text).unwrap();
    site
}

#[test]
fn credentials_come_before_communities_and_instead_of_the_default_one() {
    let preferred = |site: &Site| site.load().unwrap().config.security.preferred();
    assert_eq!(preferred(&with_credentials(CREDENTIALS, "")).len(), 2);
    let three = preferred(&with_credentials(CREDENTIALS, "  snmp_communities: [public]\n"));
    assert_eq!(three.len(), 3);
    assert_eq!(three[2], Community::new("public").unwrap().into());
    assert_eq!(preferred(&Site::new("")), [Community::new("public").unwrap().into()]);
}

#[test]
fn credentials_of_the_environment_take_the_place_of_a_file() {
    let site = with_credentials(CREDENTIALS, "");
    let mut sources = site.sources();
    let variable = "PDSNO_SECURITY__SNMP_CREDENTIALS".to_owned();
    sources.environment.push((variable, "[{community: hunter3}]".to_owned()));
    let loaded = load(sources).unwrap();
    assert_eq!(loaded.config.security.preferred(), [Community::new("hunter3").unwrap().into()]);
    assert!(loaded.notes().iter().any(|note| note.starts_with("security.snmp_credentials_file: set by ")));
    assert_eq!(row(&loaded, "security.snmp_credentials").value, HIDDEN);
    assert!(!format!("{loaded:?}").contains("hunter"));
}

#[test]
fn a_bad_file_of_credentials_is_refused_by_line_and_reason_without_the_secret() {
    let refusals = with_credentials(&CREDENTIALS.replace("sha256", "md5"), "").refusals();
    assert_eq!(
        refusals,
        ["credentials.yaml:1:19: security.snmp_credentials_file: auth_protocol: not a protocol that is supported; \
          these are sha1, sha256, sha384, sha512"]
    );
    let missing = Site::new("security: {snmp_credentials_file: /nowhere/hunter2}").refusals();
    assert_eq!(missing, ["c.yaml:1:12: security.snmp_credentials_file: the file cannot be used: it does not exist"]);
}

// ---- the file of communities ----

/// A site whose configuration names `communities.txt`, with the given lines and permissions.
fn with_communities(lines: &str, mode: u32, more: &str) -> Site {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new("");
    let file = site.0.path().join("communities.txt");
    std::fs::write(&file, lines).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    let text = format!("security:\n  snmp_communities_file: {}\n{more}", file.display());
    std::fs::write(site.file(), text).unwrap();
    site
}

fn communities(loaded: &Loaded) -> Vec<String> {
    let texts = loaded.config.security.snmp_communities.iter();
    texts.map(|community| String::from_utf8_lossy(community.as_bytes()).into_owned()).collect()
}

#[test]
fn a_file_of_communities_replaces_the_list() {
    let site = with_communities("# in order\none\r\n\n  two  \n", 0o600, "");
    let loaded = site.load().unwrap();
    assert_eq!(communities(&loaded), ["one", "two"]);
    assert!(loaded.notes().is_empty(), "{:?}", loaded.notes());
    assert!(row(&loaded, "security.snmp_communities").origin.to_string().ends_with("c.yaml:2"));
}

#[test]
fn the_stronger_of_list_and_file_holds_and_the_other_is_told() {
    let site = with_communities("one\n", 0o600, "  snmp_communities: [two]\n");
    let loaded = site.load().unwrap();
    assert_eq!(communities(&loaded), ["one"]);
    assert_eq!(loaded.notes().len(), 1);
    assert!(loaded.notes()[0].starts_with("security.snmp_communities: set by "), "{:?}", loaded.notes());

    let mut sources = site.sources();
    sources.flags.communities = Some(vec![SecretString::from("three")]);
    let loaded = load(sources).unwrap();
    assert_eq!(communities(&loaded), ["three"]);
    assert!(loaded.notes()[0].starts_with("security.snmp_communities_file: set by "), "{:?}", loaded.notes());
    assert_eq!(row(&loaded, "security.snmp_communities").origin, Origin::Flag("--community"));
}

#[test]
fn a_file_of_communities_that_others_can_read_is_told() {
    let loaded = with_communities("one\n", 0o640, "").load().unwrap();
    assert!(loaded.notes()[0].contains("other accounts can read"), "{:?}", loaded.notes());
}

#[test]
fn a_file_of_communities_is_checked_line_by_line() {
    let long = SECRET.repeat(20);
    let refusals = with_communities(&format!("one\n{long}\ncaf\u{e9}\n"), 0o600, "").refusals();
    assert_eq!(
        refusals,
        [
            "communities.txt:2:1: security.snmp_communities_file: an SNMP community has at most 64 characters, this one has 140",
            "communities.txt:3:1: security.snmp_communities_file: an SNMP community is printable ASCII; this one has other characters",
        ]
    );
    let refusals = with_communities("# none\n", 0o600, "").refusals();
    assert_eq!(refusals, ["c.yaml:2:3: security.snmp_communities_file: the file names no community; write one a line"]);
}

// ---- what the program asks of a configuration ----

#[test]
fn inactive_keys_are_accepted_and_told_when_they_are_set() {
    let site = Site::new(
        "communication: {mode: rest+mqtt, mqtt_broker: 'broker:8883', rest_port: 8080}\n\
         security: {signing_key: /k, cert: null}\n",
    );
    let loaded = site.load().unwrap();
    assert_eq!(loaded.inactive(), ["communication.mqtt_broker", "security.signing_key"]);
    assert!(defaults().inactive().is_empty());
}

#[test]
fn a_reload_says_what_needs_a_restart() {
    let old = defaults().config;
    let new = load(Sources {
        environment: vec![("PDSNO_POLICY__DISCOVERY_INTERVAL".into(), "60".into())],
        flags: Flags {
            role: Some("local".into()),
            subnets: some(&["10.0.1.0/24"]),
            interface: Some("eth0".into()),
            data_dir: Some("/d".into()),
            listen: Some("none".into()),
            communities: Some(vec![SecretString::from("x")]),
            ..Flags::default()
        },
        ..Sources::default()
    })
    .unwrap()
    .config;
    let keys = ["controller.role", "controller.interface", "nib.path", "communication.listen"];
    assert_eq!(old.changes_that_need_restart(&new), keys);
    assert!(new.changes_that_need_restart(&new.clone()).is_empty());
}

#[test]
fn a_problem_is_a_value_too() {
    let error = load(flags(Flags { probe_rate: Some(0), ..Flags::default() })).unwrap_err();
    let expected = Problem {
        origin: Origin::Flag("--probe-rate"),
        key: Some("policy.probe_rate".to_owned()),
        reason: "expected a whole number from 1 to 1000000, found 0".to_owned(),
    };
    assert_eq!(error.problems(), [expected]);
}
