//! `POST /_matrix/client/v3/rooms/{roomId}/forget`

use myelin_http::Client;
use ruma::api::client::membership::forget_room::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn forget_room(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    api.rooms.forget(&body.room_id, &user).await?;
    Ok(Response::new())
}
