//! `GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}`

use axum::response::Response;
use myelin_http::{Client, Raw};

use super::{name, relating_events};
use crate::{ClientApi, Error};

pub(crate) async fn get_relating_events_with_rel_type_and_event_type(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let (rel_type, event_type) = (name(&client.body, 2), name(&client.body, 3));
    relating_events(api, client, (Some(&rel_type), Some(&event_type))).await
}
