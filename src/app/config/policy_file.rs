//! A file with a policy for all controllers, as `pdsno policy check` and `set` read it.

use std::path::Path;

use crate::app::config::layer::Layer;
use crate::app::config::problem::{ConfigError, Problem};
use crate::app::config::reader::Reader;
use crate::app::config::{reading, text_file};
use crate::domain::policy::Policy;

/// The one section of such a file.
const SECTION: &str = "policy.";

/// Keys of the section that each controller has in its own configuration.
const LOCAL: [&str; 2] = ["policy.allow_public", "policy.allow_large"];

/// A policy, and what was done with its file that its author may not expect, one sentence each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFile {
    /// The policy: what the file does not say is as in `config/policy_default.yaml`.
    pub policy: Policy,
    /// The sentences.
    pub notes: Vec<String>,
}

/// Reads a policy from a file that has the section `policy` of a configuration and nothing else.
///
/// # Errors
/// [`ConfigError::File`] when the file cannot be read as text; [`ConfigError::Invalid`] with everything
/// that is wrong: what is wrong in a configuration, too, keys of other sections, the keys that are not
/// passed down, and a file that says nothing.
pub fn read_policy(path: &Path) -> Result<PolicyFile, ConfigError> {
    let one = |problem| ConfigError::Invalid(vec![problem]);
    let (text, _) = text_file::read(path).map_err(ConfigError::file(path))?;
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    let layers = [Layer::defaults().map_err(one)?, Layer::file(path, text, &mut problems).map_err(one)?];
    let [_, file] = &layers;
    let before = problems.len();
    for key in file.keys() {
        let reason = match key {
            key if LOCAL.contains(&key) => "each controller has this in its own configuration; leave it out here",
            key if key.starts_with(SECTION) => continue,
            _ => "a file with a policy has the section policy and no other",
        };
        let origin = file.origin(key, None).unwrap_or(super::Origin::Default);
        problems.push(Problem { origin, key: Some(key.to_owned()), reason: reason.to_owned() });
    }
    if before == 0 && file.keys().next().is_none() {
        let origin = super::Origin::File { path: path.to_owned(), line: 1, column: 1 };
        let reason = "the file says nothing about policy".to_owned();
        problems.push(Problem { origin, key: None, reason });
    }
    let mut reader = Reader::new(&layers, problems);
    let policy = reading::distributed(&mut reader, &mut notes);
    match reader.problems() {
        problems if problems.is_empty() => Ok(PolicyFile { policy, notes }),
        problems => Err(ConfigError::Invalid(problems)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn read(text: &str) -> Result<PolicyFile, Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.yaml");
        std::fs::write(&path, text).unwrap();
        read_policy(&path).map_err(|error| {
            let place = format!("{}/", folder.path().display());
            error.problems().iter().map(|problem| problem.to_string().replace(&place, "")).collect()
        })
    }

    #[test]
    fn what_is_not_said_is_the_default() {
        let read = read("policy: {discovery_interval: 60, discovery_protocols: [arp, arp]}").unwrap();
        assert_eq!(read.policy.discovery.interval, Duration::from_secs(60));
        assert_eq!(read.policy.discovery_spike_threshold, 50);
        assert_eq!(read.notes, ["policy.discovery_protocols: a protocol is there twice and is used once"]);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_its_place() {
        let text = "policy:\n  probe_rat: 5\n  probe_attempts: 11\n  allow_large: true\nnib:\n  path: /a/x.db\n";
        assert_eq!(
            read(text).unwrap_err(),
            [
                "p.yaml:2:3: policy.probe_rat: no such key; did you mean probe_rate?",
                "p.yaml:6:3: nib.path: a file with a policy has the section policy and no other",
                "p.yaml:4:3: policy.allow_large: each controller has this in its own configuration; leave it out here",
                "p.yaml:3:3: policy.probe_attempts: expected a whole number from 1 to 10, found 11",
            ]
        );
    }

    #[test]
    fn a_file_that_says_nothing_is_no_policy() {
        for text in ["", "# policy\n", "policy:\n"] {
            assert_eq!(read(text).unwrap_err(), ["p.yaml:1:1: the file says nothing about policy"], "{text:?}");
        }
        assert!(read("policy: [").unwrap_err()[0].contains("not valid YAML"));
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        assert!(matches!(read_policy(Path::new("/nowhere/p.yaml")), Err(ConfigError::File { .. })));
    }
}
