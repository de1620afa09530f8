//! What other servers are told of a room: its events, and the states between them.

mod auth_chain;
mod former;
pub(crate) mod graph;

use myelin_core::event;
use myelin_store::{
    Read, StoreError, StoreResult,
    events::{self, Status, StoredEvent},
    room_servers,
    rooms::{self, Room},
};
use ruma::{OwnedServerName, RoomId, RoomVersionId, ServerName};

pub use graph::Missing;

use crate::{PeerError, Rooms};

/// A room as one of the servers in it may see it.
#[derive(Clone, Debug)]
pub struct PeerView {
    /// The room's row.
    pub row: Room,
    /// The room version.
    pub version: RoomVersionId,
    /// Who looks.
    pub server: OwnedServerName,
    /// The numbers of that server's users, once they were needed.
    pub(crate) users: Option<Vec<i64>>,
}

/// A state and what vouches for it, as numbers of events.
#[derive(Clone, Debug, Default)]
pub struct ServedState {
    /// The state events.
    pub state: Vec<i64>,
    /// Their auth chains, without what is in the state, in no particular order.
    pub auth_chain: Vec<i64>,
}

impl Rooms {
    /// The room for one of the servers in it: the room's list lets it take part, and users of it
    /// are joined.
    pub async fn peer_view(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        server: &ServerName,
    ) -> Result<PeerView, PeerError> {
        let unknown = || PeerError::UnknownRoom(room_id.to_string());
        let room = self.find_number(room_id).await?.ok_or_else(unknown)?;
        self.peer_view_by_number(read, room, server).await
    }

    /// The same, by the interned room id.
    pub async fn peer_view_by_number(
        &self,
        read: &mut Read,
        room: i64,
        server: &ServerName,
    ) -> Result<PeerView, PeerError> {
        let view = self.peer_view_of_any(read, room, server).await?;
        if self.is_peer_in(read, &view).await? {
            Ok(view)
        } else {
            Err(PeerError::NotInRoom(server.to_string()))
        }
    }

    /// Whether users of the server are joined.
    async fn is_peer_in(&self, read: &mut Read, view: &PeerView) -> StoreResult<bool> {
        match self.store.find_interned(view.server.as_bytes()).await? {
            Some(server) => Ok(room_servers::count(read, view.row.room, server).await? > 0),
            None => Ok(false),
        }
    }

    /// The room for a server that its list lets take part, whether it is in there or not.
    async fn peer_view_of_any(
        &self,
        read: &mut Read,
        room: i64,
        server: &ServerName,
    ) -> Result<PeerView, PeerError> {
        let row = rooms::find(read, room).await?;
        let row = row.ok_or_else(|| PeerError::UnknownRoom(room.to_string()))?;
        if !self.row_lets_server(read, &row, server).await? {
            return Err(PeerError::KeptOut(server.to_string()));
        }
        let version = RoomVersionId::try_from(row.room_version.as_str());
        let version = version.map_err(|_| StoreError::Malformed {
            table: "rooms",
            reason: "not a room version",
        })?;
        Ok(PeerView {
            row,
            version,
            server: server.to_owned(),
            users: None,
        })
    }

    /// An event that the server may see, as it was signed, and its room.
    pub async fn served_event(
        &self,
        server: &ServerName,
        event_id: &str,
    ) -> Result<String, PeerError> {
        let unknown = || PeerError::UnknownEvent(event_id.to_owned());
        let mut read = self.store.read();
        let stored = self.find_stored(&mut read, event_id).await?;
        let stored = stored.ok_or_else(unknown)?;
        let view = self
            .peer_view_by_number(&mut read, stored.room, server)
            .await;
        let mut view = view.map_err(|error| match error {
            PeerError::UnknownRoom(_) => unknown(),
            error => error,
        })?;
        if stored.status == Status::Outlier {
            // It is known because it is state, or vouches for some: whoever is in the room may
            // see it.
            return served_json(&view, stored.json).ok_or_else(unknown);
        }
        let seen = self
            .server_sees(&mut read, &mut view, std::slice::from_ref(&stored))
            .await?;
        let shown = seen.first() == Some(&true);
        let json = shown.then(|| served_json(&view, stored.json)).flatten();
        json.ok_or_else(unknown)
    }

    /// The state before an event of the room, and what vouches for it. Cost: their size.
    pub async fn served_state(
        &self,
        read: &mut Read,
        view: &PeerView,
        event_id: &str,
    ) -> Result<ServedState, PeerError> {
        let unknown = || PeerError::UnknownEvent(event_id.to_owned());
        let stored = self.find_stored(read, event_id).await?;
        let is_placed =
            |event: &StoredEvent| event.room == view.row.room && event.status != Status::Outlier;
        let stored = stored.filter(is_placed).ok_or_else(unknown)?;
        let place = (view.row.room, &stored.root_before);
        let entries = self.state_entries(read, place).await?;
        let state: Vec<i64> = entries.into_iter().map(|(_, number)| number).collect();
        let auth_chain = self.auth_chain(read, view.row.room, &state).await?;
        Ok(ServedState { state, auth_chain })
    }

    /// What vouches for an event of the room.
    pub async fn served_auth_chain(
        &self,
        read: &mut Read,
        view: &PeerView,
        event_id: &str,
    ) -> Result<Vec<i64>, PeerError> {
        let unknown = || PeerError::UnknownEvent(event_id.to_owned());
        let stored = self.find_stored(read, event_id).await?;
        let stored = stored.filter(|event| event.room == view.row.room);
        let stored = stored.ok_or_else(unknown)?;
        Ok(self.auth_chain(read, stored.room, &[stored.event]).await?)
    }

    /// The ids of these events.
    pub async fn served_ids(&self, read: &mut Read, numbers: &[i64]) -> StoreResult<Vec<String>> {
        const CHUNK: usize = 500;
        let mut ids = Vec::with_capacity(numbers.len());
        for chunk in numbers.chunks(CHUNK) {
            let events = self.events_in_order(read, chunk).await?;
            ids.extend(events.into_iter().map(|event| event.id));
        }
        Ok(ids)
    }

    /// These state events as they were signed; what other servers would refuse is left out.
    pub async fn served_pdus(
        &self,
        read: &mut Read,
        view: &PeerView,
        numbers: &[i64],
    ) -> StoreResult<Vec<String>> {
        let events = self.events_in_order(read, numbers).await?;
        let pdus = events.into_iter();
        Ok(pdus
            .filter_map(|event| served_json(view, event.json))
            .collect())
    }

    /// These events for the server: of those that it may not see only what remains of an event
    /// that was redacted.
    pub(crate) async fn serve(
        &self,
        read: &mut Read,
        view: &mut PeerView,
        events: Vec<StoredEvent>,
    ) -> StoreResult<Vec<String>> {
        let seen = self.server_sees(read, view, &events).await?;
        let mut pdus = Vec::with_capacity(events.len());
        for (event, seen) in events.into_iter().zip(seen) {
            let json = if seen {
                Some(event.json)
            } else {
                event::redact(&event.json, &view.version).ok()
            };
            pdus.extend(json.and_then(|json| served_json(view, json)));
        }
        Ok(pdus)
    }

    pub(crate) async fn find_stored(
        &self,
        read: &mut Read,
        event_id: &str,
    ) -> StoreResult<Option<StoredEvent>> {
        match events::find_number(read, event_id).await? {
            Some(number) => events::find(read, number).await,
            None => Ok(None),
        }
    }
}

/// The event, if it is one that other servers take: what is out of range was perhaps let in by an
/// earlier version, and would spoil the whole answer (CVE-2025-30355).
fn served_json(view: &PeerView, json: String) -> Option<String> {
    match event::parse(json.as_bytes(), &view.version) {
        Ok(_) => Some(json),
        Err(error) => {
            tracing::warn!(room = view.row.room, %error, "an event is kept from other servers");
            None
        }
    }
}
