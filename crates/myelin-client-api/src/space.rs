//! Rooms of rooms.

mod get_hierarchy;

use myelin_http::Routes;
use ruma::api::client::space::get_hierarchy::v1::Request as GetHierarchy;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().raw_endpoint::<GetHierarchy, _, _, _, _>(get_hierarchy::get_hierarchy)
}
