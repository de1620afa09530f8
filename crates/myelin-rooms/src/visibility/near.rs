//! The event nearest to a time: for another server, and by asking others.

use std::time::Duration;

use myelin_net::Limits;
use myelin_store::{
    Read, StoreResult,
    events::{self, Moment, StoredEvent},
    gaps, room_servers,
};
use ruma::{
    MilliSecondsSinceUnixEpoch, OwnedEventId, OwnedServerName, RoomId, ServerName,
    api::{Direction, federation::event::get_event_by_timestamp::v1::Request},
};
use serde::Deserialize;

use crate::{PeerError, RoomView, Rooms, Standing};

/// Somebody waits for it.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(10),
    bytes: 16 * 1024,
};
/// Servers that are asked, one after the other.
const ASKED_MAX: usize = 3;

/// An event of which another server has told.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct EventNear {
    /// The event.
    pub event_id: OwnedEventId,
    /// When it was sent, says its sender.
    pub origin_server_ts: MilliSecondsSinceUnixEpoch,
}

impl Rooms {
    /// The event nearest to a time, at it or after it (`forward`), or at it or before it, that the
    /// server may see; `UnknownEvent`: there is none among the 1,000 nearest.
    pub async fn served_event_near(
        &self,
        server: &ServerName,
        room_id: &RoomId,
        (origin_server_ts, forward): (i64, bool),
    ) -> Result<StoredEvent, PeerError> {
        let mut read = self.store.read();
        let mut view = self.peer_view(&mut read, room_id, server).await?;
        let range = (view.row.room, i64::MAX);
        let mut place = Some(Moment::before((origin_server_ts, forward)));
        for _ in 0..Self::NEAR_CHUNKS {
            let Some(from) = place else {
                break;
            };
            let chunk = self.chunk_near(&mut read, range, (from, forward)).await?;
            place = chunk.last().map(StoredEvent::moment);
            let seen = self.server_sees(&mut read, &mut view, &chunk).await?;
            let shown = chunk.into_iter().zip(seen).find(|(_, seen)| *seen);
            if let Some((event, _)) = shown {
                return Ok(event);
            }
        }
        Err(PeerError::UnknownEvent(format!("near {origin_server_ts}")))
    }

    /// Whether events are missing between a time and the event that is the nearest to it here.
    pub async fn misses_nearer(
        &self,
        read: &mut Read,
        (event, forward): (&StoredEvent, bool),
    ) -> StoreResult<bool> {
        let (room, order) = (event.room, event.room_order);
        if forward {
            return Ok(gaps::find(read, room, order).await?.is_some());
        }
        let above = events::list_from(read, room, order + 1, 1).await?;
        let Some(above) = above.first() else {
            return Ok(false);
        };
        Ok(gaps::find(read, room, above.room_order).await?.is_some())
    }

    /// The event nearest to a time, as other servers in the room tell of it to one of its members.
    /// What does not lie in the direction that was asked for is not believed. It is fetched, so
    /// that it can be read from there.
    pub async fn remote_event_near(
        &self,
        read: &mut Read,
        view: &RoomView,
        room_id: &RoomId,
        (time, forward): (MilliSecondsSinceUnixEpoch, bool),
    ) -> StoreResult<Option<EventNear>> {
        if view.standing != Standing::Member {
            return Ok(None);
        }
        let direction = if forward {
            Direction::Forward
        } else {
            Direction::Backward
        };
        for server in self.others_in(read, view.room).await? {
            let request = Request::new(room_id.to_owned(), time, direction);
            let asked = self
                .federation
                .ask_for::<EventNear, _>(&server, request, LIMITS);
            match asked.await {
                Ok(found)
                    if (found.origin_server_ts >= time) == forward
                        || found.origin_server_ts == time =>
                {
                    self.backfill_event(&server, room_id, &found.event_id)
                        .await?;
                    return Ok(Some(found));
                }
                Ok(_) => tracing::debug!(%server, "an event of another time was told of"),
                Err(error) => tracing::debug!(%server, %error, "no event near a time was told of"),
            }
        }
        Ok(None)
    }

    /// The other servers with the most users in a room.
    async fn others_in(&self, read: &mut Read, room: i64) -> StoreResult<Vec<OwnedServerName>> {
        let mut servers = room_servers::list(read, room).await?;
        servers.sort_by_key(|server| std::cmp::Reverse(server.joined));
        // One of them may be this server.
        let numbers = servers.iter().take(ASKED_MAX + 1);
        let numbers: Vec<i64> = numbers.map(|server| server.server).collect();
        let names = self.store.interned(&numbers).await?;
        let names = names.iter();
        let names = names.filter_map(|name| crate::numbers::parse::<OwnedServerName>(name));
        let others = names.filter(|name| *name != self.server.name);
        Ok(others.take(ASKED_MAX).collect())
    }
}
