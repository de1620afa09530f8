//! `DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/tags/{tag}`

use myelin_accounts::{RoomTag, delete_tag as delete};
use myelin_http::Client;
use ruma::api::client::tag::delete_tag::v3::{Request, Response};

use crate::{ClientApi, Error, require_self::require_self};

pub(crate) async fn delete_tag(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    require_self(&user, &body.user_id)?;
    let tag = RoomTag {
        user: client.user_number,
        room_id: &body.room_id,
        tag: &body.tag,
    };
    delete(&api.app.store, tag).await?;
    Ok(Response::new())
}
