//! YAML as figment's values, and the lines that they came from.

use std::fmt;

use figment::value::{Empty, Num, Value};
use serde::de::{DeserializeSeed, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A piece of YAML. Mappings keep their order and their repeated keys, so that a repetition can be
/// refused at its own line.
#[derive(Debug)]
pub(super) enum Node {
    /// A single value.
    Scalar(Value),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping.
    Map(Vec<(Node, Node)>),
    /// A value with a tag of its own, `!thing`, which no key takes.
    Tagged,
}

impl Node {
    /// The text that this is, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Scalar(Value::String(_, text)) => Some(text),
            _ => None,
        }
    }

    /// What this is, without saying its content.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Scalar(value) => kind(value),
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
            Self::Tagged => "a tagged value",
        }
    }
}

/// What a value is, without saying its content.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(..) | Value::Char(..) => "a text",
        Value::Num(..) => "a number",
        Value::Bool(..) => "true or false",
        Value::Empty(..) => "nothing",
        Value::Array(..) => "a list",
        // Node::Tagged, too, has become one.
        Value::Dict(..) => "a mapping or a tagged value",
    }
}

impl From<Node> for Value {
    /// A mapping and a tagged value become an empty dictionary: no key takes either, and what they
    /// hold is not repeated.
    fn from(node: Node) -> Self {
        match node {
            Node::Scalar(value) => value,
            Node::List(items) => Value::from(items.into_iter().map(Value::from).collect::<Vec<_>>()),
            Node::Map(_) | Node::Tagged => Value::from(figment::value::Dict::new()),
        }
    }
}

/// Text that is no YAML document.
#[derive(Debug)]
pub(super) struct SyntaxError {
    /// Line and column, from 1.
    pub(super) at: (usize, usize),
    /// What the parser did not understand.
    pub(super) reason: String,
}

/// Reads one document. The parser bounds depth and the growth by aliases.
pub(super) fn parse(text: &str) -> Result<Node, SyntaxError> {
    yaml_serde::from_str(text).map_err(|error| {
        let second = || yaml_serde::Deserializer::from_str(text).nth(1);
        match (error.location(), second()) {
            (None, Some(document)) => SyntaxError {
                at: Mark(&[]).found_in(document).unwrap_or((1, 1)),
                reason: "a second document begins here; a configuration is one document".to_owned(),
            },
            (None, None) => SyntaxError { at: (1, 1), reason: format!("not usable as YAML: {error}") },
            (Some(at), _) => {
                let (line, column) = (at.line(), at.column());
                let reason = error.to_string().replacen(&format!(" at line {line} column {column}"), "", 1);
                SyntaxError { at: (line, column), reason: format!("not valid YAML: {reason}") }
            }
        }
    })
}

/// Line and column, from 1, of the entry that `steps` lead to: at each step the number of an entry
/// of a mapping (whose key is then meant) or of a list.
pub(super) fn locate(text: &str, steps: &[usize]) -> Option<(usize, usize)> {
    Mark(steps).found_in(yaml_serde::Deserializer::from_str(text))
}

struct AnyNode;

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

impl<'de> Visitor<'de> for AnyNode {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a setting")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(Num::from(value))))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(Num::from(value))))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(Num::from(value))))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(Num::from(value))))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(Num::from(value))))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        self.visit_unit()
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(Empty::Unit)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Map(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Node, A::Error> {
        let (IgnoredAny, content) = tagged.variant()?;
        content.newtype_variant::<IgnoredAny>().map(|_| Node::Tagged)
    }
}

/// Finds a place by failing at it: the parser tells positions only with its errors. What is visited
/// past the last step is refused by the defaults of [`Visitor`].
#[derive(Clone, Copy)]
struct Mark<'a>(&'a [usize]);

impl Mark<'_> {
    fn found_in<'de>(self, document: yaml_serde::Deserializer<'de>) -> Option<(usize, usize)> {
        let at = self.deserialize(document).err()?.location()?;
        Some((at.line(), at.column()))
    }
}

impl<'de> DeserializeSeed<'de> for Mark<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Mark<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nothing: this is the place")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else { return Err(A::Error::custom("here")) };
        for _ in 0..*step {
            list.next_element::<IgnoredAny>()?;
        }
        list.next_element_seed(Mark(rest)).map(|_| ())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Some((step, rest)) = self.0.split_first() else { return Err(A::Error::custom("here")) };
        for _ in 0..*step {
            map.next_entry::<IgnoredAny, IgnoredAny>()?;
        }
        if rest.is_empty() {
            return map.next_key_seed(Mark(rest)).map(|_| ());
        }
        map.next_key::<IgnoredAny>()?;
        map.next_value_seed(Mark(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_place_is_found_by_the_numbers_of_its_entries() {
        let text = "# head\npolicy:\n  rate: 1\n\n  list:\n    - a\n    - b\nnib: {path: x, list: [c, d]}\n";
        for (steps, at) in [
            (&[0][..], (2, 1)),
            (&[0, 0], (3, 3)),
            (&[0, 1], (5, 3)),
            (&[0, 1, 1], (7, 7)),
            (&[1], (8, 1)),
            (&[1, 1], (8, 16)),
            (&[1, 1, 1], (8, 26)),
        ] {
            assert_eq!(locate(text, steps), Some(at), "{steps:?}");
        }
        assert_eq!(locate(text, &[0, 0, 3]), Some((3, 9)));
        assert_eq!(locate(text, &[4]), None);
    }

    #[test]
    fn a_parser_error_keeps_its_place_and_says_it_once() {
        let error = parse("a: [1\nb: 2\n").unwrap_err();
        assert_eq!(error.at, (2, 2));
        assert!(!error.reason.contains("line 2 column 2"), "{}", error.reason);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "([a-c]|[-:{}\\[\\],&*!#?<|>%@'\"\n ]){0,40}") {
            if let Err(error) = parse(&text) {
                prop_assert!(error.at.0 >= 1);
            }
        }
    }
}
