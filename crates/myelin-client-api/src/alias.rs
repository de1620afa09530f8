//! Names of rooms.

mod create_alias;
mod delete_alias;
mod get_alias;

use myelin_http::Routes;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(create_alias::create_alias)
        .endpoint(delete_alias::delete_alias)
        .endpoint(get_alias::get_alias)
}
