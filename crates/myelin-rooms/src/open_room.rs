//! A room in the hands of one use case, and the set that its changes become.

use std::{collections::BTreeSet, sync::Arc};

use myelin_core::{event::Event, membership::Membership, trie::StateKey};
use myelin_store::{
    Committed, Read, StoreError, Submission, WriteSet,
    events::{self, StoredEvent},
    rooms,
};
use ruma::RoomId;

use crate::{
    Rooms,
    head::{Head, LockedHead, StateEvent},
};

/// A room in the hands of one use case: events are appended to its head and to one write set.
pub(crate) struct OpenRoom<'a> {
    pub(crate) rooms: &'a Rooms,
    room_id: &'a RoomId,
    pub(crate) locked: LockedHead,
    /// The version of the head that the set builds on; None for a room that is being created.
    base: Option<i64>,
    pub(crate) read: Read,
    pub(crate) writes: WriteSet,
    /// Invitations are sent whatever those whom they are for wish.
    pub(crate) invites_all: bool,
    /// The redactions of whose jobs the set leaves one behind already.
    pub(crate) taking_along: BTreeSet<i64>,
    /// The set leaves the job behind that judges sticky events anew.
    pub(crate) judges_sticky: bool,
    /// The head is ahead of what is queued.
    pub(crate) changed: bool,
}

/// A queued set and the heads that it moves.
pub(crate) struct Queued {
    /// Room and generation.
    heads: Vec<(i64, u64)>,
    submission: Submission,
}

impl Rooms {
    /// Opens a room to append to it; None if there is no such room.
    pub(crate) async fn open<'a>(
        &'a self,
        room_id: &'a RoomId,
    ) -> Result<Option<OpenRoom<'a>>, StoreError> {
        let Some(room) = self.find_number(room_id).await? else {
            return Ok(None);
        };
        let mut locked = self.heads.lock(&self.store, room).await?;
        let Some(head) = locked.get() else {
            return Ok(None);
        };
        let base = Some(head.row.version);
        Ok(Some(OpenRoom {
            rooms: self,
            room_id,
            locked,
            base,
            read: self.store.read(),
            writes: WriteSet::new(),
            invites_all: false,
            taking_along: BTreeSet::new(),
            judges_sticky: false,
            changed: false,
        }))
    }

    /// Opens a room for one of its members; None if there is no such room, or the user is not in
    /// it: which of the two is not told.
    pub(crate) async fn open_as_member<'a>(
        &'a self,
        room_id: &'a RoomId,
        user: i64,
    ) -> Result<Option<OpenRoom<'a>>, StoreError> {
        let Some(mut room) = self.open(room_id).await? else {
            return Ok(None);
        };
        let membership = room.membership(user).await?;
        Ok((membership == Membership::Join).then_some(room))
    }

    /// Opens a room that does not exist yet, with an empty head.
    pub(crate) async fn open_new<'a>(
        &'a self,
        room_id: &'a RoomId,
        row: rooms::Room,
    ) -> Result<OpenRoom<'a>, StoreError> {
        let version = ruma::RoomVersionId::try_from(row.room_version.as_str()).map_err(|_| {
            StoreError::Malformed {
                table: "rooms",
                reason: "not a room version",
            }
        })?;
        Ok(OpenRoom {
            rooms: self,
            room_id,
            locked: self.heads.lock_new(&self.store, row, version).await?,
            base: None,
            read: self.store.read(),
            writes: WriteSet::new(),
            invites_all: false,
            taking_along: BTreeSet::new(),
            judges_sticky: false,
            changed: false,
        })
    }

    /// Waits until a queued set is durable. None: it met a conflict, and the use case has to run
    /// again from what the room is now.
    pub(crate) async fn settle(&self, queued: Queued) -> Result<Option<Committed>, StoreError> {
        match queued.submission.await {
            Ok(committed) => {
                for (room, generation) in queued.heads {
                    self.heads.settle(room, generation).await;
                }
                Ok(Some(committed))
            }
            Err(error) => {
                for (room, generation) in queued.heads {
                    self.heads.forget(room, generation).await;
                }
                if matches!(error, StoreError::Conflict) {
                    Ok(None)
                } else {
                    Err(error)
                }
            }
        }
    }
}

/// A room that one use case has left, and comes back to.
pub(crate) struct LeftRoom<'a> {
    rooms: &'a Rooms,
    room_id: &'a RoomId,
    invites_all: bool,
}

impl<'a> LeftRoom<'a> {
    /// Opens the room again, as it is now.
    pub(crate) async fn open(self) -> Result<OpenRoom<'a>, StoreError> {
        let room = self.rooms.open(self.room_id).await?;
        let mut room = room.ok_or(StoreError::Missing { table: "rooms" })?;
        room.invites_all = self.invites_all;
        Ok(room)
    }
}

impl<'a> OpenRoom<'a> {
    /// Lets others have the room. What was entered into the set is given up.
    pub(crate) fn leave(self) -> LeftRoom<'a> {
        self.way_back()
    }

    /// How the room is opened again, should others get it.
    pub(crate) fn way_back(&self) -> LeftRoom<'a> {
        LeftRoom {
            rooms: self.rooms,
            room_id: self.room_id,
            invites_all: self.invites_all,
        }
    }

    /// Lets what was appended so far become durable by itself.
    pub(crate) async fn queue_changes(self) -> Result<Self, StoreError> {
        if !self.changed {
            return Ok(self);
        }
        let (rooms, left) = (self.rooms, self.way_back());
        let settled = rooms.settle(self.submit()?).await?;
        settled.ok_or(StoreError::Contended)?;
        left.open().await
    }

    /// The room's id.
    pub(crate) fn id(&self) -> &'a RoomId {
        self.room_id
    }

    /// What the next event builds on.
    pub(crate) fn head(&mut self) -> Option<&mut Head> {
        self.locked.get()
    }

    /// The time on this server's clock.
    pub(crate) fn now_ms(&self) -> i64 {
        self.rooms.server.now_ms().cast_signed()
    }

    /// The room's number.
    pub(crate) fn number(&mut self) -> i64 {
        self.locked.get().map_or(0, |head| head.row.room)
    }

    /// A user's member event.
    pub(crate) async fn member(&mut self, user: i64) -> Result<StateEvent, StoreError> {
        let Some(head) = self.locked.get() else {
            return Ok(None);
        };
        head.member(&mut self.read, user).await
    }

    /// What a user is in the room; `Leave` for who was never there.
    pub(crate) async fn membership(&mut self, user: i64) -> Result<Membership, StoreError> {
        let member = self.member(user).await?;
        Ok(member
            .and_then(|event| Membership::of_content(&event.content))
            .unwrap_or(Membership::Leave))
    }

    /// The state event with this type and key.
    pub(crate) async fn state(&mut self, key: StateKey) -> Result<StateEvent, StoreError> {
        let Some(head) = self.locked.get() else {
            return Ok(None);
        };
        let found = head
            .find_state(&self.rooms.store, &mut self.read, &[key])
            .await?;
        Ok(found.into_iter().next().flatten())
    }

    /// The state events of a type. Cost: their number.
    pub(crate) async fn states(&mut self, event_type: &str) -> Result<Vec<Arc<Event>>, StoreError> {
        let store = &self.rooms.store;
        let event_type = store.find_interned(event_type.as_bytes()).await?;
        match (self.locked.get(), event_type) {
            (Some(head), Some(event_type)) => {
                head.list_state(store, &mut self.read, event_type).await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The state event of this name, which may be one that no room here ever had.
    pub(crate) async fn state_named(
        &mut self,
        event_type: &str,
        state_key: &str,
    ) -> Result<StateEvent, StoreError> {
        let store = &self.rooms.store;
        let event_type = store.find_interned(event_type.as_bytes()).await?;
        let state_key = store.find_interned(state_key.as_bytes()).await?;
        match (event_type, state_key) {
            (Some(event_type), Some(state_key)) => {
                let key = StateKey {
                    event_type,
                    state_key,
                };
                self.state(key).await
            }
            _ => Ok(None),
        }
    }

    /// Waits until everything queued before is in the database, or has fallen.
    pub(crate) async fn await_queued(&mut self) -> Result<(), StoreError> {
        let is_queued = self.locked.get().is_some_and(|head| head.in_flight > 0);
        if is_queued {
            self.rooms.store.commit(WriteSet::new()).await?;
        }
        Ok(())
    }

    /// The event with this id, if it is known.
    pub(crate) async fn find_event(&mut self, id: &str) -> Result<Option<StoredEvent>, StoreError> {
        match events::find_number(&mut self.read, id).await? {
            Some(number) => events::find(&mut self.read, number).await,
            None => Ok(None),
        }
    }

    /// Queues the set, head included, and lets the next one build on it.
    pub(crate) fn submit(mut self) -> Result<Queued, StoreError> {
        let heads = vec![self.seal()?];
        let submission = self.rooms.store.submit(std::mem::take(&mut self.writes));
        Ok(Queued { heads, submission })
    }

    /// Queues what happened in two rooms as one set: it is there whole or not at all.
    pub(crate) fn submit_with(mut self, mut other: OpenRoom<'_>) -> Result<Queued, StoreError> {
        let heads = vec![self.seal()?, other.seal()?];
        let mut writes = std::mem::take(&mut self.writes);
        writes.append(std::mem::take(&mut other.writes));
        let submission = self.rooms.store.submit(writes);
        Ok(Queued { heads, submission })
    }

    /// Adds the head to the set; from here on it is ahead of the database.
    fn seal(&mut self) -> Result<(i64, u64), StoreError> {
        let base = self.base;
        let head = self
            .locked
            .get()
            .ok_or(StoreError::Missing { table: "rooms" })?;
        rooms::put(&mut self.writes, &head.row, base);
        head.in_flight += 1;
        self.changed = false;
        Ok((head.row.room, head.generation))
    }
}

impl Drop for OpenRoom<'_> {
    fn drop(&mut self) {
        if self.changed {
            self.locked.discard();
        }
    }
}
