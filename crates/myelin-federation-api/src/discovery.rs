//! Who this server is, where it is to be found, and who others are: versions and keys.

mod discover_homeserver;
mod get_remote_server_keys;
mod get_remote_server_keys_batch;
mod get_server_keys;
mod get_server_version;
mod notary;

use myelin_http::Routes;
use ruma::api::federation::discovery as requests;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .endpoint(get_server_keys::get_server_keys)
        .raw_endpoint::<requests::get_remote_server_keys::v2::Request, _, _, _, _>(
            get_remote_server_keys::get_remote_server_keys,
        )
        .raw_endpoint::<requests::get_remote_server_keys_batch::v2::Request, _, _, _, _>(
            get_remote_server_keys_batch::get_remote_server_keys_batch,
        )
        .endpoint(get_server_version::get_server_version)
        .merge(well_known_routes())
}

/// What is asked of the host that a server's name names, which may be another one than where the
/// rest of this API is served.
pub(crate) fn well_known_routes() -> Routes<FederationApi> {
    Routes::new().endpoint(discover_homeserver::discover_homeserver)
}
