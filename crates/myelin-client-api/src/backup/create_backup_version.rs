//! `POST /_matrix/client/v3/room_keys/version`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3room_keysversion)

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::create_backup;
use myelin_http::{Client, Raw, json_response};
use serde_json::json;

use super::MethodBody;
use crate::{ClientApi, Error};

pub(crate) async fn create_backup_version(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let body: MethodBody = client.body.json()?;
    let version = create_backup(&api.app.store, client.user_number, &body.method()).await?;
    let body = json!({"version": version.to_string()});
    Ok(json_response(StatusCode::OK, &body))
}
