//! A map for what may be forgotten.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

/// A map of bounded size that forgets what was not asked for lately: when the young generation is
/// full it becomes the old one, and the old one goes.
#[derive(Debug)]
pub struct Generations<K, V> {
    capacity: usize,
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K: Eq + Hash, V: Clone> Generations<K, V> {
    /// An empty map of at most twice this many entries.
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }

    /// Puts in an entry.
    pub fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= self.capacity {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    /// The value of a key, which stays for longer now.
    pub fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        if let Some(value) = self.young.get(key) {
            return Some(value.clone());
        }
        let (key, value) = self.old.remove_entry(key)?;
        self.insert(key, value.clone());
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_bounded_and_keeps_what_is_used() {
        let mut map = Generations::new(100);
        map.insert(-1_i64, 0_i64);
        for n in 0..1_000 {
            map.insert(n, n);
            assert_eq!(map.get(&-1), Some(0));
        }
        assert!(map.young.len() + map.old.len() <= 200);
        assert_eq!(map.get(&0), None);
    }

    #[test]
    fn the_newest_value_counts() {
        let mut map = Generations::new(2);
        map.insert("a", 1);
        map.insert("b", 2);
        map.insert("c", 3);
        map.insert("a", 4);
        assert_eq!(map.get("a"), Some(4));
    }
}
