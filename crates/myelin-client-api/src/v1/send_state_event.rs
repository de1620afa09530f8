//! `PUT /_matrix/client/api/v1/rooms/{roomId}/state/{eventType}/{stateKey}`

use axum::response::Response;
use myelin_http::{Client, MatrixError, Raw};
use myelin_rooms::{
    ChangeState, Invite, Join, Leave, Moderation, ModerationError, SendOptions, SetState,
};
use ruma::{CanonicalJsonObject, CanonicalJsonValue, OwnedEventId, RoomId};
use serde_json::json;

use super::{
    modern, reply, request,
    view::{LevelsPatch, is_virtual},
};
use crate::{ClientApi, Error};

/// One call for three things of today: memberships, the levels, and all other state.
pub(super) async fn send_state_event(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let room_id = request::room_id(&client.body)?;
    let event_type = request::parameter(&client.body, 1);
    let state_key = request::parameter(&client.body, 2);
    let mut content = request::content(&client.body)?;
    // The time is the server's to tell.
    content.remove("hsob_ts");
    if is_virtual(event_type) && !state_key.is_empty() {
        let message = format!("`{event_type}` has no state key.");
        return Err(MatrixError::invalid_param(message).into());
    }
    let sent = if event_type == "m.room.member" {
        set_membership(&api, &client, &room_id, content).await?
    } else if let (true, Some(patch)) = (
        state_key.is_empty(),
        LevelsPatch::parse(event_type, &content)?,
    ) {
        change_levels(&api, &client, &room_id, &patch).await?
    } else {
        Some(set_state(&api, &client, &room_id, content).await?)
    };
    Ok(reply(&match sent {
        Some(event_id) => json!({ "event_id": event_id }),
        None => json!({}),
    }))
}

async fn set_state(
    api: &ClientApi,
    client: &Client<Raw>,
    room_id: &RoomId,
    content: CanonicalJsonObject,
) -> Result<OwnedEventId, Error> {
    let set = SetState {
        room_id,
        sender: &client.user,
        event_type: request::parameter(&client.body, 1),
        state_key: request::parameter(&client.body, 2),
        content,
        guest: client.guest,
        options: SendOptions::default(),
    };
    Ok(api.rooms.set_state(set).await?)
}

/// The levels are one event today: what is not named stays as it is.
async fn change_levels(
    api: &ClientApi,
    client: &Client<Raw>,
    room_id: &RoomId,
    patch: &LevelsPatch,
) -> Result<Option<OwnedEventId>, Error> {
    let mut read = api.app.store.read();
    let access = api
        .rooms
        .member_view(&mut read, room_id, &client.user)
        .await?;
    let viewer = request::viewer(client);
    let (seen, at) = ((room_id, &viewer), (access.room, &access.root));
    let create = modern::state(api, &mut read, seen, at, "m.room.create").await?;
    let change = ChangeState {
        room_id,
        sender: &client.user,
        event_type: "m.room.power_levels",
        state_key: "",
    };
    let make = |before: Option<&_>| patch.apply(create.as_ref(), before);
    Ok(api.rooms.change_state(change, &make).await?)
}

/// A membership is set by the same acts as through the calls that are named after them.
async fn set_membership(
    api: &ClientApi,
    client: &Client<Raw>,
    room_id: &RoomId,
    mut content: CanonicalJsonObject,
) -> Result<Option<OwnedEventId>, Error> {
    content.remove("prev");
    let target = request::user_id(request::parameter(&client.body, 2))?;
    let reason = match content.get("reason") {
        Some(CanonicalJsonValue::String(reason)) => Some(reason.clone()),
        _ => None,
    };
    let membership = match content.get("membership") {
        Some(CanonicalJsonValue::String(membership)) => membership.as_str(),
        _ => return Err(MatrixError::bad_json("Missing membership key.").into()),
    };
    let (user, reason) = (&client.user, reason.as_deref());
    match membership {
        "join" if target == *user => {
            let join = Join {
                room_id,
                user,
                guest: client.guest,
                reason,
                third_party_signed: None,
                via: &[],
                transaction: None,
            };
            api.rooms.join(join).await?;
        }
        "leave" if target == *user => {
            let transaction = None;
            let leave = Leave {
                room_id,
                user,
                reason,
                transaction,
            };
            api.rooms.leave(leave).await?;
        }
        "invite" => {
            let invite = Invite {
                room_id,
                sender: user,
                target: &target,
                reason,
                transaction: None,
            };
            api.rooms.invite(invite).await?;
        }
        "ban" | "leave" => {
            let act = Moderation {
                room_id,
                sender: user,
                target: &target,
                reason,
                transaction: None,
            };
            moderate(api, act, membership == "ban").await?;
        }
        _ => return Ok(Some(set_state(api, client, room_id, content).await?)),
    }
    Ok(None)
}

/// To take somebody out of a room and to lift a ban were one thing in 2014.
async fn moderate(api: &ClientApi, act: Moderation<'_>, ban: bool) -> Result<(), Error> {
    if ban {
        return Ok(api.rooms.ban(act).await?);
    }
    match api.rooms.kick(act).await {
        Err(ModerationError::TargetNotInRoom(target)) => match api.rooms.unban(act).await {
            Err(ModerationError::NotBanned(_)) => {
                Err(ModerationError::TargetNotInRoom(target).into())
            }
            other => Ok(other?),
        },
        other => Ok(other?),
    }
}
