//! How far users have read.

mod create_receipt;

use myelin_http::Routes;
use ruma::api::client::receipt::create_receipt::v3 as create_receipt_v3;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<create_receipt_v3::Request, _, _, _, _>(create_receipt::create_receipt)
}
