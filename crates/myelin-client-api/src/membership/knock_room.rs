//! `POST /_matrix/client/v3/knock/{roomIdOrAlias}`

use myelin_http::Client;
use myelin_rooms::Knock;
use ruma::api::client::knock::knock_room::v3::{Request, Response};

use super::room_named;
use crate::{ClientApi, Error};

pub(crate) async fn knock_room(api: ClientApi, client: Client<Request>) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let (room_id, via) = room_named(&api, body.room_id_or_alias, body.via).await?;
    let knock = Knock {
        room_id: &room_id,
        user: &user,
        reason: body.reason.as_deref(),
        via: &via,
    };
    api.rooms.knock(knock).await?;
    Ok(Response::new(room_id))
}
