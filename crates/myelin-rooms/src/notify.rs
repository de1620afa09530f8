//! Push rules asked about stored events: what those who count notifications and those who tell of
//! them have in common.

use std::sync::Arc;

use myelin_core::{
    event,
    power::PowerLevels,
    push::{Actions, CompiledRules, Facts, Permission, PushEvent, Reader, Verdict},
};
use myelin_store::{
    Read, StoreError, StoreResult,
    events::{self, StoredEvent},
    memberships, rooms,
};
use ruma::{OwnedEventId, RoomId, RoomVersionId, UserId};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    Rooms,
    receipts::{MAIN, find_in_room, thread_of},
};

/// An event about which rules are asked.
#[derive(Debug)]
pub struct AskedEvent<'a> {
    stored: &'a StoredEvent,
    /// The event as rules look at it.
    pub event: PushEvent,
    joined: u64,
    permission: Option<Permission>,
    /// The id of the root of the thread that the event is in, if it is in one.
    pub thread: Option<String>,
}

/// Who asks rules about an event.
#[derive(Clone, Copy, Debug)]
pub struct Asks<'a> {
    /// The rules.
    pub rules: &'a CompiledRules,
    /// Whose they are; None: anybody's whom the event does not name.
    pub reader: Option<Reader<'a>>,
    /// Whether these have subscribed to the thread that the event is in, if it is in one.
    pub subscribed: bool,
}

impl Rooms {
    /// Prepares to ask rules about an event of a room.
    pub async fn ask_rules_about<'a>(
        &self,
        read: &mut Read,
        stored: &'a StoredEvent,
        room_id: &RoomId,
    ) -> StoreResult<AskedEvent<'a>> {
        let row = rooms::find(read, stored.room).await?;
        let joined = row.map_or(0, |row| row.joined);
        Ok(AskedEvent {
            stored,
            event: PushEvent::new(&stored.json, room_id.as_str()),
            joined: u64::try_from(joined).unwrap_or_default(),
            permission: None,
            thread: thread_of(read, stored).await?.0,
        })
    }

    /// What is to be done about an event. None: no rule matches.
    pub async fn verdict(
        &self,
        read: &mut Read,
        asked: &mut AskedEvent<'_>,
        asks: Asks<'_>,
    ) -> StoreResult<Option<Arc<Actions>>> {
        loop {
            let facts = Facts {
                joined: asked.joined,
                permission: asked.permission.as_ref(),
                subscribed: asked.thread.as_ref().map(|_| asks.subscribed),
            };
            match asks
                .rules
                .verdict(&asked.event, &facts, asks.reader.as_ref())
            {
                Verdict::Nothing => return Ok(None),
                Verdict::Actions(actions) => return Ok(Some(Arc::clone(actions))),
                Verdict::NeedsPermission => {}
            }
            asked.permission = Some(self.permission(read, asked.stored).await?);
        }
    }

    /// `main`, or the id of the root of the thread that an event is in.
    pub async fn thread_of_event(
        &self,
        read: &mut Read,
        event: &StoredEvent,
    ) -> StoreResult<String> {
        let (thread, _) = thread_of(read, event).await?;
        Ok(thread.unwrap_or_else(|| MAIN.to_owned()))
    }

    /// The event that a redaction has redacted, if it is here and the redaction was heeded.
    pub async fn redacted_event(
        &self,
        read: &mut Read,
        redaction: &StoredEvent,
    ) -> StoreResult<Option<StoredEvent>> {
        let Ok(parsed) = serde_json::from_str::<Value>(&redaction.json) else {
            return Ok(None);
        };
        // Where the room's version has it in one place, the other is only what a user likes: the
        // target tells whether it was heeded.
        let places = [&parsed["content"]["redacts"], &parsed["redacts"]];
        for target in places.into_iter().filter_map(Value::as_str) {
            let target = find_in_room(read, redaction.room, target).await?;
            let by = |target: &StoredEvent| target.redaction.as_ref().map(|by| by.event);
            if let Some(target) = target.filter(|target| by(target) == Some(redaction.event)) {
                return Ok(Some(target));
            }
        }
        Ok(None)
    }

    /// The name that a user goes by in a room, if the user has one.
    pub async fn display_name(
        &self,
        read: &mut Read,
        room: i64,
        user: i64,
    ) -> StoreResult<Option<String>> {
        #[derive(Deserialize)]
        struct Member {
            content: Content,
        }
        #[derive(Deserialize)]
        struct Content {
            displayname: Option<String>,
        }
        let Some(found) = memberships::find(read, room, user).await? else {
            return Ok(None);
        };
        let member = events::find(read, found.event).await?;
        let member = member.and_then(|event| serde_json::from_str::<Member>(&event.json).ok());
        Ok(member.and_then(|member| member.content.displayname))
    }

    /// What the sender of an event may notify others of. Where the power levels cannot be read,
    /// that is nothing.
    async fn permission(&self, read: &mut Read, event: &StoredEvent) -> StoreResult<Permission> {
        let at = (event.room, &event.root_before);
        let create = self.state_event(read, at, "m.room.create", "").await?;
        let levels = self
            .state_event(read, at, "m.room.power_levels", "")
            .await?;
        let row = rooms::find(read, event.room).await?;
        let version = row.and_then(|row| RoomVersionId::try_from(row.room_version).ok());
        let (Some(create), Some(version)) = (create, version) else {
            return Ok(Permission::new(0, None));
        };
        let create = parsed(&create, &version)?;
        let levels = levels.map(|levels| parsed(&levels, &version)).transpose()?;
        let sender = self.store.interned(&[event.sender]).await?;
        let sender = sender.first().and_then(|id| std::str::from_utf8(id).ok());
        let sender = sender.and_then(|id| <&UserId>::try_from(id).ok());
        let known = PowerLevels::of_room(&version, &create, levels.as_ref()).ok();
        let level = known
            .zip(sender)
            .map(|(known, sender)| known.level_of(sender));
        let content = levels.as_ref().map(|levels| levels.content.get());
        Ok(Permission::new(level.unwrap_or_default(), content))
    }
}

fn parsed(stored: &StoredEvent, version: &RoomVersionId) -> StoreResult<event::Event> {
    let corrupt = |found: String| StoreError::Corrupt {
        table: "events",
        column: 12,
        wanted: "an event",
        found,
    };
    let id = OwnedEventId::try_from(stored.id.as_str()).map_err(|_| corrupt(stored.id.clone()))?;
    event::from_stored(&stored.json, id, version).map_err(|error| corrupt(error.to_string()))
}
