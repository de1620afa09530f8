//! What an event says about another one (spec: "Forming relationships between events").

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The relation type of events in a thread; it points at the thread's root.
pub const THREAD: &str = "m.thread";

/// An event's relation to another event of its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The kind of relation.
    pub rel_type: String,
    /// The event that it is to.
    pub event_id: String,
}

impl Relation {
    /// The relation of an event, from its whole JSON. None where there is none, or none of the
    /// right form: content is what a user likes. A rich reply alone is no relation, for it has no
    /// type.
    pub fn of_event(json: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Event<'a> {
            #[serde(borrow)]
            content: Content<'a>,
        }
        #[derive(Deserialize)]
        struct Content<'a> {
            #[serde(borrow, rename = "m.relates_to")]
            relates_to: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct RelatesTo<'a> {
            #[serde(borrow)]
            rel_type: Cow<'a, str>,
            #[serde(borrow)]
            event_id: Cow<'a, str>,
        }
        let event: Event<'_> = serde_json::from_str(json).ok()?;
        let relates_to: RelatesTo<'_> =
            serde_json::from_str(event.content.relates_to.get()).ok()?;
        Some(Self {
            rel_type: relates_to.rel_type.into_owned(),
            event_id: relates_to.event_id.into_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relation_has_a_type_and_an_event() {
        let relation = |rel_type: &str| {
            Some(Relation {
                rel_type: rel_type.to_owned(),
                event_id: "$root".to_owned(),
            })
        };
        for (content, wanted) in [
            (
                r#"{"m.relates_to":{"rel_type":"m.thread","event_id":"$root"}}"#,
                relation(THREAD),
            ),
            (
                r#"{"body":"x","m.relates_to":{"event_id":"$root","key":"y","rel_type":"m.annotation"}}"#,
                relation("m.annotation"),
            ),
            (
                r#"{"m.relates_to":{"m.in_reply_to":{"event_id":"$root"}}}"#,
                None,
            ),
            (
                r#"{"m.relates_to":{"rel_type":1,"event_id":"$root"}}"#,
                None,
            ),
            (r#"{"m.relates_to":"$root"}"#, None),
            (r#"{"m.relates_to":null}"#, None),
            ("{}", None),
        ] {
            let event = format!(r#"{{"type":"m.room.message","content":{content}}}"#);
            assert_eq!(Relation::of_event(&event), wanted, "{content}");
        }
        assert_eq!(Relation::of_event("{}"), None);
        assert_eq!(Relation::of_event("nonsense"), None);
    }
}
