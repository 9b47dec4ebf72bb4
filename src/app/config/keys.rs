//! Every key there is: its name, the shape of its value, when it takes effect, how it is shown.

use std::fmt::Display;

use crate::app::config::settings::Config;
use crate::domain::secret::HIDDEN;

/// A key of the configuration.
pub(super) struct Key {
    /// `section.name`.
    pub(super) path: &'static str,
    /// The shape of its value.
    pub(super) kind: Kind,
    /// When a new value takes effect.
    pub(super) effect: Effect,
    /// Its value as it would be written in a file; a secret as [`HIDDEN`].
    pub(super) show: fn(&Config) -> String,
}

/// The shape of a value: how text of the environment and of flags, which have no types, is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// A text, or null.
    Optional,
    /// A number without sign and fraction.
    Whole,
    /// `true` or `false`.
    Switch,
    /// Several texts.
    List,
}

/// When a new value takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// When the configuration is read again.
    Reload,
    /// When the program is started again.
    Restart,
    /// Not yet: the key is accepted and checked, the part that it is about does not exist.
    Inactive,
}

impl Key {
    /// The key with this path.
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }

    /// Section and name.
    pub(super) fn split(&self) -> (&'static str, &'static str) {
        self.path.split_once('.').unwrap_or((self.path, ""))
    }

    /// Whether refusals may not quote the value.
    pub(super) fn is_hidden(&self) -> bool {
        self.split().0 == "security"
    }

    /// Its name in the environment, `PDSNO_POLICY__PROBE_RATE`.
    pub(super) fn variable(&self) -> String {
        let (section, name) = self.split();
        format!("PDSNO_{section}__{name}").to_ascii_uppercase()
    }
}

/// The sections, in the order of the file.
pub(super) const SECTIONS: [&str; 5] = ["controller", "nib", "communication", "policy", "security"];

/// The keys, in the order of the file.
pub(super) static KEYS: [Key; 35] = {
    use Effect::{Inactive, Reload, Restart};
    use Kind::{List, Optional, Switch, Text, Whole};
    [
        key("controller.cluster", Text, Restart, |c| c.controller.cluster.to_string()),
        key("controller.id", Optional, Restart, |c| or(c.controller.id.as_ref(), "auto_assigned")),
        key("controller.role", Optional, Restart, |c| or(c.controller.role.as_ref(), "auto_determined")),
        key("controller.region", Optional, Restart, |c| or(c.controller.region.as_ref(), "null")),
        key("controller.parent_id", Optional, Restart, |c| or(c.controller.parent.as_ref(), "null")),
        key("controller.subnets", List, Reload, |c| list(&c.controller.subnets)),
        key("controller.interface", Optional, Restart, |c| or(c.controller.interface.as_ref(), "null")),
        key("controller.oui_file", Optional, Restart, |c| path(c.controller.oui_file.as_deref())),
        // The one backend and the one journal that there are: everything else is refused.
        key("nib.backend", Text, Restart, |_| "sqlite".to_owned()),
        key("nib.path", Text, Restart, |c| path(Some(&c.nib.path))),
        key("nib.wal_mode", Switch, Restart, |_| "true".to_owned()),
        key("communication.mode", Text, Restart, |c| c.communication.mode.to_string()),
        key("communication.rest_port", Whole, Inactive, |c| c.communication.rest_port.to_string()),
        key("communication.mqtt_broker", Text, Inactive, |c| c.communication.mqtt_broker.clone()),
        key("communication.listen", Text, Restart, |c| or(c.communication.listen.as_ref(), "none")),
        key("policy.discovery_interval", Whole, Reload, |c| c.policy.discovery.interval.as_secs().to_string()),
        key("policy.missed_cycles_before_inactive", Whole, Reload, |c| {
            c.policy.discovery.missed_cycles_before_inactive.to_string()
        }),
        key("policy.discovery_protocols", List, Reload, |c| list(&c.policy.discovery.protocols)),
        key("policy.discovery_neighbours", Switch, Reload, |c| c.policy.discovery.neighbours.to_string()),
        key("policy.discovery_counters", Switch, Reload, |c| c.policy.discovery.counters.to_string()),
        key("policy.probe_rate", Whole, Reload, |c| c.policy.discovery.probing.rate.to_string()),
        key("policy.probe_attempts", Whole, Reload, |c| c.policy.discovery.probing.attempts.to_string()),
        key("policy.probe_timeout_ms", Whole, Reload, |c| c.policy.discovery.probing.timeout.as_millis().to_string()),
        key("policy.allow_public", Switch, Reload, |c| c.policy.allow_public.to_string()),
        key("policy.allow_large", Switch, Reload, |c| c.policy.allow_large.to_string()),
        key("policy.lc_report_timeout", Whole, Reload, |c| c.policy.lc_report_timeout.as_secs().to_string()),
        key("policy.emergency_rate_limit_per_hour", Whole, Inactive, |c| {
            c.policy.emergency_rate_limit_per_hour.to_string()
        }),
        key("policy.discovery_spike_threshold", Whole, Reload, |c| c.policy.discovery_spike_threshold.to_string()),
        key("security.signing_key", Optional, Inactive, |c| {
            // Somebody may have put the key itself here.
            or(c.security.signing_key.as_ref().map(|_| HIDDEN), "null")
        }),
        key("security.cert", Optional, Inactive, |c| path(c.security.cert.as_deref())),
        key("security.freshness_window_seconds", Whole, Restart, |c| c.security.freshness_window.as_secs().to_string()),
        key("security.snmp_communities", List, Reload, |_| HIDDEN.to_owned()),
        key("security.snmp_communities_file", Optional, Reload, |c| path(c.security.snmp_communities_file.as_deref())),
        key("security.snmp_credentials", Optional, Reload, |c| {
            or((!c.security.snmp_credentials.is_empty()).then_some(HIDDEN), "null")
        }),
        key("security.snmp_credentials_file", Optional, Reload, |c| path(c.security.snmp_credentials_file.as_deref())),
    ]
};

const fn key(path: &'static str, kind: Kind, effect: Effect, show: fn(&Config) -> String) -> Key {
    Key { path, kind, effect, show }
}

fn or(value: Option<impl Display>, unset: &str) -> String {
    value.map_or_else(|| unset.to_owned(), |value| value.to_string())
}

fn path(value: Option<&std::path::Path>) -> String {
    or(value.map(std::path::Path::display), "null")
}

fn list(items: &[impl Display]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    format!("[{}]", items.join(", "))
}

/// The end of a refusal: what may have been meant by `given`, or what there is to choose from.
pub(super) fn suggestion(given: &str, known: &[&str]) -> String {
    // Below this likeness a guess misleads more often than it helps.
    const ALIKE: f64 = 0.75;
    let given = given.to_ascii_lowercase();
    let likeness = |name: &&&str| strsim::jaro_winkler(&given, &name.to_ascii_lowercase());
    match known.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b))) {
        Some(nearest) if likeness(&nearest) >= ALIKE => format!("did you mean {nearest}?"),
        _ => format!("known are {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_corrected_and_a_stranger_is_shown_the_list() {
        let known = ["probe_rate", "probe_attempts", "allow_public"];
        assert_eq!(suggestion("prob_rate", &known), "did you mean probe_rate?");
        assert_eq!(suggestion("ALLOW_PUBLIK", &known), "did you mean allow_public?");
        assert!(suggestion("colour", &known).starts_with("known are probe_rate, "));
    }

    #[test]
    fn every_key_is_in_a_section_and_named_once() {
        for (at, key) in KEYS.iter().enumerate() {
            let (section, name) = key.split();
            assert!(SECTIONS.contains(&section) && !name.is_empty(), "{}", key.path);
            assert!(KEYS.iter().skip(at + 1).all(|other| other.path != key.path), "{}", key.path);
        }
    }
}
