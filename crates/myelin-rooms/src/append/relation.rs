//! What an event says about another one: what a local user may not say, and what goes with a
//! redaction.

use myelin_core::relation::{ANNOTATION, Relation, THREAD};
use myelin_store::{StoreResult, events::StoredEvent, relations, threads};

use super::{AppendError, Draft};
use crate::open_room::OpenRoom;

impl OpenRoom<'_> {
    /// Refuses a second annotation of the same kind by the same user (spec: "Avoiding duplicate
    /// annotations"), and a thread that would start from an event which itself belongs to another
    /// (spec: "Validation of `m.thread` relationships"). What other servers send is not asked.
    pub(crate) async fn check_relation(&mut self, draft: &Draft<'_>) -> Result<(), AppendError> {
        let Some(relation) = Relation::of_content(&draft.content) else {
            return Ok(());
        };
        match (&*relation.rel_type, &relation.key) {
            (ANNOTATION, Some(key)) => {
                // The first one may be queued still.
                self.await_queued().await?;
                let parent = (self.number(), &*relation.event_id);
                let by = (draft.numbers.sender, draft.numbers.event_type);
                if relations::is_annotated(&mut self.read, parent, by, key).await? {
                    return Err(AppendError::DuplicateAnnotation(relation.event_id));
                }
            }
            (THREAD, _) => {
                let root = self.find_event(&relation.event_id).await?;
                let is_child = |root: &StoredEvent| Relation::type_of_event(&root.json).is_some();
                if root.is_some_and(|root| is_child(&root)) {
                    return Err(AppendError::NoThreadRoot(relation.event_id));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Forgets what an event said about another one, in the set that redacts it.
    pub(crate) async fn forget_relation(&mut self, event: &StoredEvent) -> StoreResult<()> {
        let Some(relation) = Relation::of_event(&event.json) else {
            return Ok(());
        };
        relations::delete(&mut self.writes, event.event);
        if relation.rel_type != THREAD || event.room_order == 0 {
            return Ok(());
        }
        // What is queued may have moved the thread.
        self.await_queued().await?;
        let thread = (event.room, &*relation.event_id);
        let read = &mut self.read;
        let newest = match threads::find_latest(read, thread).await? {
            Some(latest) if latest == event.room_order => {
                let other = relations::find_newest_other(read, thread, event.event).await?;
                Some((latest, other))
            }
            _ => None,
        };
        threads::leave(&mut self.writes, thread, newest);
        Ok(())
    }
}
