//! What an event says about another one (spec: "Forming relationships between events").

use std::borrow::Cow;

use ruma::CanonicalJsonObject;
use serde::Deserialize;
use serde_json::value::RawValue;

/// The relation type of events in a thread; it points at the thread's root.
pub const THREAD: &str = "m.thread";
/// The relation type of edits.
pub const REPLACE: &str = "m.replace";
/// The relation type of reactions.
pub const ANNOTATION: &str = "m.annotation";
/// The relation type of events that mention another one to whoever knows what for.
pub const REFERENCE: &str = "m.reference";

/// The most bytes of a relation type and of an id. What is longer can be no event's id, and names no
/// relation that anybody knows.
const NAME_MAX: usize = 255;

/// An event's relation to another event of its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The kind of relation.
    pub rel_type: String,
    /// The event that it is to.
    pub event_id: String,
    /// Of an annotation: with what it annotates, such as an emoji.
    pub key: Option<String>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'a, str>>,
    #[serde(borrow)]
    state_key: Option<&'a RawValue>,
    #[serde(borrow)]
    content: &'a RawValue,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, rename = "m.relates_to")]
    relates_to: &'a RawValue,
    #[serde(borrow, rename = "m.new_content")]
    new_content: Option<&'a RawValue>,
}

impl Relation {
    /// The relation of an event, from its whole JSON. None where there is none, or none of the
    /// right form: content is what a user likes. A rich reply alone is no relation, for it has no
    /// type. An edit that cannot be one, whatever it is to, is none either (spec: "Validity of
    /// replacement events").
    pub fn of_event(json: &str) -> Option<Self> {
        let (event, content) = parse(json)?;
        let relation = Self::of_value(content.relates_to.get())?;
        let is_encrypted = event.kind.as_deref() == Some("m.room.encrypted");
        let has_new = content.new_content.is_some() || is_encrypted;
        let is_none = relation.rel_type == REPLACE && (event.state_key.is_some() || !has_new);
        (!is_none).then_some(relation)
    }

    /// The relation type that an event names, even where that is no relation: what names any starts no
    /// thread, and what names that of edits cannot be edited (spec: "Threading", "Validity of
    /// replacement events").
    pub fn type_of_event(json: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct RelatesTo {
            rel_type: String,
        }
        let (_, content) = parse(json)?;
        let relates_to: RelatesTo = serde_json::from_str(content.relates_to.get()).ok()?;
        Some(relates_to.rel_type)
    }

    /// The relation that the content of an event to be sent names.
    pub fn of_content(content: &CanonicalJsonObject) -> Option<Self> {
        let value = content.get("m.relates_to")?;
        Self::of_value(&serde_json::to_string(value).ok()?)
    }

    fn of_value(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct RelatesTo<'a> {
            #[serde(borrow)]
            rel_type: Cow<'a, str>,
            #[serde(borrow)]
            event_id: Cow<'a, str>,
            #[serde(borrow)]
            key: Option<&'a RawValue>,
        }
        let relates_to: RelatesTo<'_> = serde_json::from_str(json).ok()?;
        let (rel_type, event_id) = (relates_to.rel_type, relates_to.event_id);
        let is_name = |name: &str| !name.is_empty() && name.len() <= NAME_MAX;
        if !is_name(&rel_type) || !is_name(&event_id) {
            return None;
        }
        let key = (relates_to.key).filter(|_| rel_type == ANNOTATION);
        Some(Self {
            key: key.and_then(|key| serde_json::from_str(key.get()).ok()),
            rel_type: rel_type.into_owned(),
            event_id: event_id.into_owned(),
        })
    }
}

fn parse(json: &str) -> Option<(Event<'_>, Content<'_>)> {
    if !json.contains("m.relates_to") {
        return None;
    }
    let event: Event<'_> = serde_json::from_str(json).ok()?;
    let content = serde_json::from_str(event.content.get()).ok()?;
    Some((event, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_content(content: &str) -> Option<Relation> {
        Relation::of_event(&format!(
            r#"{{"type":"m.room.message","content":{content}}}"#
        ))
    }

    #[test]
    fn a_relation_has_a_type_and_an_event() {
        let relation = |rel_type: &str, key: Option<&str>| {
            Some(Relation {
                rel_type: rel_type.to_owned(),
                event_id: "$root".to_owned(),
                key: key.map(str::to_owned),
            })
        };
        for (content, wanted) in [
            (
                r#"{"m.relates_to":{"rel_type":"m.thread","event_id":"$root"}}"#,
                relation(THREAD, None),
            ),
            (
                r#"{"body":"x","m.relates_to":{"event_id":"$root","key":"y","rel_type":"m.annotation"}}"#,
                relation(ANNOTATION, Some("y")),
            ),
            (
                r#"{"m.relates_to":{"event_id":"$root","key":1,"rel_type":"m.annotation"}}"#,
                relation(ANNOTATION, None),
            ),
            (
                r#"{"m.relates_to":{"event_id":"$root","key":"y","rel_type":"m.reference"}}"#,
                relation(REFERENCE, None),
            ),
            (
                r#"{"m.relates_to":{"m.in_reply_to":{"event_id":"$root"}}}"#,
                None,
            ),
            (
                r#"{"m.relates_to":{"rel_type":1,"event_id":"$root"}}"#,
                None,
            ),
            (
                r#"{"m.relates_to":{"rel_type":"","event_id":"$root"}}"#,
                None,
            ),
            (r#"{"m.relates_to":"$root"}"#, None),
            (r#"{"m.relates_to":null}"#, None),
            ("{}", None),
        ] {
            assert_eq!(of_content(content), wanted, "{content}");
        }
        assert_eq!(Relation::of_event("{}"), None);
        assert_eq!(Relation::of_event("nonsense"), None);
    }

    #[test]
    fn what_cannot_be_an_edit_is_none() {
        let relates_to = r#""m.relates_to":{"rel_type":"m.replace","event_id":"$root"}"#;
        let new_content = r#""m.new_content":{"body":"x"}"#;
        for (event, is_edit) in [
            (
                format!(r#"{{"type":"a","content":{{{relates_to},{new_content}}}}}"#),
                true,
            ),
            (
                format!(r#"{{"type":"a","content":{{{relates_to}}}}}"#),
                false,
            ),
            (
                format!(r#"{{"type":"m.room.encrypted","content":{{{relates_to}}}}}"#),
                true,
            ),
            (
                format!(
                    r#"{{"type":"a","state_key":"","content":{{{relates_to},{new_content}}}}}"#
                ),
                false,
            ),
        ] {
            assert_eq!(Relation::of_event(&event).is_some(), is_edit, "{event}");
        }
    }

    #[test]
    fn a_type_is_named_even_where_there_is_no_relation() {
        let long = "x".repeat(NAME_MAX + 1);
        for (relates_to, wanted) in [
            (
                r#"{"rel_type":"m.thread","event_id":"$root"}"#,
                Some(THREAD),
            ),
            (
                r#"{"rel_type":"m.replace","event_id":"$root"}"#,
                Some(REPLACE),
            ),
            (r#"{"rel_type":"m.replace"}"#, Some(REPLACE)),
            (&format!(r#"{{"rel_type":"{long}"}}"#), Some(&*long)),
            (r#"{"m.in_reply_to":{"event_id":"$root"}}"#, None),
            (r#"{"rel_type":1}"#, None),
            ("null", None),
        ] {
            let event = format!(r#"{{"type":"a","content":{{"m.relates_to":{relates_to}}}}}"#);
            let found = Relation::type_of_event(&event);
            assert_eq!(found.as_deref(), wanted, "{event}");
        }
        assert_eq!(Relation::type_of_event(r#"{"content":{}}"#), None);
        assert_eq!(Relation::type_of_event("m.relates_to"), None);
    }

    #[test]
    fn names_that_are_too_long_relate_nothing() {
        for (length, wanted) in [(NAME_MAX, true), (NAME_MAX + 1, false)] {
            let name = "x".repeat(length);
            for (rel_type, event_id) in [(name.as_str(), "$root"), ("m.thread", name.as_str())] {
                let content = format!(
                    r#"{{"m.relates_to":{{"rel_type":"{rel_type}","event_id":"{event_id}"}}}}"#
                );
                assert_eq!(of_content(&content).is_some(), wanted, "{length}");
            }
        }
    }
}
