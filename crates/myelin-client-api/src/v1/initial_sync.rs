//! `GET /_matrix/client/api/v1/initialSync`

use axum::response::Response;
use myelin_core::membership::Membership;
use myelin_http::{Client, Raw};
use myelin_store::{Read, events, memberships::UserMembership};
use myelin_sync::{Direction, Overview, RoomOverview, RoomToken, Viewer, place_before};
use ruma::UserId;
use serde_json::{Value, json};

use super::{
    modern, presence, reply, request,
    view::{Object, RoomView, text},
    walk::Walk,
};
use crate::{ClientApi, Error, peeking};

/// One caller's view of rooms.
pub(super) struct Caller<'a> {
    api: &'a ClientApi,
    user: &'a UserId,
    viewer: Viewer,
    limit: usize,
    /// Where `/events` goes on.
    end: String,
}

pub(super) async fn initial_sync(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let limit = peeking::limit(&client.body.query()?)?;
    let viewer = request::viewer(&client);
    let Overview { position, rooms } = api.syncs.overview(viewer.user, false).await?;
    let caller = Caller::new(&api, &client.user, viewer, (limit, position));
    let mut read = api.app.store.read();
    let mut shown = Vec::with_capacity(rooms.len());
    let mut joined = Vec::new();
    for own in rooms {
        if own.membership == Membership::Invite {
            shown.extend(caller.invited(&mut read, own).await?);
            continue;
        }
        let view = api.rooms.view_by_number(&mut read, own.room, own.user);
        if let Some(view) = view.await?.filter(|view| !view.is_closed()) {
            let room = api.syncs.room_overview(&mut read, view, position).await?;
            shown.push(caller.room(&mut read, room).await?);
            joined.push(own.room);
        }
    }
    let presence = caller.presence(&joined).await?;
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
        (limit, position): (usize, i64),
    ) -> Self {
        let end = api.syncs.token_at(position).to_string();
        Self {
            api,
            user,
            viewer,
            limit,
            end,
        }
    }

    /// A room that the user may see.
    pub(super) async fn room(
        &self,
        read: &mut Read,
        mut room: RoomOverview,
    ) -> Result<Value, Error> {
        let membership = room.membership();
        let room_id = &room.room_id;
        let state = room
            .state
            .iter()
            .map(|stored| modern::event(self.api, stored, room_id, &self.viewer));
        let state: Vec<Object> = state.collect::<Result<_, _>>()?;
        let view = RoomView::of_state(&state);
        let walk = Walk {
            api: self.api,
            room_id,
            viewer: &self.viewer,
            view: &view,
            to: None,
            direction: Direction::Backward,
            limit: self.limit,
        };
        let (mut chunk, start) = walk.page(read, &mut room.view, room.newest).await?;
        chunk.reverse();
        let mut shown = json!({
            "messages": self.messages(&chunk, start),
            "room_id": room_id,
            "state": view.state(state),
            "visibility": if room.is_published { "public" } else { "private" },
        });
        if let Some(membership) = membership {
            shown["membership"] = membership.as_str().into();
        }
        Ok(shown)
    }

    /// Clients of 2014 trip over a room without messages, so there is the invitation.
    async fn invited(&self, read: &mut Read, own: UserMembership) -> Result<Option<Value>, Error> {
        let Some(invite) = events::find(read, own.event).await? else {
            return Ok(None);
        };
        let room_id = self.api.rooms.room_id(own.room).await?;
        let seen = (&invite, &self.viewer);
        let view = modern::room_view(self.api, read, (&room_id, self.user), seen).await?;
        let event = modern::event(self.api, &invite, &room_id, &self.viewer)?;
        let event = view.event(event);
        Ok(Some(json!({
            "inviter": text(&event, "sender"),
            "membership": "invite",
            "messages": self.messages(&[event], place_before(&invite)),
            "room_id": room_id,
        })))
    }

    fn messages(&self, chunk: &[Object], start: RoomToken) -> Value {
        json!({ "chunk": chunk, "end": self.end, "start": start.to_string() })
    }

    /// What is known of the presence of the user and of the members of these rooms.
    pub(super) async fn presence(&self, rooms: &[i64]) -> Result<Vec<Value>, Error> {
        let known = peeking::presence_in_rooms(self.api, self.viewer.user, rooms).await?;
        Ok(known.iter().map(presence::event).collect())
    }
}
