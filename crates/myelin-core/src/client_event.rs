//! Events as clients see them, spliced from the stored JSON without reading what is inside.

use serde::Deserialize;
use serde_json::value::RawValue as RawJsonValue;

use crate::{event::EventError, json::write_string, sticky::STICKY};

/// Appends the client form of a stored event. `room_id` is left out where the answer names the room already
/// (`/sync`); `unsigned` is the JSON object to put under that key.
///
/// Old and new clients look for the target of a redaction in different places, so it is given in both
/// (client-server API, "Redactions").
pub fn write_client_event(
    out: &mut String,
    event_id: &str,
    room_id: Option<&str>,
    json: &str,
    unsigned: Option<&str>,
) -> Result<(), EventError> {
    let fields: Fields<'_> = serde_json::from_str(json).map_err(EventError::Stored)?;
    out.reserve(json.len());
    let redacts = if fields.event_type.get() == "\"m.room.redaction\"" {
        write_redaction_content(out, &fields)?
    } else {
        out.push_str("{\"content\":");
        out.push_str(fields.content.get());
        None
    };
    out.push_str(",\"event_id\":");
    write_string(out, event_id);
    write_raw(out, STICKY, fields.sticky);
    write_raw(out, "origin_server_ts", Some(fields.origin_server_ts));
    write_raw(out, "redacts", redacts.or(fields.redacts));
    if let Some(room_id) = room_id {
        out.push_str(",\"room_id\":");
        write_string(out, room_id);
    }
    write_raw(out, "sender", Some(fields.sender));
    write_raw(out, "state_key", fields.state_key);
    write_raw(out, "type", Some(fields.event_type));
    if let Some(unsigned) = unsigned {
        out.push_str(",\"unsigned\":");
        out.push_str(unsigned);
    }
    out.push('}');
    Ok(())
}

/// Writes the content of a redaction with `redacts` in it, and returns the one that was in it.
fn write_redaction_content<'a>(
    out: &mut String,
    fields: &Fields<'a>,
) -> Result<Option<&'a RawJsonValue>, EventError> {
    #[derive(Deserialize)]
    struct Content<'a> {
        #[serde(borrow)]
        redacts: Option<&'a RawJsonValue>,
    }
    let content: Content<'a> =
        serde_json::from_str(fields.content.get()).map_err(EventError::Stored)?;
    out.push_str("{\"content\":");
    match (content.redacts, fields.redacts) {
        (None, Some(redacts)) => {
            out.push_str("{\"redacts\":");
            out.push_str(redacts.get());
            let content = fields.content.get();
            let rest = content.strip_prefix('{').unwrap_or(content).trim_start();
            if !rest.starts_with('}') {
                out.push(',');
            }
            out.push_str(rest);
        }
        _ => out.push_str(fields.content.get()),
    }
    Ok(content.redacts)
}

fn write_raw(out: &mut String, key: &str, value: Option<&RawJsonValue>) {
    if let Some(value) = value {
        out.push_str(",\"");
        out.push_str(key);
        out.push_str("\":");
        out.push_str(value.get());
    }
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    content: &'a RawJsonValue,
    #[serde(borrow)]
    origin_server_ts: &'a RawJsonValue,
    #[serde(borrow)]
    redacts: Option<&'a RawJsonValue>,
    #[serde(borrow)]
    sender: &'a RawJsonValue,
    #[serde(borrow, rename = "msc4354_sticky")]
    sticky: Option<&'a RawJsonValue>,
    #[serde(borrow)]
    state_key: Option<&'a RawJsonValue>,
    #[serde(borrow, rename = "type")]
    event_type: &'a RawJsonValue,
}

#[cfg(test)]
mod tests;
