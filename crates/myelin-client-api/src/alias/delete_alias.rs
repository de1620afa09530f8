//! `DELETE /_matrix/client/v3/directory/room/{roomAlias}`

use myelin_http::Client;
use ruma::api::client::alias::delete_alias::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn delete_alias(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    api.rooms.delete_alias(&body.room_alias, &user).await?;
    Ok(Response::new())
}
