//! `POST /_matrix/client/v3/rooms/{roomId}/upgrade`

use myelin_http::Client;
use myelin_rooms::UpgradeRoom;
use ruma::api::client::room::upgrade_room::v3::{Request, Response};

use super::create_room::supported;
use crate::{ClientApi, Error};

pub(crate) async fn upgrade_room(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let upgrade = UpgradeRoom {
        room_id: &body.room_id,
        user: &user,
        version: supported(&body.new_version)?,
        additional_creators: body.additional_creators,
    };
    Ok(Response::new(api.rooms.upgrade_room(&upgrade).await?))
}
