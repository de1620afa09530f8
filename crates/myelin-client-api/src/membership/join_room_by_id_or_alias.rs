//! `POST /_matrix/client/v3/join/{roomIdOrAlias}`

use myelin_http::Client;
use myelin_rooms::Join;
use ruma::{
    OwnedRoomAliasId, OwnedRoomId,
    api::client::membership::join_room_by_id_or_alias::v3::{Request, Response},
};

use crate::{ClientApi, Error};

pub(crate) async fn join_room_by_id_or_alias(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let room_id = match OwnedRoomId::try_from(body.room_id_or_alias) {
        Ok(room_id) => room_id,
        Err(alias) => resolve(&api, &alias).await?,
    };
    let join = Join {
        room_id: &room_id,
        user: &user,
        reason: body.reason.as_deref(),
        transaction: None,
    };
    api.rooms.join(join).await?;
    Ok(Response::new(room_id))
}

async fn resolve(api: &ClientApi, alias: &OwnedRoomAliasId) -> Result<OwnedRoomId, Error> {
    Ok(api.rooms.resolve_alias(alias).await?)
}
