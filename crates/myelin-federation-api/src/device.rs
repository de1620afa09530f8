//! The devices of our users.

mod get_devices;

use myelin_http::Routes;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new().endpoint(get_devices::get_devices)
}
