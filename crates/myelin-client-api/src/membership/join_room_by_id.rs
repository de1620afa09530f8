//! `POST /_matrix/client/v3/rooms/{roomId}/join`

use myelin_http::Client;
use myelin_rooms::Join;
use ruma::api::client::membership::join_room_by_id::v3::{Request, Response};

use super::signed;
use crate::{ClientApi, Error};

pub(crate) async fn join_room_by_id(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client {
        user, guest, body, ..
    } = client;
    let third_party_signed = signed(body.third_party_signed.as_ref())?;
    let join = Join {
        room_id: &body.room_id,
        user: &user,
        guest,
        reason: body.reason.as_deref(),
        third_party_signed: third_party_signed.as_ref(),
        via: &[],
        transaction: None,
    };
    api.rooms.join(join).await?;
    Ok(Response::new(body.room_id))
}
