//! `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`
//!
//! The body is read here, for ruma's type of it forgets all keys but `order`.

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::{RoomTag, create_tag as create};
use myelin_http::{Client, MatrixError, Raw, json_response};
use ruma::OwnedRoomId;
use serde_json::json;

use crate::{ClientApi, Error, require_self::require_self_in_path};

pub(crate) async fn create_tag(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    require_self_in_path(&client)?;
    let parameter = |index: usize| client.body.path.get(index).map_or("", String::as_str);
    let room_id = OwnedRoomId::try_from(parameter(1))
        .map_err(|_| MatrixError::invalid_param("The path holds no room id."))?;
    let tag = RoomTag {
        user: client.user_number,
        room_id: &room_id,
        tag: parameter(2),
    };
    create(&api.app.store, tag, client.body.json()?).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}
