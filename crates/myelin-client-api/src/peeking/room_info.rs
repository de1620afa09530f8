//! What the overviews say of a room, as the specification calls it: `RoomInfo`.

use std::collections::HashMap;

use myelin_store::{
    Read, StoreError,
    account_data::{self, AccountData, NO_ROOM},
    events,
    memberships::UserMembership,
};
use myelin_sync::{Direction, PageRequest, RoomOverview, StreamToken, Viewer, filter::EventFilter};
use ruma::RoomId;
use serde_json::{Value, json, value::RawValue};

use crate::{
    ClientApi, Error,
    events::{client_event, shown_event},
};

/// What is said of rooms to one viewer.
pub(super) struct RoomInfos<'a> {
    api: &'a ClientApi,
    viewer: &'a Viewer,
    /// Most events of each room.
    limit: usize,
    /// Where the event stream goes on.
    end: String,
    account_data: HashMap<i64, Vec<Value>>,
}

impl<'a> RoomInfos<'a> {
    pub(super) fn new(
        api: &'a ClientApi,
        viewer: &'a Viewer,
        limit: usize,
        end: StreamToken,
    ) -> Self {
        Self {
            api,
            viewer,
            limit,
            end: end.to_string(),
            account_data: HashMap::new(),
        }
    }

    pub(super) fn end(&self) -> &str {
        &self.end
    }

    /// Reads what the user keeps about these rooms.
    pub(super) async fn read_account_data(
        &mut self,
        read: &mut Read,
        rooms: &[i64],
    ) -> Result<(), Error> {
        for data in account_data::list_by_rooms(read, self.viewer.user, rooms).await? {
            let event = account_data_event(&data)?;
            self.account_data
                .entry(data.key.room)
                .or_default()
                .push(event);
        }
        Ok(())
    }

    /// What the user keeps outside of rooms.
    pub(super) async fn global_account_data(&self, read: &mut Read) -> Result<Vec<Value>, Error> {
        let all = account_data::list_by_rooms(read, self.viewer.user, &[NO_ROOM]).await?;
        let all = all.iter().map(account_data_event);
        Ok(all.collect::<Result<_, _>>()?)
    }

    /// A room that the user may see.
    pub(super) async fn room(
        &self,
        read: &mut Read,
        mut room: RoomOverview,
    ) -> Result<Value, Error> {
        let membership = room.membership();
        let seen = (self.viewer, self.api.app.server.now_ms());
        let request = PageRequest {
            from: room.newest,
            to: None,
            direction: Direction::Backward,
            limit: self.limit,
            filter: &EventFilter::default(),
            across: None,
        };
        let page = self
            .api
            .syncs
            .messages(read, &mut room.view, request)
            .await?;
        let room_id: &RoomId = &room.room_id;
        let chunk = page.events.iter().rev();
        let chunk = chunk.map(|shown| shown_event(shown, room_id, seen));
        let chunk: Vec<Box<RawValue>> = chunk.collect::<Result<_, _>>()?;
        let state = room.state.iter();
        let state = state.map(|event| client_event(event, room_id, seen));
        let state: Vec<Box<RawValue>> = state.collect::<Result<_, _>>()?;
        let mut messages = json!({ "chunk": chunk, "end": self.end });
        if let Some(start) = page.end {
            messages["start"] = start.to_string().into();
        }
        let account_data = self.account_data.get(&room.view.room);
        let mut info = json!({
            "account_data": account_data.map(Vec::as_slice).unwrap_or_default(),
            "messages": messages,
            "room_id": room_id,
            "state": state,
            "visibility": if room.is_published { "public" } else { "private" },
        });
        if let Some(membership) = membership {
            info["membership"] = membership.as_str().into();
        }
        Ok(info)
    }

    /// An invitation.
    pub(super) async fn invited(
        &self,
        read: &mut Read,
        own: UserMembership,
    ) -> Result<Option<Value>, Error> {
        let Some(invite) = events::find(read, own.event).await? else {
            return Ok(None);
        };
        let room_id = self.api.rooms.room_id(own.room).await?;
        let seen = (self.viewer, self.api.app.server.now_ms());
        let invite = client_event(&invite, &room_id, seen)?;
        Ok(Some(json!({
            "invite": invite,
            "membership": "invite",
            "room_id": room_id,
        })))
    }
}

fn account_data_event(data: &AccountData) -> Result<Value, StoreError> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt {
        table: "account_data",
        column: 3,
        wanted: "a JSON object",
        found: error.to_string(),
    };
    let content: Value = serde_json::from_slice(&data.content).map_err(corrupt)?;
    Ok(json!({ "content": content, "type": data.key.event_type }))
}
