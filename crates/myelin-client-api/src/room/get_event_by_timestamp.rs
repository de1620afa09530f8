//! `GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event`

use myelin_http::{Client, MatrixError};
use myelin_store::StoreError;
use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, UInt,
    api::{
        Direction,
        client::room::get_event_by_timestamp::v1::{Request, Response},
    },
};

use crate::{ClientApi, Error};

pub(crate) async fn get_event_by_timestamp(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let forward = body.dir == Direction::Forward;
    let time = i64::from(body.ts.get());
    let mut read = api.app.store.read();
    let mut view = api.rooms.view(&mut read, &body.room_id, &user).await?;
    let found = api
        .rooms
        .event_near(&mut read, &mut view, (time, forward))
        .await?;
    let may_be_nearer = match &found {
        // Others may have been in the room earlier than this server.
        None => true,
        Some(event) => {
            let event = (event, forward);
            api.rooms.misses_nearer(&mut read, event).await?
        }
    };
    let told = if may_be_nearer {
        let near = (body.ts, forward);
        let told = api
            .rooms
            .remote_event_near(&mut read, &view, &body.room_id, near)
            .await?;
        let distance = found
            .as_ref()
            .map(|event| event.origin_server_ts.abs_diff(time));
        told.filter(|told| {
            let told = i64::from(told.origin_server_ts.get()).abs_diff(time);
            distance.is_none_or(|distance| told < distance)
        })
    } else {
        None
    };
    if let Some(told) = told {
        return Ok(Response::new(told.event_id, told.origin_server_ts));
    }
    let event = found.ok_or_else(|| {
        let direction = if forward { "forward" } else { "backward" };
        MatrixError::not_found(format!(
            "Unable to find event from {time} in {direction} direction."
        ))
    })?;
    let event_id = EventId::parse(&event.id).map_err(|error| StoreError::Corrupt {
        table: "events",
        column: 1,
        wanted: "an event id",
        found: error.to_string(),
    })?;
    let time = UInt::try_from(event.origin_server_ts).unwrap_or_default();
    Ok(Response::new(event_id, MilliSecondsSinceUnixEpoch(time)))
}
