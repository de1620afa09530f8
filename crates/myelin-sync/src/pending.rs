//! The newest events of a room, which the follower that counts has not come to yet. There are few of
//! them, and who asks looks at them with the same rules.

use std::sync::Arc;

use myelin_accounts::{get_push_rules, ignored_users};
use myelin_core::push::{Actions, CompiledRules, Reader};
use myelin_rooms::Asks;
use myelin_store::{
    Read, StoreResult,
    events::{self, StoredEvent},
    notifications::MAIN,
    thread_subscriptions,
};
use ruma::{RoomId, UserId};

use crate::Syncs;

/// Most events that are looked at because nobody has counted them yet. If there are more, clients
/// are told again once they are counted.
const PENDING_MAX: i64 = 100;

/// An event that notifies a user.
#[derive(Debug)]
pub(crate) struct Notifying<'e> {
    pub(crate) event: &'e StoredEvent,
    /// `main`, or the id of its thread's root.
    pub(crate) thread: String,
    pub(crate) actions: Arc<Actions>,
}

impl Syncs {
    /// The events of a room after the last one that was counted, the oldest first.
    pub(crate) async fn pending(
        &self,
        read: &mut Read,
        room: i64,
        evaluated: i64,
    ) -> StoreResult<Vec<StoredEvent>> {
        events::list_from(read, room, evaluated + 1, PENDING_MAX).await
    }

    /// Which of these events of one room notify a user who was there after a place of it.
    pub(crate) async fn notifying<'e>(
        &self,
        read: &mut Read,
        (user, room_id): (i64, &RoomId),
        (after, pending): (i64, &'e [StoredEvent]),
    ) -> StoreResult<Vec<Notifying<'e>>> {
        let pending = pending.iter().filter(|event| {
            event.sender != user && event.redaction.is_none() && event.room_order > after
        });
        let pending: Vec<&StoredEvent> = pending.collect();
        let Some(room) = pending.first().map(|event| event.room) else {
            return Ok(Vec::new());
        };
        let ignored = ignored_users(&self.store, read, user).await?;
        let changed = get_push_rules(read, user).await?;
        let rules = CompiledRules::new(&changed);
        let names = self.store.interned(&[user]).await?;
        let user_id = names.first().map(|name| String::from_utf8_lossy(name));
        let display_name = if rules.reads_display_name() {
            self.rooms.display_name(read, room, user).await?
        } else {
            None
        };
        let reader = Reader {
            user_id: user_id.as_deref().unwrap_or_default(),
            display_name: display_name.as_deref(),
        };
        let mut notifying = Vec::new();
        for event in pending {
            let mut asked = self.rooms.ask_rules_about(read, event, room_id).await?;
            let sender = <&UserId>::try_from(asked.event.sender());
            if event.state_key.is_none() && sender.is_ok_and(|sender| ignored.contains(sender)) {
                continue;
            }
            let subscribed = match &asked.thread {
                Some(thread) => thread_subscriptions::find(read, user, (room, thread)).await?,
                None => thread_subscriptions::Standing::default(),
            };
            let asks = Asks {
                rules: &rules,
                reader: Some(reader),
                subscribed: subscribed.subscription.is_some(),
            };
            let actions = self.rooms.verdict(read, &mut asked, asks).await?;
            if let Some(actions) = actions.filter(|actions| actions.notify) {
                notifying.push(Notifying {
                    event,
                    thread: asked.thread.unwrap_or_else(|| MAIN.to_owned()),
                    actions,
                });
            }
        }
        Ok(notifying)
    }
}
