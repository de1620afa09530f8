//! Power levels: one event today, four in 2014.

use ruma::RoomVersionId;
use serde_json::Value;

use super::{Object, text};

/// The types of the virtual events, with the ends of their ids, in their order.
pub(super) const VIRTUAL: [(&str, &str); 3] = [
    ("m.room.add_state_level", "~add"),
    ("m.room.send_event_level", "~send"),
    ("m.room.ops_levels", "~ops"),
];

/// The shown level of a creator whom no number can outrank, unless a greater one is in use.
const CREATOR_LEVEL: i64 = 100;

/// The levels of a room, as far as the API of 2014 has words for them.
#[derive(Clone, Debug, Default)]
pub(super) struct Levels {
    content: Object,
    /// Whether the room has such an event at all: without one, state needs no level.
    given: bool,
    /// Who is above all numbers, as creators are from room version 12 on; before that, who created
    /// a room without levels.
    creators: Vec<String>,
    /// Whether that is for good, as it is from room version 12 on.
    creators_are_above: bool,
}

impl Levels {
    /// Reads the content of an `m.room.power_levels` event.
    pub(super) fn of(create: Option<&Object>, content: Option<&Value>) -> Self {
        let content = content.and_then(Value::as_object).cloned();
        let given = content.is_some();
        let (creators, creators_are_above) = create
            .map(|create| creators(create, given))
            .unwrap_or_default();
        Self {
            content: content.unwrap_or_default(),
            given,
            creators,
            creators_are_above,
        }
    }

    /// The level that state events of this type need.
    pub(super) fn required(&self, event_type: &str) -> i64 {
        let events = self.content.get("events").and_then(Value::as_object);
        events
            .and_then(|events| number(events.get(event_type)))
            .unwrap_or_else(|| self.state_default())
    }

    /// The level that a ban needs.
    pub(super) fn ban(&self) -> i64 {
        self.of_key("ban")
    }

    /// The content of `m.room.power_levels` as it was in 2014: users and the default, nothing else.
    pub(super) fn as_users(&self) -> Object {
        let users = self.content.get("users").and_then(Value::as_object);
        let mut shown: Object = users
            .into_iter()
            .flatten()
            .filter_map(|(user, level)| Some((user.clone(), number(Some(level))?.into())))
            .collect();
        let creator = self.greatest().max(CREATOR_LEVEL);
        shown.extend(
            self.creators
                .iter()
                .map(|user| (user.clone(), creator.into())),
        );
        shown.insert("default".to_owned(), self.level("users_default", 0).into());
        shown
    }

    /// The level at a key of the content, or what counts where there is none.
    pub(super) fn of_key(&self, key: &str) -> i64 {
        match key {
            "state_default" => self.state_default(),
            "ban" | "kick" | "redact" => self.level(key, 50),
            _ => self.level(key, 0),
        }
    }

    /// The shown level of a user whom no number can outrank, so that none can be set.
    pub(super) fn above_all(&self, user: &str) -> Option<i64> {
        let is_above =
            self.creators_are_above && self.creators.iter().any(|creator| creator == user);
        is_above.then(|| self.greatest().max(CREATOR_LEVEL))
    }

    /// The content to begin a change with. Where a room has no levels yet, what counts without
    /// them is written down first: with the event, other defaults come into force.
    pub(super) fn written_out(&self) -> Object {
        let mut content = self.content.clone();
        if self.given {
            return content;
        }
        content.insert("state_default".to_owned(), 0.into());
        if !self.creators_are_above {
            let users = self.creators.iter();
            let users: Object = users
                .map(|user| (user.clone(), CREATOR_LEVEL.into()))
                .collect();
            content.insert("users".to_owned(), users.into());
        }
        content
    }

    /// The virtual events of a viewed power levels event: those that differ from what was before.
    pub(super) fn virtual_events(&self, source: &Object, before: Option<&Self>) -> Vec<Object> {
        let contents = self.contents();
        let known = before.map(Self::contents);
        let mut events = Vec::new();
        for (index, ((event_type, suffix), content)) in
            VIRTUAL.into_iter().zip(contents).enumerate()
        {
            if known.as_ref().is_some_and(|known| known[index] == content) {
                continue;
            }
            let kept = [
                "age",
                "origin_server_ts",
                "room_id",
                "sender",
                "ts",
                "user_id",
            ];
            let kept = kept
                .into_iter()
                .filter_map(|key| Some((key.to_owned(), source.get(key)?.clone())));
            let mut event: Object = kept.collect();
            event.insert("content".to_owned(), Value::Object(content));
            event.insert(
                "event_id".to_owned(),
                format!("{}{suffix}", text(source, "event_id")).into(),
            );
            event.insert(
                "required_power_level".to_owned(),
                self.required("m.room.power_levels").into(),
            );
            event.insert("state_key".to_owned(), "".into());
            event.insert("type".to_owned(), event_type.into());
            events.push(event);
        }
        events
    }

    /// The content of one of the virtual events.
    pub(super) fn content_of(&self, event_type: &str) -> Option<Object> {
        let index = VIRTUAL.iter().position(|(name, _)| *name == event_type)?;
        self.contents().into_iter().nth(index)
    }

    /// The contents of the virtual events, in the order of [`VIRTUAL`].
    fn contents(&self) -> [Object; 3] {
        let numbers = |pairs: &[(&str, i64)]| -> Object {
            pairs
                .iter()
                .map(|(key, level)| ((*key).to_owned(), (*level).into()))
                .collect()
        };
        [
            numbers(&[("level", self.state_default())]),
            numbers(&[("level", self.of_key("events_default"))]),
            numbers(&[
                ("ban_level", self.of_key("ban")),
                ("kick_level", self.of_key("kick")),
                ("redact_level", self.of_key("redact")),
            ]),
        ]
    }

    fn state_default(&self) -> i64 {
        self.level("state_default", if self.given { 50 } else { 0 })
    }

    fn level(&self, key: &str, default: i64) -> i64 {
        number(self.content.get(key)).unwrap_or(default)
    }

    /// The greatest number anywhere in the content.
    fn greatest(&self) -> i64 {
        let nested = self
            .content
            .values()
            .filter_map(Value::as_object)
            .flat_map(Object::values);
        let all = self.content.values().chain(nested);
        all.filter_map(|value| number(Some(value)))
            .max()
            .unwrap_or(0)
    }
}

/// A level; before room version 10 it could also be a string.
pub(super) fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::String(text) => text.trim().parse().ok(),
        value => value.as_i64(),
    }
}

/// Who is above all numbers, and whether a room's levels leave that as it is.
fn creators(create: &Object, has_levels: bool) -> (Vec<String>, bool) {
    let content = create.get("content").and_then(Value::as_object);
    let version = content
        .map(|content| text(content, "room_version"))
        .filter(|version| !version.is_empty());
    let rules = RoomVersionId::try_from(version.unwrap_or("1"))
        .ok()
        .and_then(|version| version.rules());
    let above_all =
        rules.is_some_and(|rules| rules.authorization.explicitly_privilege_room_creators);
    if has_levels && !above_all {
        return (Vec::new(), false);
    }
    let mut creators = vec![text(create, "sender").to_owned()];
    let additional = content
        .and_then(|content| content.get("additional_creators"))
        .and_then(Value::as_array);
    if above_all {
        creators.extend(
            additional
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned),
        );
    }
    (creators, above_all)
}
