//! `GET /_matrix/client/v1/mutual_rooms`
//!
//! Read here, because ruma takes no answer without a count, and no token that is refused.

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use ruma::UserId;
use serde_json::json;

use crate::{ClientApi, Error};

pub(crate) async fn get_mutual_rooms(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let query = client.body.query()?;
    let user_id = query
        .get("user_id")?
        .ok_or_else(|| MatrixError::missing_param("user_id"))?;
    let other = <&UserId>::try_from(user_id)
        .map_err(|_| MatrixError::invalid_param("`user_id` is no user id."))?;
    if *other == client.user {
        return Err(MatrixError::invalid_param("You share all your rooms with yourself.").into());
    }
    let from = query.get("from")?.map(str::parse).transpose();
    let from = from
        .ok()
        .filter(|from| from.is_none_or(|from: i64| from > 0))
        .ok_or_else(|| MatrixError::invalid_param("`from` is no token of this server."))?;
    let rooms = api
        .rooms
        .mutual_rooms(client.user_number, other, from.unwrap_or(0));
    let rooms = rooms.await?;
    let mut answer = json!({"joined": rooms.joined, "count": rooms.count});
    if let Some(next) = rooms.next {
        answer["next_batch"] = json!(next.to_string());
    }
    Ok(json_response(StatusCode::OK, &answer))
}
