//! The name of an SNMP engine.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// `SnmpEngineID` (RFC 3411 section 5): 5 to 32 octets that no other engine in an administrative domain has.
/// As text it is hexadecimal.
///
/// ```
/// use pdsno::domain::engine::EngineId;
///
/// let engine: EngineId = "80001f8804706473".parse()?;
/// assert_eq!(engine.as_bytes().len(), 8);
/// assert_eq!(engine.to_string(), "80001f8804706473");
/// # Ok::<(), pdsno::domain::engine::EngineIdError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EngineId(Box<[u8]>);

/// Octets or a text that are no engine's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name of an SNMP engine is 5 to 32 octets, in text two hexadecimal digits each")]
pub struct EngineIdError;

impl EngineId {
    /// A name as long as there are.
    pub fn longest() -> Self {
        Self([0; 32].into())
    }

    /// The octets.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl TryFrom<&[u8]> for EngineId {
    type Error = EngineIdError;

    fn try_from(octets: &[u8]) -> Result<Self, EngineIdError> {
        if (5..=32).contains(&octets.len()) { Ok(Self(octets.into())) } else { Err(EngineIdError) }
    }
}

impl FromStr for EngineId {
    type Err = EngineIdError;

    fn from_str(text: &str) -> Result<Self, EngineIdError> {
        let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let octet = |pair: &[u8]| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        };
        let octets: Option<Vec<u8>> = text.as_bytes().chunks(2).map(octet).collect();
        Self::try_from(octets.ok_or(EngineIdError)?.as_slice())
    }
}

impl TryFrom<String> for EngineId {
    type Error = EngineIdError;

    fn try_from(text: String) -> Result<Self, EngineIdError> {
        text.parse()
    }
}

impl From<EngineId> for String {
    fn from(engine: EngineId) -> Self {
        engine.to_string()
    }
}

impl fmt::Display for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for EngineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "80001f88", "80001f880", "80001f88zz", &"ab".repeat(33)] {
            assert_eq!(text.parse::<EngineId>(), Err(EngineIdError), "{text}");
        }
        let engine: EngineId = serde_json::from_str("\"80001F8804\"").unwrap();
        assert_eq!(serde_json::to_string(&engine).unwrap(), "\"80001f8804\"");
    }
}
