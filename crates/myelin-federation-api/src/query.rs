//! What other servers ask about our users and the names of our rooms.

mod get_custom_information;
mod get_profile_information;
mod get_room_information;

use myelin_http::Routes;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .endpoint(get_custom_information::get_custom_information)
        .endpoint(get_profile_information::get_profile_information)
        .endpoint(get_room_information::get_room_information)
}
