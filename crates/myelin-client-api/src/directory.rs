//! The public directory of rooms.

mod get_public_rooms;
mod get_public_rooms_filtered;
mod get_room_visibility;
mod page;
mod set_room_visibility;

use myelin_http::Routes;
use ruma::api::client::directory as requests;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<requests::get_public_rooms::v3::Request, _, _, _, _>(
            get_public_rooms::get_public_rooms,
        )
        .raw_endpoint::<requests::get_public_rooms_filtered::v3::Request, _, _, _, _>(
            get_public_rooms_filtered::get_public_rooms_filtered,
        )
        .endpoint(get_room_visibility::get_room_visibility)
        .raw_endpoint::<requests::set_room_visibility::v3::Request, _, _, _, _>(
            set_room_visibility::set_room_visibility,
        )
}
