//! From merged layers to [`Config`]: every key by itself, then what only several together tell.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::app::config::credentials::{self, Source};
use crate::app::config::problem::Origin;
use crate::app::config::reader::Reader;
use crate::app::config::settings::{
    CommunicationSettings, Config, ControllerSettings, Mode, NibSettings, PolicySettings, SecuritySettings,
};
use crate::app::config::{text_file, values};
use crate::domain::controller::{Cluster, Role};
use crate::domain::credential::Credential;
use crate::domain::policy::{DiscoveryPolicy, Policy, Probing};
use crate::domain::protocol::Protocol;
use crate::domain::secret::Community;
use crate::domain::subnet::{AddressSet, Subnet, merge};

const SUBNETS: &str = "controller.subnets";
const PROTOCOLS: &str = "policy.discovery_protocols";
const COMMUNITIES: &str = "security.snmp_communities";
const COMMUNITIES_FILE: &str = "security.snmp_communities_file";
const CREDENTIALS: &str = "security.snmp_credentials";
const CREDENTIALS_FILE: &str = "security.snmp_credentials_file";

/// What becomes of subnets that may be scanned only where somebody allows it: public ones, and very many
/// addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limits {
    /// They are refused unless they are allowed.
    Enforced,
    /// They are taken, for somebody who sends nothing.
    Lifted,
}

/// Reads every key. The result is meant only when `reader` has found no problem.
pub(super) fn read(reader: &mut Reader<'_>, notes: &mut Vec<String>, limits: Limits) -> Config {
    require_sqlite_with_wal(reader);
    let mut config = Config {
        controller: controller(reader),
        nib: NibSettings { path: reader.text("nib.path", values::database) },
        communication: CommunicationSettings {
            mode: reader.text("communication.mode", Mode::from_str),
            rest_port: reader.whole("communication.rest_port", 1..=65_535),
            mqtt_broker: reader.text("communication.mqtt_broker", values::broker),
            listen: reader.text("communication.listen", values::listen),
        },
        policy: policy(reader, notes),
        security: security(reader, notes),
    };
    check_region(&config, reader);
    if limits == Limits::Enforced {
        check_limits(&config, reader);
    }
    check_subnets(&config, reader);
    check_communities(&config, reader);
    let merged = merge(&config.controller.subnets);
    for (dropped, cover) in merged.dropped {
        notes.push(if dropped == cover {
            format!("{SUBNETS}: {dropped} is there twice and is scanned once")
        } else {
            format!("{SUBNETS}: {dropped} is left out, {cover} covers it")
        });
    }
    config.controller.subnets = merged.kept;
    config
}

/// The key whose value the communities are: of list and file the one that the stronger layer set,
/// and on a par the file.
pub(super) fn key_of_communities(config: &Config, reader: &Reader<'_>) -> &'static str {
    let file_holds = reader.strength(COMMUNITIES_FILE) >= reader.strength(COMMUNITIES);
    if config.security.snmp_communities_file.is_some() && file_holds { COMMUNITIES_FILE } else { COMMUNITIES }
}

fn require_sqlite_with_wal(reader: &mut Reader<'_>) {
    let () = reader.text("nib.backend", values::backend);
    // Accepting it without effect would let the operator believe in another journal.
    if !reader.switch("nib.wal_mode") && !reader.has_refused("nib.wal_mode") {
        let reason = "false is not possible: readers work beside the writer, which needs the write-ahead log";
        reader.refuse("nib.wal_mode", None, reason);
    }
}

fn controller(reader: &mut Reader<'_>) -> ControllerSettings {
    ControllerSettings {
        cluster: reader.text("controller.cluster", Cluster::from_str),
        id: reader.optional("controller.id", values::by_hand).flatten(),
        role: reader.optional("controller.role", values::by_hand).flatten(),
        region: reader.optional("controller.region", values::by_hand).flatten(),
        parent: reader.optional("controller.parent_id", values::by_hand).flatten(),
        subnets: reader.list(SUBNETS, Subnet::from_str),
        interface: reader.optional("controller.interface", values::interface),
        oui_file: reader.optional("controller.oui_file", values::path),
    }
}

fn policy(reader: &mut Reader<'_>, notes: &mut Vec<String>) -> PolicySettings {
    let Policy { discovery, lc_report_timeout, emergency_rate_limit_per_hour, discovery_spike_threshold } =
        distributed(reader, notes);
    PolicySettings {
        discovery,
        allow_public: reader.switch("policy.allow_public"),
        allow_large: reader.switch("policy.allow_large"),
        lc_report_timeout,
        emergency_rate_limit_per_hour,
        discovery_spike_threshold,
    }
}

/// What of the policy a Global Controller passes down.
pub(super) fn distributed(reader: &mut Reader<'_>, notes: &mut Vec<String>) -> Policy {
    let mut protocols = reader.list(PROTOCOLS, Protocol::from_str);
    if protocols.is_empty() && !reader.has_refused(PROTOCOLS) {
        reader.refuse(PROTOCOLS, None, "name at least one of arp, icmp and snmp");
    }
    if values::drop_repeated(&mut protocols) {
        notes.push(format!("{PROTOCOLS}: a protocol is there twice and is used once"));
    }
    Policy {
        discovery: DiscoveryPolicy {
            interval: Duration::from_secs(reader.whole("policy.discovery_interval", Policy::SECONDS)),
            missed_cycles_before_inactive: reader.whole("policy.missed_cycles_before_inactive", Policy::MISSED_CYCLES),
            protocols,
            neighbours: reader.switch("policy.discovery_neighbours"),
            counters: reader.switch("policy.discovery_counters"),
            probing: Probing {
                rate: reader.whole("policy.probe_rate", Policy::PROBE_RATE),
                attempts: reader.whole("policy.probe_attempts", Policy::PROBE_ATTEMPTS),
                timeout: Duration::from_millis(reader.whole("policy.probe_timeout_ms", Policy::PROBE_TIMEOUT_MS)),
            },
        },
        lc_report_timeout: Duration::from_secs(reader.whole("policy.lc_report_timeout", Policy::SECONDS)),
        emergency_rate_limit_per_hour: reader.whole("policy.emergency_rate_limit_per_hour", Policy::EMERGENCIES),
        discovery_spike_threshold: reader.whole("policy.discovery_spike_threshold", Policy::SPIKE),
    }
}

fn security(reader: &mut Reader<'_>, notes: &mut Vec<String>) -> SecuritySettings {
    let mut communities = reader.list(COMMUNITIES, Community::from_str);
    let file = reader.optional(COMMUNITIES_FILE, values::path);
    if let Some(file) = &file {
        let (of_list, of_file) = (reader.strength(COMMUNITIES), reader.strength(COMMUNITIES_FILE));
        if of_file >= of_list {
            communities = communities_in(file, reader, notes);
        }
        if of_list > 0 {
            let (used, unused) =
                if of_file >= of_list { (COMMUNITIES_FILE, COMMUNITIES) } else { (COMMUNITIES, COMMUNITIES_FILE) };
            notes.push(self::unused(reader, unused, used));
        }
    }
    if values::drop_repeated(&mut communities) {
        notes.push(format!("{COMMUNITIES}: a community is there twice and is tried once"));
    }
    let (credentials, credentials_file) = credentials(reader, notes);
    // A community that nobody chose is not said to agents for which somebody chose something better.
    if !credentials.is_empty() && reader.strength(COMMUNITIES) == 0 && file.is_none() {
        communities.clear();
    }
    SecuritySettings {
        signing_key: reader.optional("security.signing_key", values::key_file),
        cert: reader.optional("security.cert", values::key_file),
        freshness_window: Duration::from_secs(reader.whole("security.freshness_window_seconds", 1..=3_600)),
        snmp_communities: communities,
        snmp_communities_file: file,
        snmp_credentials: credentials,
        snmp_credentials_file: credentials_file,
    }
}

/// The credentials of text or file, of which the stronger layer's holds, and on a par the file's.
fn credentials(reader: &mut Reader<'_>, notes: &mut Vec<String>) -> (Vec<Credential>, Option<PathBuf>) {
    let text = reader.optional(CREDENTIALS, |text| Ok::<_, &str>(text.to_owned()));
    let file = reader.optional(CREDENTIALS_FILE, values::path);
    let file_holds = reader.strength(CREDENTIALS_FILE) >= reader.strength(CREDENTIALS);
    let (key, text, source) = match (text, &file) {
        (Some(text), None) => (CREDENTIALS, text, Source::Key(reader.origin(CREDENTIALS, None))),
        (Some(text), Some(_)) if !file_holds => {
            notes.push(unused(reader, CREDENTIALS_FILE, CREDENTIALS));
            (CREDENTIALS, text, Source::Key(reader.origin(CREDENTIALS, None)))
        }
        (other, Some(path)) => {
            if other.is_some() {
                notes.push(unused(reader, CREDENTIALS, CREDENTIALS_FILE));
            }
            let Some(text) = secret_file(path, CREDENTIALS_FILE, reader, notes) else { return (Vec::new(), file) };
            (CREDENTIALS_FILE, text, Source::File(path.clone()))
        }
        (None, None) => return (Vec::new(), None),
    };
    let (mut credentials, refusals) = credentials::read(&text, &source);
    for (origin, reason) in refusals {
        reader.refuse_at(origin, key, reason);
    }
    if values::drop_repeated(&mut credentials) {
        notes.push(format!("{key}: a credential is there twice and is tried once"));
    }
    (credentials, file)
}

fn unused(reader: &Reader<'_>, unused: &str, used: &str) -> String {
    format!("{unused}: set by {} and not used, {used} takes its place", reader.origin(unused, None))
}

/// The text of a file with secrets. It is named only once it is known to be one: its name may be a
/// secret in the wrong place.
fn secret_file(file: &Path, key: &str, reader: &mut Reader<'_>, notes: &mut Vec<String>) -> Option<String> {
    match text_file::read(file) {
        Ok((text, is_shared)) => {
            // Not refused: secrets that a container is given are often readable for all of its accounts.
            if is_shared {
                let file = file.display();
                notes.push(format!("{key}: other accounts can read {file}; `chmod 600 {file}` keeps it to its owner"));
            }
            Some(text)
        }
        Err(error) => {
            reader.refuse(key, None, format_args!("the file cannot be used: {error}"));
            None
        }
    }
}

/// The communities of a file, one a line. Refusals name the line, never its text.
fn communities_in(file: &Path, reader: &mut Reader<'_>, notes: &mut Vec<String>) -> Vec<Community> {
    let Some(text) = secret_file(file, COMMUNITIES_FILE, reader, notes) else { return Vec::new() };
    let mut communities = Vec::new();
    for (at, line) in text.lines().map(str::trim).enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match Community::new(line) {
            Ok(community) => communities.push(community),
            Err(error) => {
                let origin = Origin::File { path: file.to_owned(), line: at + 1, column: 1 };
                reader.refuse_at(origin, COMMUNITIES_FILE, error);
            }
        }
    }
    if communities.is_empty() && !reader.has_refused(COMMUNITIES_FILE) {
        reader.refuse(COMMUNITIES_FILE, None, "the file names no community; write one a line");
    }
    communities
}

fn check_region(config: &Config, reader: &mut Reader<'_>) {
    const REGION: &str = "controller.region";
    if config.controller.role == Some(Role::All) && config.controller.region.is_none() && !reader.has_refused(REGION) {
        let reason = "the role all needs the region of its Regional Controller; say --region, for example zone-A";
        reader.refuse(REGION, None, reason);
    }
}

fn check_limits(config: &Config, reader: &mut Reader<'_>) {
    // As many as anybody reads; each costs a pass over the file to find its line.
    const MOST: usize = 20;
    let subnets = &config.controller.subnets;
    let all_read = !reader.has_refused(SUBNETS);
    if !config.policy.allow_public && !reader.has_refused("policy.allow_public") {
        for (at, subnet) in subnets.iter().enumerate().filter(|(_, subnet)| subnet.is_public()).take(MOST) {
            let reason = format!(
                "{subnet} is routed on the public Internet; if it is yours to scan, say --allow-public or set \
                 policy.allow_public"
            );
            // Items that were refused are missing here, and the numbers of the others with them.
            reader.refuse(SUBNETS, all_read.then_some(at), reason);
        }
    }
    let (addresses, most) = (AddressSet::new(subnets).len(), PolicySettings::MANY_ADDRESSES);
    if addresses > most && !config.policy.allow_large && !reader.has_refused("policy.allow_large") {
        let reason = format!(
            "{addresses} addresses are more than {most}; name smaller subnets, or say --allow-large or set \
             policy.allow_large"
        );
        reader.refuse(SUBNETS, None, reason);
    }
}

fn check_subnets(config: &Config, reader: &mut Reader<'_>) {
    if let Some(role @ (Role::Local | Role::All)) = config.controller.role
        && config.controller.subnets.is_empty()
        && !reader.has_refused(SUBNETS)
    {
        let reason = format!(
            "the role {role} needs a subnet to discover; say --subnets, or name it after `pdsno scan`, \
             for example 10.0.1.0/24"
        );
        reader.refuse(SUBNETS, None, reason);
    }
}

fn check_communities(config: &Config, reader: &mut Reader<'_>) {
    let asks_snmp = config.policy.discovery.protocols.contains(&Protocol::Snmp);
    let refused =
        [COMMUNITIES, COMMUNITIES_FILE, CREDENTIALS, CREDENTIALS_FILE].iter().any(|key| reader.has_refused(key));
    if asks_snmp && config.security.preferred().is_empty() && !refused {
        reader.refuse(
            COMMUNITIES,
            None,
            format_args!("snmp needs a community; give one, or leave snmp out of {PROTOCOLS}"),
        );
    }
}
