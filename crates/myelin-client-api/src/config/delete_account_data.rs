//! `DELETE /_matrix/client/v3/user/{userId}/account_data/{type}` and
//! `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}` (MSC3391)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{AccountDataPlace, delete_account_data};
use myelin_http::{Client, MatrixError, Raw, json_response};
use ruma::OwnedRoomId;
use serde_json::json;

use crate::{ClientApi, Error, require_self::require_self_in_path};

pub(crate) async fn delete_global_account_data(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let [_, event_type] = parameters(&client.body.path)?;
    delete(&api, &client, (None, event_type)).await
}

pub(crate) async fn delete_room_account_data(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let [_, room_id, event_type] = parameters(&client.body.path)?;
    let room_id = OwnedRoomId::try_from(room_id.as_str())
        .map_err(|_| MatrixError::invalid_param("The path holds no room id."))?;
    delete(&api, &client, (Some(room_id), event_type)).await
}

async fn delete(
    api: &ClientApi,
    client: &Client<Raw>,
    (room_id, event_type): (Option<OwnedRoomId>, &str),
) -> Result<Response, Error> {
    require_self_in_path(client)?;
    let place = AccountDataPlace {
        user: client.user_number,
        room_id: room_id.as_deref(),
        event_type,
    };
    delete_account_data(&api.app.store, place).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}

fn parameters<const N: usize>(path: &[String]) -> Result<&[String; N], MatrixError> {
    path.try_into()
        .map_err(|_| MatrixError::invalid_param("The path is incomplete."))
}
