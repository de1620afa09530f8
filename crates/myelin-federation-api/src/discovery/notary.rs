//! The keys of other servers, for those who cannot ask them.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use myelin_accounts::published_keys;
use myelin_http::{MatrixError, json_response};
use ruma::OwnedServerName;
use serde_json::json;

use crate::FederationApi;

/// Answers with the keys of these servers, each with the time until which they should count; every
/// answer is signed by its server and by this one.
pub(super) async fn answer(
    api: &FederationApi,
    mut servers: BTreeMap<OwnedServerName, u64>,
) -> Result<Response, MatrixError> {
    let (server, federation) = (&api.app.server, &api.app.federation);
    let mut answers = Vec::new();
    if servers.remove(&server.name).is_some() {
        let own = published_keys(server, &api.app.store).await;
        answers.push(own.map_err(MatrixError::internal)?);
    }
    for mut object in federation.keys().answers_of(&servers).await? {
        let signed = server.key.sign_object(&server.name, &mut object);
        signed.map_err(MatrixError::internal)?;
        answers.push(object);
    }
    Ok(json_response(
        StatusCode::OK,
        &json!({"server_keys": answers}),
    ))
}
