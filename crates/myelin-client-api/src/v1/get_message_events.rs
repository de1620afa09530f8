//! `GET /_matrix/client/api/v1/rooms/{roomId}/messages`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Query, Raw};
use myelin_rooms::RoomView as Access;
use myelin_store::{Read, events::StoredEvent};
use myelin_sync::{
    Direction, PageRequest, RoomToken, ShownEvent, StreamToken, Token, TokenError, Viewer,
    filter::EventFilter, place_after, place_before,
};
use ruma::RoomId;
use serde_json::json;

use super::{
    modern, reply, request,
    view::{Object, RoomView, is_hidden},
};
use crate::{ClientApi, Error};

/// Most events, unless the client says otherwise: then it said nothing, and got everything.
const LIMIT: u64 = 100;
/// Most events in any case.
const LIMIT_MAX: u64 = 1_000;

/// A walk through a room in the view of 2014.
struct Walk<'a> {
    api: &'a ClientApi,
    room_id: &'a RoomId,
    viewer: &'a Viewer,
    view: &'a RoomView,
    to: Option<Token>,
    direction: Direction,
    limit: usize,
}

pub(super) async fn get_message_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let viewer = request::viewer(&client);
    let query = client.body.query()?;
    let direction = direction(&query)?;
    let limit = query.number("limit")?.filter(|limit| *limit > 0);
    let limit = limit.unwrap_or(LIMIT).min(LIMIT_MAX);
    let (from, to) = (token(&query, "from")?, token(&query, "to")?);
    let mut read = api.app.store.read();
    let mut access = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let (start, from) = if let Some(token) = from {
        let start = query.get("from")?.unwrap_or_default().to_owned();
        (start, api.syncs.place(&mut read, &access, token).await?)
    } else {
        let position = api.syncs.position().await?;
        let now = RoomToken {
            depth: 0,
            before: access.newest + 1,
        };
        (StreamToken::at(position).to_string(), now)
    };
    let at = (access.room, &access.root);
    let view = modern::view_at(&api, &mut read, (&room_id, &viewer), at).await?;
    let walk = Walk {
        api: &api,
        room_id: &room_id,
        viewer: &viewer,
        view: &view,
        to,
        direction,
        limit: usize::try_from(limit).unwrap_or_default(),
    };
    let (chunk, end) = walk.page(&mut read, &mut access, from).await?;
    Ok(reply(
        &json!({ "chunk": chunk, "end": end.to_string(), "start": start }),
    ))
}

impl Walk<'_> {
    /// The events from a place on, and where the next page begins. Who finds nothing shown in a
    /// page would take that for the end of the room, so the walk goes on there.
    async fn page(
        &self,
        read: &mut Read,
        access: &mut Access,
        mut from: RoomToken,
    ) -> Result<(Vec<Object>, RoomToken), Error> {
        loop {
            let request = PageRequest {
                from: Some(Token::Room(from)),
                to: self.to,
                direction: self.direction,
                limit: self.limit,
                filter: &EventFilter::default(),
            };
            let page = self.api.syncs.messages(read, access, request).await?;
            let visible = self.visible(read, &page.events).await?;
            let events = visible.iter().map(|(_, event)| event.clone());
            let (chunk, real) = self.view.page(events, self.direction, self.limit);
            let last = match visible.get(real.wrapping_sub(1)) {
                Some((last, _)) if real < visible.len() => Some(*last),
                _ => page.events.last().map(|shown| &shown.event),
            };
            from = last.map_or(from, |last| match self.direction {
                Direction::Backward => place_before(last),
                Direction::Forward => place_after(last),
            });
            if !chunk.is_empty() || page.end.is_none() {
                return Ok((chunk, from));
            }
        }
    }

    async fn visible<'a>(
        &self,
        read: &mut Read,
        events: &'a [ShownEvent],
    ) -> Result<Vec<(&'a StoredEvent, Object)>, Error> {
        let mut visible = Vec::with_capacity(events.len());
        for ShownEvent { event: stored, .. } in events {
            let seen = (self.room_id, self.viewer);
            let event = modern::timeline_event(self.api, read, stored, seen).await?;
            if !is_hidden(&event) {
                visible.push((stored, event));
            }
        }
        Ok(visible)
    }
}

fn direction(query: &Query) -> Result<Direction, MatrixError> {
    match query.get("dir")? {
        None | Some("f") => Ok(Direction::Forward),
        Some("b") => Ok(Direction::Backward),
        Some(_) => Err(MatrixError::invalid_param("`dir` is `f` or `b`.")),
    }
}

/// None: now.
fn token(query: &Query, key: &str) -> Result<Option<Token>, MatrixError> {
    match query.get(key)? {
        None | Some("" | "END") => Ok(None),
        Some(token) => {
            let token = token.parse();
            let token = token
                .map_err(|error: TokenError| MatrixError::invalid_param(format!("{error}.")))?;
            Ok(Some(token))
        }
    }
}
