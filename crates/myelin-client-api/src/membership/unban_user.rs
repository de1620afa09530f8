//! `POST /_matrix/client/v3/rooms/{roomId}/unban`

use myelin_http::Client;
use myelin_rooms::Moderation;
use ruma::api::client::membership::unban_user::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn unban_user(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let unban = Moderation {
        room_id: &body.room_id,
        sender: &user,
        target: &body.user_id,
        reason: body.reason.as_deref(),
        transaction: None,
    };
    api.rooms.unban(unban).await?;
    Ok(Response::new())
}
