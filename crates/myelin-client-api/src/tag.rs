//! How users sort their rooms.

mod create_tag;
mod delete_tag;
mod get_tags;

use myelin_http::Routes;
use ruma::api::client::tag as api;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .endpoint(delete_tag::delete_tag)
        .raw_endpoint::<api::create_tag::v3::Request, _, _, _, _>(create_tag::create_tag)
        .raw_endpoint::<api::get_tags::v3::Request, _, _, _, _>(get_tags::get_tags)
}
