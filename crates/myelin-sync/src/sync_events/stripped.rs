//! What an invited or knocking user is told of a room: stripped state.

use std::fmt::Write;

use myelin_core::trie::{
    StateKey, TYPE_AVATAR, TYPE_CANONICAL_ALIAS, TYPE_CREATE, TYPE_ENCRYPTION, TYPE_JOIN_RULES,
    TYPE_NAME, TYPE_TOPIC,
};
use myelin_store::{
    EMPTY_STRING, Read, StoreError, StoreResult,
    events::{Status, StoredEvent},
    outside_memberships,
};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::Syncs;

/// The state that says what the room is (spec: "Stripped state").
const TOLD: [i64; 7] = [
    TYPE_CREATE,
    TYPE_NAME,
    TYPE_AVATAR,
    TYPE_TOPIC,
    TYPE_JOIN_RULES,
    TYPE_CANONICAL_ALIAS,
    TYPE_ENCRYPTION,
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
    /// Writes the stripped state of a room as it was before a user's member event, and that event,
    /// as a JSON array.
    pub(super) async fn write_stripped_state(
        &self,
        out: &mut String,
        read: &mut Read,
        member: &StoredEvent,
    ) -> StoreResult<()> {
        if member.status == Status::Outlier {
            return self.write_told_state(out, read, member).await;
        }
        let keys = TOLD.map(|event_type| StateKey {
            event_type,
            state_key: EMPTY_STRING,
        });
        let at = (member.room, &member.root_before);
        let numbers = self.rooms.state_numbers(read, at, &keys).await?;
        let numbers: Vec<i64> = numbers.into_iter().flatten().collect();
        out.push('[');
        for event in self.rooms.events_in_order(read, &numbers).await? {
            write_stripped(out, &event)?;
            out.push(',');
        }
        write_stripped(out, member)?;
        out.push(']');
        Ok(())
    }

    /// The same for a room that this server is not in: what its servers have told.
    async fn write_told_state(
        &self,
        out: &mut String,
        read: &mut Read,
        member: &StoredEvent,
    ) -> StoreResult<()> {
        let user = member.state_key.unwrap_or_default();
        let outside = outside_memberships::find(read, member.room, user).await?;
        let told = outside.filter(|outside| outside.event == member.event);
        let told = told.map_or_else(|| "[]".to_owned(), |told| told.state);
        let told = told.strip_suffix(']').unwrap_or("[");
        out.push_str(told);
        if told.len() > 1 {
            out.push(',');
        }
        write_stripped(out, member)?;
        out.push(']');
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
