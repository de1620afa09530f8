//! `POST /_matrix/client/v3/rooms/{roomId}/invite`

use myelin_http::{Client, MatrixError};
use myelin_rooms::Invite;
use ruma::api::client::membership::invite_user::v3::{InvitationRecipient, Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn invite_user(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let InvitationRecipient::UserId(recipient) = &body.recipient else {
        let message = "This server cannot invite by e-mail address or telephone number.";
        return Err(MatrixError::forbidden(message).into());
    };
    let reason = recipient.reason.as_deref();
    let invite = Invite {
        room_id: &body.room_id,
        sender: &user,
        target: &recipient.user_id,
        reason,
        transaction: None,
    };
    api.rooms.invite(invite).await?;
    Ok(Response::new())
}
