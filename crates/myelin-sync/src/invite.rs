//! What an invited user is told of a room: stripped state.

use std::fmt::Write;

use myelin_store::{Read, StoreError, StoreResult, events::StoredEvent};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{InvitedRoom, Syncs, render::quoted};

/// The state that says what the room is (spec: "Stripped state").
const TOLD: [&str; 7] = [
    "m.room.create",
    "m.room.name",
    "m.room.avatar",
    "m.room.topic",
    "m.room.join_rules",
    "m.room.canonical_alias",
    "m.room.encryption",
];

/// The part of a stored event that stripped state keeps.
#[derive(Deserialize)]
struct Stripped<'a> {
    #[serde(borrow)]
    content: &'a RawValue,
    #[serde(borrow)]
    sender: &'a RawValue,
    #[serde(borrow)]
    state_key: &'a RawValue,
    #[serde(borrow, rename = "type")]
    event_type: &'a RawValue,
}

impl Syncs {
    /// Writes `"ROOM":{"invite_state":{"events":[…]}}`.
    pub(crate) async fn write_invite(
        &self,
        out: &mut String,
        read: &mut Read,
        invited: &InvitedRoom,
    ) -> StoreResult<()> {
        out.push_str(&quoted(invited.room_id.as_str()));
        out.push_str(r#":{"invite_state":{"events":["#);
        for event_type in TOLD {
            let at = (invited.room, &invited.invite.root_before);
            if let Some(event) = self.rooms.state_event(read, at, event_type, "").await? {
                write_stripped(out, &event)?;
                out.push(',');
            }
        }
        write_stripped(out, &invited.invite)?;
        out.push_str("]}}");
        Ok(())
    }
}

fn write_stripped(out: &mut String, event: &StoredEvent) -> StoreResult<()> {
    let stripped: Stripped<'_> =
        serde_json::from_str(&event.json).map_err(|error| StoreError::Corrupt {
            table: "events",
            column: 12,
            wanted: "a state event",
            found: error.to_string(),
        })?;
    let Stripped {
        content,
        sender,
        state_key,
        event_type,
    } = stripped;
    // Writing to a string cannot fail.
    let _ = write!(
        out,
        r#"{{"content":{content},"sender":{sender},"state_key":{state_key},"type":{event_type}}}"#
    );
    Ok(())
}
