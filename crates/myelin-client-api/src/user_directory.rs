//! Finding users.

mod search_users;

use myelin_http::Routes;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().endpoint(search_users::search_users)
}
