//! Filters that clients upload.

mod create_filter;
mod get_filter;

use myelin_http::Routes;
use ruma::api::client::filter as api;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<api::create_filter::v3::Request, _, _, _, _>(create_filter::create_filter)
        .raw_endpoint::<api::get_filter::v3::Request, _, _, _, _>(get_filter::get_filter)
}
