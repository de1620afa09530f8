//! `GET /_matrix/client/v3/directory/room/{roomAlias}`

use myelin_http::Public;
use ruma::api::client::alias::get_alias::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn get_alias(api: ClientApi, call: Public<Request>) -> Result<Response, Error> {
    let room_id = api.rooms.resolve_alias(&call.body.room_alias).await?;
    let servers = vec![api.app.server.name.clone()];
    Ok(Response::new(room_id, servers))
}
