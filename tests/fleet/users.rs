//! The users of SNMP v3 that agents know.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use pdsno::domain::credential::{AuthProtocol, ContextName, Passphrase, User, UserName};
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::fault::Fault;

/// Users, each of them known to some agents.
#[derive(Debug, Clone, Default)]
pub struct Users(Arc<[User]>);

/// An entry of the program's `security.snmp_credentials_file`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    user: Option<String>,
    #[serde(default)]
    auth_protocol: String,
    #[serde(default)]
    auth_password: String,
    privacy_protocol: Option<String>,
    privacy_password: Option<String>,
    #[serde(default)]
    context: String,
    #[serde(rename = "community")]
    _community: Option<IgnoredAny>,
    #[serde(rename = "subnets")]
    _subnets: Option<IgnoredAny>,
}

impl Users {
    /// Reads the file that the program is given to ask by: entries that are communities are passed over.
    ///
    /// # Errors
    /// What is wrong with it, without a word of what is in it.
    pub fn read(path: &str) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
        // Its parser quotes what it does not like.
        let entries: Vec<Entry> = yaml_serde::from_str(&text).map_err(|_| "it is no list of credentials")?;
        let users: Result<Vec<User>, String> = entries.into_iter().filter_map(Entry::user).collect();
        match users? {
            none if none.is_empty() => Err("there is no user in it".to_owned()),
            // An agent has the number of its user in an octet.
            many if many.len() > 255 => Err("there are more than 255 users in it".to_owned()),
            users => Ok(Self(users.into())),
        }
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, number: u8) -> Option<&User> {
        self.0.get(usize::from(number))
    }
}

impl Entry {
    fn user(self) -> Option<Result<User, String>> {
        let name = self.user?;
        let told = |error: &dyn Display| error.to_string();
        let read = || {
            let privacy = match (&self.privacy_protocol, &self.privacy_password) {
                (Some(protocol), Some(password)) => Some((named(protocol)?, passphrase(password)?)),
                (None, None) => None,
                _ => return Err("a privacy protocol and a password go together".to_owned()),
            };
            Ok(User {
                name: UserName::new(&name).map_err(|error| told(&error))?,
                authentication: (named::<AuthProtocol>(&self.auth_protocol)?, passphrase(&self.auth_password)?),
                privacy,
                context: ContextName::new(&self.context).map_err(|error| told(&error))?,
            })
        };
        Some(read())
    }
}

fn passphrase(text: &str) -> Result<Passphrase, String> {
    Passphrase::new(text).map_err(|error| error.to_string())
}

fn named<P: FromStr>(text: &str) -> Result<P, String> {
    text.parse().map_err(|_| "there is a protocol in it that nobody knows".to_owned())
}

/// The user as he is known to an agent with this fault.
pub fn known_as(user: &User, fault: Option<Fault>) -> User {
    let other = || Passphrase::new("nobody has this password").expect("it is long enough");
    let mut user = user.clone();
    let (protocol, password) = &mut user.authentication;
    match fault {
        Some(Fault::OtherUser) => user.name = UserName::new("somebody-else").expect("it is a name"),
        Some(Fault::OtherPassword) => *password = other(),
        Some(Fault::OtherProtocol) => {
            *protocol = if *protocol == AuthProtocol::Sha1 { AuthProtocol::Sha256 } else { AuthProtocol::Sha1 };
        }
        Some(Fault::OtherPrivacy | Fault::Undecryptable) => {
            user.privacy.iter_mut().for_each(|(_, password)| *password = other());
        }
        Some(Fault::NoPrivacy) => user.privacy = None,
        _ => {}
    }
    user
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use pdsno::domain::credential::PrivacyProtocol;

    use super::*;

    fn read(text: &str) -> Result<Users, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Users::read(file.path().to_str().unwrap())
    }

    #[test]
    fn the_file_that_the_program_asks_by_is_read() {
        let users = Users::read(crate::options::tests::USERS).unwrap();
        let told = |number| users.get(number).map(|user: &User| (user.name.as_str(), user.authentication.0));
        assert_eq!(users.count(), 4);
        assert_eq!(told(0), Some(("monitor", AuthProtocol::Sha256)));
        assert_eq!(users.get(0).unwrap().privacy.as_ref().unwrap().0, PrivacyProtocol::Aes128);
        assert_eq!((told(4), users.get(3).unwrap().privacy.is_none()), (None, true));
    }

    #[test]
    fn a_file_without_a_user_is_refused_and_never_quoted() {
        let entry = "{user: me, auth_protocol: sha1, auth_password: hunter2hunter2";
        for text in [
            "",
            "- {community: hunter2}",
            "- hunter2",
            "- {user: me, hunter2: 1}",
            "- {user: me, auth_protocol: sha1, auth_password: hunter2}",
            "- {user: me, auth_protocol: hunter2, auth_password: hunter2hunter2}",
            &format!("- {entry}, privacy_password: hunter2hunter2}}"),
        ] {
            let refused = read(text).unwrap_err();
            assert!(!refused.contains("hunter2"), "{text}: {refused}");
        }
        assert_eq!(read(&format!("- {entry}}}")).unwrap().count(), 1);
        assert!(Users::read("/nowhere/at/all").is_err());
    }
}
