//! The strings and ids that this node has met lately. None of it can go stale.

use bytes::Bytes;
use parking_lot::Mutex;

use crate::Generations;

/// Entries in each of a cache's two generations.
const GENERATION: usize = 32_768;

/// What this node has met lately.
#[derive(Debug)]
pub(crate) struct InternedCache {
    ids: Mutex<Generations<Bytes, i64>>,
    strings: Mutex<Generations<i64, Bytes>>,
}

impl Default for InternedCache {
    fn default() -> Self {
        Self {
            ids: Mutex::new(Generations::new(GENERATION)),
            strings: Mutex::new(Generations::new(GENERATION)),
        }
    }
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
