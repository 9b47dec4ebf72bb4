//! Typed reading of the merged layers, which goes on after a refusal to find them all.

use std::fmt::Display;
use std::ops::RangeInclusive;

use figment::Figment;
use figment::value::{Empty, Value};

use crate::app::config::keys::Key;
use crate::app::config::layer::Layer;
use crate::app::config::problem::{Origin, Problem};
use crate::app::config::yaml::kind;

/// Reads keys and collects what is wrong with them. Where a value is refused a placeholder comes
/// back, so that reading goes on; nobody sees it, since a reading with problems yields no
/// configuration.
pub(super) struct Reader<'a> {
    figment: Figment,
    layers: &'a [Layer],
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// A reader of these layers, the strongest last, with what is known to be wrong already.
    pub(super) fn new(layers: &'a [Layer], problems: Vec<Problem>) -> Self {
        let figment = layers.iter().fold(Figment::new(), Figment::merge);
        Self { figment, layers, problems }
    }

    /// What is wrong so far.
    pub(super) fn problems(self) -> Vec<Problem> {
        self.problems
    }

    /// Where the value of a key, or an item of its list, was set.
    pub(super) fn origin(&self, path: &str, item: Option<usize>) -> Origin {
        self.layers.get(self.strength(path)).and_then(|layer| layer.origin(path, item)).unwrap_or(Origin::Default)
    }

    /// The number of the layer that a key's value comes from: a higher one is a stronger one.
    pub(super) fn strength(&self, path: &str) -> usize {
        let name = self.figment.find_metadata(path).map(|metadata| metadata.name.as_ref());
        self.layers.iter().position(|layer| Some(layer.name()) == name).unwrap_or(0)
    }

    /// Refuses the value of a key, or an item of its list.
    pub(super) fn refuse(&mut self, path: &str, item: Option<usize>, reason: impl Display) {
        self.refuse_at(self.origin(path, item), path, reason);
    }

    /// Refuses what a key led to.
    pub(super) fn refuse_at(&mut self, origin: Origin, path: &str, reason: impl Display) {
        self.problems.push(Problem { origin, key: Some(path.to_owned()), reason: reason.to_string() });
    }

    /// Whether anything about a key was refused.
    pub(super) fn has_refused(&self, path: &str) -> bool {
        self.problems.iter().any(|problem| problem.key.as_deref() == Some(path))
    }

    /// A whole number within bounds, which `T` can hold.
    pub(super) fn whole<T: TryFrom<u64> + Default>(&mut self, path: &str, bounds: RangeInclusive<u64>) -> T {
        let value = self.value(path);
        let number = value.to_u128().and_then(|number| u64::try_from(number).ok());
        match number.filter(|number| bounds.contains(number)).and_then(|number| T::try_from(number).ok()) {
            Some(number) => number,
            None => {
                let (low, high) = bounds.into_inner();
                self.unexpected(path, None, &format!("a whole number from {low} to {high}"), &value);
                T::default()
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn switch(&mut self, path: &str) -> bool {
        match self.value(path) {
            Value::Bool(_, value) => value,
            other => {
                self.unexpected(path, None, "true or false", &other);
                false
            }
        }
    }

    /// A text that `parse` accepts.
    pub(super) fn text<T: Default, E: Display>(&mut self, path: &str, parse: impl Fn(&str) -> Result<T, E>) -> T {
        let value = self.value(path);
        self.parsed(path, None, &value, "a text", parse).unwrap_or_default()
    }

    /// A text that `parse` accepts, or null.
    pub(super) fn optional<T, E: Display>(&mut self, path: &str, parse: impl Fn(&str) -> Result<T, E>) -> Option<T> {
        match self.value(path) {
            Value::Empty(..) => None,
            value => self.parsed(path, None, &value, "a text or null", parse),
        }
    }

    /// A list of texts that `parse` accepts; each refused item is named by its own line.
    pub(super) fn list<T, E: Display>(&mut self, path: &str, parse: impl Fn(&str) -> Result<T, E>) -> Vec<T> {
        // Each refusal costs a pass over the file to find its line.
        const MOST_REFUSALS: usize = 20;
        let value = self.value(path);
        let Value::Array(_, items) = value else {
            self.unexpected(path, None, "a list such as [a, b]", &value);
            return Vec::new();
        };
        let (before, mut read) = (self.problems.len(), Vec::new());
        for (at, item) in items.iter().enumerate() {
            read.extend(self.parsed(path, Some(at), item, "a text", &parse));
            if self.problems.len() - before == MOST_REFUSALS {
                break;
            }
        }
        read
    }

    fn value(&self, path: &str) -> Value {
        self.figment.find_value(path).unwrap_or(Value::from(Empty::Unit))
    }

    fn parsed<T, E: Display>(
        &mut self,
        path: &str,
        item: Option<usize>,
        value: &Value,
        expected: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Value::String(_, text) = value else {
            let expected = match value {
                Value::Num(..) | Value::Bool(..) => format!("{expected}, in quotes if need be"),
                _ => expected.to_owned(),
            };
            self.unexpected(path, item, &expected, value);
            return None;
        };
        parse(text).map_err(|error| self.refuse(path, item, error)).ok()
    }

    fn unexpected(&mut self, path: &str, item: Option<usize>, expected: &str, value: &Value) {
        let hidden = Key::find(path).is_none_or(Key::is_hidden);
        let found = match value {
            Value::String(_, text) if !hidden => format!("{text:?}"),
            Value::Bool(_, value) if !hidden => value.to_string(),
            Value::Num(_, number) if !hidden => match (number.to_u128(), number.to_i128(), number.to_f64()) {
                (Some(number), _, _) => number.to_string(),
                (_, Some(number), _) => number.to_string(),
                (_, _, number) => number.map_or_else(|| "a number".to_owned(), |number| number.to_string()),
            },
            other => kind(other).to_owned(),
        };
        self.refuse(path, item, format!("expected {expected}, found {found}"));
    }
}
