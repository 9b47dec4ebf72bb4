//! With what an SNMP agent is asked: communities and users, in order of preference, each where it holds.

use std::fmt;
use std::net::Ipv4Addr;

use secrecy::{ExposeSecret, SecretString};

use crate::domain::names::named;
use crate::domain::secret::{Community, HIDDEN};
use crate::domain::subnet::Subnet;

/// A way to ask agents, and which agents it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Credential {
    /// Where it is used; nothing means everywhere.
    pub subnets: Vec<Subnet>,
    /// Who the agent is asked as.
    pub access: Access,
}

impl Credential {
    /// Whether an agent at this address may be asked with it.
    pub fn covers(&self, address: Ipv4Addr) -> bool {
        self.subnets.is_empty() || self.subnets.iter().any(|subnet| subnet.contains(address))
    }
}

impl From<Community> for Credential {
    /// A community that is used everywhere.
    fn from(community: Community) -> Self {
        Self { subnets: Vec::new(), access: Access::Community(community) }
    }
}

/// Who an agent is asked as.
#[derive(Debug, Clone, PartialEq)]
pub enum Access {
    /// SNMP v2c: whoever listens reads the community.
    Community(Community),
    /// SNMP v3 with the User-based Security Model (RFC 3414).
    User(User),
}

/// A user of the User-based Security Model. What is not authenticated is not asked.
#[derive(Debug, Clone, PartialEq)]
pub struct User {
    /// The name.
    pub name: UserName,
    /// How messages are authenticated.
    pub authentication: (AuthProtocol, Passphrase),
    /// How they are encrypted; `None` when they are only authenticated.
    pub privacy: Option<(PrivacyProtocol, Passphrase)>,
    /// The context that is asked (RFC 3411 section 3.3.1); mostly the empty one.
    pub context: ContextName,
}

/// How messages are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthProtocol {
    /// `usmHMACSHAAuthProtocol` (RFC 3414): HMAC-SHA-1, 96 bits of it.
    Sha1,
    /// `usmHMAC192SHA256AuthProtocol` (RFC 7860).
    Sha256,
    /// `usmHMAC256SHA384AuthProtocol` (RFC 7860).
    Sha384,
    /// `usmHMAC384SHA512AuthProtocol` (RFC 7860).
    Sha512,
}

named!(AuthProtocol, AuthProtocolError, "authentication protocol",
    Sha1 => "sha1", Sha256 => "sha256", Sha384 => "sha384", Sha512 => "sha512");

/// How messages are encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrivacyProtocol {
    /// `usmAesCfb128Protocol` (RFC 3826).
    Aes128,
    /// AES-256 in the same mode. A key that the authentication protocol makes too short is extended
    /// as in draft-blumenthal-aes-usm-04, which Net-SNMP follows.
    Aes256,
    /// AES-256, and the key extended as in draft-reeder-snmpv3-usm-3desede-00, which Cisco follows.
    /// The same as [`PrivacyProtocol::Aes256`] unless authentication is by SHA-1.
    Aes256Cisco,
}

named!(PrivacyProtocol, PrivacyProtocolError, "privacy protocol",
    Aes128 => "aes128", Aes256 => "aes256", Aes256Cisco => "aes256-cisco");

/// Why a text cannot be a part of a credential. It never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// No name, or one that is too long (`SnmpAdminString (SIZE(1..32))`, RFC 3414 section 5).
    #[error("a user's name has 1 to 32 octets, this one has {length}")]
    UserName {
        /// Its length in octets.
        length: usize,
    },
    /// Too long for a context (`SnmpAdminString (SIZE (0..32))`, RFC 3415 section 4).
    #[error("a context has at most 32 octets, this one has {length}")]
    Context {
        /// Its length in octets.
        length: usize,
    },
    /// Too short to be safe (RFC 3414 section 11.2), or longer than anybody types.
    #[error("a password of SNMP v3 has 8 to 255 octets, this one has {length}")]
    Passphrase {
        /// Its length in octets.
        length: usize,
    },
    /// Characters that do not print.
    #[error("there are control characters in it")]
    Control,
}

fn printable(text: &str) -> Result<(), CredentialError> {
    if text.contains(char::is_control) { Err(CredentialError::Control) } else { Ok(()) }
}

/// `msgUserName`: 1 to 32 octets. It goes over the wire unencrypted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct UserName(String);

impl UserName {
    /// A name.
    ///
    /// # Errors
    /// [`CredentialError::UserName`] or [`CredentialError::Control`].
    pub fn new(text: &str) -> Result<Self, CredentialError> {
        printable(text)?;
        match text.len() {
            1..=32 => Ok(Self(text.to_owned())),
            length => Err(CredentialError::UserName { length }),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `contextName`: at most 32 octets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextName(String);

impl ContextName {
    /// A name.
    ///
    /// # Errors
    /// [`CredentialError::Context`] or [`CredentialError::Control`].
    pub fn new(text: &str) -> Result<Self, CredentialError> {
        printable(text)?;
        match text.len() {
            0..=32 => Ok(Self(text.to_owned())),
            length => Err(CredentialError::Context { length }),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A password of a user: hidden in every print and wiped when dropped.
///
/// ```
/// use pdsno::domain::credential::Passphrase;
///
/// let passphrase = Passphrase::new("maplesyrup")?;
/// assert_eq!(passphrase.as_bytes(), b"maplesyrup");
/// assert!(!format!("{passphrase:?}").contains("maple"));
/// # Ok::<(), pdsno::domain::credential::CredentialError>(())
/// ```
#[derive(Clone)]
pub struct Passphrase(SecretString);

impl Passphrase {
    /// A password of 8 to 255 octets.
    ///
    /// # Errors
    /// [`CredentialError::Passphrase`] or [`CredentialError::Control`].
    pub fn new(text: &str) -> Result<Self, CredentialError> {
        printable(text)?;
        match text.len() {
            8..=255 => Ok(Self(SecretString::from(text))),
            length => Err(CredentialError::Passphrase { length }),
        }
    }

    /// The octets that keys are made from.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl PartialEq for Passphrase {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_print_of_a_credential_shows_a_password() {
        let passphrase = |text| Passphrase::new(text).unwrap();
        let credential = Credential {
            subnets: vec!["10.0.1.0/24".parse().unwrap()],
            access: Access::User(User {
                name: UserName::new("monitor").unwrap(),
                authentication: (AuthProtocol::Sha256, passphrase("hunter2hunter2")),
                privacy: Some((PrivacyProtocol::Aes128, passphrase("swordfish1"))),
                context: ContextName::default(),
            }),
        };
        let printed = format!("{credential:?}");
        assert!(printed.contains("monitor") && !printed.contains("hunter2") && !printed.contains("swordfish"));
        assert!(credential.covers([10, 0, 1, 9].into()) && !credential.covers([10, 0, 2, 9].into()));
        let everywhere = Credential::from(Community::new("public").unwrap());
        assert!(everywhere.covers([192, 168, 0, 1].into()));
    }

    #[test]
    fn what_cannot_be_a_part_is_refused_unseen() {
        assert_eq!(Passphrase::new("short12").unwrap_err(), CredentialError::Passphrase { length: 7 });
        assert_eq!(Passphrase::new("a\tsecret of mine").unwrap_err(), CredentialError::Control);
        assert_eq!(UserName::new("").unwrap_err(), CredentialError::UserName { length: 0 });
        assert_eq!(UserName::new(&"x".repeat(33)).unwrap_err(), CredentialError::UserName { length: 33 });
        assert_eq!(ContextName::new(&"x".repeat(33)).unwrap_err(), CredentialError::Context { length: 33 });
        assert_eq!(ContextName::new(""), Ok(ContextName::default()));
    }
}
