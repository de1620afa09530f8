//! `PUT /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}`

use myelin_accounts::{AccountDataPlace, set_account_data};
use myelin_http::Client;
use ruma::api::client::config::set_room_account_data::v3::{Request, Response};

use crate::{ClientApi, Error, require_self::require_self};

pub(crate) async fn set_room_account_data(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    require_self(&user, &body.user_id)?;
    let event_type = body.event_type.to_string();
    let place = AccountDataPlace {
        user: client.user_number,
        room_id: Some(&body.room_id),
        event_type: &event_type,
    };
    set_account_data(&api.app.store, place, body.data.json().get().as_bytes()).await?;
    Ok(Response::new())
}
