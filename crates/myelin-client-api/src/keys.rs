//! Keys of end-to-end encryption.

mod claim_keys;
mod get_key_changes;
mod get_keys;
mod upload_keys;
mod upload_signatures;
mod upload_signing_keys;

use std::{collections::BTreeMap, time::Duration};

use myelin_accounts::KeyFailures;
use myelin_http::{MatrixError, Routes};
use ruma::{
    OwnedServerName, OwnedUserId,
    api::{client::keys as api, error::ErrorCode},
};
use serde_json::{Value, json};

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<api::upload_keys::v3::Request, _, _, _, _>(upload_keys::upload_keys)
        .raw_endpoint::<api::get_keys::v3::Request, _, _, _, _>(get_keys::get_keys)
        .raw_endpoint::<api::claim_keys::v3::Request, _, _, _, _>(claim_keys::claim_keys)
        .raw_endpoint::<api::get_key_changes::v3::Request, _, _, _, _>(
            get_key_changes::get_key_changes,
        )
        .raw_endpoint::<api::upload_signing_keys::v3::Request, _, _, _, _>(
            upload_signing_keys::upload_signing_keys,
        )
        .raw_endpoint::<api::upload_signatures::v3::Request, _, _, _, _>(
            upload_signatures::upload_signatures,
        )
}

/// How long other servers may take at most, whatever the client says.
const TIME_MAX: Duration = Duration::from_secs(30);
/// How long they may take if it says nothing.
const TIME: Duration = Duration::from_secs(10);

/// How long a client waits for other servers.
fn time(timeout_ms: Option<u64>) -> Duration {
    timeout_ms.map_or(TIME, Duration::from_millis).min(TIME_MAX)
}

/// What is asked about users of other servers.
fn remote<T: Clone>(api: &ClientApi, users: &BTreeMap<OwnedUserId, T>) -> BTreeMap<OwnedUserId, T> {
    let server = &api.app.server;
    let remote = users.iter().filter(|(user, _)| !server.is_local(user));
    remote
        .map(|(user, wanted)| (user.clone(), wanted.clone()))
        .collect()
}

/// The servers that did not answer as they were asked to.
fn failures(failures: KeyFailures) -> BTreeMap<OwnedServerName, Value> {
    let told = failures.into_iter().map(|(server, error)| {
        let error = MatrixError::from(error);
        let kind = error.kind.unwrap_or(ErrorCode::Unknown);
        let told = json!({"errcode": kind.as_str(), "error": error.message});
        (server, told)
    });
    told.collect()
}
