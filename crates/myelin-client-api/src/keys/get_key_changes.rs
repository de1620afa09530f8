//! `GET /_matrix/client/v3/keys/changes`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv3keyschanges)

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_sync::{StreamToken, TokenError};
use serde_json::json;

use crate::{ClientApi, Error};

pub(crate) async fn get_key_changes(
    api: ClientApi,
    client: Client<Raw>,
) -> Result<Response, Error> {
    let query = client.body.query()?;
    let token = |key| -> Result<StreamToken, MatrixError> {
        let text = query
            .get(key)?
            .ok_or_else(|| MatrixError::missing_param(key))?;
        text.parse()
            .map_err(|error: TokenError| MatrixError::invalid_param(format!("{error}.")))
    };
    let from = token("from")?;
    // What has changed since then may be told, too: it is told again by the next sync.
    token("to")?;
    let lists = api
        .syncs
        .key_changes(client.user_number, from.position)
        .await?;
    let body = json!({"changed": lists.changed, "left": lists.left});
    Ok(json_response(StatusCode::OK, &body))
}
