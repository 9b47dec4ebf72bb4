//! Secrets that a controller holds.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

/// What stands in every output where a secret would be.
pub const HIDDEN: &str = "(hidden)";

/// An SNMP v1/v2c community: a password in all but name (RFC 3584 section 5), so it is hidden in
/// every print and wiped when dropped.
///
/// ```
/// use pdsno::domain::secret::Community;
///
/// let community = Community::new("s3cret")?;
/// assert_eq!(community.as_bytes(), b"s3cret");
/// assert!(!format!("{community:?}").contains("s3cret"));
/// # Ok::<(), pdsno::domain::secret::CommunityError>(())
/// ```
#[derive(Clone)]
pub struct Community(SecretString);

/// Why a text cannot be a community. It never quotes the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommunityError {
    /// Nothing was given.
    #[error("an SNMP community must not be empty")]
    Empty,
    /// Too long for one short request.
    #[error("an SNMP community has at most {max} characters, this one has {length}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// Not printable ASCII.
    #[error("an SNMP community is printable ASCII; this one has other characters")]
    NotAscii,
}

impl Community {
    const MAX: usize = 64;

    /// A community of 1 to 64 printable ASCII characters.
    ///
    /// # Errors
    /// [`CommunityError`] for an empty, an overlong, or a not printable text.
    pub fn new(text: &str) -> Result<Self, CommunityError> {
        if text.is_empty() {
            return Err(CommunityError::Empty);
        }
        if text.len() > Self::MAX {
            return Err(CommunityError::TooLong { length: text.len(), max: Self::MAX });
        }
        if !text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(CommunityError::NotAscii);
        }
        Ok(Self(SecretString::from(text)))
    }

    /// The octets that go into a request.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.expose_secret().as_bytes()
    }
}

impl std::fmt::Debug for Community {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl PartialEq for Community {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}

impl std::str::FromStr for Community {
    type Err = CommunityError;

    fn from_str(text: &str) -> Result<Self, CommunityError> {
        Self::new(text)
    }
}

/// Written as [`HIDDEN`]: a secret goes in, never out.
impl Serialize for Community {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Community {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Community;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an SNMP community")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Community, E> {
                Community::new(text).map_err(E::custom)
            }

            // The environment's provider reads digits as numbers; a community of digits is still one.
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Community, E> {
                self.visit_str(&number.to_string())
            }

            // The default refusals quote the value; these may not.
            fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Community, E> {
                Err(E::custom("an SNMP community is a text, this is a boolean; put it in quotes"))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Community, E> {
                Err(E::custom("an SNMP community is a text, this is a number; put it in quotes"))
            }

            fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Community, E> {
                Err(E::custom("an SNMP community is a text, this is a number; put it in quotes"))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_print_and_no_refusal_shows_the_text() {
        let community = Community::new("hunter2").unwrap();
        assert!(!format!("{community:?}").contains("hunter2"));
        assert_eq!(serde_json::to_string(&community).unwrap(), format!("\"{HIDDEN}\""));
        let refusal = Community::new("h\u{fc}nter2").unwrap_err().to_string();
        assert!(!refusal.contains("nter2"));
    }

    #[test]
    fn a_community_of_digits_is_read_from_a_number() {
        let community: Community = serde_json::from_str("12345").unwrap();
        assert_eq!(community.as_bytes(), b"12345");
    }

    #[test]
    fn what_cannot_be_one_is_refused() {
        assert_eq!(Community::new("").unwrap_err(), CommunityError::Empty);
        assert_eq!(Community::new(&"x".repeat(65)).unwrap_err(), CommunityError::TooLong { length: 65, max: 64 });
        assert_eq!(Community::new("a\nb").unwrap_err(), CommunityError::NotAscii);
        assert!(serde_json::from_str::<Community>("-987").unwrap_err().to_string().contains("in quotes"));
    }
}
