//! `GET /_matrix/client/v1/delayed_events`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use serde_json::{Value, json};

use crate::{ClientApi, Error};

pub(crate) async fn get_all_delayed_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let scheduled = api.rooms.scheduled_events(client.user_number).await?;
    let scheduled: Vec<Value> = scheduled.iter().map(super::shown).collect();
    let body = json!({"delayed_events": scheduled});
    Ok(json_response(StatusCode::OK, &body))
}
