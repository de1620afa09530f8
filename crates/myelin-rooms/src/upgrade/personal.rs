//! What a user's own settings say of an old room they say of the new one, once the user is in it.

use bytes::Bytes;
use myelin_accounts::carry_push_rules;
use myelin_core::membership::Membership;
use myelin_store::{
    StoreError,
    account_data::{self, Key},
    memberships, rooms,
};
use ruma::{OwnedRoomId, RoomId};
use serde_json::{Map, Value};

use crate::{Rooms, open_room::OpenRoom};

impl Rooms {
    /// Carries a user's tags, direct chats and push rules over to a room that has replaced another, in the set
    /// by which the user enters it. What the user has set for the new room already stays.
    pub(crate) async fn carry_personal(
        &self,
        new: &mut OpenRoom<'_>,
        user: i64,
    ) -> Result<(), StoreError> {
        let Some(old_id) = predecessor(new) else {
            return Ok(());
        };
        let new_id = new.id().to_owned();
        let Some(old) = self.find_number(&old_id).await? else {
            return Ok(());
        };
        let was_there = memberships::find(&mut new.read, old, user).await?;
        if was_there.is_none_or(|found| found.membership != Membership::Join) {
            return Ok(());
        }
        self.carry_tags(new, user, (&old_id, &new_id)).await?;
        self.carry_direct(new, user, (&old_id, &new_id)).await?;
        let rooms = (old_id.as_str(), new_id.as_str());
        carry_push_rules(&mut new.read, &mut new.writes, user, rooms).await
    }

    /// Whether a room says that it was replaced by this one: anybody could claim to replace it.
    pub(crate) async fn is_replaced_by(&self, new: &mut OpenRoom<'_>) -> Result<bool, StoreError> {
        #[derive(serde::Deserialize)]
        struct Stored {
            content: Content,
        }
        #[derive(serde::Deserialize)]
        struct Content {
            replacement_room: OwnedRoomId,
        }
        let Some(old_id) = predecessor(new) else {
            return Ok(false);
        };
        let Some(old) = self.find_number(&old_id).await? else {
            return Ok(false);
        };
        let Some(row) = rooms::find(&mut new.read, old).await? else {
            return Ok(false);
        };
        let at = (old, &row.root);
        let tombstone = self.state_event(&mut new.read, at, "m.room.tombstone", "");
        let tombstone = tombstone.await?;
        Ok(tombstone.is_some_and(|event| {
            serde_json::from_str(&event.json)
                .is_ok_and(|stored: Stored| stored.content.replacement_room == *new.id())
        }))
    }

    async fn carry_tags(
        &self,
        new: &mut OpenRoom<'_>,
        user: i64,
        (old_id, new_id): (&RoomId, &RoomId),
    ) -> Result<(), StoreError> {
        let Some(key) = Key::find(&self.store, Some(old_id.as_str()), "m.tag").await? else {
            return Ok(());
        };
        let Some(before) = account_data::find(&mut new.read, user, key).await? else {
            return Ok(());
        };
        let key = Key::intern(&self.store, Some(new_id.as_str()), "m.tag").await?;
        if !before.is_deleted()
            && account_data::find(&mut new.read, user, key.number)
                .await?
                .is_none()
        {
            account_data::put(&mut new.writes, user, &key, (before.content, None));
        }
        Ok(())
    }

    async fn carry_direct(
        &self,
        new: &mut OpenRoom<'_>,
        user: i64,
        (old_id, new_id): (&RoomId, &RoomId),
    ) -> Result<(), StoreError> {
        let Some(key) = Key::find(&self.store, None, "m.direct").await? else {
            return Ok(());
        };
        let Some(before) = account_data::find(&mut new.read, user, key).await? else {
            return Ok(());
        };
        if let Some(content) = with_room(&before.content, (old_id.as_str(), new_id.as_str())) {
            let written = (content, Some(before.version));
            account_data::put(&mut new.writes, user, &before.key, written);
        }
        Ok(())
    }
}

/// The direct chats with the new room beside the old one; None: there is nothing to add.
fn with_room(content: &[u8], (old_id, new_id): (&str, &str)) -> Option<Bytes> {
    let mut chats: Map<String, Value> = serde_json::from_slice(content).ok()?;
    let mut added = false;
    for rooms in chats.values_mut().filter_map(Value::as_array_mut) {
        if rooms.iter().any(|room| room == old_id) && !rooms.iter().any(|room| room == new_id) {
            rooms.push(new_id.into());
            added = true;
        }
    }
    added.then(|| Value::Object(chats).to_string().into())
}

/// The room that a room says it has replaced.
fn predecessor(room: &mut OpenRoom<'_>) -> Option<OwnedRoomId> {
    #[derive(serde::Deserialize)]
    struct Content {
        predecessor: Predecessor,
    }
    #[derive(serde::Deserialize)]
    struct Predecessor {
        room_id: OwnedRoomId,
    }
    let create = room.head()?.create.clone()?;
    let content: Content = serde_json::from_str(create.content.get()).ok()?;
    Some(content.predecessor.room_id)
}
