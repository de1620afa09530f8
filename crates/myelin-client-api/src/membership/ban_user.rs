//! `POST /_matrix/client/v3/rooms/{roomId}/ban`

use myelin_http::Client;
use myelin_rooms::Moderation;
use ruma::api::client::membership::ban_user::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn ban_user(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let ban = Moderation {
        room_id: &body.room_id,
        sender: &user,
        target: &body.user_id,
        reason: body.reason.as_deref(),
        transaction: None,
    };
    api.rooms.ban(ban).await?;
    Ok(Response::new())
}
