//! Today's events as the API of 2014 showed them.
//!
//! Rooms have one form only, today's; what is old is made here, on the way out, and nothing of it
//! is stored, signed or sent to other servers. An event keeps all keys that it has today and gains
//! those of 2014. Only the levels need more than that: what one `m.room.power_levels` holds today
//! were four events then, so three *virtual* ones follow it. Their ids are the real one's with
//! `~add`, `~send` or `~ops` behind it.

mod content;
mod levels;
mod patch;

use myelin_sync::Direction;
use serde_json::{Map, Value};

use self::levels::Levels;
pub(super) use self::patch::LevelsPatch;

/// A JSON object. Its keys are sorted, as those of the old server's answers were.
pub(super) type Object = Map<String, Value>;

/// What the view of an event depends on besides the event.
#[derive(Debug, Default)]
pub(super) struct RoomView {
    levels: Levels,
    /// The create event, without which nobody's level can be told.
    create: Option<Object>,
}

/// Whether a real event of this type would contradict the virtual ones: the API of 2014 does not
/// show it.
pub(super) fn is_hidden(event: &Object) -> bool {
    let event_type = text(event, "type");
    event.contains_key("state_key") && levels::VIRTUAL.iter().any(|(name, _)| *name == event_type)
}

/// The id of the real event that an event belongs to, which is the event itself unless it is
/// virtual.
pub(super) fn real_id(event_id: &str) -> &str {
    let mut ends = levels::VIRTUAL.iter();
    let real = ends.find_map(|(_, end)| event_id.strip_suffix(end));
    real.unwrap_or(event_id)
}

/// Whether events of this type are virtual: clients send them as a change of the levels only.
pub(super) fn is_virtual(event_type: &str) -> bool {
    levels::VIRTUAL.iter().any(|(name, _)| *name == event_type)
}

impl RoomView {
    /// The view of a room with this create event and these levels now.
    pub(super) fn new(create: Option<&Object>, power_levels: Option<&Object>) -> Self {
        let levels = Levels::of(create, power_levels.and_then(|event| event.get("content")));
        Self {
            levels,
            create: create.cloned(),
        }
    }

    /// The view of a room by its whole state.
    pub(super) fn of_state(state: &[Object]) -> Self {
        let find = |event_type: &str| {
            state.iter().find(|event| {
                text(event, "type") == event_type && text(event, "state_key").is_empty()
            })
        };
        Self::new(find("m.room.create"), find("m.room.power_levels"))
    }

    /// The content of a virtual event now; None for any other type.
    pub(super) fn virtual_content(&self, event_type: &str) -> Option<Object> {
        self.levels.content_of(event_type)
    }

    /// The virtual event with this id, of the levels that it follows.
    pub(super) fn virtual_event(&self, event: Object, id: &str) -> Option<Object> {
        let mut group = self.with_virtual(event, None).into_iter();
        group.find(|event| text(event, "event_id") == id)
    }

    /// One event, without the virtual ones that may follow it.
    pub(super) fn event(&self, mut event: Object) -> Object {
        let event_type = text(&event, "type").to_owned();
        let is_state = event.contains_key("state_key");
        copy(&mut event, "sender", "user_id");
        copy(&mut event, "origin_server_ts", "ts");
        self.lift_unsigned(&mut event, &event_type);
        if event_type == "m.room.redaction" {
            lift_redacts(&mut event);
        }
        let redacted = event.contains_key("redacted_because");
        let mut content = take_object(&mut event, "content");
        if event_type == "m.room.member" {
            let previous = event
                .get("prev_content")
                .and_then(|content| content.get("membership"));
            if let Some(previous) = previous.cloned() {
                content.insert("prev".to_owned(), previous);
            }
            if let Some(membership) = content.get("membership") {
                event.insert("membership".to_owned(), membership.clone());
            }
        }
        if is_state && let Some(level) = self.required_level(&event_type, &content) {
            event.insert("required_power_level".to_owned(), level.into());
        }
        let mut content = self.content(&event_type, text(&event, "sender"), content);
        if !is_state && !redacted {
            copy_into(&mut content, "hsob_ts", event.get("origin_server_ts"));
        }
        event.insert("content".to_owned(), Value::Object(content));
        event
    }

    /// An event of a timeline and the virtual events behind it: those whose numbers it changed.
    pub(super) fn group(&self, event: Object) -> Vec<Object> {
        let before = event
            .get("unsigned")
            .and_then(|unsigned| unsigned.get("prev_content"))
            .cloned();
        let before = before.map(|content| Levels::of(self.create.as_ref(), Some(&content)));
        self.with_virtual(event, before.as_ref())
    }

    /// State events in the order of 2014: first what the room is, then the others by age.
    pub(super) fn state(&self, events: Vec<Object>) -> Vec<Object> {
        let has_levels = events.iter().any(|event| place(text(event, "type")) == 1);
        let mut sorted: Vec<(usize, Object)> =
            Vec::with_capacity(events.len() + levels::VIRTUAL.len());
        for event in events.into_iter().filter(|event| !is_hidden(event)) {
            let event_type = text(&event, "type").to_owned();
            let group = self.with_virtual(event, None);
            if event_type == "m.room.create" && !has_levels {
                // Who reads the levels finds the defaults then.
                let defaults = self.levels.virtual_events(&group[0], None);
                sorted.extend(
                    defaults
                        .into_iter()
                        .map(|event| (place(text(&event, "type")), event)),
                );
            }
            sorted.extend(
                group
                    .into_iter()
                    .map(|event| (place(text(&event, "type")), event)),
            );
        }
        // Stable, so that what has the same place stays in its order.
        sorted.sort_by_key(|(place, _)| *place);
        sorted.into_iter().map(|(_, event)| event).collect()
    }

    /// The first `limit` events of a walk through a room, and how many real ones are among them.
    /// Where the limit cuts through the levels, the virtual events yield, so that a place in the
    /// room always lies beside a real event.
    pub(super) fn page(
        &self,
        events: impl IntoIterator<Item = Object>,
        direction: Direction,
        limit: usize,
    ) -> (Vec<Object>, usize) {
        let (mut shown, mut real) = (Vec::new(), 0);
        for event in events {
            let left = limit.saturating_sub(shown.len());
            if left == 0 {
                break;
            }
            let mut group = self.group(event);
            group.truncate(left);
            if direction == Direction::Backward {
                group.reverse();
            }
            shown.append(&mut group);
            real += 1;
        }
        (shown, real)
    }

    fn with_virtual(&self, event: Object, before: Option<&Levels>) -> Vec<Object> {
        let is_levels =
            text(&event, "type") == "m.room.power_levels" && text(&event, "state_key").is_empty();
        if !is_levels || !event.contains_key("state_key") {
            return vec![self.event(event)];
        }
        let levels = Levels::of(self.create.as_ref(), event.get("content"));
        let event = self.event(event);
        let mut group = levels.virtual_events(&event, before);
        group.insert(0, event);
        group
    }

    /// What stands in `unsigned` today stood beside the content then.
    fn lift_unsigned(&self, event: &mut Object, event_type: &str) {
        let Some(Value::Object(unsigned)) = event.get("unsigned").cloned() else {
            return;
        };
        let sender = text(event, "sender").to_owned();
        for key in ["age", "replaces_state"] {
            copy_into(event, key, unsigned.get(key));
        }
        copy_into(event, "prev_state", unsigned.get("replaces_state"));
        if let Some(Value::Object(content)) = unsigned.get("prev_content") {
            let content = self.content(event_type, &sender, content.clone());
            event.insert("prev_content".to_owned(), Value::Object(content));
        }
        if let Some(Value::Object(redaction)) = unsigned.get("redacted_because") {
            let redaction = self.event(redaction.clone());
            event.insert("redacted_because".to_owned(), Value::Object(redaction));
        }
    }

    fn content(&self, event_type: &str, sender: &str, content: Object) -> Object {
        match event_type {
            "m.room.create" => content::create(content, sender),
            "m.room.join_rules" => content::join_rules(content),
            "m.room.member" => content::member(content),
            "m.room.power_levels" => {
                Levels::of(self.create.as_ref(), Some(&Value::Object(content))).as_users()
            }
            _ => content,
        }
    }

    /// The level that it took to send this state event, by the levels of now. Only bans have one
    /// among the memberships.
    fn required_level(&self, event_type: &str, content: &Object) -> Option<i64> {
        if event_type != "m.room.member" {
            return Some(self.levels.required(event_type));
        }
        (text(content, "membership") == "ban").then(|| self.levels.ban())
    }
}

/// The string at a key, or an empty one.
pub(super) fn text<'a>(object: &'a Object, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Where a type stands in a list of state.
fn place(event_type: &str) -> usize {
    const FIRST: [&str; 6] = [
        "m.room.create",
        "m.room.power_levels",
        "m.room.join_rules",
        "m.room.add_state_level",
        "m.room.send_event_level",
        "m.room.ops_levels",
    ];
    FIRST
        .iter()
        .position(|first| *first == event_type)
        .unwrap_or(FIRST.len())
}

/// Clients of different ages look for the target of a redaction in different places.
fn lift_redacts(event: &mut Object) {
    let target = event
        .get("content")
        .and_then(|content| content.get("redacts"))
        .cloned();
    if !event.contains_key("redacts") {
        copy_into(event, "redacts", target.as_ref());
    }
}

fn copy(event: &mut Object, from: &str, to: &str) {
    let value = event.get(from).cloned();
    copy_into(event, to, value.as_ref());
}

fn copy_into(object: &mut Object, key: &str, value: Option<&Value>) {
    if let Some(value) = value {
        object.insert(key.to_owned(), value.clone());
    }
}

fn take_object(event: &mut Object, key: &str) -> Object {
    match event.remove(key) {
        Some(Value::Object(object)) => object,
        _ => Object::new(),
    }
}

#[cfg(test)]
mod tests;
