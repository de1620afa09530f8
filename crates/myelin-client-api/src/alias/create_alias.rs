//! `PUT /_matrix/client/v3/directory/room/{roomAlias}`

use myelin_http::Client;
use ruma::api::client::alias::create_alias::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn create_alias(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    api.rooms
        .create_alias(&body.room_alias, &body.room_id, &user)
        .await?;
    Ok(Response::new())
}
