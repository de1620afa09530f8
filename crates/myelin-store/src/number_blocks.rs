//! The numbers that this node has leased and not used yet.

use std::ops::Range;

use tokio::sync::Mutex;

/// What is left of this node's blocks.
#[derive(Debug)]
pub(crate) struct NumberBlocks {
    pub(crate) event: Mutex<Range<i64>>,
    pub(crate) interned: Mutex<Range<i64>>,
    pub(crate) receipt: Mutex<Range<i64>>,
    pub(crate) to_device: Mutex<Range<i64>>,
    pub(crate) node: Mutex<Range<i64>>,
}

impl Default for NumberBlocks {
    fn default() -> Self {
        Self {
            event: Mutex::new(0..0),
            interned: Mutex::new(0..0),
            receipt: Mutex::new(0..0),
            to_device: Mutex::new(0..0),
            node: Mutex::new(0..0),
        }
    }
}
