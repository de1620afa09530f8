//! `POST /_matrix/client/api/v1/createRoom`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use myelin_rooms::{CreateRoom, RoomSettings};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedUserId, RoomVersionId};
use serde_json::json;

use super::{reply, request};
use crate::{ClientApi, Error};

/// The rooms have the last version whose ids name the server, as the guide shows them.
pub(super) async fn create_room(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let mut body = request::body(&client.body)?;
    let public = match request::text(&mut body, "visibility")?.as_deref() {
        None | Some("public") => true,
        Some("private") => false,
        Some(_) => {
            return Err(MatrixError::bad_json("`visibility` is `public` or `private`.").into());
        }
    };
    let (alias, name, topic) = (
        request::text(&mut body, "room_alias_name")?,
        request::text(&mut body, "name")?,
        request::text(&mut body, "topic")?,
    );
    let create = CreateRoom {
        creator: &client.user,
        room_version: RoomVersionId::V11,
        settings: RoomSettings::guide(public),
        alias_localpart: alias.as_deref(),
        name: name.as_deref(),
        topic: topic.as_deref(),
        invite: invited(&mut body)?,
        is_direct: false,
        initial_state: Vec::new(),
        creation_content: CanonicalJsonObject::new(),
        power_levels_override: CanonicalJsonObject::new(),
        publish: public,
        transaction: request::transaction(&client, 0, "createRoom"),
    };
    let created = api.rooms.create_room(create).await?;
    let mut answer = json!({ "room_id": created.room_id });
    if let Some(alias) = created.alias {
        answer["room_alias"] = alias.as_str().into();
    }
    Ok(reply(&answer))
}

fn invited(body: &mut CanonicalJsonObject) -> Result<Vec<OwnedUserId>, MatrixError> {
    let users = match body.remove("invite") {
        None => return Ok(Vec::new()),
        Some(CanonicalJsonValue::Array(users)) => users,
        Some(_) => return Err(MatrixError::bad_json("`invite` must be an array.")),
    };
    let ids = users.iter().map(|user| match user {
        CanonicalJsonValue::String(id) => request::user_id(id),
        _ => Err(MatrixError::bad_json("`invite` must hold user ids.")),
    });
    ids.collect()
}
