//! `GET /_matrix/client/api/v1/rooms/{roomId}/members`

use std::collections::HashMap;

use axum::response::Response;
use myelin_http::{Client, Raw};
use serde_json::{Value, json};

use super::{
    modern, presence, reply, request,
    view::{Object, text},
};
use crate::{ClientApi, Error};

/// All members there ever were, each with what is known of their presence among the content. There
/// is one page only, whatever is asked for.
pub(super) async fn get_member_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let viewer = request::viewer(&client);
    let mut read = api.app.store.read();
    let access = api.rooms.view(&mut read, &room_id, &client.user).await?;
    let at = (access.room, &access.root);
    let view = modern::view_at(&api, &mut read, (&room_id, &viewer), at).await?;
    let members = api
        .rooms
        .state_of_type(&mut read, at, "m.room.member")
        .await?;
    let numbers: Vec<i64> = members.iter().filter_map(|event| event.state_key).collect();
    let told = if api.app.settings.presence {
        &numbers[..]
    } else {
        &[]
    };
    let known = api.syncs.presence_of_users(told).await?;
    let known: HashMap<&str, Object> = known
        .iter()
        .map(|known| (known.user.as_str(), presence::content(known)))
        .collect();
    let mut chunk = Vec::with_capacity(members.len());
    for stored in &members {
        let mut event = view.event(modern::event(&api, stored, &room_id, &viewer)?);
        let presence = known.get(text(&event, "state_key")).cloned();
        if let (Some(mut presence), Some(Value::Object(content))) =
            (presence, event.get_mut("content"))
        {
            presence.append(content);
            *content = presence;
        }
        chunk.push(event);
    }
    Ok(reply(
        &json!({ "chunk": chunk, "end": "END", "start": "START" }),
    ))
}
