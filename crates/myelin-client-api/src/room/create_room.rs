//! `POST /_matrix/client/v3/createRoom`

use http::StatusCode;
use myelin_core::json;
use myelin_http::{Client, MatrixError};
use myelin_rooms::{CreateRoom, InitialState, Preset, RoomSettings};
use ruma::{
    CanonicalJsonObject, CanonicalJsonValue, RoomVersionId,
    api::{
        client::room::{
            Visibility,
            create_room::v3::{Request, Response, RoomPreset},
        },
        error::ErrorCode,
    },
    room_version_rules::RoomVersionDisposition,
    serde::Raw,
};
use serde_json::value::RawValue;

use crate::{ClientApi, Error};

pub(crate) async fn create_room(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client {
        user, guest, body, ..
    } = client;
    if guest {
        return Err(MatrixError::new(
            StatusCode::FORBIDDEN,
            ErrorCode::GuestAccessForbidden,
            "Guests cannot create rooms.",
        )
        .into());
    }
    if !body.invite_3pid.is_empty() {
        let message = "This server cannot invite by e-mail address or telephone number.";
        return Err(MatrixError::forbidden(message).into());
    }
    let public = is_public(&body.visibility)?;
    let initial_state = body
        .initial_state
        .iter()
        .map(|event| initial_state(event.json()));
    let version = body.room_version.as_ref();
    let version = version.unwrap_or(&api.settings.default_room_version);
    let create = CreateRoom {
        creator: &user,
        room_version: supported(version)?,
        settings: RoomSettings::preset(preset(body.preset.as_ref(), public)?),
        alias_localpart: body.room_alias_name.as_deref(),
        name: body.name.as_deref(),
        topic: body.topic.as_deref(),
        invite: body.invite.clone(),
        is_direct: body.is_direct,
        initial_state: initial_state.collect::<Result<_, _>>()?,
        creation_content: object(body.creation_content.as_ref().map(Raw::json))?,
        power_levels_override: object(body.power_level_content_override.as_ref().map(Raw::json))?,
        publish: public,
        transaction: None,
    };
    let created = api.rooms.create_room(create).await?;
    Ok(Response::new(created.room_id))
}

fn is_public(visibility: &Visibility) -> Result<bool, MatrixError> {
    match visibility {
        Visibility::Public => Ok(true),
        Visibility::Private => Ok(false),
        other => Err(MatrixError::invalid_param(format!(
            "`{}` is not a visibility.",
            other.as_str()
        ))),
    }
}

/// The version, if this server makes rooms of it.
pub(super) fn supported(version: &RoomVersionId) -> Result<RoomVersionId, MatrixError> {
    if version
        .rules()
        .is_some_and(|rules| rules.disposition == RoomVersionDisposition::Stable)
    {
        return Ok(version.clone());
    }
    let message = format!("This server cannot create rooms of version {version}.");
    Err(MatrixError::new(
        StatusCode::BAD_REQUEST,
        ErrorCode::UnsupportedRoomVersion,
        message,
    ))
}

fn preset(wanted: Option<&RoomPreset>, public: bool) -> Result<Preset, MatrixError> {
    match wanted {
        None if public => Ok(Preset::PublicChat),
        None | Some(RoomPreset::PrivateChat) => Ok(Preset::PrivateChat),
        Some(RoomPreset::TrustedPrivateChat) => Ok(Preset::TrustedPrivateChat),
        Some(RoomPreset::PublicChat) => Ok(Preset::PublicChat),
        Some(other) => Err(MatrixError::invalid_param(format!(
            "`{}` is not a preset.",
            other.as_str()
        ))),
    }
}

fn initial_state(event: &RawValue) -> Result<InitialState, MatrixError> {
    let mut event = json::parse_object(event.get().as_bytes()).map_err(crate::error::json)?;
    let mut text = |key: &str| match event.remove(key) {
        Some(CanonicalJsonValue::String(text)) => Ok(Some(text)),
        None => Ok(None),
        Some(_) => Err(MatrixError::bad_json(format!(
            "`initial_state[].{key}` must be a string."
        ))),
    };
    let event_type =
        text("type")?.ok_or_else(|| MatrixError::missing_param("initial_state[].type"))?;
    let state_key = text("state_key")?.unwrap_or_default();
    match event.remove("content") {
        Some(CanonicalJsonValue::Object(content)) => Ok(InitialState {
            event_type,
            state_key,
            content,
        }),
        None => Err(MatrixError::missing_param("initial_state[].content")),
        Some(_) => Err(MatrixError::bad_json(
            "`initial_state[].content` must be an object.",
        )),
    }
}

fn object(raw: Option<&RawValue>) -> Result<CanonicalJsonObject, MatrixError> {
    raw.map_or(Ok(CanonicalJsonObject::new()), |raw| {
        json::parse_object(raw.get().as_bytes()).map_err(crate::error::json)
    })
}
