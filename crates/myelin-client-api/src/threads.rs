//! The threads of a room.

mod get_threads;

use myelin_http::Routes;
use ruma::api::client::threads::get_threads::v1::Request as GetThreads;

use crate::ClientApi;

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new().raw_endpoint::<GetThreads, _, _, _, _>(get_threads::get_threads)
}
