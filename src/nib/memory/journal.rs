//! Maps, lists and values that remember what they were at the last commit: what is taken back costs
//! as much as was changed, however much there is.

use std::collections::BTreeMap;
use std::mem;
use std::ops::Deref;

/// What can be taken back.
pub(super) trait Journal {
    /// What was changed stays.
    fn keep(&mut self);

    /// All is as it was when it was last kept.
    fn take_back(&mut self);
}

/// A map.
#[derive(Debug)]
pub(super) struct Table<K, V> {
    rows: BTreeMap<K, V>,
    before: Vec<(K, Option<V>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), before: Vec::new() }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    pub(super) fn put(&mut self, key: K, value: V) {
        let before = self.rows.insert(key.clone(), value);
        self.before.push((key, before));
    }

    pub(super) fn remove(&mut self, key: &K) {
        if let Some((key, before)) = self.rows.remove_entry(key) {
            self.before.push((key, Some(before)));
        }
    }
}

impl<K, V> Deref for Table<K, V> {
    type Target = BTreeMap<K, V>;

    fn deref(&self) -> &Self::Target {
        &self.rows
    }
}

impl<K: Ord, V> Journal for Table<K, V> {
    fn keep(&mut self) {
        self.before.clear();
    }

    fn take_back(&mut self) {
        while let Some((key, before)) = self.before.pop() {
            match before {
                Some(value) => self.rows.insert(key, value),
                None => self.rows.remove(&key),
            };
        }
    }
}

/// A list that only grows.
#[derive(Debug)]
pub(super) struct List<T> {
    items: Vec<T>,
    kept: usize,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { items: Vec::new(), kept: 0 }
    }
}

impl<T> List<T> {
    pub(super) fn push(&mut self, item: T) {
        self.items.push(item);
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &Self::Target {
        &self.items
    }
}

impl<T> Journal for List<T> {
    fn keep(&mut self) {
        self.kept = self.items.len();
    }

    fn take_back(&mut self) {
        self.items.truncate(self.kept);
    }
}

/// One value.
#[derive(Debug, Default)]
pub(super) struct Single<T> {
    now: T,
    before: Option<T>,
}

impl<T> Single<T> {
    pub(super) const fn new(now: T) -> Self {
        Self { now, before: None }
    }

    pub(super) fn set(&mut self, value: T) {
        let before = mem::replace(&mut self.now, value);
        self.before.get_or_insert(before);
    }
}

impl<T> Deref for Single<T> {
    type Target = T;

    fn deref(&self) -> &Self::Target {
        &self.now
    }
}

impl<T> Journal for Single<T> {
    fn keep(&mut self) {
        self.before = None;
    }

    fn take_back(&mut self) {
        if let Some(before) = self.before.take() {
            self.now = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_taken_back_was_never_there(
            steps in vec((0..4_u8, prop::option::of(any::<u8>())), 0..20),
            kept in 0..20_usize,
        ) {
            let (mut table, mut list, mut single) = (Table::default(), List::default(), Single::new(0));
            let mut wanted = None;
            for (step, (key, value)) in steps.iter().enumerate() {
                if step == kept {
                    for part in [&mut table as &mut dyn Journal, &mut list, &mut single] {
                        part.keep();
                    }
                    wanted = Some((table.clone(), list.to_vec(), *single));
                }
                match value {
                    Some(value) => table.put(*key, *value),
                    None => table.remove(key),
                }
                list.push(*key);
                single.set(*key);
            }
            for part in [&mut table as &mut dyn Journal, &mut list, &mut single] {
                part.take_back();
            }
            prop_assert_eq!((table.clone(), list.to_vec(), *single), wanted.unwrap_or_default());
        }
    }
}
