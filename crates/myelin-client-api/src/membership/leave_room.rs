//! `POST /_matrix/client/v3/rooms/{roomId}/leave`

use myelin_http::Client;
use myelin_rooms::Leave;
use ruma::api::client::membership::leave_room::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn leave_room(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let leave = Leave {
        room_id: &body.room_id,
        user: &user,
        reason: body.reason.as_deref(),
        transaction: None,
    };
    api.rooms.leave(leave).await?;
    Ok(Response::new())
}
