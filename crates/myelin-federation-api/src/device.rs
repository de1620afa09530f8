//! The devices of our users.

mod get_devices;

use myelin_http::Routes;
use ruma::api::federation::device as api;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new()
        .raw_endpoint::<api::get_devices::v1::Request, _, _, _, _>(get_devices::get_devices)
}
