//! `GET /_matrix/client/v3/directory/list/room/{roomId}`

use myelin_http::Public;
use ruma::api::client::{
    directory::get_room_visibility::v3::{Request, Response},
    room::Visibility,
};

use crate::{ClientApi, Error};

pub(crate) async fn get_room_visibility(
    api: ClientApi,
    call: Public<Request>,
) -> Result<Response, Error> {
    let published = api.rooms.is_published(&call.body.room_id).await?;
    Ok(Response::new(if published {
        Visibility::Public
    } else {
        Visibility::Private
    }))
}
