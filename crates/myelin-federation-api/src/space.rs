//! The rooms in a space.

mod get_hierarchy;

use myelin_http::Routes;
use ruma::api::federation::space::get_hierarchy::v1::Request;

use crate::FederationApi;

/// The endpoint of this area. ruma's answer leaves out what a room has no join rule for.
pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new().raw_endpoint::<Request, _, _, _, _>(get_hierarchy::get_hierarchy)
}
