//! `POST /_matrix/client/v3/rooms/{roomId}/leave`

use myelin_http::Client;
use ruma::api::client::membership::leave_room::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn leave_room(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    api.rooms
        .leave(&body.room_id, &user, body.reason.as_deref())
        .await?;
    Ok(Response::new())
}
