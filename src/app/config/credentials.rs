//! Credentials of SNMP as a list in YAML, in order of preference. No refusal quotes what is written there.
//!
//! ```yaml
//! - user: monitor
//!   auth_protocol: sha256
//!   auth_password: …
//!   privacy_protocol: aes128
//!   privacy_password: …
//!   subnets: [10.0.1.0/24]
//! - community: …
//! ```

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::app::config::keys::suggestion;
use crate::app::config::problem::Origin;
use crate::app::config::yaml::{self, Node};
use crate::domain::credential::{
    Access, AuthProtocol, ContextName, Credential, Passphrase, PrivacyProtocol, User, UserName,
};
use crate::domain::secret::Community;
use crate::domain::subnet::Subnet;

/// The keys of an entry.
const KEYS: [&str; 8] = [
    "community",
    "user",
    "auth_protocol",
    "auth_password",
    "privacy_protocol",
    "privacy_password",
    "context",
    "subnets",
];

/// Where a list of credentials stands.
pub(super) enum Source {
    /// A file.
    File(PathBuf),
    /// The value of a key, which was set there.
    Key(Origin),
}

/// What is wrong with a list, and where.
pub(super) type Refusals = Vec<(Origin, String)>;

/// Reads a list. The result is meant only when nothing is refused.
pub(super) fn read(text: &str, source: &Source) -> (Vec<Credential>, Refusals) {
    let mut list = List { text, source, refusals: Vec::new() };
    let credentials = list.entries();
    (credentials, list.refusals)
}

struct List<'a> {
    text: &'a str,
    source: &'a Source,
    refusals: Refusals,
}

/// The entries of a mapping, with the number of each among all.
type Fields<'n> = Vec<(&'static str, usize, &'n Node)>;

impl List<'_> {
    /// More than anybody reads; each costs a pass over the text.
    const MOST: usize = 20;

    fn refuse(&mut self, steps: &[usize], reason: impl std::fmt::Display) {
        let at = || yaml::locate(self.text, steps).unwrap_or((1, 1));
        let file = |path: &Path, (line, column)| Origin::File { path: path.to_owned(), line, column };
        let refusal = match (self.source, steps) {
            (Source::File(path), _) => (file(path, at()), reason.to_string()),
            (Source::Key(origin), [entry, ..]) => (origin.clone(), format!("entry {}: {reason}", entry + 1)),
            (Source::Key(origin), []) => (origin.clone(), reason.to_string()),
        };
        if self.refusals.len() < Self::MOST {
            self.refusals.push(refusal);
        }
    }

    fn entries(&mut self) -> Vec<Credential> {
        let root = match yaml::parse(self.text) {
            Ok(root) => root,
            Err(error) => {
                let (line, column) = error.at;
                let origin = match self.source {
                    Source::File(path) => Origin::File { path: path.clone(), line, column },
                    Source::Key(origin) => origin.clone(),
                };
                self.refusals.push((origin, error.reason));
                return Vec::new();
            }
        };
        match root {
            Node::List(entries) if !entries.is_empty() => {
                entries.iter().enumerate().filter_map(|(at, entry)| self.entry(at, entry)).collect()
            }
            other => {
                let found = if matches!(other, Node::List(_)) { "an empty one" } else { other.kind() };
                self.refuse(
                    &[],
                    format!("expected a list of credentials, each with a user or a community, found {found}"),
                );
                Vec::new()
            }
        }
    }

    fn entry(&mut self, entry: usize, node: &Node) -> Option<Credential> {
        let Node::Map(pairs) = node else {
            self.refuse(&[entry], format!("expected a mapping with {}, found {}", KEYS.join(", "), node.kind()));
            return None;
        };
        let mut fields = Fields::new();
        for (at, (name, value)) in pairs.iter().enumerate() {
            let name = name.as_text().unwrap_or_default();
            match KEYS.iter().find(|key| **key == name) {
                Some(key) if fields.iter().any(|(other, ..)| other == key) => {
                    self.refuse(&[entry, at], format!("{key} is there twice; keep one"));
                }
                Some(key) => fields.push((key, at, value)),
                // A text that is no key may be a password in the wrong place.
                None => self.refuse(&[entry, at], format!("no such key; {}", suggestion("", &KEYS))),
            }
        }
        let before = self.refusals.len();
        let access = self.access(entry, &fields);
        let subnets = self.subnets(entry, &fields);
        access.filter(|_| self.refusals.len() == before).map(|access| Credential { subnets, access })
    }

    fn access(&mut self, entry: usize, fields: &Fields<'_>) -> Option<Access> {
        let has = |key: &str| fields.iter().any(|(name, ..)| *name == key);
        let foreign = fields.iter().find(|(name, ..)| !matches!(*name, "community" | "subnets"));
        match (has("community"), foreign) {
            (true, None) => self.text(entry, fields, "community", Community::new).map(Access::Community),
            (true, Some((name, at, _))) => {
                self.refuse(
                    &[entry, *at],
                    format!("{name} does not go with a community, which is a credential by itself"),
                );
                None
            }
            (false, _) => self.user(entry, fields).map(Access::User),
        }
    }

    fn user(&mut self, entry: usize, fields: &Fields<'_>) -> Option<User> {
        let has = |key: &str| fields.iter().any(|(name, ..)| *name == key);
        for key in ["user", "auth_protocol", "auth_password"].into_iter().filter(|key| !has(key)) {
            self.refuse(
                &[entry],
                format!("{key} is missing; a credential has a community, or a user with a protocol and a password"),
            );
        }
        for (key, other) in [("privacy_protocol", "privacy_password"), ("privacy_password", "privacy_protocol")] {
            if has(key) && !has(other) {
                self.refuse(&[entry], format!("{key} needs {other}"));
            }
        }
        let name = self.text(entry, fields, "user", UserName::new);
        let protocol = self.text(entry, fields, "auth_protocol", |text| named(text, &AuthProtocol::ALL));
        let password = self.text(entry, fields, "auth_password", Passphrase::new);
        let cipher = self.text(entry, fields, "privacy_protocol", |text| named(text, &PrivacyProtocol::ALL));
        let second = self.text(entry, fields, "privacy_password", Passphrase::new);
        let context = self.text(entry, fields, "context", ContextName::new).unwrap_or_default();
        Some(User { name: name?, authentication: (protocol?, password?), privacy: cipher.zip(second), context })
    }

    fn text<T, E: std::fmt::Display>(
        &mut self,
        entry: usize,
        fields: &Fields<'_>,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let (_, at, value) = fields.iter().find(|(name, ..)| *name == key)?;
        let read = match value.as_text() {
            Some(text) => parse(text).map_err(|error| error.to_string()),
            None => Err(format!("expected a text, in quotes if need be, found {}", value.kind())),
        };
        read.map_err(|reason| self.refuse(&[entry, *at], format!("{key}: {reason}"))).ok()
    }

    fn subnets(&mut self, entry: usize, fields: &Fields<'_>) -> Vec<Subnet> {
        let Some((_, at, value)) = fields.iter().find(|(name, ..)| *name == "subnets") else { return Vec::new() };
        let subnet = |node: &Node| node.as_text().and_then(|text| Subnet::from_str(text).ok());
        let subnets = match value {
            Node::List(items) => items.iter().map(subnet).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        // No subnet would be everywhere.
        subnets.filter(|subnets| !subnets.is_empty()).unwrap_or_else(|| {
            self.refuse(&[entry, *at], "subnets: expected a list such as [10.0.1.0/24], or no key for everywhere");
            Vec::new()
        })
    }
}

/// A protocol by its name. MD5 and DES are no names here: they do not protect what they are given.
fn named<T: FromStr + std::fmt::Display>(text: &str, known: &[T]) -> Result<T, String> {
    text.parse().map_err(|_| {
        let known: Vec<String> = known.iter().map(ToString::to_string).collect();
        format!("not a protocol that is supported; these are {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
- user: monitor
  auth_protocol: sha256
  auth_password: hunter2hunter2
  privacy_protocol: aes256-cisco
  privacy_password: '1234567890'
  context: vlan-7
  subnets: [10.0.1.0/24, 10.0.2.0/24]
- community: swordfish
";

    fn source() -> Source {
        Source::File(PathBuf::from("c.yaml"))
    }

    fn refused(text: &str) -> String {
        let (_, refusals) = read(text, &source());
        let told: Vec<String> = refusals.iter().map(|(origin, reason)| format!("{origin}: {reason}")).collect();
        told.join("\n")
    }

    #[test]
    fn credentials_are_read_in_their_order() {
        let (credentials, refusals) = read(GOOD, &source());
        assert_eq!(refusals, []);
        let [first, second] = credentials.as_slice() else { panic!("{credentials:?}") };
        let Access::User(user) = &first.access else { panic!("{first:?}") };
        assert_eq!((user.name.as_str(), user.context.as_str()), ("monitor", "vlan-7"));
        assert_eq!(user.authentication, (AuthProtocol::Sha256, Passphrase::new("hunter2hunter2").unwrap()));
        assert_eq!(user.privacy, Some((PrivacyProtocol::Aes256Cisco, Passphrase::new("1234567890").unwrap())));
        assert_eq!(first.subnets, ["10.0.1.0/24".parse().unwrap(), "10.0.2.0/24".parse().unwrap()]);
        assert_eq!(second, &Credential::from(Community::new("swordfish").unwrap()));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line_and_never_quoted() {
        let changed = |from: &str, to: &str| refused(&GOOD.replace(from, to));
        for (from, to, told) in [
            (
                "hunter2hunter2",
                "hunter2",
                "c.yaml:3: auth_password: a password of SNMP v3 has 8 to 255 octets, this one has 7",
            ),
            (
                "sha256",
                "md5hunter2",
                "c.yaml:2: auth_protocol: not a protocol that is supported; these are sha1, sha256, sha384, sha512",
            ),
            (
                "aes256-cisco",
                "des",
                "c.yaml:4: privacy_protocol: not a protocol that is supported; these are aes128, aes256, aes256-cisco",
            ),
            (
                "'1234567890'",
                "1234567890",
                "c.yaml:5: privacy_password: expected a text, in quotes if need be, found a number",
            ),
            (
                "10.0.2.0/24",
                "hunter2",
                "c.yaml:7: subnets: expected a list such as [10.0.1.0/24], or no key for everywhere",
            ),
            (
                "  auth_password: hunter2hunter2\n",
                "",
                "c.yaml:1: auth_password is missing; a credential has a community, or a user with a protocol and a password",
            ),
            ("  privacy_protocol: aes256-cisco\n", "", "c.yaml:1: privacy_password needs privacy_protocol"),
            (
                "- community: swordfish",
                "- community: swordfish\n  user: hunter2",
                "c.yaml:9: user does not go with a community, which is a credential by itself",
            ),
            (
                "- community: swordfish",
                "- hunter2hunter2",
                "c.yaml:8: expected a mapping with community, user, auth_protocol, auth_password, privacy_protocol, privacy_password, context, subnets, found a text",
            ),
            (
                "- community: swordfish",
                "- community: swordfish\n  community: two",
                "c.yaml:9: community is there twice; keep one",
            ),
        ] {
            assert_eq!(changed(from, to), told);
        }
        let told = refused("- hunter2hunter2: 1\n");
        assert!(
            told.starts_with("c.yaml:1: no such key; known are community, user,") && !told.contains("hunter2"),
            "{told}"
        );
        for text in ["", "[]", "hunter2", "{user: hunter2}", "- [hunter2", "- user: [hunter2]"] {
            let told = refused(text);
            assert!(!told.is_empty() && !told.contains("hunter2"), "{text}: {told}");
        }
    }

    #[test]
    fn in_the_environment_the_entry_is_named() {
        let name = "PDSNO_SECURITY__SNMP_CREDENTIALS";
        let (_, refusals) = read("[{community: ''}]", &Source::Key(Origin::Environment(name.into())));
        let told: Vec<String> = refusals.iter().map(|(origin, reason)| format!("{origin}: {reason}")).collect();
        assert_eq!(
            told,
            [format!("environment variable {name}: entry 1: community: an SNMP community must not be empty")]
        );
    }
}
