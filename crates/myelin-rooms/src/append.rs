//! Appending events to a room: build, authorise, hash, sign, advance the head, queue the set.

mod advance;
mod auth_state;
mod facts;
mod invitation;
mod member_profile;
mod redaction;

use std::sync::Arc;

use myelin_core::{
    auth::{self, AuthError},
    event::{self, Event, EventError, NewEvent},
    json,
    membership::Membership,
    trie::{StateKey, TYPE_MEMBER},
};
use myelin_store::{Committed, Read, Sequence, StoreError, Submission, WriteSet, rooms};
use ruma::{CanonicalJsonObject, OwnedEventId, RoomId, UserId};

use self::{
    advance::{advance_row, advance_state, deliver, write_event},
    auth_state::{auth_event_ids, auth_state},
};
use crate::{
    Rooms,
    head::{Head, LockedHead, StateEvent},
    numbers::EventNumbers,
};

/// Why an event did not enter a room.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The room's rules refuse it.
    #[error("{0}")]
    Forbidden(AuthError),
    /// An `m.room.redaction` that does not say what it redacts.
    #[error("an `m.room.redaction` needs the id of an event in `redacts`")]
    RedactsNothing,
    /// A redaction of something that is not in the room.
    #[error("the room has no event {0}")]
    UnknownTarget(String),
    /// The user who would be invited does not want it.
    #[error("{0} does not accept this invitation")]
    InviteBlocked(String),
    /// A redaction of what others said, by a user whose account is suspended.
    #[error("you cannot redact what others said while your account is suspended")]
    Suspended,
    /// It is not a well-formed event, or too large.
    #[error("{0}")]
    Invalid(EventError),
    /// The database failed.
    #[error("the room could not be read or written")]
    Store(#[from] StoreError),
}

/// What an event says, before it has a place in a room.
pub(crate) struct Draft<'a> {
    pub(crate) sender: &'a UserId,
    pub(crate) event_type: &'a str,
    pub(crate) state_key: Option<&'a str>,
    pub(crate) numbers: EventNumbers,
    pub(crate) content: CanonicalJsonObject,
    /// The sending device and its transaction id.
    pub(crate) transaction: Option<(&'a str, &'a str)>,
}

/// A room in the hands of one use case: events are appended to its head and to one write set.
pub(crate) struct OpenRoom<'a> {
    rooms: &'a Rooms,
    room_id: &'a RoomId,
    locked: LockedHead,
    /// The version of the head that the set builds on; None for a room that is being created.
    base: Option<i64>,
    pub(crate) read: Read,
    pub(crate) writes: WriteSet,
    /// Invitations are sent whatever those whom they are for wish.
    pub(crate) invites_all: bool,
    changed: bool,
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
            locked: self.heads.lock_new(row, version).await,
            base: None,
            read: self.store.read(),
            writes: WriteSet::new(),
            invites_all: false,
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

impl OpenRoom<'_> {
    /// The room's id.
    pub(crate) fn id(&self) -> &RoomId {
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

    /// The state event in place, if the draft would only repeat what its sender has said there.
    pub(crate) async fn standing(
        &mut self,
        draft: &Draft<'_>,
    ) -> Result<Option<OwnedEventId>, StoreError> {
        let Some(state_key) = draft.numbers.state_key else {
            return Ok(None);
        };
        let event_type = draft.numbers.event_type;
        let found = if event_type == TYPE_MEMBER {
            self.member(state_key).await?
        } else {
            let key = StateKey {
                event_type,
                state_key,
            };
            self.state(key).await?
        };
        let Some(event) = found.filter(|event| event.sender == draft.sender) else {
            return Ok(None);
        };
        let content = json::to_canonical(&self.with_profile(draft).await?);
        Ok((*event.content.get() == *content).then(|| event.event_id.clone()))
    }

    /// Builds an event on the head, authorises it and advances the head by it.
    pub(crate) async fn append(
        &mut self,
        draft: &Draft<'_>,
    ) -> Result<(Arc<Event>, i64), AppendError> {
        self.check_invitation(draft).await?;
        self.note_guest_access(draft).await?;
        let content = self.with_profile(draft).await?;
        let head = self
            .locked
            .get()
            .ok_or(StoreError::Missing { table: "rooms" })?;
        let target = redaction::find_target(self.rooms, head, &mut self.read, draft).await?;
        let state = auth_state(self.rooms, head, &mut self.read, draft).await?;
        let extremities = head
            .row
            .extremities
            .iter()
            .filter_map(|id| OwnedEventId::try_from(id.as_str()).ok());
        let new = NewEvent {
            room_id: Some(self.room_id),
            sender: draft.sender,
            event_type: draft.event_type,
            state_key: draft.state_key,
            content: redaction::content(head, draft.event_type, content),
            redacts: target.as_ref().map(|target| &*target.id),
            prev_events: &extremities.collect::<Vec<_>>(),
            auth_events: &auth_event_ids(head, &state),
            depth: u64::try_from(head.row.depth + 1).unwrap_or_default(),
            origin_server_ts: self.rooms.server.now_ms(),
        };
        let event =
            event::create(new, &head.version, &self.rooms.server).map_err(AppendError::Invalid)?;
        let find = |kind: &str, key: &str| {
            state
                .get(&(kind.to_owned(), key.to_owned()))
                .map(Arc::as_ref)
        };
        auth::check(&head.version, &event, find).map_err(AppendError::Forbidden)?;
        let (event, number) = self.accept(event, draft).await?;
        if let Some(target) = target {
            self.redact(target, (&event, number)).await?;
        }
        Ok((event, number))
    }

    /// Advances the head by an event that has been authorised.
    pub(crate) async fn accept(
        &mut self,
        event: Event,
        draft: &Draft<'_>,
    ) -> Result<(Arc<Event>, i64), AppendError> {
        let numbers = self.rooms.store.next_numbers(Sequence::Event, 1).await?;
        let number = *numbers
            .first()
            .ok_or(StoreError::Missing { table: "sequences" })?;
        self.changed = true;
        let event = Arc::new(event);
        let head = self
            .locked
            .get()
            .ok_or(StoreError::Missing { table: "rooms" })?;
        let root_before = head.row.root.clone();
        advance_row(head, &event, number);
        if draft.numbers.state_key.is_some() {
            advance_state(
                self.rooms,
                head,
                &mut self.read,
                &mut self.writes,
                (&event, number, draft.numbers),
            )
            .await?;
        }
        self.rooms.heads.note_own(&self.rooms.store, number);
        write_event(&mut self.writes, head, &event, draft, (number, root_before));
        deliver(self.rooms, head, &mut self.writes, (&event, number));
        Ok((event, number))
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
