//! Who this server is: its version and its keys.

mod get_server_keys;
mod get_server_version;

use myelin_http::Routes;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .endpoint(get_server_keys::get_server_keys)
        .endpoint(get_server_version::get_server_version)
}
