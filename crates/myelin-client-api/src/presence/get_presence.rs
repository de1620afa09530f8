//! `GET /_matrix/client/v3/presence/{userId}/status`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3presenceuseridstatus)

use std::time::Duration;

use myelin_http::Client;
use myelin_store::PresenceState as Known;
use ruma::{
    api::client::presence::get_presence::v3::{Request, Response},
    presence::PresenceState,
};

use crate::{ClientApi, Error};

pub(crate) async fn get_presence(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    if !api.app.settings.presence {
        return Ok(Response::new(PresenceState::Offline));
    }
    let user = &client.body.user_id;
    let found = api.syncs.presence(client.user_number, user).await?;
    let mut response = Response::new(match found.state {
        Known::Online => PresenceState::Online,
        Known::Unavailable => PresenceState::Unavailable,
        Known::Offline => PresenceState::Offline,
    });
    response.currently_active = Some(found.currently_active());
    response.last_active_ago = found.last_active_ago_ms.map(Duration::from_millis);
    response.status_msg = found.status_msg;
    Ok(response)
}
