//! Public keys, signatures and nonces: octets of a fixed length that go over the wire as base64.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// A text that is not the base64 of as many octets as are needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is the padded base64 (RFC 4648 section 4) of {octets} octets, not {text:?}")]
pub struct OctetsError {
    what: &'static str,
    octets: usize,
    text: String,
}

macro_rules! octets {
    ($(#[$doc:meta])+ $name:ident, $octets:literal, $what:literal) => {
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $octets]);

        impl $name {
            /// The value of these octets.
            pub const fn from_bytes(bytes: [u8; $octets]) -> Self {
                Self(bytes)
            }

            /// Its octets.
            pub const fn as_bytes(&self) -> &[u8; $octets] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&STANDARD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = OctetsError;

            fn from_str(text: &str) -> Result<Self, OctetsError> {
                STANDARD
                    .decode(text)
                    .ok()
                    .and_then(|bytes| bytes.try_into().ok())
                    .map(Self)
                    .ok_or_else(|| OctetsError {
                        what: $what,
                        octets: $octets,
                        text: text.chars().take(100).collect(),
                    })
            }
        }

        impl TryFrom<String> for $name {
            type Error = OctetsError;

            fn try_from(text: String) -> Result<Self, OctetsError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}

octets! {
    /// An Ed25519 public key (RFC 8032).
    ///
    /// It is its own key id: what is signed by a newcomer can so be verified before it is read.
    PublicKey, 32, "an Ed25519 public key"
}

octets! {
    /// An Ed25519 signature (RFC 8032).
    Signature, 64, "an Ed25519 signature"
}

octets! {
    /// An HMAC-SHA256 value (RFC 2104).
    HmacTag, 32, "an HMAC-SHA256 value"
}

octets! {
    /// A number that is used once: 256 random bits.
    Nonce, 32, "a nonce"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_printed_is_read_back(bytes: [u8; 32]) {
            let key = PublicKey::from_bytes(bytes);
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }

        #[test]
        fn no_text_is_read_that_would_be_printed_otherwise(text in "[A-Za-z0-9+/=]{42,46}") {
            if let Ok(key) = text.parse::<PublicKey>() {
                prop_assert_eq!(key.to_string(), text);
            }
        }
    }

    #[test]
    fn a_refusal_says_how_long_it_must_be() {
        let refusal = "AAAA".parse::<Signature>().unwrap_err().to_string();
        assert!(refusal.contains("64 octets") && refusal.contains("\"AAAA\""), "{refusal}");
    }
}
