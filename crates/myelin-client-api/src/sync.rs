//! What is new.

mod sync_events;

use myelin_http::Routes;
use ruma::api::client::sync::sync_events::v3;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().raw_endpoint::<v3::Request, _, _, _, _>(sync_events::sync_events)
}
