//! What is redacted notifies nobody.

use myelin_store::{StoreResult, events::StoredEvent, notifications};

use super::follower::Follower;

/// Exceptions that are looked up at once.
const SLICE: i64 = 500;

impl Follower {
    /// Takes back what the target of a redaction has added to counts. Cost: the users for whom it
    /// was an exception.
    pub(super) async fn pass_redaction(&mut self, redaction: &StoredEvent) -> StoreResult<()> {
        let mut read = self.store.read();
        let target = self.rooms.redacted_event(&mut read, redaction).await?;
        let Some(target) = target.filter(|target| target.room_order > 0) else {
            return Ok(());
        };
        self.flush().await?;
        let place = (target.room, target.room_order);
        let row = notifications::find_event(&mut read, place.0, place.1).await?;
        if let Some(row) = row.filter(|row| !row.redacted) {
            self.batch
                .add(1, |writes| notifications::redact_event(writes, &row));
        }
        let mut after = i64::MIN;
        loop {
            let slice = (after, SLICE);
            let users = notifications::list_exceptions_of_event(&mut read, place, slice).await?;
            let Some(last) = users.last() else {
                return Ok(());
            };
            after = *last;
            self.batch.add(users.len(), |writes| {
                let users = users.into_iter();
                users.for_each(|user| notifications::delete_exception(writes, user, place));
            });
            self.flush().await?;
        }
    }
}
