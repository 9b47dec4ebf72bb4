//! Numbers of 64 bits. In JSON they are strings: a reader that takes numbers for floating point
//! would silently round them above 2^53 (RFC 8785 section 3.2.2.3, RFC 7493 section 2.2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A text that is no number of 64 bits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: a decimal number without sign or leading zeros, at most {}", u64::MAX)]
pub struct NumberError {
    what: &'static str,
    text: String,
}

macro_rules! number {
    ($(#[$doc:meta])+ $name:ident, $what:literal) => {
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(u64);

        impl $name {
            /// The value of this number.
            pub const fn from_number(number: u64) -> Self {
                Self(number)
            }

            /// The number.
            pub const fn number(self) -> u64 {
                self.0
            }

            /// The one after it; there is none after the last.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = NumberError;

            fn from_str(text: &str) -> Result<Self, NumberError> {
                // One spelling a number: what is signed must not have a second form.
                text.parse()
                    .ok()
                    .filter(|number: &u64| number.to_string() == text)
                    .map(Self)
                    .ok_or_else(|| NumberError { what: $what, text: text.chars().take(40).collect() })
            }
        }

        impl TryFrom<String> for $name {
            type Error = NumberError;

            fn try_from(text: String) -> Result<Self, NumberError> {
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

number! {
    /// The term of the Global Controller that leads. The first is 1; 0 stands where a newcomer does
    /// not know it yet.
    Epoch, "an epoch"
}

number! {
    /// The position of a message among those of one sender since its start, from 1.
    MessageSeq, "a message number"
}

number! {
    /// The number of a certificate among those of its issuer, from 1.
    Serial, "a serial number"
}

number! {
    /// The number of an item of a stream between two controllers, from 1; 0 stands before the first.
    StreamSeq, "the number of a report"
}

number! {
    /// The version of the policy, from 1; each is higher than the one before it.
    PolicyVersion, "a policy version"
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_number_is_a_string_in_json(number: u64) {
            let json = serde_json::to_string(&Epoch::from_number(number)).unwrap();
            prop_assert_eq!(&json, &format!("\"{number}\""));
            prop_assert_eq!(serde_json::from_str::<Epoch>(&json).unwrap(), Epoch::from_number(number));
        }
    }

    #[test]
    fn a_number_has_one_spelling() {
        for text in ["", "01", "+1", "-1", "1.0", "1e3", " 1", "18446744073709551616"] {
            assert!(text.parse::<Serial>().unwrap_err().to_string().contains("a serial number"), "{text:?}");
        }
        assert!(serde_json::from_str::<Serial>("1").is_err());
    }
}
