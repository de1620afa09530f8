//! `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}`

use axum::response::Response;
use myelin_http::{Client, Raw};

use super::relating_events;
use crate::{ClientApi, Error};

pub(crate) async fn get_relating_events(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    relating_events(api, client, (None, None)).await
}
