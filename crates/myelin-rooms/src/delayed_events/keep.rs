//! How long it is remembered what became of delayed events.

use myelin_store::{Read, StoreError, StoreResult, WriteSet, delayed_events};

use crate::Rooms;

/// Most delayed events of a user that are remembered once they have ended.
const ENDED_MAX: i64 = 1_000;
/// How many more are forgotten with each that is scheduled: more than one, so that they become fewer.
const FORGOTTEN_AT_ONCE: i64 = 2;
/// For how long they are remembered: a week.
const KEPT_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// Rows that one commit deletes.
const SLICE: i64 = 200;

impl Rooms {
    /// Deletes delayed events that ended a week ago or earlier. To be called from time to time; that
    /// several nodes do so at once does no harm.
    pub async fn delete_old_delayed_events(&self) -> StoreResult<()> {
        let before_ms = self.now_ms().saturating_sub(KEPT_MS);
        loop {
            let mut read = self.store.read();
            let ended = delayed_events::list_ended(&mut read, before_ms, SLICE).await?;
            if ended.is_empty() {
                return Ok(());
            }
            let mut writes = WriteSet::new();
            for event in &ended {
                delayed_events::delete(&mut writes, event);
            }
            match self.store.commit(writes).await {
                // Another node has deleted some of them.
                Ok(_) | Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Makes room for what a new delayed event will be remembered as.
pub(super) async fn forget_oldest(
    read: &mut Read,
    writes: &mut WriteSet,
    sender: i64,
) -> StoreResult<()> {
    let beyond =
        delayed_events::list_ended_beyond(read, sender, ENDED_MAX, FORGOTTEN_AT_ONCE).await?;
    for event in &beyond {
        delayed_events::delete(writes, event);
    }
    Ok(())
}
