//! What `/messages` and the timelines of `/sync` say.

use std::io;

use myelin_blackbox::{Answer, User, encode};
use serde_json::Value;

const PAGE: usize = 40;

/// An event of a timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) event_id: String,
    pub(crate) sender: String,
    /// The body of a message.
    pub(crate) text: Option<String>,
}

/// The events of a `chunk` or a timeline.
pub(crate) fn items(events: &Value) -> Vec<Item> {
    let item = |event: &Value| Item {
        event_id: string(&event["event_id"]),
        sender: string(&event["sender"]),
        text: (event["type"] == "m.room.message").then(|| {
            assert_eq!(event["content"]["msgtype"], "m.text", "{event}");
            string(&event["content"]["body"])
        }),
    };
    events.as_array().into_iter().flatten().map(item).collect()
}

pub(crate) fn string(value: &Value) -> String {
    let text = value.as_str();
    text.unwrap_or_else(|| panic!("not a string: {value}"))
        .to_owned()
}

/// The body of a success. A server whose database is gone may say so; anything else fails the test.
pub(crate) fn accept(answer: &Answer, what: &str) -> io::Result<Value> {
    if answer.status == 503 {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    Ok(answer.expect_ok(what))
}

/// Whether the server has said that its database is gone.
pub(crate) fn is_unavailable(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ResourceBusy
}

/// The events before the token `from`, or before the end of the room, back to and without the
/// event `until`, or to the beginning of the room; the oldest first.
pub(crate) fn walk_back(
    user: &mut User,
    room_id: &str,
    from: Option<&str>,
    until: Option<&str>,
) -> io::Result<Vec<Item>> {
    let mut found = Vec::new();
    let mut from = from.map(str::to_owned);
    loop {
        let page = messages(user, room_id, 'b', from.as_deref())?;
        for item in items(&page["chunk"]) {
            if Some(&*item.event_id) == until {
                found.reverse();
                return Ok(found);
            }
            found.push(item);
        }
        from = page["end"].as_str().map(str::to_owned);
        if from.is_none() {
            assert!(until.is_none(), "{room_id}: {until:?} is gone");
            found.reverse();
            return Ok(found);
        }
    }
}

/// All events of a room, read from its beginning.
pub(crate) fn walk_forward(user: &mut User, room_id: &str) -> io::Result<Vec<Item>> {
    let mut found = Vec::new();
    let mut from = None;
    loop {
        let page = messages(user, room_id, 'f', from.as_deref())?;
        found.extend(items(&page["chunk"]));
        // Without anything new, the token only says where to go on later.
        let Some(end) = page["end"]
            .as_str()
            .filter(|_| page["chunk"] != Value::Array(vec![]))
        else {
            return Ok(found);
        };
        from = Some(end.to_owned());
    }
}

/// One page.
pub(crate) fn messages(
    user: &mut User,
    room_id: &str,
    direction: char,
    from: Option<&str>,
) -> io::Result<Value> {
    let mut path = format!(
        "/_matrix/client/v3/rooms/{}/messages?dir={direction}&limit={PAGE}",
        encode(room_id)
    );
    if let Some(from) = from {
        path = format!("{path}&from={}", encode(from));
    }
    accept(&user.get(&path)?, &path)
}
