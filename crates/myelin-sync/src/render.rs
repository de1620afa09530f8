//! Events as clients see them: spliced from the stored JSON, never parsed into trees.

use myelin_core::client_event;
use myelin_store::{StoreError, StoreResult, events::StoredEvent};

use crate::Viewer;

/// Writes an event in the form of the client-server API.
///
/// `room_id` is left out where the answer's structure names the room already.
pub fn write_event(
    out: &mut String,
    event: &StoredEvent,
    room_id: Option<&str>,
    unsigned: &str,
) -> StoreResult<()> {
    client_event::write_client_event(out, &event.id, room_id, &event.json, Some(unsigned)).map_err(
        |error| StoreError::Corrupt {
            table: "events",
            column: 12,
            wanted: "an event",
            found: error.to_string(),
        },
    )
}

/// What `unsigned` tells a viewer: the age, and the transaction id to the device that sent it.
pub fn unsigned(event: &StoredEvent, viewer: &Viewer, now_ms: u64) -> String {
    let sent = u64::try_from(event.origin_server_ts).unwrap_or_default();
    let age = now_ms.saturating_sub(sent);
    let own =
        event.sender == viewer.user && event.device.is_some() && event.device == viewer.device;
    match event.txn_id.as_deref().filter(|_| own) {
        Some(txn_id) => format!(r#"{{"age":{age},"transaction_id":{}}}"#, quoted(txn_id)),
        None => format!(r#"{{"age":{age}}}"#),
    }
}

/// Text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes a JSON array of events.
pub(crate) fn write_events<'a>(
    out: &mut String,
    events: impl IntoIterator<Item = &'a StoredEvent>,
    room_id: Option<&str>,
    (viewer, now_ms): (&Viewer, u64),
) -> StoreResult<()> {
    out.push('[');
    for (index, event) in events.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_event(out, event, room_id, &unsigned(event, viewer, now_ms))?;
    }
    out.push(']');
    Ok(())
}
