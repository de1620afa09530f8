//! Events as clients see them: spliced from the stored JSON, never parsed into trees.

use std::{collections::HashMap, fmt::Write};

use myelin_core::{
    client_event,
    event::EventError,
    membership::Membership,
    relation::{REFERENCE, REPLACE, THREAD},
    sticky,
};
use myelin_rooms::VisibleEvent;
use myelin_store::{
    Read, StoreError, StoreResult,
    delayed_events::DelayId,
    events::{Redaction, StoredEvent},
    sticky_events,
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
    /// What others say about it.
    pub bundle: Bundle,
    /// Until when it is sticky (MSC4354), where it was looked up.
    pub sticky_until_ms: Option<i64>,
}

/// What others say about an event.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// The edit that counts.
    pub(crate) edit: Option<Box<ShownEvent>>,
    /// The ids of the events that refer to it.
    pub(crate) references: Vec<String>,
    /// The thread that starts from it.
    pub(crate) thread: Option<Box<ThreadSummary>>,
}

/// A thread in brief.
#[derive(Clone, Debug)]
pub(crate) struct ThreadSummary {
    /// Its newest event.
    pub(crate) latest: ShownEvent,
    /// How many events are in it.
    pub(crate) count: i64,
    /// Whether the viewer has sent one of them.
    pub(crate) participated: bool,
}

/// For whom an event is written, and when.
#[derive(Clone, Copy, Debug)]
pub struct Audience<'a> {
    /// Who looks.
    pub viewer: &'a Viewer,
    /// When, in milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The room, if the answer's structure does not name it.
    pub room_id: Option<&'a str>,
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
        let sticky = self.sticky_until(read, &events).await?;
        let shown = visible.into_iter().map(|visible| {
            let replaced = before.remove(&visible.event.event);
            ShownEvent {
                notes: Notes {
                    membership: Some(visible.membership),
                    replaced: replaced.map(|replaced| Replaced {
                        content: content_of(&replaced.json).filter(|_| visible.shows_before),
                        event_id: replaced.id,
                    }),
                    bundle: Bundle::default(),
                    sticky_until_ms: sticky.get(&visible.event.event).copied(),
                },
                event: visible.event,
            }
        });
        Ok(shown.collect())
    }

    /// Until when those of these events are sticky that are.
    async fn sticky_until(
        &self,
        read: &mut Read,
        events: &[&StoredEvent],
    ) -> StoreResult<HashMap<i64, i64>> {
        let may_be = |event: &&&StoredEvent| sticky::duration_ms(&event.json).is_some();
        let numbers: Vec<i64> = events.iter().filter(may_be).map(|it| it.event).collect();
        let now_ms = self.rooms.server().now_ms().cast_signed();
        let found = sticky_events::list(read, &numbers, now_ms).await?;
        Ok(found.iter().map(|it| (it.event, it.until_ms)).collect())
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

/// Writes an event in the form of the client-server API. What remains of a redacted event comes with
/// the redaction in its `unsigned`.
pub(crate) fn write_event(
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

/// Writes an event with its notes in the form of the client-server API.
pub fn write_shown(
    out: &mut String,
    (event, notes): (&StoredEvent, &Notes),
    audience: Audience<'_>,
) -> StoreResult<()> {
    let unsigned = unsigned(event, notes, audience)?;
    write_event(out, event, audience.room_id, &unsigned)
}

/// What `unsigned` tells a viewer: the age, what stands in the notes, and the transaction id to the
/// device that sent it.
pub(crate) fn unsigned(
    event: &StoredEvent,
    notes: &Notes,
    audience: Audience<'_>,
) -> StoreResult<String> {
    let Audience { viewer, now_ms, .. } = audience;
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
    if let Some(delayed) = event.delayed.filter(|_| event.sender == viewer.user) {
        let id = DelayId::new(delayed);
        // The proposal (MSC4140) is accepted; clients in use know it by its unstable name.
        let _ = write!(
            unsigned,
            r#","delay_id":"{id}","org.matrix.msc4140.delay_id":"{id}""#
        );
    }
    if let Some(until_ms) = notes.sticky_until_ms {
        let left_ms = until_ms.saturating_sub(now_ms.cast_signed()).max(0);
        let _ = write!(unsigned, r#","msc4354_sticky_duration_ttl_ms":{left_ms}"#);
    }
    if !notes.bundle.is_empty() {
        unsigned.push_str(r#","m.relations":"#);
        notes.bundle.write(&mut unsigned, audience)?;
    }
    unsigned.push('}');
    Ok(unsigned)
}

impl Bundle {
    /// Whether nothing is told.
    pub(crate) fn is_empty(&self) -> bool {
        self.edit.is_none() && self.references.is_empty() && self.thread.is_none()
    }

    /// Whether a thread starts from the event.
    pub(crate) fn has_thread(&self) -> bool {
        self.thread.is_some()
    }

    /// Writes `m.relations`.
    pub(crate) fn write(&self, out: &mut String, audience: Audience<'_>) -> StoreResult<()> {
        let mut separator = '{';
        // Writing to a string cannot fail.
        let mut begin = |out: &mut String, rel_type: &str| {
            let _ = write!(out, r#"{separator}"{rel_type}":"#);
            separator = ',';
        };
        if let Some(edit) = &self.edit {
            begin(out, REPLACE);
            write_shown(out, (&edit.event, &edit.notes), audience)?;
        }
        if !self.references.is_empty() {
            begin(out, REFERENCE);
            let ids = self.references.iter();
            let chunk: Vec<String> = ids
                .map(|id| format!(r#"{{"event_id":{}}}"#, quoted(id)))
                .collect();
            let _ = write!(out, r#"{{"chunk":[{}]}}"#, chunk.join(","));
        }
        if let Some(thread) = &self.thread {
            begin(out, THREAD);
            out.push_str(r#"{"latest_event":"#);
            write_shown(out, (&thread.latest.event, &thread.latest.notes), audience)?;
            let ThreadSummary {
                count,
                participated,
                ..
            } = &**thread;
            let _ = write!(
                out,
                r#","count":{count},"current_user_participated":{participated}}}"#
            );
        }
        out.push('}');
        Ok(())
    }
}

/// Text as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
