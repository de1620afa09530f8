//! What this server can do.

mod get_supported_versions;

use myelin_http::Routes;

use crate::ClientApi;

pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().endpoint(get_supported_versions::get_supported_versions)
}
