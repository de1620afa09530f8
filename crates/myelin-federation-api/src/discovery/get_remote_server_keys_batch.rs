//! `POST /_matrix/key/v2/query`
//!
//! ruma's type refuses the whole request for one name that is none; here the others are answered.

use std::collections::BTreeMap;

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, Public, Raw};
use ruma::{OwnedServerName, api::error::ErrorCode};
use serde::Deserialize;

use super::notary;
use crate::FederationApi;

/// Most servers that one request may ask about.
const SERVERS_MAX: usize = 200;

#[derive(Deserialize)]
struct Question {
    server_keys: BTreeMap<String, BTreeMap<String, Criteria>>,
}

#[derive(Deserialize)]
struct Criteria {
    minimum_valid_until_ts: Option<u64>,
}

pub(crate) async fn get_remote_server_keys_batch(
    api: FederationApi,
    request: Public<Raw>,
) -> Result<Response, MatrixError> {
    let question: Question = request.body.json()?;
    if question.server_keys.len() > SERVERS_MAX {
        return Err(MatrixError::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::TooLarge,
            format!("At most {SERVERS_MAX} servers may be asked about at once."),
        ));
    }
    let now_ms = api.app.server.now_ms();
    let servers = question.server_keys.into_iter().filter_map(|(name, keys)| {
        let until = keys.values().filter_map(|key| key.minimum_valid_until_ts);
        let until = until.max().unwrap_or(now_ms);
        Some((OwnedServerName::try_from(name).ok()?, until))
    });
    notary::answer(&api, servers.collect()).await
}
