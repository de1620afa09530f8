//! `POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}`
//!
//! [Spec](https://spec.matrix.org/v1.19/client-server-api/#post_matrixclientv3roomsroomidreceiptreceipttypeeventid)

use axum::response::Response;
use http::StatusCode;
use myelin_http::{Client, MatrixError, Raw, json_response};
use myelin_rooms::{MarkRead, NewReceipt};
use ruma::{EventId, RoomId};
use serde_json::{Map, Value, json};

use crate::{ClientApi, Error};

/// Longest id of an event, and so of a thread.
const ID_BYTES_MAX: usize = 255;

/// Not ruma's request: a `thread_id` that is no string would be `M_BAD_JSON` there.
pub(crate) async fn create_receipt(api: ClientApi, client: Client<Raw>) -> Result<Response, Error> {
    let raw = &client.body;
    let parameter = |index: usize| raw.path.get(index).map(String::as_str).unwrap_or_default();
    let invalid =
        |what: &str, id: &str| MatrixError::invalid_param(format!("{id:?} is no {what}."));
    let room_id = RoomId::parse(parameter(0)).map_err(|_| invalid("room id", parameter(0)))?;
    let event_id = EventId::parse(parameter(2)).map_err(|_| invalid("event id", parameter(2)))?;
    let body: Map<String, Value> = raw.json()?;
    let thread = body.get("thread_id").map(thread_id).transpose()?;
    let private = match parameter(1) {
        "m.read" => Some(false),
        "m.read.private" => Some(true),
        "m.fully_read" if thread.is_none() => None,
        "m.fully_read" => {
            return Err(MatrixError::invalid_param(
                "`m.fully_read` is for the whole room and takes no `thread_id`.",
            )
            .into());
        }
        _ => {
            return Err(MatrixError::invalid_param(
                "The type of a receipt must be `m.read`, `m.read.private` or `m.fully_read`.",
            )
            .into());
        }
    };
    let receipt = private.map(|private| NewReceipt {
        private,
        event_id: &event_id,
        thread,
    });
    let mark = MarkRead {
        room_id: &room_id,
        user: &client.user,
        fully_read: receipt.is_none().then_some(&event_id),
        receipts: receipt.as_slice(),
    };
    api.rooms.mark_read(mark).await?;
    Ok(json_response(StatusCode::OK, &json!({})))
}

fn thread_id(value: &Value) -> Result<&str, MatrixError> {
    value
        .as_str()
        .filter(|id| !id.is_empty() && id.len() <= ID_BYTES_MAX)
        .ok_or_else(|| {
            MatrixError::invalid_param("`thread_id` must be `main` or the id of an event.")
        })
}
