//! `GET /_matrix/client/v3/room_keys/keys/{roomId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeysroomid)

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use super::version;
use crate::{ClientApi, Error};

pub(crate) async fn get_backup_keys_for_room(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let version = version(&client.body)?;
    let place = (client.body.path[0].as_str(), None);
    let (store, user) = (&api.app.store, client.user_number);
    let keys = myelin_accounts::get_backup_keys(store, user, &version, place).await?;
    Ok(json_response(StatusCode::OK, &json!({"sessions": keys})))
}
