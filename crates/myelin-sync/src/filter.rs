//! Filters: which events, rooms and fields a client wants to see (spec: "Filtering").
//!
//! A filter holds text as the client wrote it. Events hold interned numbers for type and sender,
//! so an [`EventMatcher`] decides once per distinct number and then compares numbers; no event is
//! parsed into a tree.

mod fields;
mod matcher;
mod object;

use std::collections::BTreeSet;

use serde::{Deserialize, de::DeserializeOwned};

pub use fields::EventFields;
pub use matcher::EventMatcher;

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not a filter")]
pub struct FilterError(#[from] pub serde_json::Error);

/// What a client wants to see of everything: the body of `POST /user/{userId}/filter`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Which rooms, and what of them.
    #[serde(deserialize_with = "object::deserialize")]
    pub room: RoomFilter,
    /// Which of the user's own data outside rooms.
    #[serde(deserialize_with = "object::deserialize")]
    pub account_data: EventFilter,
    /// Whose presence.
    #[serde(deserialize_with = "object::deserialize")]
    pub presence: EventFilter,
    /// Which fields of room events; None: all.
    #[serde(deserialize_with = "fields::deserialize")]
    pub event_fields: Option<EventFields>,
    /// The form of room events.
    pub event_format: EventFormat,
}

/// What a client wants to see of rooms.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RoomFilter {
    rooms: Option<BTreeSet<String>>,
    not_rooms: Option<BTreeSet<String>>,
    include_leave: Option<bool>,
    /// Which events of the timeline.
    #[serde(deserialize_with = "object::deserialize")]
    pub timeline: EventFilter,
    /// Which state events.
    #[serde(deserialize_with = "object::deserialize")]
    pub state: EventFilter,
    /// Which typing notifications and receipts.
    #[serde(deserialize_with = "object::deserialize")]
    pub ephemeral: EventFilter,
    /// Which of the user's own data for the room.
    #[serde(deserialize_with = "object::deserialize")]
    pub account_data: EventFilter,
}

/// Which events a client wants to see: both `EventFilter` and `RoomEventFilter` of the
/// specification, whose fields the former lacks do nothing there.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct EventFilter {
    types: Option<Vec<String>>,
    not_types: Option<Vec<String>>,
    senders: Option<BTreeSet<String>>,
    not_senders: Option<BTreeSet<String>>,
    rooms: Option<BTreeSet<String>>,
    not_rooms: Option<BTreeSet<String>>,
    limit: Option<u64>,
    contains_url: Option<bool>,
    related_by_senders: Option<BTreeSet<String>>,
    related_by_rel_types: Option<BTreeSet<String>>,
    #[serde(alias = "org.matrix.msc3874.rel_types")]
    rel_types: Option<BTreeSet<String>>,
    #[serde(alias = "org.matrix.msc3874.not_rel_types")]
    not_rel_types: Option<BTreeSet<String>>,
    lazy_load_members: Option<bool>,
    include_redundant_members: Option<bool>,
    unread_thread_notifications: Option<bool>,
}

/// What must be said about an event for it to be wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RelatedBy<'a> {
    /// By one of these users.
    pub(crate) senders: Option<&'a BTreeSet<String>>,
    /// By a relation of one of these kinds.
    pub(crate) rel_types: Option<&'a BTreeSet<String>>,
}

/// The form in which room events are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventFormat {
    /// As the client-server API describes them.
    #[default]
    Client,
    /// As servers exchange them.
    Federation,
}

impl Filter {
    /// Reads a filter definition.
    pub fn parse(json: &str) -> Result<Self, FilterError> {
        parse_object(json)
    }
}

impl RoomFilter {
    /// Whether anything of this room is wanted.
    pub fn allows_room(&self, room_id: &str) -> bool {
        allows(self.rooms.as_ref(), self.not_rooms.as_ref(), room_id)
    }

    /// Whether rooms are wanted that the user has left, even in a first sync.
    pub fn include_leave(&self) -> bool {
        self.include_leave.unwrap_or(false)
    }
}

impl EventFilter {
    /// Reads a filter of events, such as the query of `/messages` gives.
    pub fn parse(json: &str) -> Result<Self, FilterError> {
        parse_object(json)
    }

    /// Whether events of this room are wanted.
    pub fn allows_room(&self, room_id: &str) -> bool {
        allows(self.rooms.as_ref(), self.not_rooms.as_ref(), room_id)
    }

    /// Whether events of this type are wanted; `*` stands for any text.
    pub fn allows_type(&self, event_type: &str) -> bool {
        let named = |patterns: &Vec<String>| {
            let mut patterns = patterns.iter();
            patterns.any(|pattern| glob_matches(pattern, event_type))
        };
        self.types.as_ref().is_none_or(named) && !self.not_types.as_ref().is_some_and(named)
    }

    /// Whether events by this user are wanted.
    pub fn allows_sender(&self, user_id: &str) -> bool {
        allows(self.senders.as_ref(), self.not_senders.as_ref(), user_id)
    }

    /// Whether it is known without looking that no event passes, so that none need be read.
    pub fn allows_nothing(&self) -> bool {
        let everything = |pattern: &String| !pattern.is_empty() && pattern.bytes().all(is_star);
        self.types.as_ref().is_some_and(Vec::is_empty)
            || self.senders.as_ref().is_some_and(BTreeSet::is_empty)
            || self.rel_types.as_ref().is_some_and(BTreeSet::is_empty)
            || (self.not_types.iter().flatten()).any(everything)
    }

    /// Whether every event of a wanted room passes, so that none need be looked at.
    pub fn allows_everything(&self) -> bool {
        self.types.is_none()
            && self.senders.is_none()
            && self.contains_url.is_none()
            && !self.asks_relation()
            && self.not_types.as_ref().is_none_or(Vec::is_empty)
            && self.not_senders.as_ref().is_none_or(BTreeSet::is_empty)
    }

    /// Whether it matters what an event says about another one.
    fn asks_relation(&self) -> bool {
        self.rel_types.is_some()
            || self
                .not_rel_types
                .as_ref()
                .is_some_and(|not| !not.is_empty())
    }

    /// Whether events with this relation are wanted; None: with none (`mscs/3874`).
    fn allows_relation(&self, rel_type: Option<&str>) -> bool {
        let Some(rel_type) = rel_type else {
            return self.rel_types.is_none();
        };
        allows(
            self.rel_types.as_ref(),
            self.not_rel_types.as_ref(),
            rel_type,
        )
    }

    /// Whose and which relations to an event it must have to be wanted; each None: any.
    pub(crate) fn related_by(&self) -> Option<RelatedBy<'_>> {
        let (senders, rel_types) = (&self.related_by_senders, &self.related_by_rel_types);
        (senders.is_some() || rel_types.is_some()).then_some(RelatedBy {
            senders: senders.as_ref(),
            rel_types: rel_types.as_ref(),
        })
    }

    /// Most events in the answer, never more than `max`.
    pub fn limit(&self, default: usize, max: usize) -> usize {
        let asked = self
            .limit
            .map(|limit| usize::try_from(limit).unwrap_or(max));
        asked.unwrap_or(default).min(max)
    }

    /// Whether only those members are wanted whose events are shown.
    pub fn lazy_load_members(&self) -> bool {
        self.lazy_load_members.unwrap_or(false)
    }

    /// Whether members that the client was sent before are wanted again.
    pub fn include_redundant_members(&self) -> bool {
        self.include_redundant_members.unwrap_or(false)
    }

    /// Whether unread messages are counted for each thread.
    pub fn unread_thread_notifications(&self) -> bool {
        self.unread_thread_notifications.unwrap_or(false)
    }

    /// What decides about stored events.
    pub fn matcher(&self) -> EventMatcher<'_> {
        EventMatcher::new(self)
    }
}

fn parse_object<T: DeserializeOwned + Default>(json: &str) -> Result<T, FilterError> {
    let mut json = serde_json::Deserializer::from_str(json);
    let object = object::deserialize(&mut json)?;
    json.end()?;
    Ok(object)
}

/// Whether two lists let a name pass; what stands in both is excluded.
fn allows(only: Option<&BTreeSet<String>>, never: Option<&BTreeSet<String>>, name: &str) -> bool {
    only.is_none_or(|only| only.contains(name)) && !never.is_some_and(|never| never.contains(name))
}

fn is_star(byte: u8) -> bool {
    byte == b'*'
}

/// Whether a text is what the pattern says, in which `*` stands for any text, even none.
fn glob_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut seen) = (0, 0);
    // The newest star, and the part of the text that it stands for so far: only the newest ever
    // needs to be given more.
    let mut star: Option<(usize, usize)> = None;
    while seen < text.len() {
        match (pattern.get(at), star) {
            (Some(b'*'), _) => {
                star = Some((at, seen));
                at += 1;
            }
            (Some(byte), _) if *byte == text[seen] => {
                at += 1;
                seen += 1;
            }
            (_, Some((place, end))) => {
                star = Some((place, end + 1));
                at = place + 1;
                seen = end + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at..].iter().copied().all(is_star)
}

#[cfg(test)]
mod tests;
