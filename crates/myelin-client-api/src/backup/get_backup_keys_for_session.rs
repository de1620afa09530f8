//! `GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3room_keyskeysroomidsessionid)

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use serde_json::json;

use super::version;
use crate::{ClientApi, Error};

pub(crate) async fn get_backup_keys_for_session(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let version = version(&client.body)?;
    let session = client.body.path[1].as_str();
    let place = (client.body.path[0].as_str(), Some(session));
    let (store, user) = (&api.app.store, client.user_number);
    let keys = myelin_accounts::get_backup_keys(store, user, &version, place).await?;
    let key = keys.get(session);
    let key = key.ok_or_else(|| MatrixError::not_found("There is no key of this session."))?;
    Ok(json_response(StatusCode::OK, &json!(key)))
}
