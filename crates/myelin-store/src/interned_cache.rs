//! The strings and ids that this node has met lately. None of it can go stale.

use std::{borrow::Borrow, collections::HashMap, hash::Hash};

use bytes::Bytes;
use parking_lot::Mutex;

/// Entries in each of a cache's two generations.
const GENERATION: usize = 32_768;

/// What this node has met lately.
#[derive(Debug, Default)]
pub(crate) struct InternedCache {
    ids: Mutex<Generations<Bytes, i64>>,
    strings: Mutex<Generations<i64, Bytes>>,
}

impl InternedCache {
    pub(crate) fn remember(&self, id: i64, string: Bytes) {
        self.ids.lock().insert(string.clone(), id);
        self.strings.lock().insert(id, string);
    }

    pub(crate) fn id(&self, string: &[u8]) -> Option<i64> {
        self.ids.lock().get(string)
    }

    pub(crate) fn string(&self, id: i64) -> Option<Bytes> {
        self.strings.lock().get(&id)
    }
}

/// A map of bounded size that forgets what was not asked for lately: when the young generation is
/// full it becomes the old one, and the old one goes.
#[derive(Debug)]
struct Generations<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Generations<K, V> {
    fn default() -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash, V: Clone> Generations<K, V> {
    fn insert(&mut self, key: K, value: V) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, value);
    }

    fn get<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<V>
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
    fn the_cache_is_bounded_and_keeps_what_is_used() {
        let mut cache = Generations::default();
        cache.insert(-1_i64, 0_i64);
        for n in 0..10 * i64::try_from(GENERATION).unwrap() {
            cache.insert(n, n);
            assert_eq!(cache.get(&-1), Some(0));
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * GENERATION);
        assert_eq!(cache.get(&0), None);
    }
}
