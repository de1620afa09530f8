//! `POST /_matrix/client/v3/join/{roomIdOrAlias}`

use myelin_http::Client;
use myelin_rooms::Join;
use ruma::api::client::membership::join_room_by_id_or_alias::v3::{Request, Response};

use super::{room_named, signed};
use crate::{ClientApi, Error};

pub(crate) async fn join_room_by_id_or_alias(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client {
        user, guest, body, ..
    } = client;
    let (room_id, via) = room_named(&api, body.room_id_or_alias, body.via).await?;
    let third_party_signed = signed(body.third_party_signed.as_ref())?;
    let join = Join {
        room_id: &room_id,
        user: &user,
        guest,
        reason: body.reason.as_deref(),
        third_party_signed: third_party_signed.as_ref(),
        via: &via,
        transaction: None,
    };
    api.rooms.join(join).await?;
    Ok(Response::new(room_id))
}
