//! What other servers tell of rooms that this server does not know.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use myelin_net::{FederationError, Limits};
use parking_lot::Mutex;
use ruma::{
    OwnedRoomId, OwnedServerName, RoomId, ServerName, api::federation::space::get_hierarchy::v1,
};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{
    RoomSummary,
    space::{CHILDREN_MAX, Child, child},
};
use crate::Rooms;

/// Somebody waits for it.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 2 * 1024 * 1024,
};
/// Servers that are asked for one room, one after the other.
pub(super) const SERVERS_MAX: usize = 3;
/// For so long an answer is not asked for again (spec: it "should be cached").
const KEPT: Duration = Duration::from_mins(5);
/// Most answers that are kept, and most children of one: they take some megabytes.
const KEPT_MAX: usize = 200;
const KEPT_CHILDREN_MAX: usize = 100;

/// A room as one of its servers tells it.
#[derive(Debug)]
pub(super) struct RemoteRoom {
    /// What it is.
    pub(super) summary: RoomSummary,
    /// If it is a space: the rooms in it, in their order.
    pub(super) children: Vec<Child>,
    /// What the server tells of some of them.
    pub(super) told: HashMap<OwnedRoomId, RoomSummary>,
    /// Those that this server has no way into, says that one.
    pub(super) inaccessible: HashSet<OwnedRoomId>,
}

/// The answers of the last minutes.
#[derive(Default)]
pub(crate) struct RemoteRooms {
    kept: Mutex<HashMap<(OwnedRoomId, bool), Kept>>,
}

#[derive(Clone)]
struct Kept {
    room: Arc<RemoteRoom>,
    until_ms: u64,
}

/// ruma's answer is lost if a single room of it is none.
#[derive(Deserialize)]
struct Answer {
    room: Value,
    #[serde(default)]
    children: Vec<Value>,
    #[serde(default)]
    inaccessible_children: Vec<String>,
}

#[derive(Deserialize)]
struct ChildrenState {
    #[serde(default)]
    children_state: Vec<Box<RawValue>>,
}

impl Rooms {
    /// What was told of a room within the last minutes.
    pub(super) fn kept_remote_room(
        &self,
        room_id: &RoomId,
        suggested_only: bool,
    ) -> Option<Arc<RemoteRoom>> {
        let key = (room_id.to_owned(), suggested_only);
        let kept = self.told_by_others.kept.lock().get(&key).cloned()?;
        (self.server.now_ms() < kept.until_ms).then_some(kept.room)
    }

    /// What one of these servers tells of a room: the first that tells of it. None: none of them
    /// does. An error: nobody could be asked.
    pub(super) async fn remote_room(
        &self,
        room_id: &RoomId,
        via: &[OwnedServerName],
        suggested_only: bool,
    ) -> Result<Option<Arc<RemoteRoom>>, FederationError> {
        if let Some(kept) = self.kept_remote_room(room_id, suggested_only) {
            return Ok(Some(kept));
        }
        let mut failure = None;
        let others = via.iter().filter(|server| **server != self.server.name);
        for server in others.take(SERVERS_MAX) {
            match self.ask_about(room_id, server, suggested_only).await {
                Ok(room) => {
                    let room = Arc::new(room);
                    self.keep_remote_room(&room, suggested_only);
                    return Ok(Some(room));
                }
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if !matches!(error, FederationError::Refused { .. }) => Err(error),
            _ => Ok(None),
        }
    }

    async fn ask_about(
        &self,
        room_id: &RoomId,
        server: &ServerName,
        suggested_only: bool,
    ) -> Result<RemoteRoom, FederationError> {
        let mut request = v1::Request::new(room_id.to_owned());
        request.suggested_only = suggested_only;
        let answer: Answer = self.federation.ask_for(server, request, LIMITS).await?;
        read(room_id, answer).ok_or_else(|| FederationError::Malformed {
            server: server.to_string(),
            reason: format!("it tells of another room than {room_id}"),
        })
    }

    fn keep_remote_room(&self, room: &Arc<RemoteRoom>, suggested_only: bool) {
        if room.children.len() > KEPT_CHILDREN_MAX || room.told.len() > KEPT_CHILDREN_MAX {
            return;
        }
        let now_ms = self.server.now_ms();
        let mut kept = self.told_by_others.kept.lock();
        if kept.len() >= KEPT_MAX {
            kept.retain(|_, known| now_ms < known.until_ms);
        }
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        let lifetime_ms = u64::try_from(KEPT.as_millis()).unwrap_or(u64::MAX);
        let known = Kept {
            room: room.clone(),
            until_ms: now_ms.saturating_add(lifetime_ms),
        };
        kept.insert((room.summary.room_id.clone(), suggested_only), known);
    }
}

/// An answer about this room; None if it is about another. What is no room in it is left out.
fn read(room_id: &RoomId, answer: Answer) -> Option<RemoteRoom> {
    let state = ChildrenState::deserialize(&answer.room).ok();
    let summary = RoomSummary::of_told(answer.room)?;
    if summary.room_id != room_id {
        return None;
    }
    let state = state.map(|state| state.children_state).unwrap_or_default();
    let state = state.iter().take(CHILDREN_MAX);
    let mut children: Vec<Child> = state.filter_map(|event| child(event.get())).collect();
    children.sort_by(|one, other| one.place().cmp(&other.place()));
    if !summary.is_space() {
        children.clear();
    }
    let told = answer.children.into_iter().take(CHILDREN_MAX);
    let told = told.filter_map(RoomSummary::of_told);
    let inaccessible = answer.inaccessible_children.iter().take(CHILDREN_MAX);
    Some(RemoteRoom {
        summary,
        children,
        told: told.map(|room| (room.room_id.clone(), room)).collect(),
        inaccessible: inaccessible
            .filter_map(|id| OwnedRoomId::try_from(id.as_str()).ok())
            .collect(),
    })
}
