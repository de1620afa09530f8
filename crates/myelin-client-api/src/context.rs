//! What happened around an event.

mod get_context;

use myelin_http::Routes;
use ruma::api::client::context::get_context::v3::Request as GetContext;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().raw_endpoint::<GetContext, _, _, _, _>(get_context::get_context)
}
