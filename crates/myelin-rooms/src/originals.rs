//! What redacted events said is deleted when its time is over.

use myelin_store::{StoreResult, WriteSet, redacted_originals};

use crate::Rooms;

/// Rows that one commit deletes.
const SLICE: i64 = 500;

impl Rooms {
    /// Deletes what redacted events said a week ago or earlier. To be called from time to time;
    /// that several nodes do so at once does no harm.
    pub async fn delete_expired_originals(&self) -> StoreResult<()> {
        let now_ms = i64::try_from(self.server.now_ms()).unwrap_or(i64::MAX);
        loop {
            let mut read = self.store.read();
            let expired = redacted_originals::list_expired(&mut read, now_ms, SLICE).await?;
            if expired.is_empty() {
                return Ok(());
            }
            let mut writes = WriteSet::new();
            for event in expired {
                redacted_originals::delete(&mut writes, event);
            }
            self.store.commit(writes).await?;
        }
    }
}
