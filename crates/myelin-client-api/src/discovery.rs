//! What this server can do.

mod discover_homeserver;
mod discover_policy_server;
mod discover_support;
mod get_capabilities;
mod get_supported_versions;

use myelin_http::Routes;
use ruma::api::client::discovery as api;

use crate::ClientApi;

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(discover_homeserver::discover_homeserver)
        .raw_endpoint::<api::discover_policy_server::Request, _, _, _, _>(
            discover_policy_server::discover_policy_server,
        )
        .raw_endpoint::<api::discover_support::Request, _, _, _, _>(
            discover_support::discover_support,
        )
        .raw_endpoint::<api::get_capabilities::v3::Request, _, _, _, _>(
            get_capabilities::get_capabilities,
        )
        .endpoint(get_supported_versions::get_supported_versions)
}
