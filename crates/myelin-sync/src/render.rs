//! Events as clients see them: spliced from the stored JSON, never parsed into trees.

use std::fmt::Write;

use myelin_core::{client_event, event::EventError, membership::Membership};
use myelin_rooms::VisibleEvent;
use myelin_store::{
    StoreError, StoreResult,
    events::{Redaction, StoredEvent},
};

use crate::Viewer;

/// What `unsigned` tells of an event beside what the event itself holds.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What the viewer was in the room at that time, where it was looked up.
    pub membership: Option<Membership>,
}

/// An event of a timeline, with its notes.
#[derive(Clone, Debug)]
pub struct ShownEvent {
    /// The event.
    pub event: StoredEvent,
    /// What is told beside it.
    pub notes: Notes,
}

impl From<VisibleEvent> for ShownEvent {
    fn from(visible: VisibleEvent) -> Self {
        Self {
            event: visible.event,
            notes: Notes {
                membership: Some(visible.membership),
            },
        }
    }
}

/// Writes an event in the form of the client-server API.
///
/// `room_id` is left out where the answer's structure names the room already. What remains of a
/// redacted event comes with the redaction in its `unsigned`.
pub fn write_event(
    out: &mut String,
    event: &StoredEvent,
    room_id: Option<&str>,
    unsigned: &str,
) -> StoreResult<()> {
    let because = event
        .redaction
        .as_ref()
        .map(|redaction| with_redaction(unsigned, redaction, room_id))
        .transpose()?;
    let unsigned = because.as_deref().unwrap_or(unsigned);
    client_event::write_client_event(out, &event.id, room_id, &event.json, Some(unsigned))
        .map_err(|error| corrupt(&error))
}

/// The same `unsigned` with the redaction in it.
fn with_redaction(
    unsigned: &str,
    redaction: &Redaction,
    room_id: Option<&str>,
) -> StoreResult<String> {
    let mut out = unsigned.strip_suffix('}').unwrap_or("{").to_owned();
    if out.len() > 1 {
        out.push(',');
    }
    out.push_str(r#""redacted_because":"#);
    let Redaction { id, json, .. } = redaction;
    client_event::write_client_event(&mut out, id, room_id, json, None)
        .map_err(|error| corrupt(&error))?;
    out.push('}');
    Ok(out)
}

fn corrupt(error: &EventError) -> StoreError {
    StoreError::Corrupt {
        table: "events",
        column: 12,
        wanted: "an event",
        found: error.to_string(),
    }
}

/// What `unsigned` tells a viewer: the age, the viewer's membership at that time, and the
/// transaction id to the device that sent it.
pub fn unsigned(event: &StoredEvent, notes: &Notes, viewer: &Viewer, now_ms: u64) -> String {
    let sent = u64::try_from(event.origin_server_ts).unwrap_or_default();
    let mut unsigned = format!(r#"{{"age":{}"#, now_ms.saturating_sub(sent));
    // Writing to a string cannot fail.
    if let Some(membership) = notes.membership {
        let _ = write!(unsigned, r#","membership":"{membership}""#);
    }
    let own =
        event.sender == viewer.user && event.device.is_some() && event.device == viewer.device;
    if let Some(txn_id) = event.txn_id.as_deref().filter(|_| own) {
        let _ = write!(unsigned, r#","transaction_id":{}"#, quoted(txn_id));
    }
    unsigned.push('}');
    unsigned
}

/// Text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Writes a JSON array of events of the state, which has no notes.
pub(crate) fn write_events<'a>(
    out: &mut String,
    events: impl IntoIterator<Item = &'a StoredEvent>,
    room_id: Option<&str>,
    (viewer, now_ms): (&Viewer, u64),
) -> StoreResult<()> {
    let notes = Notes::default();
    out.push('[');
    for (index, event) in events.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let unsigned = unsigned(event, &notes, viewer, now_ms);
        write_event(out, event, room_id, &unsigned)?;
    }
    out.push(']');
    Ok(())
}
