//! What other servers are told of spaces: the rooms in one, as far as their users could come in.

use myelin_store::{Read, StoreResult, room_servers};
use ruma::{OwnedRoomId, RoomId, ServerName};
use serde_json::value::RawValue;

use super::{Asker, RoomSummary};
use crate::{PeerError, Rooms};

/// Children that are looked at for one answer.
const CHILDREN_MAX: usize = 500;

/// A space, and what is told of the rooms in it.
#[derive(Clone, Debug)]
pub struct ServerHierarchy {
    /// What it is.
    pub room: RoomSummary,
    /// The rooms that it has as a space: stripped `m.space.child` events.
    pub children_state: Vec<Box<RawValue>>,
    /// Those of them that users of the server could join or read.
    pub children: Vec<RoomSummary>,
    /// Those that they could not.
    pub inaccessible: Vec<OwnedRoomId>,
}

impl Rooms {
    /// The rooms in a space, for another server. A room into which the server's users have no way
    /// is as unknown as one that is not there.
    ///
    /// Cost: the children, at most 500 of them.
    pub async fn hierarchy_for_server(
        &self,
        room_id: &RoomId,
        server: &ServerName,
        suggested_only: bool,
    ) -> Result<ServerHierarchy, PeerError> {
        let mut read = self.store.read();
        if !self.lets_server(&mut read, room_id, server).await? {
            return Err(PeerError::KeptOut(server.to_string()));
        }
        let asker = Asker::Server(self.store.find_interned(server.as_bytes()).await?);
        let Some(Told::Room(room)) = self.told_to(&mut read, room_id, asker).await? else {
            return Err(PeerError::UnknownRoom(room_id.to_string()));
        };
        let mut hierarchy = ServerHierarchy {
            children_state: Vec::new(),
            children: Vec::new(),
            inaccessible: Vec::new(),
            room: *room,
        };
        let children = self
            .children_of(&mut read, &hierarchy.room, suggested_only)
            .await?;
        for child in children.into_iter().take(CHILDREN_MAX) {
            let is_let_in = self.lets_server(&mut read, &child.room_id, server).await?;
            match self.told_to(&mut read, &child.room_id, asker).await? {
                Some(Told::Room(room)) if is_let_in => hierarchy.children.push(*room),
                Some(_) => hierarchy.inaccessible.push(child.room_id),
                None => {}
            }
            hierarchy.children_state.push(child.stripped);
        }
        Ok(hierarchy)
    }

    /// What may be told of a room that this server knows.
    async fn told_to(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        asker: Asker,
    ) -> StoreResult<Option<Told>> {
        let Some(room) = self.find_number(room_id).await? else {
            return Ok(None);
        };
        let Some(summary) = self.summarise(read, room).await? else {
            return Ok(None);
        };
        let is_told = self.is_told(read, &summary, asker).await?;
        Ok(Some(if is_told {
            Told::Room(Box::new(summary))
        } else {
            Told::Nothing
        }))
    }

    /// Whether a server has users in one of these rooms.
    pub(super) async fn has_server_in_any(
        &self,
        read: &mut Read,
        rooms: &[OwnedRoomId],
        server: i64,
    ) -> StoreResult<bool> {
        for room_id in rooms {
            if self.has_server(read, room_id, server).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a server has users in a room.
    pub(super) async fn has_server(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        server: i64,
    ) -> StoreResult<bool> {
        let Some(room) = self.find_number(room_id).await? else {
            return Ok(false);
        };
        Ok(room_servers::count(read, room, server).await? > 0)
    }
}

enum Told {
    Room(Box<RoomSummary>),
    Nothing,
}
