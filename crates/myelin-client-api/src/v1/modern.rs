//! From stored events to today's form of them, which the view starts from.

use bytes::Bytes;
use myelin_rooms::AccessError;
use myelin_store::{Read, StoreError, events::StoredEvent};
use myelin_sync::{ShownEvent, Viewer};
use ruma::{RoomId, UserId};
use serde_json::value::RawValue;

use super::view::{Object, RoomView};
use crate::{
    ClientApi, Error,
    events::{self, client_event},
};

/// Today's form of an event of the state, for a viewer.
pub(super) fn event(
    api: &ClientApi,
    stored: &StoredEvent,
    room_id: &RoomId,
    viewer: &Viewer,
) -> Result<Object, Error> {
    let seen = (viewer, api.app.server.now_ms());
    parse(&client_event(stored, room_id, seen)?)
}

/// The same of an event of a timeline, which also tells what it replaced.
pub(super) fn shown_event(
    api: &ClientApi,
    shown: &ShownEvent,
    (room_id, viewer): (&RoomId, &Viewer),
) -> Result<Object, Error> {
    let seen = (viewer, api.app.server.now_ms());
    parse(&events::shown_event(shown, room_id, seen)?)
}

fn parse(json: &RawValue) -> Result<Object, Error> {
    serde_json::from_str(json.get()).map_err(|error| {
        let found = error.to_string();
        Error::from(StoreError::Corrupt {
            table: "events",
            column: 12,
            wanted: "an event",
            found,
        })
    })
}

/// The view of a room by the levels that it has now; for who is not in it, by those that it had
/// before the event that they are shown.
pub(super) async fn room_view(
    api: &ClientApi,
    read: &mut Read,
    (room_id, user): (&RoomId, &UserId),
    (shown, viewer): (&StoredEvent, &Viewer),
) -> Result<RoomView, Error> {
    let root = match api.rooms.view(read, room_id, user).await {
        Ok(view) => view.root,
        Err(AccessError::NotInRoom { .. }) => shown.root_before.clone(),
        Err(AccessError::Store(error)) => return Err(error.into()),
    };
    view_at(api, read, (room_id, viewer), (shown.room, &root)).await
}

/// The view of a room by the levels of a state.
pub(super) async fn view_at(
    api: &ClientApi,
    read: &mut Read,
    seen: (&RoomId, &Viewer),
    at: (i64, &Bytes),
) -> Result<RoomView, Error> {
    let create = state(api, read, seen, at, "m.room.create").await?;
    let levels = state(api, read, seen, at, "m.room.power_levels").await?;
    Ok(RoomView::new(create.as_ref(), levels.as_ref()))
}

/// The state event of a type that has no state key, in today's form.
pub(super) async fn state(
    api: &ClientApi,
    read: &mut Read,
    (room_id, viewer): (&RoomId, &Viewer),
    at: (i64, &Bytes),
    event_type: &str,
) -> Result<Option<Object>, Error> {
    let stored = api.rooms.state_event(read, at, event_type, "").await?;
    stored
        .map(|stored| event(api, &stored, room_id, viewer))
        .transpose()
}
