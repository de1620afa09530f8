//! `GET /_matrix/client/v3/rooms/{roomId}/aliases`

use myelin_http::Client;
use ruma::api::client::room::aliases::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn aliases(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    Ok(Response::new(
        api.rooms.local_aliases(&body.room_id, &user).await?,
    ))
}
