//! `POST /_matrix/client/v3/rooms/{roomId}/join`

use myelin_http::Client;
use myelin_rooms::Join;
use ruma::api::client::membership::join_room_by_id::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn join_room_by_id(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let join = Join {
        room_id: &body.room_id,
        user: &user,
        reason: body.reason.as_deref(),
        transaction: None,
    };
    api.rooms.join(join).await?;
    Ok(Response::new(body.room_id))
}
