//! Every read of a room, held against the model.

use std::collections::HashSet;

use myelin_testkit::{User, encode};
use serde_json::Value;

use super::{Story, model::History};

impl Story<'_> {
    /// What each user reads is what the user may see.
    pub(super) async fn check(&mut self) {
        for who in 0..self.users.len() {
            self.sync(who).await;
        }
        let events = self.events().await;
        for (who, user) in self.users.iter().enumerate() {
            let history = self.history(&events, who);
            let label = format!("seed {}, {}", self.seed, user.id);
            self.check_messages(user, &history, &label).await;
            self.check_events(user, &history, &label).await;
            self.check_state(user, &history, &label).await;
            self.check_first_sync(user, &history, &label).await;
        }
    }

    async fn check_messages(&self, user: &User, history: &History<'_>, label: &str) {
        let end = history.walk_end();
        let forward = self.walk(user, "f").await;
        let back = self.walk(user, "b").await;
        if end == 0 {
            assert_eq!((forward, back), (None, None), "{label}: the room is closed");
            return;
        }
        let shown = visible(history, 0..end);
        assert_eq!(forward.as_ref(), Some(&shown), "{label}: /messages forward");
        let mut shown = visible(history, 0..history.shown_at());
        shown.reverse();
        assert_eq!(back.as_ref(), Some(&shown), "{label}: /messages backward");
    }

    /// All pages in one direction; None: refused.
    async fn walk(&self, user: &User, direction: &str) -> Option<Vec<String>> {
        let mut found = Vec::new();
        let mut from = String::new();
        loop {
            let query = format!("dir={direction}&limit=17{from}");
            let answer = user.messages(&self.room, &query).await;
            if answer.code() == (403, "M_FORBIDDEN") {
                return None;
            }
            let page = answer.ok();
            found.extend(ids(&page["chunk"]));
            let Some(end) = page["end"].as_str() else {
                return Some(found);
            };
            from = format!("&from={}", encode(end));
        }
    }

    async fn check_events(&self, user: &User, history: &History<'_>, label: &str) {
        let room = encode(&self.room);
        let end = history.walk_end();
        for (index, event) in history.events.iter().enumerate() {
            let id = encode(&event.id);
            let label = format!("{label}, event {index} {}", event.json);
            let answer = user.get(&format!("/rooms/{room}/event/{id}")).await;
            let path = format!("/rooms/{room}/context/{id}?limit=1000");
            let is_shown = history.shows(index);
            if !is_shown {
                answer.refused(404, "M_NOT_FOUND");
                let context = user.get(&path).await;
                context.refused(404, "M_NOT_FOUND");
                continue;
            }
            assert_eq!(answer.status, 200, "{label}: /event");
            let membership = if event.json["state_key"] == history.user {
                history.membership_before(index + 1)
            } else {
                history.membership_before(index)
            };
            let unsigned = &answer.body["unsigned"];
            assert_eq!(unsigned["membership"], membership, "{label}: membership");
            // Each context is the whole history, so that a few of them do.
            if index % 8 == 0 {
                let context = user.get(&path).await.ok();
                let mut before = visible(history, 0..index.min(end));
                before.reverse();
                assert_eq!(ids(&context["events_before"]), before, "{label}: before");
                let after = visible(history, (index + 1).min(end)..end);
                assert_eq!(ids(&context["events_after"]), after, "{label}: after");
            }
        }
    }

    async fn check_state(&self, user: &User, history: &History<'_>, label: &str) {
        let path = format!("/rooms/{}", encode(&self.room));
        let state = user.get(&format!("{path}/state")).await;
        let members = user.get(&format!("{path}/members")).await;
        let count = history.shown_at();
        if count == 0 {
            state.refused(403, "M_FORBIDDEN");
            members.refused(403, "M_FORBIDDEN");
            return;
        }
        let shown = history.state_at(count);
        let found = ids(&state.ok());
        assert_eq!(sorted(&found), sorted(&shown), "{label}: /state");
        let is_member = |id: &&str| {
            let event = history.events.iter().find(|event| event.id == **id);
            event.is_some_and(|event| event.json["type"] == "m.room.member")
        };
        let shown: Vec<&str> = shown.into_iter().filter(is_member).collect();
        let found = ids(&members.ok()["chunk"]);
        assert_eq!(sorted(&found), sorted(&shown), "{label}: /members");
    }

    /// A member's first sync with room for all events has all that are visible.
    async fn check_first_sync(&self, user: &User, history: &History<'_>, label: &str) {
        let filter = r#"{"room":{"include_leave":true,"timeline":{"limit":1000}}}"#;
        let path = format!("/sync?timeout=0&filter={}", encode(filter));
        let answer = user.get(&path).await.ok();
        history.check_sync(&answer, self);
        let joined = answer["rooms"]["join"].get(&self.room);
        assert_eq!(joined.is_some(), history.is_member(), "{label}: /sync");
        if let Some(room) = joined {
            let found = ids(&room["timeline"]["events"]);
            for (index, event) in history.events.iter().enumerate() {
                let is_shown = found.contains(&event.id);
                // What became of the user is always told.
                let is_right =
                    is_shown == history.shows(index) || is_shown && history.is_own(event);
                assert!(is_right, "{label}: /sync, event {index} {}", event.json);
            }
        }
    }
}

impl History<'_> {
    /// Nothing of a sync's timelines is hidden from the user, but that what became of the user is
    /// always told.
    pub(super) fn check_sync(&self, answer: &Value, story: &Story<'_>) {
        for section in ["join", "leave"] {
            let room = &answer["rooms"][section][&story.room];
            for id in ids(&room["timeline"]["events"]) {
                let index = self.events.iter().position(|event| event.id == id);
                let index = index.unwrap();
                let event = &self.events[index];
                assert!(
                    self.is_own(event) || self.shows(index),
                    "seed {}, {}: /sync shows event {index} {}",
                    story.seed,
                    self.user,
                    event.json
                );
            }
        }
    }
}

/// The ids of those of these events that the user may see.
fn visible(history: &History<'_>, range: std::ops::Range<usize>) -> Vec<String> {
    let shown = range.filter(|index| history.shows(*index));
    shown
        .map(|index| history.events[index].id.clone())
        .collect()
}

fn ids(events: &Value) -> Vec<String> {
    let events = events.as_array().into_iter().flatten();
    let id = |event: &Value| event["event_id"].as_str().unwrap().to_owned();
    events.map(id).collect()
}

fn sorted<T: AsRef<str>>(ids: &[T]) -> HashSet<&str> {
    let set: HashSet<&str> = ids.iter().map(AsRef::as_ref).collect();
    assert_eq!(set.len(), ids.len(), "each once");
    set
}
