//! Keys of end-to-end encryption.

mod claim_keys;
mod get_key_changes;
mod get_keys;
mod upload_keys;
mod upload_signatures;
mod upload_signing_keys;

use std::collections::{BTreeMap, BTreeSet};

use myelin_http::Routes;
use ruma::{OwnedUserId, api::client::keys as api};
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

/// The other servers whose users are asked about, none of which is asked: each with an error.
fn failures<'a>(
    api: &ClientApi,
    users: impl Iterator<Item = &'a OwnedUserId>,
) -> BTreeMap<String, Value> {
    let server = &api.app.server;
    let others = users.filter(|user| !server.is_local(user));
    let names: BTreeSet<_> = others.map(|user| user.server_name().to_string()).collect();
    let error = json!({
        "errcode": "M_UNKNOWN",
        "error": "This server does not ask others for keys.",
    });
    names
        .into_iter()
        .map(|name| (name, error.clone()))
        .collect()
}
