//! JSON with one spelling (RFC 8785) and the strict reading of JSON that others sent.

use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::domain::digest::Digest;
use crate::wire::signature::{Sha256, sha256};

/// The greatest integer that every JSON reader understands (RFC 7493 section 2.2): 2^53 - 1.
pub const GREATEST: u64 = (1 << 53) - 1;

/// How deep arrays and objects may be nested.
pub const DEEPEST: usize = 32;

/// Why bytes that were received are not a message or a document.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// Not JSON at all.
    #[error("it is not JSON")]
    Syntax(#[source] serde_json::Error),
    /// Too much of it.
    #[error("it has {length} octets, at most {max} are taken")]
    TooLong {
        /// The octets that there are.
        length: usize,
        /// The most that are taken.
        max: usize,
    },
    /// Arrays or objects within each other beyond [`DEEPEST`].
    #[error("it is nested deeper than {DEEPEST} levels")]
    TooDeep,
    /// An object says the same thing twice, so two readers could understand two things.
    #[error("an object has the key {key:?} twice")]
    DuplicateKey {
        /// The key.
        key: String,
    },
    /// A number that a reader may round.
    #[error("the number {number} is beyond 2^53 - 1; such numbers are written as strings")]
    NumberTooGreat {
        /// The number, as far as it was understood.
        number: String,
    },
    /// JSON, but not what is expected here: a field that is unknown, missing, or of another type.
    #[error("it is not {what}")]
    Shape {
        /// What was expected.
        what: &'static str,
        /// The field.
        #[source]
        source: serde_json::Error,
    },
}

/// Reads what others sent: nothing is guessed, nothing is passed over.
///
/// # Errors
/// [`Malformed`]. Unknown fields are refused by the type, which must say `deny_unknown_fields`.
pub fn read<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, Malformed> {
    serde_json::from_value(read_value(bytes)?).map_err(|source| Malformed::Shape { what, source })
}

/// Reads a document whose shape is not known: as [`read`].
///
/// # Errors
/// [`Malformed`], but never [`Malformed::Shape`].
pub fn read_value(bytes: &[u8]) -> Result<Value, Malformed> {
    let mut refusal = None;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: DEEPEST, refusal: &mut refusal }.deserialize(&mut reader);
    let value = value.and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| refusal.unwrap_or(Malformed::Syntax(error)))
}

/// Why a value has no canonical form.
#[derive(Debug, thiserror::Error)]
pub enum CanonicalError {
    /// The value is not JSON: a map whose keys are not texts, a number that is not finite.
    #[error("the value cannot be written as JSON")]
    NotJson(#[source] serde_json::Error),
    /// A number that a reader may round.
    #[error("the number {number} is beyond 2^53 - 1 and would be rounded; write it as a string")]
    NumberTooGreat {
        /// The number.
        number: Number,
    },
}

/// The canonical form of a value (RFC 8785).
///
/// Integers beyond 2^53 - 1 are refused where the RFC would round them: what is signed must say what
/// was meant.
///
/// # Errors
/// [`CanonicalError`].
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    value_to_bytes(&serde_json::to_value(value).map_err(CanonicalError::NotJson)?)
}

/// As [`to_bytes`], of what is JSON already.
///
/// # Errors
/// [`CanonicalError`].
pub fn value_to_bytes(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    refuse_rounding(value)?;
    serde_json_canonicalizer::to_vec(value).map_err(CanonicalError::NotJson)
}

/// SHA-256 over the canonical form of a value.
///
/// # Errors
/// [`CanonicalError`].
pub fn digest<T: Serialize + ?Sized>(value: &T) -> Result<Digest, CanonicalError> {
    to_bytes(value).map(|bytes| sha256(&bytes))
}

/// SHA-256 over the canonical form of an array whose items come one after the other: what [`digest`]
/// says of all of them at once.
#[derive(Debug, Clone, Default)]
pub struct ArrayDigest {
    so_far: Sha256,
    is_begun: bool,
}

impl ArrayDigest {
    /// Adds the next item.
    ///
    /// # Errors
    /// [`CanonicalError`]; then nothing was added.
    pub fn add<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), CanonicalError> {
        let item = to_bytes(item)?;
        self.so_far.update(if self.is_begun { b"," } else { b"[" });
        self.so_far.update(&item);
        self.is_begun = true;
        Ok(())
    }

    /// Of all items that were added.
    pub fn finish(mut self) -> Digest {
        self.so_far.update(if self.is_begun { b"]" } else { b"[]" });
        self.so_far.finish()
    }
}

fn refuse_rounding(value: &Value) -> Result<(), CanonicalError> {
    match value {
        Value::Number(number) if is_rounded(number) => Err(CanonicalError::NumberTooGreat { number: number.clone() }),
        Value::Array(items) => items.iter().try_for_each(refuse_rounding),
        Value::Object(members) => members.values().try_for_each(refuse_rounding),
        _ => Ok(()),
    }
}

/// Whether the canonical form of a number is an integer beyond 2^53 - 1, which a reader may round.
/// From 1e21 on the form has an exponent (ECMA-262, `Number::toString`), so nobody takes it for one.
fn is_rounded(number: &Number) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is the greatest integer that is not rounded")]
    let beyond = |float: f64| float.abs() > GREATEST as f64 && float.abs() < 1e21;
    match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => number > GREATEST,
        (None, Some(number)) => number.unsigned_abs() > GREATEST,
        (None, None) => number.as_f64().is_some_and(beyond),
    }
}

/// Reads one value at most so deep. Why it was refused is put aside, because the reader's own error
/// has only text.
struct Strict<'a> {
    depth: usize,
    refusal: &'a mut Option<Malformed>,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(self, refusal: Malformed) -> E {
        let text = refusal.to_string();
        *self.refusal = Some(refusal);
        E::custom(text)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::String(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        if number > GREATEST {
            return Err(self.refuse(Malformed::NumberTooGreat { number: number.to_string() }));
        }
        Ok(number.into())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        if number.unsigned_abs() > GREATEST {
            return Err(self.refuse(Malformed::NumberTooGreat { number: number.to_string() }));
        }
        Ok(number.into())
    }

    // An integer of more than 64 bits comes as a floating-point number, already rounded.
    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is the greatest integer that is not rounded")]
        let greatest = GREATEST as f64;
        match Number::from_f64(number) {
            Some(exact) if number.abs() <= greatest => Ok(Value::Number(exact)),
            _ => Err(self.refuse(Malformed::NumberTooGreat { number: number.to_string() })),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let Some(depth) = self.depth.checked_sub(1) else { return Err(self.refuse(Malformed::TooDeep)) };
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(Strict { depth, refusal: self.refusal })? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let Some(depth) = self.depth.checked_sub(1) else { return Err(self.refuse(Malformed::TooDeep)) };
        let mut read = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if read.contains_key(&key) {
                let key = key.chars().take(64).collect();
                return Err(self.refuse(Malformed::DuplicateKey { key }));
            }
            let value = members.next_value_seed(Strict { depth, refusal: self.refusal })?;
            read.insert(key, value);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests;
