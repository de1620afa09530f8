//! The form in which a client wants events: `event_format` and `event_fields`.

use std::{borrow::Cow, collections::BTreeMap};

use myelin_store::{StoreError, StoreResult, events::StoredEvent};
use serde_json::value::RawValue;

use crate::{
    Audience, Notes, Viewer,
    filter::{EventFields, EventFormat},
    render::{quoted, unsigned, with_redaction, write_shown},
};

/// How events are written for one client.
pub(super) struct Style<'a> {
    pub(super) viewer: &'a Viewer,
    pub(super) now_ms: u64,
    pub(super) format: EventFormat,
    pub(super) fields: Option<&'a EventFields>,
}

impl Style<'_> {
    /// Writes an event with what is told beside it.
    pub(super) fn write(
        &self,
        out: &mut String,
        event: &StoredEvent,
        notes: &Notes,
    ) -> StoreResult<()> {
        let Some(fields) = self.fields else {
            return self.write_whole(out, event, notes);
        };
        let mut whole = String::new();
        self.write_whole(&mut whole, event, notes)?;
        fields.write(out, &whole).map_err(|error| corrupt(&error))
    }

    fn write_whole(&self, out: &mut String, event: &StoredEvent, notes: &Notes) -> StoreResult<()> {
        let audience = Audience {
            viewer: self.viewer,
            now_ms: self.now_ms,
            room_id: None,
        };
        match self.format {
            EventFormat::Client => write_shown(out, (event, notes), audience),
            EventFormat::Federation => {
                let unsigned = unsigned(event, notes, audience)?;
                let redaction = event.redaction.as_ref();
                let whole = redaction.map(|redaction| with_redaction(&unsigned, redaction, None));
                let unsigned = whole.transpose()?.unwrap_or(unsigned);
                write_federation_event(out, event, &unsigned).map_err(|error| corrupt(&error))
            }
        }
    }
}

/// Writes an event as servers exchange it, with the two keys that a client could not do without: its
/// id, which most room versions leave to be calculated, and what this server tells beside it.
fn write_federation_event(
    out: &mut String,
    event: &StoredEvent,
    unsigned: &str,
) -> serde_json::Result<()> {
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(&event.json)?;
    out.push('{');
    for (name, value) in &members {
        if name != "event_id" && name != "unsigned" {
            out.push_str(&quoted(name));
            out.push(':');
            out.push_str(value.get());
            out.push(',');
        }
    }
    out.push_str(r#""event_id":"#);
    out.push_str(&quoted(&event.id));
    out.push_str(r#","unsigned":"#);
    out.push_str(unsigned);
    out.push('}');
    Ok(())
}

fn corrupt(error: &serde_json::Error) -> StoreError {
    StoreError::Corrupt {
        table: "events",
        column: 12,
        wanted: "an event",
        found: error.to_string(),
    }
}
