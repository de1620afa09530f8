//! What a server that is no longer in a room may still ask for.
//!
//! A server whose last user is removed hears of it by an event, and cannot judge that event without
//! what comes before it. So whoever was in the room where an event stands may ask for what comes
//! before that event, as it could have done then.

use myelin_store::{
    Read, StoreResult,
    events::{self, Status, StoredEvent},
};
use ruma::{RoomId, ServerName};

use super::{PeerView, graph::prev_events};
use crate::{PeerError, Rooms};

/// Events that are looked at: a server asks about one, or about the ends of its graph.
const EVENTS_MAX: usize = 10;

impl Rooms {
    /// As [`Rooms::peer_view`], also for a server that was in the room before one of these events.
    pub async fn peer_view_before(
        &self,
        read: &mut Read,
        (room_id, events): (&RoomId, &[&str]),
        server: &ServerName,
    ) -> Result<PeerView, PeerError> {
        let unknown = || PeerError::UnknownRoom(room_id.to_string());
        let room = self.find_number(room_id).await?.ok_or_else(unknown)?;
        let mut view = self.peer_view_of_any(read, room, server).await?;
        if self.is_peer_in(read, &view).await? {
            return Ok(view);
        }
        let events = &events[..events.len().min(EVENTS_MAX)];
        if self.was_in_before(read, &mut view, events).await? {
            Ok(view)
        } else {
            Err(PeerError::NotInRoom(server.to_string()))
        }
    }

    /// Whether users of the server were joined in the state before one of these events, or in a
    /// fork that ends at one: where forks meet, resolution may remove a user.
    async fn was_in_before(
        &self,
        read: &mut Read,
        view: &mut PeerView,
        ids: &[&str],
    ) -> StoreResult<bool> {
        let mut found = events::list_by_ids(read, ids).await?;
        let prev: Vec<String> = found
            .iter()
            .filter(|event| event.room == view.row.room)
            .map(|event| prev_events(&event.json))
            .filter(|prev| prev.len() > 1)
            .flatten()
            .take(EVENTS_MAX)
            .collect();
        let prev: Vec<&str> = prev.iter().map(String::as_str).collect();
        found.extend(events::list_by_ids(read, &prev).await?);
        let is_placed = |event: &&StoredEvent| {
            event.room == view.row.room
                && event.status != Status::Outlier
                && !event.root_before.is_empty()
        };
        let placed = found.iter().filter(is_placed);
        let roots: Vec<_> = placed.map(|event| &event.root_before).collect();
        self.had_users_in(read, view, &roots).await
    }
}
