//! What is written about an event.

use myelin_store::{
    StoreResult,
    events::StoredEvent,
    notifications::{self, Exception, NotifyingEvent, Sums},
};

use super::{
    ask::{Answers, counts},
    follower::Follower,
    room_state::RoomState,
};

impl Follower {
    /// Writes what most are notified of, if there is anybody who goes by it; returns what it counts.
    pub(super) async fn note_most(
        &mut self,
        state: &mut RoomState,
        event: &StoredEvent,
        (answers, thread): (&Answers, &str),
    ) -> StoreResult<Sums> {
        let Some(actions) = answers.most.as_ref().filter(|actions| actions.notify) else {
            return Ok(Sums::default());
        };
        if !state.is_followed(event.sender) {
            return Ok(Sums::default());
        }
        let base = sums(counts(Some(actions)));
        let before = if let Some(before) = state.sums.get(thread) {
            *before
        } else {
            // Read from what is written; up to the event, for its row may be there already if a
            // kill came in between.
            self.flush().await?;
            let (place, before) = ((event.room, thread), event.room_order - 1);
            notifications::sums_up_to(&mut self.store.read(), place, before).await?
        };
        let after = Sums {
            notify: before.notify + base.notify,
            highlight: before.highlight + base.highlight,
        };
        state.remember(thread, after);
        let numbers = self.store.intern(&[actions.json.as_bytes()]).await?;
        let row = NotifyingEvent {
            room: event.room,
            room_order: event.room_order,
            thread: thread.to_owned(),
            event: event.event,
            noted_ms: self.now_ms(),
            highlight: actions.highlight,
            actions: numbers.first().copied().unwrap_or_default(),
            redacted: false,
            sums: after,
        };
        self.batch
            .add(2, |writes| notifications::put_event(writes, &row));
        Ok(base)
    }

    /// Writes who is notified of something else.
    pub(super) async fn note_exceptions(
        &mut self,
        event: &StoredEvent,
        answers: Answers,
        (thread, base): (&str, Sums),
    ) -> StoreResult<()> {
        let noted_ms = self.now_ms();
        for exception in answers.exceptions {
            let own = sums(counts(exception.actions.as_ref()));
            let base = if exception.follows {
                base
            } else {
                Sums::default()
            };
            let row = Exception {
                user: exception.user,
                room: event.room,
                room_order: event.room_order,
                thread: thread.to_owned(),
                event: event.event,
                noted_ms,
                notify: own.notify > 0,
                highlight: own.highlight > 0,
                actions: exception
                    .actions
                    .map_or_else(|| "[]".to_owned(), |actions| actions.json.clone()),
                more: Sums {
                    notify: own.notify - base.notify,
                    highlight: own.highlight - base.highlight,
                },
            };
            self.batch
                .add(1, |writes| notifications::put_exception(writes, &row));
            if self.batch.is_full() {
                self.flush().await?;
            }
        }
        Ok(())
    }
}

fn sums((notify, highlight): (bool, bool)) -> Sums {
    Sums {
        notify: notify.into(),
        highlight: highlight.into(),
    }
}
