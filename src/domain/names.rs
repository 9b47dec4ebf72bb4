//! The one place that prints and reads the names of an enum's values.

/// Implements `ALL`, `as_str`, `Display` and `FromStr` of an enum, and the error of the last.
macro_rules! named {
    ($name:ident, $error:ident, $what:literal, $($variant:ident => $text:literal),+ $(,)?) => {
        impl $name {
            /// All values, in the order of their meaning.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$variant),+];

            /// The name in output and in the NIB.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        #[doc = concat!("A name that is no ", $what, ".")]
        #[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
        #[error("unknown {} {text:?}; one of: {}", $what, [$($text),+].join(", "))]
        pub struct $error {
            text: String,
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(text: &str) -> Result<Self, $error> {
                Self::ALL
                    .into_iter()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| $error { text: text.to_owned() })
            }
        }
    };
}
pub(in crate::domain) use named;
