//! Making rooms.

mod create_room;

use myelin_http::Routes;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().endpoint(create_room::create_room)
}
