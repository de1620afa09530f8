//! `GET /_matrix/client/v1/delayed_events/{delay_id}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};

use super::{delay_id, no_such_event, shown};
use crate::{ClientApi, Error};

pub(crate) async fn get_delayed_event(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let id = delay_id(&client.body)?;
    let found = api.rooms.delayed_event(client.user_number, id).await?;
    let found = found.ok_or_else(no_such_event)?;
    Ok(json_response(StatusCode::OK, &shown(&found)))
}
