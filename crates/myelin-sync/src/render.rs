//! Events as clients see them: spliced from the stored JSON, never parsed into trees.

use std::fmt::Write;

use myelin_core::{client_event, event::EventError, membership::Membership};
use myelin_rooms::VisibleEvent;
use myelin_store::{
    Read, StoreError, StoreResult,
    events::{Redaction, StoredEvent},
};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{Syncs, Viewer};

/// What `unsigned` tells of an event beside what the event itself holds.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// What the viewer was in the room at that time, where it was looked up.
    pub membership: Option<Membership>,
    /// The state event that it replaced.
    pub replaced: Option<Replaced>,
}

/// A state event that another one replaced.
#[derive(Clone, Debug)]
pub struct Replaced {
    /// Its id.
    pub event_id: String,
    /// Its content as JSON; None: the viewer may not see it.
    pub content: Option<Box<RawValue>>,
}

/// An event of a timeline, with its notes.
#[derive(Clone, Debug)]
pub struct ShownEvent {
    /// The event.
    pub event: StoredEvent,
    /// What is told beside it.
    pub notes: Notes,
}

impl Syncs {
    /// Adds to visible events of a room what is told beside them.
    ///
    /// Cost: for each state event a look into the state before it.
    pub async fn annotate(
        &self,
        read: &mut Read,
        room: i64,
        visible: Vec<VisibleEvent>,
    ) -> StoreResult<Vec<ShownEvent>> {
        let events: Vec<&StoredEvent> = visible.iter().map(|visible| &visible.event).collect();
        let mut before = self.rooms.replaced_by(read, room, &events).await?;
        let shown = visible.into_iter().map(|visible| {
            let replaced = before.remove(&visible.event.event);
            ShownEvent {
                notes: Notes {
                    membership: Some(visible.membership),
                    replaced: replaced.map(|replaced| Replaced {
                        content: content_of(&replaced.json).filter(|_| visible.shows_before),
                        event_id: replaced.id,
                    }),
                },
                event: visible.event,
            }
        });
        Ok(shown.collect())
    }
}

fn content_of(json: &str) -> Option<Box<RawValue>> {
    #[derive(Deserialize)]
    struct Event {
        content: Box<RawValue>,
    }
    serde_json::from_str::<Event>(json)
        .ok()
        .map(|event| event.content)
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
pub(crate) fn with_redaction(
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

/// What `unsigned` tells a viewer: the age, what stands in the notes, and the transaction id to the
/// device that sent it.
pub fn unsigned(event: &StoredEvent, notes: &Notes, viewer: &Viewer, now_ms: u64) -> String {
    let sent = u64::try_from(event.origin_server_ts).unwrap_or_default();
    let mut unsigned = format!(r#"{{"age":{}"#, now_ms.saturating_sub(sent));
    // Writing to a string cannot fail.
    if let Some(membership) = notes.membership {
        let _ = write!(unsigned, r#","membership":"{membership}""#);
    }
    if let Some(Replaced { event_id, content }) = &notes.replaced {
        if let Some(content) = content {
            let _ = write!(unsigned, r#","prev_content":{content}"#);
        }
        let _ = write!(unsigned, r#","replaces_state":{}"#, quoted(event_id));
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
