//! What the user keeps here, and whom the user ignores.

use std::fmt::Write;

use myelin_accounts::{invite_wishes, shown_push_rules};
use myelin_core::invite_permission::InvitePermission;
use myelin_store::{
    Read, StoreError, StoreResult,
    account_data::{self, AccountData, NO_ROOM},
    events::StoredEvent,
    server_notice_rooms,
};
use ruma::{RoomId, UserId};
use serde_json::json;

use super::poll::Poll;
use crate::{Syncs, filter::EventFilter, render::quoted};

impl Syncs {
    /// The user's data outside of rooms as a list of events in JSON, without its brackets: what
    /// has changed, by its keys, or with None all that there is.
    pub(super) async fn global_account_data(
        &self,
        poll: &Poll,
        read: &mut Read,
        (changed, with_rules): (Option<&[i64]>, bool),
    ) -> StoreResult<String> {
        let filter = &poll.request.filter.account_data;
        let mut events = account_data_events(poll, read, (NO_ROOM, filter), changed).await?;
        if with_rules && filter.allows_type("m.push_rules") {
            if !events.is_empty() {
                events.push(',');
            }
            events.push_str(&self.push_rules_event(read, poll.user()).await?);
        }
        Ok(events)
    }

    /// The user's push rules, which are stored elsewhere, and there only what the user has changed.
    async fn push_rules_event(&self, read: &mut Read, user: i64) -> StoreResult<String> {
        let id = self.store.interned(&[user]).await?;
        let id = id.first().and_then(|id| std::str::from_utf8(id).ok());
        let id = id.and_then(|id| <&UserId>::try_from(id).ok());
        let id = id.ok_or(StoreError::Missing { table: "interned" })?;
        let content = shown_push_rules(read, (user, id)).await?;
        let event = json!({"type": "m.push_rules", "content": content});
        Ok(event.to_string())
    }

    /// The same for a room.
    pub(super) async fn room_account_data(
        &self,
        poll: &Poll,
        read: &mut Read,
        (room, room_id): (i64, &RoomId),
        changed: Option<&[i64]>,
    ) -> StoreResult<String> {
        let filter = &poll.request.filter.room.account_data;
        if !filter.allows_room(room_id.as_str()) {
            return Ok(String::new());
        }
        account_data_events(poll, read, (room, filter), changed).await
    }

    /// Whether the user ignores another.
    pub(super) async fn is_ignored(&self, poll: &Poll, user: i64) -> StoreResult<bool> {
        if poll.ignored.is_empty() {
            return Ok(false);
        }
        let names = self.store.interned(&[user]).await?;
        Ok(names.iter().any(|name| poll.ignores(name)))
    }

    /// Whether the user does not want to be told of this invitation. What the server has to say
    /// is told whatever the user wishes.
    pub(super) async fn is_unwanted(
        &self,
        poll: &Poll,
        read: &mut Read,
        invite: &StoredEvent,
    ) -> StoreResult<bool> {
        let wishes = invite_wishes(&self.store, read, poll.user()).await?;
        let names = self.store.interned(&[invite.sender]).await?;
        let id = names
            .first()
            .and_then(|name| std::str::from_utf8(name).ok());
        let id = id.and_then(|id| <&UserId>::try_from(id).ok());
        if id.is_none_or(|id| wishes.of(id) == InvitePermission::Allow) {
            return Ok(false);
        }
        let notices = server_notice_rooms::find(read, poll.user()).await?;
        Ok(notices != Some(invite.room))
    }

    /// Keeps the events of users whom the user does not ignore, and those of the state, which
    /// would look different otherwise (spec: "Ignoring Users").
    pub(super) async fn retain_unignored(
        &self,
        poll: &Poll,
        events: &mut Vec<StoredEvent>,
    ) -> StoreResult<()> {
        if poll.ignored.is_empty() {
            return Ok(());
        }
        let senders: Vec<i64> = events.iter().map(|event| event.sender).collect();
        let names = self.store.interned(&senders).await?;
        let mut names = names.iter();
        events.retain(|event| {
            let ignored = names.next().is_some_and(|name| poll.ignores(name));
            event.state_key.is_some() || !ignored
        });
        Ok(())
    }
}

async fn account_data_events(
    poll: &Poll,
    read: &mut Read,
    (room, filter): (i64, &EventFilter),
    changed: Option<&[i64]>,
) -> StoreResult<String> {
    if filter.allows_nothing() || changed.is_some_and(<[i64]>::is_empty) {
        return Ok(String::new());
    }
    let user = poll.user();
    let found = match changed {
        Some(keys) => account_data::list(read, user, keys).await?,
        None => account_data::list_by_rooms(read, user, &[room]).await?,
    };
    let mut out = String::new();
    for AccountData { key, content, .. } in found {
        if !filter.allows_type(&key.event_type) {
            continue;
        }
        let comma = if out.is_empty() { "" } else { "," };
        let content = String::from_utf8_lossy(&content);
        let event_type = quoted(&key.event_type);
        // Writing to a string cannot fail.
        let _ = write!(out, r#"{comma}{{"content":{content},"type":{event_type}}}"#);
    }
    Ok(out)
}
