//! The keys of our users' devices.

mod claim_keys;
mod get_keys;

use myelin_http::Routes;
use myelin_store::{StoreResult, room_servers};
use ruma::{ServerName, UserId, api::federation::keys as api};

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .raw_endpoint::<api::claim_keys::v1::Request, _, _, _, _>(claim_keys::claim_keys)
        .raw_endpoint::<api::get_keys::v1::Request, _, _, _, _>(get_keys::get_keys)
}

/// Users that one request may name.
const USERS_MAX: usize = 1_000;

/// Whether a user of this server is in a room with users of another: nobody else follows which devices
/// the user has, and is told what they are called.
pub(crate) async fn shares_room(
    api: &FederationApi,
    server: &ServerName,
    user: &UserId,
) -> StoreResult<bool> {
    if !api.app.server.is_local(user) {
        return Ok(false);
    }
    let store = &api.app.store;
    let user = store.find_interned(user.as_bytes()).await?;
    let server = store.find_interned(server.as_bytes()).await?;
    let (Some(user), Some(server)) = (user, server) else {
        return Ok(false);
    };
    room_servers::exists_sharing(&mut store.read(), user, server).await
}
