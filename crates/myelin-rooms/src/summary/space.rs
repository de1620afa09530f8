//! The rooms that belong to a space, in the order in which they are shown.

use bytes::Bytes;
use myelin_store::{Read, StoreResult};
use ruma::{OwnedRoomId, OwnedServerName, RoomId};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::{RoomSummary, remote::SERVERS_MAX};
use crate::Rooms;

/// Children that are looked at: nobody scrolls through more.
pub(super) const CHILDREN_MAX: usize = 2_000;
/// Longest `order` that counts.
const ORDER_MAX: usize = 50;

/// A room that belongs to a space.
#[derive(Clone, Debug)]
pub(super) struct Child {
    /// Its id, whether or not there is such a room here.
    pub(super) room_id: OwnedRoomId,
    /// Servers that are said to know it.
    pub(super) via: Vec<OwnedServerName>,
    order: Option<String>,
    origin_server_ts: i64,
    pub(super) is_suggested: bool,
    /// The event that says so, as stripped state with its time.
    pub(super) stripped: Box<RawValue>,
}

/// The parts of an `m.space.child` event.
#[derive(Deserialize)]
struct ChildEvent<'a> {
    content: Map<String, Value>,
    origin_server_ts: i64,
    #[serde(borrow)]
    sender: &'a RawValue,
    state_key: String,
}

impl Rooms {
    /// The children of a room that is known here, in their order: none, if it is no space.
    pub(super) async fn children_of(
        &self,
        read: &mut Read,
        summary: &RoomSummary,
        suggested_only: bool,
    ) -> StoreResult<Vec<Child>> {
        match summary.room {
            Some(room) if summary.is_space() => {
                self.children(read, (room, &summary.root), suggested_only)
                    .await
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The children of a space at a root, in their order. Cost: their number.
    async fn children(
        &self,
        read: &mut Read,
        at: (i64, &Bytes),
        suggested_only: bool,
    ) -> StoreResult<Vec<Child>> {
        let Some(event_type) = self.store.find_interned(b"m.space.child").await? else {
            return Ok(Vec::new());
        };
        let entries = self.state_entries_of_type(read, at, event_type).await?;
        let numbers = entries.into_iter().take(CHILDREN_MAX);
        let numbers: Vec<i64> = numbers.map(|(_, number)| number).collect();
        let events = self.events_in_order(read, &numbers).await?;
        let mut children: Vec<Child> = events
            .iter()
            .filter_map(|event| child(&event.json))
            .collect();
        children.retain(|child| child.is_suggested || !suggested_only);
        children.sort_by(|one, other| one.place().cmp(&other.place()));
        Ok(children)
    }
}

impl Child {
    /// "First order the children with a valid `order` key lexicographically […]. Then […] by the
    /// `origin_server_ts` […]. If the timestamps are the same, […] by their room IDs."
    pub(super) fn place(&self) -> (bool, &Option<String>, i64, &OwnedRoomId) {
        (
            self.order.is_none(),
            &self.order,
            self.origin_server_ts,
            &self.room_id,
        )
    }
}

/// The child that an event names, unless it takes one out of the space or names none.
pub(super) fn child(event: &str) -> Option<Child> {
    let parsed: ChildEvent<'_> = serde_json::from_str(event).ok()?;
    let via = parsed.content.get("via")?.as_array()?;
    if via.is_empty() || !via.iter().all(Value::is_string) {
        return None;
    }
    let servers = via.iter().filter_map(Value::as_str);
    let order = parsed.content.get("order").and_then(Value::as_str);
    let order = order.filter(|order| {
        (1..=ORDER_MAX).contains(&order.len())
            && order.bytes().all(|byte| matches!(byte, 0x20..=0x7e))
    });
    let stripped = serde_json::json!({
        "content": parsed.content,
        "origin_server_ts": parsed.origin_server_ts,
        "sender": parsed.sender,
        "state_key": parsed.state_key,
        "type": "m.space.child",
    });
    Some(Child {
        room_id: RoomId::parse(&parsed.state_key).ok()?,
        via: servers
            .filter_map(|name| name.try_into().ok())
            .take(SERVERS_MAX)
            .collect(),
        order: order.map(str::to_owned),
        origin_server_ts: parsed.origin_server_ts,
        is_suggested: parsed.content.get("suggested") == Some(&Value::Bool(true)),
        stripped: serde_json::value::to_raw_value(&stripped).ok()?,
    })
}

#[cfg(test)]
mod tests {

    use super::*;

    fn of(state_key: &str, content: &str, origin_server_ts: i64) -> Option<Child> {
        let json = format!(
            r#"{{"content":{content},"origin_server_ts":{origin_server_ts},"sender":"@a:b",
                "state_key":"{state_key}","type":"m.space.child"}}"#
        );
        child(&json)
    }

    #[test]
    fn children_are_ordered_as_the_specification_shows() {
        let mut children = [
            ("!d:example.org", r#"{"via":["x"]}"#, 1_640_741_000_000),
            (
                "!c:example.org",
                r#"{"via":["x"],"order":"first"}"#,
                1_640_841_000_000,
            ),
            ("!e:example.org", r#"{"via":["x"]}"#, 1_640_641_000_000),
            (
                "!b:example.org",
                r#"{"via":["x"],"order":" "}"#,
                1_640_341_000_000,
            ),
            (
                "!a:example.org",
                r#"{"via":["x"],"order":"aaaa"}"#,
                1_640_141_000_000,
            ),
            (
                "!g:example.org",
                r#"{"via":["x"],"order":"\u00e4"}"#,
                1_640_741_000_000,
            ),
            (
                "!f:example.org",
                r#"{"via":["x"],"order":7}"#,
                1_640_741_000_000,
            ),
        ]
        .map(|(id, content, time)| of(id, content, time).unwrap());
        children.sort_by(|one, other| one.place().cmp(&other.place()));
        let found: String = children
            .iter()
            .map(|child| &child.room_id.as_str()[1..2])
            .collect();
        assert_eq!(found, "bacedfg");
    }

    #[test]
    fn what_has_no_way_in_is_no_child() {
        for (state_key, content) in [
            ("!a:b", "{}"),
            ("!a:b", r#"{"via":[]}"#),
            ("!a:b", r#"{"via":"b"}"#),
            ("!a:b", r#"{"via":[1]}"#),
            ("nonsense", r#"{"via":["b"]}"#),
        ] {
            assert!(of(state_key, content, 1).is_none(), "{state_key} {content}");
        }
        assert!(of("!a:b", r#"{"via":["b"]}"#, 1).is_some());
    }
}
