//! `GET /_matrix/client/v1/room_summary/{roomIdOrAlias}`

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Public, Raw, authenticate, json_response};
use myelin_rooms::RoomSummary;
use ruma::{OwnedRoomId, OwnedRoomOrAliasId, api::error::ErrorCode};
use serde_json::{Map, Value};

use crate::{ClientApi, Error};

/// With or without a session: who has none is told of rooms that are open to anybody.
pub(crate) async fn get_summary(api: ClientApi, request: Public<Raw>) -> Result<Response, Error> {
    let raw = request.body;
    let session = match authenticate(&api.app, &raw.parts).await {
        Ok(session) => Some(session),
        Err(error) if error.kind == Some(ErrorCode::MissingToken) => None,
        Err(error) => return Err(error.into()),
    };
    let name = raw.path.first().cloned().unwrap_or_default();
    let name = OwnedRoomOrAliasId::try_from(name.as_str()).map_err(|_| {
        MatrixError::invalid_param(format!("{name:?} is neither a room id nor an alias."))
    })?;
    let room_id = match OwnedRoomId::try_from(name) {
        Ok(room_id) => room_id,
        Err(alias) => api.rooms.resolve_alias(&alias).await?.room_id,
    };
    let user = session.map(|session| session.user_number);
    let found = match api.rooms.find_number(&room_id).await? {
        Some(room) => {
            let mut read = api.app.store.read();
            api.rooms.summary(&mut read, room, user).await?
        }
        None => None,
    };
    let (summary, membership) = found.ok_or_else(|| MatrixError::not_found("Room not found."))?;
    let mut answer = summary_object(&summary);
    if user.is_some() {
        answer.insert("membership".to_owned(), membership.as_str().into());
    }
    Ok(json_response(StatusCode::OK, &answer))
}

/// A summary as `/hierarchy` tells it, too.
pub(crate) fn summary_object(summary: &RoomSummary) -> Map<String, Value> {
    let mut object = Map::new();
    let mut insert = |key: &str, value: Value| object.insert(key.to_owned(), value);
    insert("room_id", summary.room_id.as_str().into());
    insert("room_version", summary.room_version.as_str().into());
    insert("num_joined_members", summary.joined.into());
    insert("join_rule", summary.join_rule.as_str().into());
    insert("world_readable", summary.world_readable.into());
    insert("guest_can_join", summary.guest_can_join.into());
    if !summary.allowed_room_ids.is_empty() {
        let ids = summary.allowed_room_ids.iter();
        let ids: Vec<&str> = ids.map(|id| id.as_str()).collect();
        insert("allowed_room_ids", ids.into());
    }
    for (key, value) in [
        ("name", &summary.name),
        ("topic", &summary.topic),
        ("avatar_url", &summary.avatar_url),
        ("canonical_alias", &summary.canonical_alias),
        ("room_type", &summary.room_type),
        ("encryption", &summary.encryption),
    ] {
        if let Some(value) = value {
            insert(key, value.as_str().into());
        }
    }
    object
}
