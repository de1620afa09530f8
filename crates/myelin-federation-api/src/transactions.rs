//! What other servers send of their own accord.

mod send_transaction_message;

use myelin_http::Routes;
use ruma::api::federation::transactions::send_transaction_message::v1 as send;

use crate::FederationApi;

pub(crate) fn routes() -> Routes<FederationApi> {
    Routes::new().raw_endpoint::<send::Request, _, _, _, _>(
        send_transaction_message::send_transaction_message,
    )
}
