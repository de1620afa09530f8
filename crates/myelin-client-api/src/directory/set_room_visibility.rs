//! `PUT /_matrix/client/v3/directory/list/room/{roomId}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use ruma::RoomId;
use serde::Deserialize;

use crate::{ClientApi, Error};

/// ruma's request has no default for it.
#[derive(Deserialize)]
struct Body {
    visibility: Option<String>,
}

pub(crate) async fn set_room_visibility(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = client.body.path.first().map_or("", String::as_str);
    let room_id = RoomId::parse(room_id)
        .map_err(|_| MatrixError::invalid_param(format!("{room_id:?} is no room id.")))?;
    let Body { visibility } = client.body.json()?;
    let published = match visibility.as_deref() {
        None | Some("public") => true,
        Some("private") => false,
        Some(other) => {
            let message = format!("`{other}` is not a visibility.");
            return Err(MatrixError::invalid_param(message).into());
        }
    };
    api.rooms
        .set_published(&room_id, &client.user, published)
        .await?;
    Ok(json_response(StatusCode::OK, &serde_json::json!({})))
}
