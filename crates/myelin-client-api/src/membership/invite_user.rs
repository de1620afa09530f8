//! `POST /_matrix/client/v3/rooms/{roomId}/invite`
//!
//! The body is read here, for ruma takes two forms of it, and says of neither what is wrong.

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_rooms::Invite;
use ruma::{RoomId, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{ClientApi, Error};

#[derive(Deserialize)]
struct Body {
    user_id: Option<Value>,
    reason: Option<Value>,
    /// What an invitation by e-mail address or telephone number has.
    medium: Option<Value>,
}

pub(crate) async fn invite_user(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let room_id = body.path.first().map_or("", String::as_str);
    let room_id = RoomId::parse(room_id)
        .map_err(|error| MatrixError::invalid_param(format!("In the path: {error}.")))?;
    let body: Body = body.json()?;
    if body.user_id.is_none() && body.medium.is_some() {
        let message = "This server cannot invite by e-mail address or telephone number.";
        return Err(MatrixError::forbidden(message).into());
    }
    let target = body
        .user_id
        .ok_or_else(|| MatrixError::missing_param("user_id"))?;
    let target = UserId::parse(text(&target, "user_id")?)
        .map_err(|error| MatrixError::invalid_param(format!("`user_id`: {error}.")))?;
    let reason = body.reason.as_ref();
    let reason = reason.map(|reason| text(reason, "reason")).transpose()?;
    let invite = Invite {
        room_id: &room_id,
        sender: &user,
        target: &target,
        reason,
        transaction: None,
    };
    api.rooms.invite(invite).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str, MatrixError> {
    let text = value.as_str();
    text.ok_or_else(|| MatrixError::bad_json(format!("`{key}` is no string.")))
}
