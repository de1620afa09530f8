//! What is new.

mod sync_events;

use http::Method;
use myelin_http::Routes;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    ["/_matrix/client/r0/sync", "/_matrix/client/v3/sync"]
        .into_iter()
        .fold(Routes::new(), |routes, path| {
            routes.route(&Method::GET, path, sync_events::sync_events)
        })
}
