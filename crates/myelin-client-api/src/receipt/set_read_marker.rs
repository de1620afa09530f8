//! `POST /_matrix/client/v3/rooms/{roomId}/read_markers`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidread_markers)

use myelin_http::Client;
use myelin_rooms::{MarkRead, NewReceipt};
use ruma::api::client::read_marker::set_read_marker::v3::{Request, Response};

use crate::{ClientApi, Error};

pub(crate) async fn set_read_marker(
    api: ClientApi,
    client: Client<Request>,
) -> Result<Response, Error> {
    let Client { user, body, .. } = client;
    let receipts = [
        (false, &body.read_receipt),
        (true, &body.private_read_receipt),
    ];
    let receipts = receipts.into_iter().filter_map(|(private, event_id)| {
        Some(NewReceipt {
            private,
            event_id: event_id.as_ref()?,
            thread: None,
        })
    });
    let mark = MarkRead {
        room_id: &body.room_id,
        user: &user,
        fully_read: body.fully_read.as_deref(),
        receipts: &receipts.collect::<Vec<_>>(),
    };
    api.rooms.mark_read(mark).await?;
    Ok(Response::new())
}
