//! `POST /_matrix/federation/v1/user/keys/query`

use std::collections::BTreeMap;

use myelin_http::{MatrixError, Peer};
use ruma::api::federation::keys::get_keys::v1::{Request, Response};

use super::shares_room;
use crate::{Error, FederationApi};

/// Users that one request may ask for.
const USERS_MAX: usize = 1_000;

/// The devices that have keys: none so far. Users who share no room with the server are left out.
pub(crate) async fn get_keys(api: FederationApi, peer: Peer<Request>) -> Result<Response, Error> {
    let wanted = peer.body.device_keys;
    if wanted.len() > USERS_MAX {
        let message = format!("`device_keys` may name at most {USERS_MAX} users.");
        return Err(MatrixError::invalid_param(message).into());
    }
    let mut found = BTreeMap::new();
    for user in wanted.into_keys() {
        if shares_room(&api, &peer.origin, &user).await? {
            found.insert(user, BTreeMap::new());
        }
    }
    Ok(Response::new(found))
}
