//! `PUT /_matrix/federation/v1/exchange_third_party_invite/{roomId}`.

use myelin_http::{MatrixError, Peer};
use myelin_rooms::ThirdPartyInvite;
use ruma::{
    CanonicalJsonValue,
    api::federation::thirdparty::exchange_invite::v1::{Request, Response},
    events::StateEventType,
};

use super::object;
use crate::{FederationApi, membership::refusal};

pub(crate) async fn exchange_invite(
    api: FederationApi,
    peer: Peer<Request>,
) -> Result<Response, MatrixError> {
    let Request {
        room_id,
        kind,
        sender,
        state_key,
        content,
        ..
    } = peer.body;
    if kind != StateEventType::RoomMember {
        return Err(MatrixError::invalid_param(
            "The event is no `m.room.member`.",
        ));
    }
    let mut content = object(content.json().get())?;
    let is_invite = content
        .get("membership")
        .and_then(CanonicalJsonValue::as_str)
        == Some("invite");
    let third_party = content.remove("third_party_invite");
    let signed = match third_party {
        Some(CanonicalJsonValue::Object(mut third_party)) => third_party.remove("signed"),
        _ => None,
    };
    let Some(CanonicalJsonValue::Object(signed)) = signed.filter(|_| is_invite) else {
        let message = "The event is no third-party invitation.";
        return Err(MatrixError::invalid_param(message));
    };
    let invite = ThirdPartyInvite {
        room_id,
        sender,
        user: state_key,
        signed,
    };
    let exchanged = api
        .rooms
        .exchange_third_party_invite(&peer.origin, &invite)
        .await;
    exchanged.map_err(refusal)?;
    Ok(Response::new())
}
