//! Users of other servers come into rooms of this one, leave them, or knock; users of this server
//! are invited.

mod create_invite;
mod create_join_event;
mod create_knock_event;
mod create_leave_event;
mod prepare_join_event;
mod prepare_knock_event;
mod prepare_leave_event;

use http::StatusCode;
use myelin_core::membership::Membership;
use myelin_http::{MatrixError, Raw, Routes};
use myelin_rooms::{HandshakeError, MadeTemplate, MakeTemplate, SendMember, SentMember};
use ruma::{
    OwnedEventId, OwnedRoomId, OwnedUserId, ServerName,
    api::{
        error::ErrorCode,
        federation::membership::{
            create_invite as ruma_invite, create_join_event as ruma_join,
            prepare_join_event as ruma_prepare_join, prepare_knock_event as ruma_prepare_knock,
        },
    },
};
use serde_json::value::{RawValue, to_raw_value};

use crate::FederationApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .raw_endpoint::<ruma_invite::v1::Request, _, _, _, _>(create_invite::create_invite_v1)
        .raw_endpoint::<ruma_invite::v2::Request, _, _, _, _>(create_invite::create_invite_v2)
        .raw_endpoint::<ruma_join::v2::Request, _, _, _, _>(create_join_event::create_join_event)
        .endpoint(create_knock_event::create_knock_event)
        .endpoint(create_leave_event::create_leave_event)
        .raw_endpoint::<ruma_prepare_join::v1::Request, _, _, _, _>(
            prepare_join_event::prepare_join_event,
        )
        .raw_endpoint::<ruma_prepare_knock::v1::Request, _, _, _, _>(
            prepare_knock_event::prepare_knock_event,
        )
        .endpoint(prepare_leave_event::prepare_leave_event)
}

/// A template as JSON.
fn template(made: &MadeTemplate) -> Result<Box<RawValue>, MatrixError> {
    to_raw_value(&made.event).map_err(MatrixError::internal)
}

/// The room versions that the query names; without any, the first (spec: `make_join`).
fn versions(call: &Raw) -> Result<Vec<ruma::RoomVersionId>, MatrixError> {
    let named = call.query()?;
    let mut versions = Vec::new();
    for version in named.all("ver") {
        // What is no room version is none that the room has.
        versions.extend(ruma::RoomVersionId::try_from(version));
    }
    if versions.is_empty() {
        versions.push(ruma::RoomVersionId::V1);
    }
    Ok(versions)
}

/// The room and the user that a path names.
fn room_and_user(call: &Raw) -> Result<(OwnedRoomId, OwnedUserId), MatrixError> {
    let invalid =
        |error: ruma::IdParseError| MatrixError::invalid_param(format!("In the path: {error}."));
    let part = |index: usize| call.path.get(index).map_or("", String::as_str);
    let room_id = OwnedRoomId::try_from(part(0)).map_err(invalid)?;
    let user_id = OwnedUserId::try_from(part(1)).map_err(invalid)?;
    Ok((room_id, user_id))
}

/// The room and the event that a path names.
fn room_and_event(call: &Raw) -> Result<(OwnedRoomId, OwnedEventId), MatrixError> {
    let invalid =
        |error: ruma::IdParseError| MatrixError::invalid_param(format!("In the path: {error}."));
    let part = |index: usize| call.path.get(index).map_or("", String::as_str);
    let room_id = OwnedRoomId::try_from(part(0)).map_err(invalid)?;
    let event_id = OwnedEventId::try_from(part(1)).map_err(invalid)?;
    Ok((room_id, event_id))
}

/// What the handlers of `make_*` have in common.
async fn make(
    api: &FederationApi,
    origin: &ServerName,
    (room_id, user): (&ruma::RoomId, &ruma::UserId),
    (membership, versions): (Membership, Option<&[ruma::RoomVersionId]>),
) -> Result<MadeTemplate, MatrixError> {
    let wanted = MakeTemplate {
        origin,
        room_id,
        user,
        membership,
        versions,
    };
    api.rooms.make_template(wanted).await.map_err(refusal)
}

/// What the handlers of `send_*` have in common.
async fn send(
    api: &FederationApi,
    origin: &ServerName,
    (room_id, event_id): (&ruma::RoomId, &ruma::EventId),
    (pdu, membership): (&RawValue, Membership),
) -> Result<SentMember, MatrixError> {
    let sent = SendMember {
        origin,
        room_id,
        event_id,
        pdu,
        membership,
    };
    api.rooms.send_member(sent).await.map_err(refusal)
}

pub(crate) fn refusal(error: HandshakeError) -> MatrixError {
    let message = format!("{error}.");
    let bad_request = |kind| MatrixError::new(StatusCode::BAD_REQUEST, kind, message.clone());
    match error {
        HandshakeError::UnknownRoom(_) => MatrixError::not_found(message),
        HandshakeError::NotYourUser(_)
        | HandshakeError::ServerDenied(_)
        | HandshakeError::NoCondition(_)
        | HandshakeError::NoSuchUser(_)
        | HandshakeError::Refused(_) => MatrixError::forbidden(message),
        HandshakeError::OtherVersion(version) | HandshakeError::UnknownVersion(version) => {
            bad_request(ErrorCode::from("M_INCOMPATIBLE_ROOM_VERSION"))
                .with("room_version", version.as_str())
        }
        HandshakeError::UnknownConditions(_) => bad_request(ErrorCode::UnableToAuthorizeJoin),
        HandshakeError::NoAuthoriser(_) => bad_request(ErrorCode::UnableToGrantJoin),
        HandshakeError::OtherEvent(_)
        | HandshakeError::Pdu(_)
        | HandshakeError::Gap(_)
        | HandshakeError::InviteState(_) => MatrixError::invalid_param(message),
        HandshakeError::InviteBlocked(_) => {
            MatrixError::new(StatusCode::FORBIDDEN, ErrorCode::InviteBlocked, message)
        }
        HandshakeError::Store(error) => error.into(),
    }
}
