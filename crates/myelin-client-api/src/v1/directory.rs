//! `GET /_matrix/client/api/v1/publicRooms`, and
//! `GET`, `PUT` and `DELETE /_matrix/client/api/v1/directory/room/{roomAlias}`

use axum::response::Response;
use http::Method;
use myelin_http::{Client, MatrixError, Public, Raw, Routes, authenticate};
use myelin_rooms::{DirectoryRequest, ListedRoom};
use myelin_store::{StoreResult, room_facts::Fact};
use ruma::{OwnedRoomAliasId, RoomAliasId, RoomId};
use serde_json::{Value, json};

use super::{path, reply, request};
use crate::{ClientApi, Error};

/// Most rooms in the list, the largest of them: there were no pages in 2014.
const ROOMS_MAX: usize = 1_000;

pub(super) fn routes() -> Routes<ClientApi> {
    let alias = path("/directory/room/{alias}");
    Routes::new()
        .route(&Method::GET, &path("/publicRooms"), get_public_rooms)
        .route(&Method::GET, &alias, get_alias)
        .route(&Method::PUT, &alias, create_alias)
        .route(&Method::DELETE, &alias, delete_alias)
}

/// The rooms of the directory that have an alias, for this is how they were joined.
async fn get_public_rooms(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    if !api.settings.public_rooms_without_login {
        authenticate(&api.app, &call.body.parts).await?;
    }
    let request = DirectoryRequest {
        limit: ROOMS_MAX,
        from: None,
        term: None,
        room_types: None,
    };
    let mut chunk = Vec::new();
    for room in api.rooms.public_rooms(&request).await?.rooms {
        chunk.extend(listed(&api, room).await?);
    }
    Ok(reply(
        &json!({ "chunk": chunk, "end": "END", "start": "START" }),
    ))
}

async fn listed(api: &ClientApi, mut room: ListedRoom) -> StoreResult<Option<Value>> {
    let number = api.app.store.find_interned(room.room_id.as_bytes()).await?;
    let aliases = match number {
        Some(number) => api.rooms.aliases(number).await?,
        None => Vec::new(),
    };
    if aliases.is_empty() {
        return Ok(None);
    }
    let mut listed = json!({
        "aliases": aliases,
        "num_joined_members": room.joined,
        "room_id": room.room_id,
    });
    for (key, fact) in [("name", Fact::Name), ("topic", Fact::Topic)] {
        if let Some(value) = room.facts.remove(&fact) {
            listed[key] = value.into();
        }
    }
    Ok(Some(listed))
}

async fn get_alias(api: ClientApi, call: Public<Raw>) -> Result<Response, Error> {
    let target = api.rooms.resolve_alias(&alias(&call.body)?).await?;
    Ok(reply(
        &json!({ "room_id": target.room_id, "servers": target.servers }),
    ))
}

async fn create_alias(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let alias = alias(&client.body)?;
    let id = request::required_text(&mut request::body(&client.body)?, "room_id")?;
    let room_id = RoomId::parse(&id)
        .map_err(|_| MatrixError::invalid_param(format!("{id:?} is not a room id.")))?;
    api.rooms
        .create_alias(&alias, &room_id, &client.user)
        .await?;
    Ok(reply(&json!({})))
}

async fn delete_alias(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let alias = alias(&client.body)?;
    api.rooms.delete_alias(&alias, &client.user).await?;
    Ok(reply(&json!({})))
}

fn alias(raw: &Raw) -> Result<OwnedRoomAliasId, MatrixError> {
    let name = request::parameter(raw, 0);
    RoomAliasId::parse(name)
        .map_err(|_| MatrixError::invalid_param(format!("{name:?} is not a room alias.")))
}
