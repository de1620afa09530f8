//! Whether a room lets a server take part: asked in one place for everything that a server sends of
//! a room, or asks about one.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use myelin_core::{
    server_acl::ServerAcl,
    trie::{Lookup, StateKey, TYPE_SERVER_ACL},
};
use myelin_store::{
    EMPTY_STRING, Read, StoreError, StoreResult, events,
    rooms::{self, Room},
};
use parking_lot::Mutex;
use ruma::{RoomId, ServerName};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    Rooms,
    state::{corrupt, parse},
};

/// Rooms whose lists a node remembers; more are forgotten together.
const REMEMBERED_MAX: usize = 1_000;

/// The lists of rooms, each with the root of the state that it stands in: messages leave the state
/// as it is, and so find the list here.
#[derive(Default)]
pub(crate) struct ServerAcls {
    known: Mutex<HashMap<i64, Known>>,
}

/// A list; None: the room has none, and so lets everybody take part.
type Known = (Bytes, Option<Arc<ServerAcl>>);

/// Why another server is not told of a room.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// This server is not in the room.
    #[error("this server does not know the room {0}")]
    UnknownRoom(String),
    /// The room's list of servers keeps it out.
    #[error("{0} is kept out of the room by its list of servers")]
    KeptOut(String),
    /// None of its users is in the room.
    #[error("{0} is not in the room")]
    NotInRoom(String),
    /// The room has no such event.
    #[error("the room has no event {0}")]
    UnknownEvent(String),
    /// The database failed.
    #[error("the room could not be read")]
    Store(#[from] StoreError),
}

impl Rooms {
    /// Whether a room's list of servers lets this one take part. One that is not known here has no
    /// list.
    pub async fn lets_server(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        server: &ServerName,
    ) -> StoreResult<bool> {
        let Some(room) = self.find_number(room_id).await? else {
            return Ok(true);
        };
        match rooms::find(read, room).await? {
            Some(row) => self.row_lets_server(read, &row, server).await,
            None => Ok(true),
        }
    }

    pub(crate) async fn row_lets_server(
        &self,
        read: &mut Read,
        row: &Room,
        server: &ServerName,
    ) -> StoreResult<bool> {
        let known = self.acls.known.lock().get(&row.room).cloned();
        let acl = match known.filter(|(root, _)| *root == row.root) {
            Some((_, acl)) => acl,
            None => self.read_acl(read, row).await?,
        };
        Ok(acl.is_none_or(|acl| acl.allows(server)))
    }

    async fn read_acl(&self, read: &mut Read, row: &Room) -> StoreResult<Option<Arc<ServerAcl>>> {
        let key = StateKey {
            event_type: TYPE_SERVER_ACL,
            state_key: EMPTY_STRING,
        };
        let lookup = Lookup::new(parse(&row.root)?, &[key]).map_err(|error| corrupt(&error))?;
        let number = self.walk(read, row.room, lookup).await?.into_iter().next();
        let event = match number.flatten() {
            Some(number) => events::find(read, number).await?,
            None => None,
        };
        let acl = event.map(|event| Arc::new(acl_of(&event.json)));
        let mut known = self.acls.known.lock();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(row.room, (row.root.clone(), acl.clone()));
        Ok(acl)
    }
}

fn acl_of(json: &str) -> ServerAcl {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
    }
    let event: Option<Event<'_>> = serde_json::from_str(json).ok();
    event.map_or_else(ServerAcl::default, |event| {
        ServerAcl::of_content(event.content)
    })
}
