//! What vouches for events.

mod get_event_authorization;

use myelin_http::Routes;
use ruma::api::federation::authorization::get_event_authorization::v1 as event_auth;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new().raw_endpoint::<event_auth::Request, _, _, _, _>(
        get_event_authorization::get_event_authorization,
    )
}
