//! `GET /_matrix/client/api/v1/initialSync`

use axum::response::Response;
use myelin_http::{Client, Raw};
use myelin_store::{Read, events, events::StoredEvent, published_rooms};
use myelin_sync::{InvitedRoom, JoinedRoom, RoomToken, StateAt, StreamToken, Viewer};
use ruma::{RoomId, UserId};
use serde_json::{Value, json};

use super::{
    modern, reply, request,
    view::{Object, RoomView, is_hidden, text},
};
use crate::{ClientApi, Error};

/// One caller's view of rooms.
pub(super) struct Caller<'a> {
    api: &'a ClientApi,
    user: &'a UserId,
    viewer: Viewer,
    limit: i64,
    /// Where `/events` goes on.
    end: String,
}

pub(super) async fn initial_sync(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let limit = request::limit(&client.body.query()?)?;
    let viewer = request::viewer(&client);
    let overview = api.syncs.overview(&viewer, limit, StateAt::Now).await?;
    let caller = Caller::new(&api, &client.user, viewer, (limit, overview.position));
    let mut read = api.app.store.read();
    let mut shown = Vec::new();
    let numbers: Vec<i64> = overview.joined.iter().map(|room| room.room).collect();
    for room in overview.joined {
        shown.push(caller.joined(&mut read, room).await?);
    }
    for room in overview.invited {
        shown.push(caller.invited(&mut read, room).await?);
    }
    let presence = caller.presence(&numbers).await?;
    Ok(reply(
        &json!({ "end": caller.end, "presence": presence, "rooms": shown }),
    ))
}

impl<'a> Caller<'a> {
    /// Who looks, how many events of each room are shown, and the position they are of.
    pub(super) fn new(
        api: &'a ClientApi,
        user: &'a UserId,
        viewer: Viewer,
        (limit, position): (i64, i64),
    ) -> Self {
        let end = StreamToken::at(position).to_string();
        Self {
            api,
            user,
            viewer,
            limit,
            end,
        }
    }

    /// A room that the user is in.
    pub(super) async fn joined(&self, read: &mut Read, room: JoinedRoom) -> Result<Value, Error> {
        let room_id = &room.room_id;
        let state = room
            .state
            .iter()
            .map(|stored| modern::event(self.api, stored, room_id, &self.viewer));
        let state: Vec<Object> = state.collect::<Result<_, _>>()?;
        let view = RoomView::of_state(&state);
        let timeline = self
            .timeline(read, room_id, (room.timeline, room.limited))
            .await?;
        let events = timeline.iter().map(|(_, event)| event.clone()).collect();
        let (chunk, shown) = view.timeline(events, usize::try_from(self.limit).unwrap_or_default());
        let first = timeline
            .get(timeline.len() - shown)
            .map(|(stored, _)| stored);
        let published = published_rooms::exists(read, room.room).await?;
        Ok(json!({
            "membership": "join",
            "messages": self.messages(&chunk, first),
            "room_id": room_id,
            "state": view.state(state),
            "visibility": if published { "public" } else { "private" },
        }))
    }

    /// Clients of 2014 trip over a room without messages, so there is the invitation.
    async fn invited(&self, read: &mut Read, room: InvitedRoom) -> Result<Value, Error> {
        let InvitedRoom {
            room_id, invite, ..
        } = room;
        let view = modern::room_view(
            self.api,
            read,
            (&room_id, self.user),
            (&invite, &self.viewer),
        )
        .await?;
        let event =
            modern::timeline_event(self.api, read, &invite, (&room_id, &self.viewer)).await?;
        let event = view.event(event);
        Ok(json!({
            "inviter": text(&event, "sender"),
            "membership": "invite",
            "messages": self.messages(&[event], Some(&invite)),
            "room_id": room_id,
        }))
    }

    /// The visible events of a room, the oldest first. Clients of 2014 trip over a room without
    /// any, so it goes further back if all of the newest are hidden.
    async fn timeline(
        &self,
        read: &mut Read,
        room_id: &RoomId,
        (mut newest, mut more): (Vec<StoredEvent>, bool),
    ) -> Result<Vec<(StoredEvent, Object)>, Error> {
        loop {
            let before = newest.first().map(|first| (first.room, first.room_order));
            let mut visible = Vec::with_capacity(newest.len());
            for stored in newest {
                let shown = (room_id, &self.viewer);
                let event = modern::timeline_event(self.api, read, &stored, shown).await?;
                visible.push((stored, event));
            }
            visible.retain(|(_, event)| !is_hidden(event));
            match before {
                Some((room, order)) if visible.is_empty() && more => {
                    newest = events::list_before(read, room, order, self.limit).await?;
                    newest.reverse();
                    more = !newest.is_empty();
                }
                _ => return Ok(visible),
            }
        }
    }

    fn messages(&self, chunk: &[Object], first: Option<&StoredEvent>) -> Value {
        let start = first.map_or(
            RoomToken {
                depth: 0,
                before: 0,
            },
            |first| RoomToken {
                depth: first.depth,
                before: first.room_order,
            },
        );
        json!({ "chunk": chunk, "end": self.end, "start": start.to_string() })
    }

    /// When the user and the members of these rooms were last active.
    pub(super) async fn presence(&self, rooms: &[i64]) -> Result<Vec<Value>, Error> {
        let now_ms = self.api.app.server.now_ms();
        let activities = self.api.syncs.activities(self.viewer.user, rooms).await?;
        let presence = activities.into_iter().map(|activity| {
            json!({
                "content": {
                    "last_active_ago": now_ms.saturating_sub(activity.last_active_ms),
                    "user_id": activity.user,
                },
                "type": "m.presence",
            })
        });
        Ok(presence.collect())
    }
}
