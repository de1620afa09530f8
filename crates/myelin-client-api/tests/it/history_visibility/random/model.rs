//! The specification read literally: a plain function over the list of all events of a room.

use serde_json::Value;

/// An event as it was stored.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) id: String,
    pub(super) json: Value,
}

/// A room's whole history, oldest first, and when a user forgot the room: after so many events.
pub(super) struct History<'a> {
    pub(super) events: &'a [Event],
    pub(super) user: &'a str,
    pub(super) forgotten: &'a [usize],
}

/// How long a stay in the room lasted: up to and including the event with this index.
type StayEnd = usize;

impl Event {
    fn is(&self, kind: &str, state_key: &str) -> bool {
        self.json["type"] == kind && self.json["state_key"] == state_key
    }

    pub(super) fn is_state(&self) -> bool {
        self.json.get("state_key").is_some()
    }
}

impl History<'_> {
    /// "The rules governing whether a user is allowed to see an event depend on the state of the
    /// room at that event."
    pub(super) fn shows(&self, index: usize) -> bool {
        let event = &self.events[index];
        let visibility = self.visibility_before(index);
        let membership = self.membership_before(index);
        let mut moments = vec![(visibility, membership)];
        // "if the `history_visibility` before or after the event would allow them to see it"
        if event.is("m.room.history_visibility", "") {
            moments.push((self.visibility_before(index + 1), membership));
        }
        // "if their `membership` before or after the event would allow them to see it"
        if self.is_own(event) {
            moments.push((visibility, self.membership_before(index + 1)));
        }
        moments
            .into_iter()
            .any(|(visibility, membership)| self.allows(index, visibility, membership))
    }

    fn allows(&self, index: usize, visibility: &str, membership: &str) -> bool {
        // 1. "If the `history_visibility` was set to `world_readable`, allow."
        if visibility == "world_readable" {
            return true;
        }
        // "In all cases except `world_readable`, a user needs to join a room to view events in that
        // room. […] After a user has left a room, they may see any events which they were allowed
        // to see before they left the room, but no events received after they left."
        if !self.stays().iter().any(|end| index <= *end) {
            return false;
        }
        // 2. "If the user's `membership` was `join`, allow." 3. "[…] `shared`, and the user joined
        // the room at any point after the event was sent, allow." 4. "If the user's `membership`
        // was `invite`, and the `history_visibility` was set to `invited`, allow."
        membership == "join"
            || visibility == "shared"
            || membership == "invite" && visibility == "invited"
    }

    /// The user's stays in the room that still count: those before the room was forgotten do not.
    fn stays(&self) -> Vec<StayEnd> {
        let mut stays: Vec<StayEnd> = (0..self.events.len())
            .filter(|index| self.membership_before(*index) == "join")
            .filter(|index| self.membership_before(*index + 1) != "join")
            .filter(|index| !self.forgotten.iter().any(|count| index < count))
            .collect();
        if self.is_member() {
            stays.push(usize::MAX);
        }
        stays
    }

    /// Whether an event says what became of the user.
    pub(super) fn is_own(&self, event: &Event) -> bool {
        event.is("m.room.member", self.user)
    }

    pub(super) fn is_member(&self) -> bool {
        self.membership_before(self.events.len()) == "join"
    }

    /// The index of the last event that a walk comes to, counted from 1; 0: the room is closed.
    pub(super) fn walk_end(&self) -> usize {
        let now = self.events.len();
        if self.visibility_before(now) == "world_readable" {
            return now;
        }
        self.shown_at()
    }

    /// How many events there were when the state was that which the user is shown; 0: none is.
    pub(super) fn shown_at(&self) -> usize {
        let now = self.events.len();
        match self.stays().last() {
            Some(end) => now.min(end.saturating_add(1)),
            None if self.visibility_before(now) == "world_readable" => now,
            None => 0,
        }
    }

    /// The ids of the state events after so many events.
    pub(super) fn state_at(&self, count: usize) -> Vec<&str> {
        let is_last = |index: &usize| {
            let event = &self.events[*index].json;
            let mut later = self.events[*index + 1..count].iter();
            !later.any(|other| {
                other.is_state()
                    && other.json["type"] == event["type"]
                    && other.json["state_key"] == event["state_key"]
            })
        };
        let state = (0..count).filter(|index| self.events[*index].is_state());
        let last = state.filter(is_last);
        last.map(|index| &*self.events[index].id).collect()
    }

    pub(super) fn membership_before(&self, index: usize) -> &str {
        let last = self.last_before(index, "m.room.member", self.user);
        last.and_then(|event| event.json["content"]["membership"].as_str())
            .unwrap_or("leave")
    }

    /// "By default if no `history_visibility` is set, or if the value is not understood, the
    /// visibility is assumed to be `shared`."
    fn visibility_before(&self, index: usize) -> &str {
        let last = self.last_before(index, "m.room.history_visibility", "");
        let value = last.and_then(|event| event.json["content"]["history_visibility"].as_str());
        value
            .filter(|value| ["world_readable", "invited", "joined"].contains(value))
            .unwrap_or("shared")
    }

    fn last_before(&self, index: usize, kind: &str, state_key: &str) -> Option<&Event> {
        let before = self.events[..index].iter().rev();
        before.into_iter().find(|event| event.is(kind, state_key))
    }
}
