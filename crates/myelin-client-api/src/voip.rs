//! Calls.

mod get_turn_server_info;

use myelin_http::Routes;
use ruma::api::client::voip as api;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().raw_endpoint::<api::get_turn_server_info::v3::Request, _, _, _, _>(
        get_turn_server_info::get_turn_server_info,
    )
}
