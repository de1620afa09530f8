//! `GET /_matrix/client/v3/joined_rooms`

use myelin_http::Client;
use ruma::api::client::membership::joined_rooms::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn joined_rooms(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    Ok(Response::new(
        api.rooms.joined_rooms(client.user_number).await?,
    ))
}
