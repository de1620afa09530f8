//! How far users have read.

mod create_receipt;
mod set_read_marker;

use myelin_http::Routes;
use ruma::api::client::receipt::create_receipt::v3 as create_receipt_v3;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<create_receipt_v3::Request, _, _, _, _>(create_receipt::create_receipt)
        .endpoint(set_read_marker::set_read_marker)
}
