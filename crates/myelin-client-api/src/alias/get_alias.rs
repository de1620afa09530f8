//! `GET /_matrix/client/v3/directory/room/{roomAlias}`

use myelin_http::Public;
use ruma::api::client::alias::get_alias::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn get_alias(api: ClientApi, call: Public<Request>) -> Result<Response, Error> {
    let target = api.rooms.resolve_alias(&call.body.room_alias).await?;
    Ok(Response::new(target.room_id, target.servers))
}
