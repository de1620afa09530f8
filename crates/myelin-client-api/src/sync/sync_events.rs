//! `GET /_matrix/client/v3/sync`

use std::time::Duration;

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, json_response};
use myelin_sync::{StreamToken, SyncRequest, TokenError, Viewer};
use ruma::api::client::sync::sync_events::v3::Request;
use serde_json::value::RawValue;

use crate::{ClientApi, Error};

pub(crate) async fn sync_events(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let since = client
        .body
        .since
        .as_deref()
        .map(str::parse::<StreamToken>)
        .transpose();
    let request = SyncRequest {
        viewer: Viewer {
            user: client.user_number,
            device: Some(client.device.to_string()),
        },
        since: since
            .map_err(|error: TokenError| MatrixError::invalid_param(format!("{error}.")))?,
        timeout: client.body.timeout.unwrap_or_default(),
    };
    let body = tokio::select! {
        body = api.syncs.sync(&request) => body?,
        // An answer with nothing in it sends the client to another node, or back to this one.
        () = api.app.shutdown.begun() => {
            api.syncs.sync(&SyncRequest { timeout: Duration::ZERO, ..request.clone() }).await?
        }
    };
    let body = RawValue::from_string(body).map_err(MatrixError::internal)?;
    Ok(json_response(StatusCode::OK, &body))
}
