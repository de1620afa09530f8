//! Everything at once: the rooms of a user at one position.

use myelin_core::membership::Membership;
use myelin_store::{
    LogKind, Read, StoreError, StoreResult,
    events::{self, StoredEvent},
    log, memberships, rooms,
};
use ruma::OwnedRoomId;

use crate::{RoomToken, Syncs, Viewer};

/// A user's rooms at one position.
#[derive(Debug)]
pub struct Overview {
    /// The position.
    pub position: i64,
    /// The joined rooms, in the order of their numbers.
    pub joined: Vec<JoinedRoom>,
    /// The rooms that the user is invited to.
    pub invited: Vec<InvitedRoom>,
}

/// A joined room.
#[derive(Debug)]
pub struct JoinedRoom {
    /// Its number.
    pub room: i64,
    /// Its id.
    pub room_id: OwnedRoomId,
    /// The newest events, the oldest of them first.
    pub timeline: Vec<StoredEvent>,
    /// Whether there are events before those of the timeline that the client has not got.
    pub limited: bool,
    /// State events, in the order in which they entered the room.
    pub state: Vec<StoredEvent>,
    /// How many users are joined.
    pub joined: i64,
    /// How many users are invited.
    pub invited: i64,
}

/// A room that the user is invited to.
#[derive(Debug)]
pub struct InvitedRoom {
    /// Its number.
    pub room: i64,
    /// Its id.
    pub room_id: OwnedRoomId,
    /// The invitation.
    pub invite: StoredEvent,
}

/// Which state comes with a timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAt {
    /// Before the timeline's first event: the timeline leads from there to the present.
    TimelineStart,
    /// After the timeline's last event.
    Now,
}

impl JoinedRoom {
    /// The place before the timeline, where `/messages` goes on backwards.
    pub fn start(&self) -> RoomToken {
        self.timeline.first().map_or(
            RoomToken {
                depth: 0,
                before: 0,
            },
            place_before,
        )
    }
}

impl Syncs {
    /// All rooms that a user is joined or invited to, each with at most `limit` events.
    ///
    /// No transaction is held while rooms are read: events up to the position, and the state at
    /// their roots, cannot change. Cost: the state of the user's rooms.
    pub async fn overview(
        &self,
        viewer: &Viewer,
        limit: i64,
        state_at: StateAt,
    ) -> StoreResult<Overview> {
        let (position, joined, invited) = {
            let mut snapshot = self.store.snapshot().await?;
            let position = log::position(&mut snapshot).await?;
            let joined =
                memberships::list_by_user(&mut snapshot, viewer.user, Membership::Join).await?;
            (
                position,
                joined,
                memberships::list_by_user(&mut snapshot, viewer.user, Membership::Invite).await?,
            )
        };
        let mut read = self.store.read();
        let mut overview = Overview {
            position,
            joined: Vec::new(),
            invited: Vec::new(),
        };
        for membership in joined {
            let room = self
                .joined_room(&mut read, (membership.room, position), limit, state_at)
                .await?;
            overview.joined.push(room);
        }
        for membership in invited {
            overview.invited.push(
                self.invited_room(&mut read, membership.room, membership.event)
                    .await?,
            );
        }
        Ok(overview)
    }

    /// A room as it is now, with its newest events, and the position that this is true of.
    pub async fn room_overview(
        &self,
        read: &mut Read,
        room: i64,
        limit: i64,
    ) -> StoreResult<(i64, JoinedRoom)> {
        let position = log::position(read).await?;
        let at = (room, position);
        Ok((
            position,
            self.joined_room(read, at, limit, StateAt::Now).await?,
        ))
    }

    /// A room as it was at a position, with its newest events.
    pub(crate) async fn joined_room(
        &self,
        read: &mut Read,
        (room, position): (i64, i64),
        limit: i64,
        state_at: StateAt,
    ) -> StoreResult<JoinedRoom> {
        let newest = log::find_last(read, room, LogKind::Event, position).await?;
        let newest = newest.ok_or(StoreError::Missing { table: "log" })?;
        let last = events::find(read, newest.reference)
            .await?
            .ok_or(StoreError::Missing { table: "events" })?;
        // One more than asked for tells whether there is more.
        let mut timeline =
            events::list_before(read, room, last.room_order + 1, limit.saturating_add(1)).await?;
        let limited = i64::try_from(timeline.len()).unwrap_or(i64::MAX) > limit;
        timeline.truncate(usize::try_from(limit).unwrap_or_default());
        timeline.reverse();
        let root = match (state_at, timeline.first()) {
            (StateAt::TimelineStart, Some(first)) => first.root_before.clone(),
            _ => newest.data,
        };
        let state = self.rooms.state(read, room, &root).await?;
        self.finish_room(read, room, (timeline, limited), state)
            .await
    }

    /// An invitation.
    pub(crate) async fn invited_room(
        &self,
        read: &mut Read,
        room: i64,
        event: i64,
    ) -> StoreResult<InvitedRoom> {
        let invite = events::find(read, event)
            .await?
            .ok_or(StoreError::Missing { table: "events" })?;
        Ok(InvitedRoom {
            room,
            room_id: self.rooms.room_id(room).await?,
            invite,
        })
    }

    async fn finish_room(
        &self,
        read: &mut Read,
        room: i64,
        (timeline, limited): (Vec<StoredEvent>, bool),
        state: Vec<StoredEvent>,
    ) -> StoreResult<JoinedRoom> {
        let row = rooms::find(read, room)
            .await?
            .ok_or(StoreError::Missing { table: "rooms" })?;
        let room_id = self.rooms.room_id(room).await?;
        Ok(JoinedRoom {
            room,
            room_id,
            timeline,
            limited,
            state,
            joined: row.joined,
            invited: row.invited,
        })
    }
}

/// The place just before an event.
pub fn place_before(event: &StoredEvent) -> RoomToken {
    RoomToken {
        depth: event.depth,
        before: event.room_order,
    }
}

/// The place just after an event.
pub fn place_after(event: &StoredEvent) -> RoomToken {
    RoomToken {
        depth: event.depth + 1,
        before: event.room_order + 1,
    }
}
