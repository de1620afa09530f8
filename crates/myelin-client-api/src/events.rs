//! Stored events in the form of the client-server API.

use myelin_rooms::AccessError;
use myelin_store::{
    Read, StoreError,
    events::{self, StoredEvent},
};
use myelin_sync::Viewer;
use ruma::{OwnedRoomId, RoomId, UserId, serde::Raw};
use serde_json::value::RawValue;

use crate::{ClientApi, Error};

/// Events as a viewer sees them, for answers that are ruma's types.
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
) -> Result<Option<(OwnedRoomId, StoredEvent)>, Error> {
    let Some(number) = events::find_number(read, event_id).await? else {
        return Ok(None);
    };
    let Some(stored) = events::find(read, number).await? else {
        return Ok(None);
    };
    let room_id = api.rooms.room_id(stored.room).await?;
    match api.rooms.access(read, &room_id, user).await {
        Ok(_) => Ok(Some((room_id, stored))),
        Err(AccessError::NotInRoom { .. }) => Ok(None),
        Err(AccessError::Store(error)) => Err(error.into()),
    }
}

/// One event as a viewer sees it.
pub(crate) fn client_event(
    event: &StoredEvent,
    room_id: &RoomId,
    (viewer, now_ms): (&Viewer, u64),
) -> Result<Box<RawValue>, Error> {
    let mut json = String::new();
    let unsigned = myelin_sync::unsigned(event, viewer, now_ms);
    myelin_sync::write_event(&mut json, event, Some(room_id.as_str()), &unsigned)?;
    RawValue::from_string(json).map_err(|error| {
        Error::from(StoreError::Corrupt {
            table: "events",
            column: 12,
            wanted: "an event",
            found: error.to_string(),
        })
    })
}
