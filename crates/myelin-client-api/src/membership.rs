//! Users come and go.

mod invite_user;
mod join_room_by_id;
mod join_room_by_id_or_alias;
mod leave_room;

use myelin_http::Routes;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(invite_user::invite_user)
        .endpoint(join_room_by_id::join_room_by_id)
        .endpoint(join_room_by_id_or_alias::join_room_by_id_or_alias)
        .endpoint(leave_room::leave_room)
}
