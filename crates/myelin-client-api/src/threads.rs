//! The threads of a room, and who has subscribed to them.

mod get_thread_subscription;
mod get_threads;
mod subscribe_thread;
mod unsubscribe_thread;

use http::Method;
use myelin_http::{Client, MatrixError, Raw, Routes};
use myelin_rooms::SeenThread;
use ruma::api::client::threads::get_threads::v1::Request as GetThreads;

use crate::{
    ClientApi,
    parameters::{event_id, room_id},
};

/// Subscriptions are no part of the specification yet:
/// [MSC4306](https://github.com/matrix-org/matrix-spec-proposals/pull/4306).
const SUBSCRIPTION: &str =
    "/_matrix/client/unstable/io.element.msc4306/rooms/{room_id}/thread/{thread_root}/subscription";

/// The endpoints of this area.
pub(crate) fn routes() -> Routes<ClientApi> {
    Routes::new()
        .raw_endpoint::<GetThreads, _, _, _, _>(get_threads::get_threads)
        .route(
            &Method::GET,
            SUBSCRIPTION,
            get_thread_subscription::get_thread_subscription,
        )
        .route(
            &Method::PUT,
            SUBSCRIPTION,
            subscribe_thread::subscribe_thread,
        )
        .route(
            &Method::DELETE,
            SUBSCRIPTION,
            unsubscribe_thread::unsubscribe_thread,
        )
}

/// The thread that a path names, as who asks sees it.
fn seen_thread(client: &Client<Raw>) -> Result<SeenThread<'_>, MatrixError> {
    Ok(SeenThread {
        user: &client.user,
        room_id: room_id(&client.body)?,
        root: event_id(&client.body)?,
    })
}
