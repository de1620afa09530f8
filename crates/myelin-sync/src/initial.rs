//! Everything at once, as the API of 2014 and the deprecated calls of today's give it: rooms at one
//! position, each with all of its state.

use myelin_core::membership::Membership;
use myelin_rooms::{RoomView, Standing};
use myelin_store::{
    LogKind, Read, StoreResult, directory,
    events::StoredEvent,
    log,
    memberships::{self, UserMembership},
};
use ruma::OwnedRoomId;

use crate::{RoomToken, StreamToken, Syncs, Token};

/// A user's rooms at one position.
#[derive(Debug)]
pub struct Overview {
    /// The position.
    pub position: i64,
    /// The rooms that the user is joined to, and those that the user is invited to, and, if they
    /// were asked for, those that the user was joined to.
    pub rooms: Vec<UserMembership>,
}

/// A room as a user may see it.
#[derive(Debug)]
pub struct RoomOverview {
    /// Its id.
    pub room_id: OwnedRoomId,
    /// What of it the user may see, for walks along its events.
    pub view: RoomView,
    /// Where a walk back from the newest event begins; None: where the user's view ends.
    pub newest: Option<Token>,
    /// All of its state, in the order in which it entered the room.
    pub state: Vec<StoredEvent>,
    /// Whether the room directory lists it.
    pub is_published: bool,
}

impl RoomOverview {
    /// What the user is in the room; None for who never was there.
    pub fn membership(&self) -> Option<Membership> {
        let RoomView {
            membership,
            standing,
            ..
        } = self.view;
        (standing != Standing::Outsider || membership != Membership::Leave).then_some(membership)
    }
}

impl Syncs {
    /// Which rooms a user has at the newest position.
    pub async fn overview(&self, user: i64, with_left: bool) -> StoreResult<Overview> {
        let mut wanted = vec![Membership::Join, Membership::Invite];
        if with_left {
            wanted.extend([Membership::Leave, Membership::Ban]);
        }
        let mut snapshot = self.store.snapshot().await?;
        let position = log::position(&mut snapshot).await?;
        let mut rooms = Vec::new();
        for membership in wanted {
            rooms.extend(memberships::list_by_user(&mut snapshot, user, membership).await?);
        }
        Ok(Overview { position, rooms })
    }

    /// A room as it was at a position, or, for who has left it, as it was then.
    ///
    /// No transaction is held: events up to the position, and the state at their roots, cannot
    /// change. Cost: the room's state.
    pub async fn room_overview(
        &self,
        read: &mut Read,
        view: RoomView,
        position: i64,
    ) -> StoreResult<RoomOverview> {
        let room = view.room;
        let mut root = view.root.clone();
        let mut newest = None;
        if view.standing != Standing::Departed {
            newest = Some(Token::Stream(StreamToken::at(position)));
            let entry = log::find_last(read, room, LogKind::Event, position).await?;
            root = entry.map_or(root, |entry| entry.data);
        }
        Ok(RoomOverview {
            room_id: self.rooms.room_id(room).await?,
            newest,
            state: self.rooms.state(read, room, &root).await?,
            is_published: directory::is_published(read, room).await?,
            view,
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
