//! `GET /_matrix/client/v3/rooms/{roomId}/joined_members`

use axum::response::Response;
use myelin_core::membership::Membership;
use myelin_http::Client;
use myelin_rooms::MemberFilter;
use myelin_store::{StoreError, StoreResult, events::StoredEvent};
use ruma::api::client::membership::joined_members::v3::Request;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ClientApi, Error,
    event_pages::{Form, write_pages},
};

/// What is read of a member event.
#[derive(Deserialize)]
struct Member {
    state_key: String,
    content: Profile,
}

/// Values of other types than the specification's count as none.
#[derive(Deserialize)]
struct Profile {
    displayname: Option<Value>,
    avatar_url: Option<Value>,
}

#[derive(Serialize)]
struct RoomMember {
    #[serde(skip_serializing_if = "Option::is_none")]
    display_name: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<Value>,
}

pub(crate) async fn joined_members(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let filter = MemberFilter {
        membership: Some(Membership::Join),
        not_membership: None,
    };
    let mut read = api.app.store.read();
    let view = api
        .rooms
        .member_view(&mut read, &body.room_id, &user)
        .await?;
    let pages = api
        .rooms
        .members(&mut read, &view, &view.root, filter)
        .await?;
    let form = Form {
        opening: r#"{"joined":{"#,
        closing: "}}",
        write: Box::new(write_member),
    };
    write_pages(&api, read, pages, form).await
}

fn write_member(out: &mut String, event: &StoredEvent) -> StoreResult<()> {
    let corrupt = |error: serde_json::Error| StoreError::Corrupt {
        table: "events",
        column: 12,
        wanted: "a member event",
        found: error.to_string(),
    };
    let member: Member = serde_json::from_str(&event.json).map_err(corrupt)?;
    let Profile {
        displayname,
        avatar_url,
    } = member.content;
    let profile = RoomMember {
        display_name: displayname.filter(Value::is_string),
        avatar_url: avatar_url.filter(Value::is_string),
    };
    out.push_str(&Value::from(member.state_key).to_string());
    out.push(':');
    out.push_str(&serde_json::to_string(&profile).map_err(corrupt)?);
    Ok(())
}
