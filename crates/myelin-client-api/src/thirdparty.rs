//! Other networks, which application services bridge to; there are none.

mod get_protocols;
mod nothing_found;

use myelin_http::Routes;
use ruma::api::client::thirdparty as api;

use self::nothing_found::{no_location, no_protocol, no_user};
use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(get_protocols::get_protocols)
        .raw_endpoint::<api::get_protocol::v3::Request, _, _, _, _>(no_protocol)
        .raw_endpoint::<api::get_location_for_protocol::v3::Request, _, _, _, _>(no_location)
        .raw_endpoint::<api::get_location_for_room_alias::v3::Request, _, _, _, _>(no_location)
        .raw_endpoint::<api::get_user_for_protocol::v3::Request, _, _, _, _>(no_user)
        .raw_endpoint::<api::get_user_for_user_id::v3::Request, _, _, _, _>(no_user)
}
