//! `GET /_matrix/client/v3/initialSync`

use axum::response::Response;
use http::StatusCode;
use myelin_core::membership::Membership;
use myelin_http::{Client, MatrixError, Query, Raw, json_response};
use myelin_sync::Overview;
use ruma::{api::auth_scheme::AccessToken, metadata};
use serde_json::{Value, json};

use super::{limit, presence_event, presence_in_rooms, room_info::RoomInfos};
use crate::{ClientApi, Error, events::viewer};

/// The paths of an endpoint that ruma no longer has.
pub(crate) struct Request;

metadata! {
    method: GET,
    rate_limited: false,
    authentication: AccessToken,
    history: {
        1.0 => "/_matrix/client/r0/initialSync",
        1.1 => "/_matrix/client/v3/initialSync",
    }
}

pub(crate) async fn initial_sync(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let query = client.body.query()?;
    let limit = limit(&query)?;
    let with_left = archived(&query)?;
    let viewer = viewer(&client);
    let Overview { position, rooms } = api.syncs.overview(viewer.user, with_left).await?;
    let mut read = api.app.store.read();
    let mut infos = RoomInfos::new(&api, &viewer, limit, api.syncs.token_at(position));
    let numbers: Vec<i64> = rooms.iter().map(|own| own.room).collect();
    infos.read_account_data(&mut read, &numbers).await?;
    let mut shown = Vec::with_capacity(rooms.len());
    let mut joined = Vec::new();
    for own in rooms {
        if own.membership == Membership::Invite {
            shown.extend(infos.invited(&mut read, own).await?);
            continue;
        }
        let view = api.rooms.view_by_number(&mut read, own.room, own.user);
        // Who declined an invitation, or has forgotten the room, has nothing of it.
        let Some(view) = view.await?.filter(|view| !view.is_closed()) else {
            continue;
        };
        if own.membership == Membership::Join {
            joined.push(own.room);
        }
        let room = api.syncs.room_overview(&mut read, view, position).await?;
        shown.push(infos.room(&mut read, room).await?);
    }
    let presence = presence_in_rooms(&api, viewer.user, &joined).await?;
    let presence: Vec<Value> = presence.iter().map(presence_event).collect();
    let answer = json!({
        "account_data": infos.global_account_data(&mut read).await?,
        "end": infos.end(),
        "presence": presence,
        "rooms": shown,
    });
    Ok(json_response(StatusCode::OK, &answer))
}

fn archived(query: &Query) -> Result<bool, MatrixError> {
    match query.get("archived")? {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(MatrixError::invalid_param(
            "`archived` is `true` or `false`.",
        )),
    }
}
