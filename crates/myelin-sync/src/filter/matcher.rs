//! Decides about stored events by the numbers of their types and senders.

use std::collections::HashMap;

use myelin_core::relation::Relation;
use myelin_store::{Store, StoreResult, events::StoredEvent};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::EventFilter;

/// A filter, with what it has decided so far. A number never changes its text, so that a decision
/// stands for as long as the matcher lives.
#[derive(Debug)]
pub struct EventMatcher<'a> {
    filter: &'a EventFilter,
    types: HashMap<i64, bool>,
    senders: HashMap<i64, bool>,
}

impl<'a> EventMatcher<'a> {
    pub(super) fn new(filter: &'a EventFilter) -> Self {
        Self {
            filter,
            types: HashMap::new(),
            senders: HashMap::new(),
        }
    }

    /// Keeps the events that are wanted, in their order. The rooms of the filter are not looked
    /// at: who reads a room asks [`EventFilter::allows_room`] once.
    pub async fn retain(&mut self, store: &Store, found: &mut Vec<StoredEvent>) -> StoreResult<()> {
        if self.filter.allows_everything() {
            return Ok(());
        }
        let filter = self.filter;
        let types = found.iter().map(|event| event.event_type);
        decide(store, &mut self.types, types, |text| {
            filter.allows_type(text)
        })
        .await?;
        let senders = found.iter().map(|event| event.sender);
        decide(store, &mut self.senders, senders, |text| {
            filter.allows_sender(text)
        })
        .await?;
        found.retain(|event| self.allows(event));
        Ok(())
    }

    /// About an event whose type and sender were decided on.
    fn allows(&self, event: &StoredEvent) -> bool {
        let decided = |known: &HashMap<i64, bool>, number| known.get(number) == Some(&true);
        decided(&self.types, &event.event_type)
            && decided(&self.senders, &event.sender)
            && (self.filter.contains_url).is_none_or(|wanted| contains_url(&event.json) == wanted)
            && (!self.filter.asks_relation() || self.allows_relation(event))
    }
}

impl EventMatcher<'_> {
    fn allows_relation(&self, event: &StoredEvent) -> bool {
        let relation = Relation::of_event(&event.json);
        let rel_type = relation.as_ref().map(|relation| &*relation.rel_type);
        self.filter.allows_relation(rel_type)
    }
}

async fn decide(
    store: &Store,
    known: &mut HashMap<i64, bool>,
    numbers: impl Iterator<Item = i64>,
    allows: impl Fn(&str) -> bool,
) -> StoreResult<()> {
    let mut missing: Vec<i64> = numbers
        .filter(|number| !known.contains_key(number))
        .collect();
    missing.sort_unstable();
    missing.dedup();
    let texts = store.interned(&missing).await?;
    for (number, text) in missing.into_iter().zip(texts) {
        // Types and user ids are text: what is not is no name that a filter could hold.
        known.insert(number, allows(&String::from_utf8_lossy(&text)));
    }
    Ok(())
}

/// Whether the content of a stored event has a `url`, whatever it is.
fn contains_url(json: &str) -> bool {
    #[derive(Deserialize)]
    struct Event<'a> {
        #[serde(borrow)]
        content: &'a RawValue,
    }
    #[derive(Deserialize)]
    struct Content {
        #[serde(default, deserialize_with = "is_there")]
        url: bool,
    }
    let event: Option<Event<'_>> = serde_json::from_str(json).ok();
    let content = event.and_then(|event| serde_json::from_str(event.content.get()).ok());
    content.is_some_and(|content: Content| content.url)
}

/// Even null is there.
fn is_there<'de, D: serde::Deserializer<'de>>(value: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(value).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::contains_url;

    #[test]
    fn sees_a_url_only_in_the_content() {
        for (json, expected) in [
            (r#"{"content":{"url":"mxc://a/b"}}"#, true),
            (r#"{"content":{"url":null}}"#, true),
            (r#"{"content":{"body":"url"}}"#, false),
            (r#"{"content":{"info":{"url":"mxc://a/b"}}}"#, false),
            (r#"{"content":{},"url":"mxc://a/b"}"#, false),
            (r#"{"content":[]}"#, false),
        ] {
            assert_eq!(contains_url(json), expected, "{json}");
        }
    }
}
