//! Conditions of push rules.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{
    event::{PushEvent, parse_path},
    pattern::{Pattern, Steps},
    predefined::ME,
    reader::{Facts, Reader},
};

/// A condition, ready to be asked.
#[derive(Clone, Debug)]
pub(super) enum Condition {
    /// Part of the body is as the pattern says.
    Body(Pattern),
    /// The property is as the pattern says.
    Match(Vec<String>, Pattern),
    /// The property is this.
    Is(Vec<String>, Scalar),
    /// The property is a list with this in it.
    Contains(Vec<String>, Scalar),
    /// The property is the user's own id.
    IsReader(Vec<String>),
    /// The property is a list with the user's own id in it.
    ContainsReader(Vec<String>),
    /// The event is in this room.
    Room(String),
    /// The body has the user's display name in it.
    DisplayName,
    /// The number of members compares so.
    Members(Comparison, u64),
    /// The sender may notify others of this.
    Permission(String),
    /// The event is in a thread to which the reader has subscribed, or has not.
    ThreadSubscription(bool),
    /// It is not known here, or not well formed, and never holds.
    Never,
}

/// What a property is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scalar {
    Text(String),
    Integer(i64),
    Truth(bool),
    Null,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Less,
    Greater,
    AtMost,
    AtLeast,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    Yes,
    No,
    /// It depends on what the sender may do, which nobody has said.
    NeedsPermission,
}

impl Condition {
    /// Reads a condition as clients write it.
    pub(super) fn of(condition: &Value) -> Self {
        Self::read(condition).unwrap_or(Self::Never)
    }

    fn read(condition: &Value) -> Option<Self> {
        let text = |key: &str| condition.get(key)?.as_str();
        Some(match text("kind")? {
            "event_match" => Self::event_match(text("key")?, text("pattern")?),
            "event_property_is" => {
                let value = Scalar::of(condition.get("value")?)?;
                Self::Is(parse_path(text("key")?), value)
            }
            "event_property_contains" => {
                let value = condition.get("value")?;
                let path = parse_path(text("key")?);
                if value == ME {
                    Self::ContainsReader(path)
                } else {
                    Self::Contains(path, Scalar::of(value)?)
                }
            }
            "contains_display_name" => Self::DisplayName,
            "room_member_count" => {
                let (comparison, number) = Comparison::parse(text("is")?)?;
                Self::Members(comparison, number)
            }
            "sender_notification_permission" => Self::Permission(text("key")?.to_owned()),
            "io.element.msc4306.thread_subscription" => {
                Self::ThreadSubscription(condition.get("subscribed")?.as_bool()?)
            }
            _ => return None,
        })
    }

    fn event_match(key: &str, pattern: &str) -> Self {
        let path = parse_path(key);
        if pattern == ME {
            Self::IsReader(path)
        } else if is_body(&path) {
            Self::Body(Pattern::glob(pattern))
        } else {
            Self::Match(path, Pattern::glob(pattern))
        }
    }

    /// The property is this text.
    pub(super) fn is_text(path: Vec<String>, text: &str) -> Self {
        Self::Is(path, Scalar::Text(text.to_owned()))
    }

    /// Adds the users whom an event names where the condition looks for its reader.
    pub(super) fn named<'a>(&self, event: &'a PushEvent, found: &mut BTreeSet<&'a str>) {
        match self {
            Self::IsReader(path) => found.extend(event.text(path)),
            Self::ContainsReader(path) => {
                let names = event.property(path).and_then(Value::as_array);
                let names = names.into_iter().flatten();
                found.extend(names.filter_map(Value::as_str));
            }
            _ => {}
        }
    }

    /// Whether it holds for a reader, or, with None, for somebody whom the event does not name.
    pub(super) fn holds(
        &self,
        event: &PushEvent,
        facts: &Facts<'_>,
        reader: Option<&Reader<'_>>,
        steps: &mut Steps,
    ) -> Holds {
        let holds = match self {
            Self::Body(pattern) => event
                .body()
                .is_some_and(|body| pattern.matches_words(body, steps)),
            Self::Match(path, pattern) => event
                .text(path)
                .is_some_and(|text| pattern.matches(&text.to_lowercase(), steps)),
            Self::Is(path, wanted) => event
                .property(path)
                .is_some_and(|found| Scalar::of(found).as_ref() == Some(wanted)),
            Self::Contains(path, wanted) => {
                let found = event.property(path).and_then(Value::as_array);
                let is_wanted = |found: &Value| Scalar::of(found).as_ref() == Some(wanted);
                found.is_some_and(|found| found.iter().any(is_wanted))
            }
            Self::IsReader(_) | Self::ContainsReader(_) => reader.is_some_and(|reader| {
                let mut named = BTreeSet::new();
                self.named(event, &mut named);
                named.contains(reader.user_id)
            }),
            Self::Room(room_id) => event.room_id() == room_id,
            Self::DisplayName => {
                let name = reader.and_then(|reader| reader.display_name);
                let name = name.filter(|name| !name.is_empty()).map(Pattern::literal);
                name.zip(event.body())
                    .is_some_and(|(name, body)| name.matches_words(body, steps))
            }
            Self::Members(comparison, number) => comparison.holds(facts.joined, *number),
            Self::Permission(key) => match facts.permission {
                Some(permission) => permission.allows(key),
                None => return Holds::NeedsPermission,
            },
            Self::ThreadSubscription(wanted) => facts.subscribed == Some(*wanted),
            Self::Never => false,
        };
        if holds { Holds::Yes } else { Holds::No }
    }
}

fn is_body(path: &[String]) -> bool {
    path.iter().eq(["content", "body"].iter())
}

impl Scalar {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => number.as_i64().map(Self::Integer),
            Value::Bool(truth) => Some(Self::Truth(*truth)),
            Value::Null => Some(Self::Null),
            Value::Array(_) | Value::Object(_) => None,
        }
    }
}

impl Comparison {
    /// Reads a comparison such as `<=10`; without a sign the numbers must be equal.
    fn parse(text: &str) -> Option<(Self, u64)> {
        let signs = [
            ("==", Self::Equal),
            ("<=", Self::AtMost),
            (">=", Self::AtLeast),
            ("<", Self::Less),
            (">", Self::Greater),
            ("", Self::Equal),
        ];
        let found = signs
            .into_iter()
            .find_map(|(sign, comparison)| Some((comparison, text.strip_prefix(sign)?)));
        let (comparison, digits) = found?;
        let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.parse().ok().filter(|_| is_decimal)?;
        Some((comparison, number))
    }

    fn holds(self, found: u64, wanted: u64) -> bool {
        match self {
            Self::Equal => found == wanted,
            Self::Less => found < wanted,
            Self::Greater => found > wanted,
            Self::AtMost => found <= wanted,
            Self::AtLeast => found >= wanted,
        }
    }
}
