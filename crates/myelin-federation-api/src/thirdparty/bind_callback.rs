//! `PUT /_matrix/federation/v1/3pid/onbind`.

use myelin_http::{MatrixError, Public};
use myelin_rooms::ThirdPartyInvite;
use ruma::api::federation::thirdparty::bind_callback::v1::{Request, Response};

use super::object;
use crate::FederationApi;

// Anybody may call it: what counts is what an identity server has signed for the user.
pub(crate) async fn bind_callback(
    api: FederationApi,
    call: Public<Request>,
) -> Result<Response, MatrixError> {
    let Request { mxid, invites, .. } = call.body;
    let mut found = Vec::with_capacity(invites.len());
    for invite in invites {
        found.push(ThirdPartyInvite {
            room_id: invite.room_id,
            sender: invite.sender,
            user: invite.mxid,
            signed: object(invite.signed.json().get())?,
        });
    }
    api.rooms.accept_bound_invites(&mxid, found).await;
    Ok(Response::new())
}
