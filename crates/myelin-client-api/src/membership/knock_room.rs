//! `POST /_matrix/client/v3/knock/{roomIdOrAlias}`

use myelin_http::Client;
use myelin_rooms::Knock;
use ruma::api::client::knock::knock_room::v3::{Request, Response};

use super::room_named;
use crate::{ClientApi, Error};

// The servers in `via` matter for rooms of other servers only.
pub(crate) async fn knock_room(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let room_id = room_named(&api, body.room_id_or_alias).await?;
    let knock = Knock {
        room_id: &room_id,
        user: &user,
        reason: body.reason.as_deref(),
    };
    api.rooms.knock(knock).await?;
    Ok(Response::new(room_id))
}
