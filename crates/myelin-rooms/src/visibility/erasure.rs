//! What users said who asked for erasure (spec: `POST /account/deactivate`, `erase`): who had it
//! before their eyes keeps it, others are shown what a redaction would leave.

use std::collections::{BTreeSet, HashMap};

use myelin_core::{event, membership::Membership};
use myelin_store::{
    Read, StoreError, StoreResult,
    events::{self, StoredEvent},
    memberships, rooms, users,
};
use ruma::RoomVersionId;

use super::{RoomView, VisibleEvent};
use crate::Rooms;

impl Rooms {
    /// Prunes the events of erased senders, but those that were sent while the user was in the room
    /// and, for who came before the erasure, all.
    ///
    /// Cost: nothing for events of times when the user was in the room; else one read for all of
    /// them, and three more where somebody was erased.
    pub(super) async fn prune_erased(
        &self,
        read: &mut Read,
        view: &RoomView,
        shown: &mut [VisibleEvent],
    ) -> StoreResult<()> {
        let is_late = |shown: &&VisibleEvent| shown.membership != Membership::Join;
        let senders: BTreeSet<i64> = shown.iter().filter(is_late).map(sender).collect();
        // One sees what one said oneself.
        let senders: Vec<i64> = senders
            .into_iter()
            .filter(|sender| *sender != view.user)
            .collect();
        if senders.is_empty() {
            return Ok(());
        }
        let erased: HashMap<i64, i64> = users::list_erased(read, &senders)
            .await?
            .into_iter()
            .collect();
        if erased.is_empty() {
            return Ok(());
        }
        let came_ms = came_ms(read, view).await?;
        let version = room_version(read, view.room).await?;
        for shown in shown {
            let erased_ms = erased.get(&sender(shown)).copied();
            let is_hidden = shown.membership != Membership::Join
                && erased_ms.is_some_and(|erased_ms| came_ms.is_none_or(|ms| ms >= erased_ms));
            if is_hidden {
                prune(&mut shown.event, &version)?;
            }
        }
        Ok(())
    }

    /// Leaves of a room's events what a redaction would leave of them.
    pub async fn prune<'a>(
        &self,
        read: &mut Read,
        room: i64,
        events: impl Iterator<Item = &'a mut StoredEvent> + Send,
    ) -> StoreResult<()> {
        let version = room_version(read, room).await?;
        for event in events {
            prune(event, &version)?;
        }
        Ok(())
    }
}

fn prune(event: &mut StoredEvent, version: &RoomVersionId) -> StoreResult<()> {
    event.json = event::redact(&event.json, version).map_err(|error| StoreError::Corrupt {
        table: "events",
        column: 12,
        wanted: "an event",
        found: error.to_string(),
    })?;
    Ok(())
}

fn sender(shown: &VisibleEvent) -> i64 {
    shown.event.sender
}

/// When the user came into the room, or was last heard of as one who is or was in it.
async fn came_ms(read: &mut Read, view: &RoomView) -> StoreResult<Option<i64>> {
    let Some(found) = memberships::find(read, view.room, view.user).await? else {
        return Ok(None);
    };
    if matches!(found.membership, Membership::Invite | Membership::Knock) {
        return Ok(None);
    }
    let event = events::find(read, found.event).await?;
    Ok(event.map(|event| event.origin_server_ts))
}

async fn room_version(read: &mut Read, room: i64) -> StoreResult<RoomVersionId> {
    let row = rooms::find(read, room).await?;
    let row = row.ok_or(StoreError::Missing { table: "rooms" })?;
    RoomVersionId::try_from(row.room_version.as_str()).map_err(|_| StoreError::Corrupt {
        table: "rooms",
        column: 2,
        wanted: "a room version",
        found: row.room_version,
    })
}
