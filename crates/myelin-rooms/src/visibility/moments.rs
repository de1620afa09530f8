//! The two facts about a moment of a room that decide what a user may see of it.

use std::collections::BTreeSet;

use bytes::Bytes;
use myelin_core::{
    membership::Membership,
    trie::{Lookup, StateKey, TYPE_HISTORY_VISIBILITY, TYPE_MEMBER, Together},
};
use myelin_store::{
    EMPTY_STRING, Read, StoreResult,
    events::{self, StoredEvent},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::RoomView;
use crate::{
    Rooms,
    state::{corrupt, parse},
};

/// The values of `m.room.history_visibility`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum HistoryVisibility {
    Joined,
    Invited,
    /// Also where the room says nothing, or nothing that is understood.
    #[default]
    Shared,
    WorldReadable,
}

/// What a state says about its history's visibility, and about one user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) visibility: HistoryVisibility,
    /// `Leave` for who has no member event.
    pub(super) membership: Membership,
}

impl HistoryVisibility {
    pub(super) fn of_event(json: &str) -> Self {
        #[derive(Deserialize)]
        struct Content {
            history_visibility: String,
        }
        match content_of_event::<Content>(json).map(|content| content.history_visibility) {
            Some(name) if name == "world_readable" => Self::WorldReadable,
            Some(name) if name == "invited" => Self::Invited,
            Some(name) if name == "joined" => Self::Joined,
            _ => Self::Shared,
        }
    }
}

pub(crate) fn membership_of_event(json: &str) -> Membership {
    #[derive(Deserialize)]
    struct Content {
        membership: String,
    }
    content_of_event::<Content>(json)
        .and_then(|content| Membership::from_name(&content.membership))
        .unwrap_or(Membership::Leave)
}

fn content_of_event<T: DeserializeOwned>(json: &str) -> Option<T> {
    #[derive(Deserialize)]
    struct Event<T> {
        content: T,
    }
    serde_json::from_str::<Event<T>>(json)
        .ok()
        .map(|event| event.content)
}

impl Rooms {
    /// Whether everybody may read the room as it is at a root.
    pub(crate) async fn is_world_readable(
        &self,
        read: &mut Read,
        room: i64,
        root: &Bytes,
    ) -> StoreResult<bool> {
        let key = StateKey {
            event_type: TYPE_HISTORY_VISIBILITY,
            state_key: EMPTY_STRING,
        };
        let lookup = Lookup::new(parse(root)?, &[key]).map_err(|error| corrupt(&error))?;
        let numbers = self.walk(read, room, lookup).await?;
        let Some(number) = numbers.into_iter().next().flatten() else {
            return Ok(false);
        };
        let event = events::find(read, number).await?;
        Ok(event.is_some_and(|event| {
            HistoryVisibility::of_event(&event.json) == HistoryVisibility::WorldReadable
        }))
    }

    /// Looks up the moments of these events that the view does not know yet: one round trip for
    /// each level of the trie, and one for the state events found.
    pub(super) async fn learn(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        shown: &[StoredEvent],
    ) -> StoreResult<()> {
        let unknown: BTreeSet<&Bytes> = shown
            .iter()
            .map(|event| &event.root_before)
            .filter(|root| !view.moments.contains_key(*root))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let visibility = StateKey {
            event_type: TYPE_HISTORY_VISIBILITY,
            state_key: EMPTY_STRING,
        };
        let member = StateKey {
            event_type: TYPE_MEMBER,
            state_key: view.user,
        };
        let mut lookups = Vec::with_capacity(unknown.len());
        for root in &unknown {
            let lookup = Lookup::new(parse(root)?, &[visibility, member]);
            lookups.push(lookup.map_err(|error| corrupt(&error))?);
        }
        let found = self.walk(read, view.room, Together::new(lookups)).await?;
        self.learn_events(read, view, &found).await?;
        for (root, numbers) in unknown.into_iter().zip(found) {
            let number = |index: usize| numbers.get(index).copied().flatten();
            let visibility = number(0).and_then(|number| view.visibilities.get(&number));
            let membership = number(1).and_then(|number| view.memberships.get(&number));
            let moment = Moment {
                visibility: visibility.copied().unwrap_or_default(),
                membership: membership.copied().unwrap_or(Membership::Leave),
            };
            view.moments.insert(root.clone(), moment);
        }
        Ok(())
    }

    /// Reads what the state events with these numbers say, of those that the view has not met.
    async fn learn_events(
        &self,
        read: &mut Read,
        view: &mut RoomView,
        found: &[Vec<Option<i64>>],
    ) -> StoreResult<()> {
        let numbers: BTreeSet<i64> = found.iter().flatten().flatten().copied().collect();
        let unmet: Vec<i64> = numbers
            .into_iter()
            .filter(|number| !view.visibilities.contains_key(number))
            .filter(|number| !view.memberships.contains_key(number))
            .collect();
        for event in self.load(read, &unmet).await? {
            if event.event_type == TYPE_MEMBER {
                let membership = membership_of_event(&event.json);
                view.memberships.insert(event.event, membership);
            } else {
                let visibility = HistoryVisibility::of_event(&event.json);
                view.visibilities.insert(event.event, visibility);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_shared() {
        for (content, wanted) in [
            (
                r#"{"history_visibility":"world_readable"}"#,
                HistoryVisibility::WorldReadable,
            ),
            (
                r#"{"history_visibility":"shared"}"#,
                HistoryVisibility::Shared,
            ),
            (
                r#"{"history_visibility":"invited"}"#,
                HistoryVisibility::Invited,
            ),
            (
                r#"{"history_visibility":"joined"}"#,
                HistoryVisibility::Joined,
            ),
            (
                r#"{"history_visibility":"Joined"}"#,
                HistoryVisibility::Shared,
            ),
            (
                r#"{"history_visibility":["joined"]}"#,
                HistoryVisibility::Shared,
            ),
            ("{}", HistoryVisibility::Shared),
        ] {
            let json = format!(r#"{{"content":{content},"type":"m.room.history_visibility"}}"#);
            assert_eq!(HistoryVisibility::of_event(&json), wanted, "{content}");
        }
    }

    #[test]
    fn who_is_nothing_in_particular_has_left() {
        let membership =
            |content: &str| membership_of_event(&format!(r#"{{"content":{content}}}"#));
        assert_eq!(membership(r#"{"membership":"knock"}"#), Membership::Knock);
        assert_eq!(membership(r#"{"membership":"b\u0061n"}"#), Membership::Ban);
        assert_eq!(membership(r#"{"membership":"host"}"#), Membership::Leave);
        assert_eq!(membership("{}"), Membership::Leave);
    }
}
