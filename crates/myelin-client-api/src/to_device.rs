//! Messages from device to device.

mod send_event_to_device;

use myelin_http::Routes;
use ruma::api::client::to_device::send_event_to_device::v3;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<v3::Request, _, _, _, _>(send_event_to_device::send_event_to_device)
}
