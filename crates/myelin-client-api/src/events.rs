//! Stored events in the form of the client-server API.

use myelin_http::Client;
use myelin_rooms::VisibleEvent;
use myelin_store::{Read, StoreError, events::StoredEvent};
use myelin_sync::{Audience, Notes, ShownEvent, Viewer};
use ruma::{OwnedRoomId, RoomId, UserId, serde::Raw};
use serde_json::value::RawValue;

use crate::{ClientApi, Error};

/// Events of a timeline as a viewer sees them, for answers that are ruma's types.
pub(crate) fn shown_events<T>(
    api: &ClientApi,
    events: &[ShownEvent],
    room_id: &RoomId,
    viewer: &Viewer,
) -> Result<Vec<Raw<T>>, Error> {
    let seen = (viewer, api.app.server.now_ms());
    events
        .iter()
        .map(|shown| shown_event(shown, room_id, seen).map(Raw::from_json))
        .collect()
}

/// Events of the state, which have no notes.
pub(crate) fn client_events<T>(
    api: &ClientApi,
    events: &[StoredEvent],
    room_id: &RoomId,
    viewer: &Viewer,
) -> Result<Vec<Raw<T>>, Error> {
    let now_ms = api.app.server.now_ms();
    events
        .iter()
        .map(|event| client_event(event, room_id, (viewer, now_ms)).map(Raw::from_json))
        .collect()
}

/// The event with this id, and its room, if there is one that the user may see.
pub(crate) async fn find_event(
    api: &ClientApi,
    read: &mut Read,
    user: &UserId,
    event_id: &str,
) -> Result<Option<(OwnedRoomId, VisibleEvent)>, Error> {
    let Some(visible) = api.rooms.visible_event(read, user, event_id).await? else {
        return Ok(None);
    };
    let room_id = api.rooms.room_id(visible.event.room).await?;
    Ok(Some((room_id, visible)))
}

/// One event of a timeline.
pub(crate) fn shown_event(
    shown: &ShownEvent,
    room_id: &RoomId,
    seen: (&Viewer, u64),
) -> Result<Box<RawValue>, Error> {
    render(&shown.event, &shown.notes, room_id, seen)
}

/// Who looks.
pub(crate) fn viewer<R>(client: &Client<R>) -> Viewer {
    Viewer {
        user: client.user_number,
        device: Some(client.device.to_string()),
    }
}

/// One event of the state.
pub(crate) fn client_event(
    event: &StoredEvent,
    room_id: &RoomId,
    seen: (&Viewer, u64),
) -> Result<Box<RawValue>, Error> {
    render(event, &Notes::default(), room_id, seen)
}

fn render(
    event: &StoredEvent,
    notes: &Notes,
    room_id: &RoomId,
    (viewer, now_ms): (&Viewer, u64),
) -> Result<Box<RawValue>, Error> {
    let mut json = String::new();
    let audience = Audience {
        viewer,
        now_ms,
        room_id: Some(room_id.as_str()),
    };
    myelin_sync::write_shown(&mut json, (event, notes), audience)?;
    RawValue::from_string(json).map_err(|error| {
        Error::from(StoreError::Corrupt {
            table: "events",
            column: 12,
            wanted: "an event",
            found: error.to_string(),
        })
    })
}
