//! `GET /_matrix/client/api/v1/rooms/{roomId}/members`

use std::collections::HashMap;

use axum::response::Response;
use myelin_http::{Client, Raw};
use serde_json::{Value, json};

use super::{modern, reply, request, view::text};
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
    let activities = api.syncs.activities_of(&numbers).await?;
    let last_active: HashMap<&str, u64> = activities
        .iter()
        .map(|activity| (activity.user.as_str(), activity.last_active_ms))
        .collect();
    let now_ms = api.app.server.now_ms();
    let mut chunk = Vec::with_capacity(members.len());
    for stored in &members {
        let mut event = view.event(modern::event(&api, stored, &room_id, &viewer)?);
        let last_active_ms = last_active.get(text(&event, "state_key")).copied();
        if let (Some(last_active_ms), Some(Value::Object(content))) =
            (last_active_ms, event.get_mut("content"))
        {
            let ago = now_ms.saturating_sub(last_active_ms);
            content.insert("last_active_ago".to_owned(), ago.into());
        }
        chunk.push(event);
    }
    Ok(reply(
        &json!({ "chunk": chunk, "end": "END", "start": "START" }),
    ))
}
