//! The authorisation rules: whether an event may happen, given the state of its room.
//!
//! The rules are ruma's; this module lends it our events and adds what ruma leaves to its caller.

use std::{borrow::Cow, collections::HashMap};

use ruma::{
    EventId, MilliSecondsSinceUnixEpoch, OwnedEventId, RoomId, RoomVersionId, UInt, UserId,
    events::{StateEventType, TimelineEventType},
    room_version_rules::{AuthorizationRules, RoomVersionRules},
    state_res::{
        self, auth_types_for_event, check_state_dependent_auth_rules,
        check_state_independent_auth_rules,
    },
};
use serde::Deserialize;
use serde_json::value::RawValue as RawJsonValue;

use crate::event::Event;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    #[error("room version `{0}` is not known")]
    UnknownRoomVersion(RoomVersionId),
    /// The text says which rule refused the event.
    #[error("{0}")]
    Refused(String),
}

/// An event that another refers to, and whether we rejected it when it came.
#[derive(Clone, Copy)]
pub struct AuthEvent<'a> {
    pub event: &'a Event,
    pub rejected: bool,
}

/// The state events, by type and key, that an event must refer to as its `auth_events`, as far as the room
/// has them.
pub fn auth_types(
    version: &RoomVersionId,
    event_type: &str,
    sender: &UserId,
    state_key: Option<&str>,
    content: &RawJsonValue,
) -> Result<Vec<(String, String)>, AuthError> {
    let rules = rules_of(version)?.authorization;
    let event_type = TimelineEventType::from(event_type);
    let types = auth_types_for_event(&event_type, sender, state_key, content, &rules)
        .map_err(AuthError::Refused)?;
    Ok(types
        .into_iter()
        .map(|(event_type, state_key)| (event_type.to_string(), state_key))
        .collect())
}

/// Checks an event that was built on `state`: its `auth_events` must be found there.
pub fn check<'a>(
    version: &RoomVersionId,
    event: &Event,
    state: impl Fn(&str, &str) -> Option<&'a Event>,
) -> Result<(), AuthError> {
    let types = auth_types(
        version,
        event.type_str(),
        &event.sender,
        event.state_key.as_deref(),
        &event.content,
    )?;
    let create = ("m.room.create".to_owned(), String::new());
    let known: HashMap<&EventId, &Event> = types
        .iter()
        .chain([&create])
        .filter_map(|(event_type, state_key)| state(event_type, state_key))
        .map(|event| (&*event.event_id, event))
        .collect();
    check_independent(version, event, |id| {
        known.get(id).map(|event| AuthEvent {
            event,
            rejected: false,
        })
    })?;
    check_dependent(version, event, state)
}

/// The rules that only look at the event and its `auth_events`, wherever those are found.
pub fn check_independent<'a>(
    version: &RoomVersionId,
    event: &Event,
    fetch: impl Fn(&EventId) -> Option<AuthEvent<'a>>,
) -> Result<(), AuthError> {
    let rules = rules_of(version)?.authorization;
    if event.event_type == TimelineEventType::RoomCreate {
        check_room_version_is_known(event)?;
    } else if rules.room_create_event_id_as_room_id {
        check_room_is_named_by_create(event, &fetch)?;
    }
    let fetch = |id: &EventId| fetch(id).map(|found| View::new(found, &rules));
    check_state_independent_auth_rules(&rules, View::of(event, &rules), fetch)
        .map_err(AuthError::Refused)
}

/// The rules that look at the state of the room: its current state, the state before the event, or the one
/// its `auth_events` make.
pub fn check_dependent<'a>(
    version: &RoomVersionId,
    event: &Event,
    state: impl Fn(&str, &str) -> Option<&'a Event>,
) -> Result<(), AuthError> {
    let rules = rules_of(version)?.authorization;
    let fetch = |event_type: &StateEventType, state_key: &str| {
        state(&name_of(event_type), state_key).map(|event| View::of(event, &rules))
    };
    check_state_dependent_auth_rules(&rules, View::of(event, &rules), fetch)
        .map_err(AuthError::Refused)
}

fn rules_of(version: &RoomVersionId) -> Result<RoomVersionRules, AuthError> {
    version
        .rules()
        .ok_or_else(|| AuthError::UnknownRoomVersion(version.clone()))
}

/// The types the rules ask for, without an allocation each.
fn name_of(event_type: &StateEventType) -> Cow<'static, str> {
    match event_type {
        StateEventType::RoomCreate => "m.room.create".into(),
        StateEventType::RoomMember => "m.room.member".into(),
        StateEventType::RoomPowerLevels => "m.room.power_levels".into(),
        StateEventType::RoomJoinRules => "m.room.join_rules".into(),
        StateEventType::RoomThirdPartyInvite => "m.room.third_party_invite".into(),
        other => other.to_string().into(),
    }
}

/// Rule 1.3 of room version 1 (1.2 from version 12 on), which ruma leaves to its caller.
fn check_room_version_is_known(create: &Event) -> Result<(), AuthError> {
    #[derive(Deserialize)]
    struct Content {
        room_version: Option<RoomVersionId>,
    }
    let content: Content = serde_json::from_str(create.content.get())
        .map_err(|error| AuthError::Refused(format!("invalid `room_version`: {error}")))?;
    match content.room_version {
        Some(version) if version.rules().is_none() => Err(AuthError::Refused(format!(
            "`room_version` {version} is not a recognised version"
        ))),
        _ => Ok(()),
    }
}

/// Rule 2 of room version 12. ruma looks whether the event that the room is named after was accepted, not
/// whether it is a create event.
fn check_room_is_named_by_create<'a>(
    event: &Event,
    fetch: impl Fn(&EventId) -> Option<AuthEvent<'a>>,
) -> Result<(), AuthError> {
    let hash = event.room_id.as_str().trim_start_matches('!');
    let event_id = EventId::parse(format!("${hash}")).ok();
    match event_id.and_then(|event_id| fetch(&event_id)) {
        Some(named) if named.event.event_type != TimelineEventType::RoomCreate => Err(
            AuthError::Refused("`room_id` does not name an `m.room.create` event".to_owned()),
        ),
        _ => Ok(()),
    }
}

/// Our event as ruma wants to see it.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    event: &'a Event,
    room_id: Option<&'a RoomId>,
    rejected: bool,
}

impl<'a> View<'a> {
    pub(crate) fn of(event: &'a Event, rules: &AuthorizationRules) -> View<'a> {
        View::new(
            AuthEvent {
                event,
                rejected: false,
            },
            rules,
        )
    }

    fn new(found: AuthEvent<'a>, rules: &AuthorizationRules) -> View<'a> {
        let event = found.event;
        // The room id of a create event was derived, not sent, exactly if it is the event's own hash: no
        // event can contain its own hash.
        let is_derived = rules.room_create_event_id_as_room_id
            && event.event_type == TimelineEventType::RoomCreate
            && event.room_id.as_str().get(1..) == event.event_id.as_str().get(1..);
        View {
            event,
            room_id: (!is_derived).then_some(&*event.room_id),
            rejected: found.rejected,
        }
    }
}

impl state_res::Event for View<'_> {
    type Id = OwnedEventId;

    fn event_id(&self) -> &Self::Id {
        &self.event.event_id
    }

    fn room_id(&self) -> Option<&RoomId> {
        self.room_id
    }

    fn sender(&self) -> &UserId {
        &self.event.sender
    }

    fn origin_server_ts(&self) -> MilliSecondsSinceUnixEpoch {
        MilliSecondsSinceUnixEpoch(UInt::new_saturating(self.event.origin_server_ts))
    }

    fn event_type(&self) -> &TimelineEventType {
        &self.event.event_type
    }

    fn content(&self) -> &RawJsonValue {
        &self.event.content
    }

    fn state_key(&self) -> Option<&str> {
        self.event.state_key.as_deref()
    }

    fn prev_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.event.prev_events.iter())
    }

    fn auth_events(&self) -> Box<dyn DoubleEndedIterator<Item = &Self::Id> + '_> {
        Box::new(self.event.auth_events.iter())
    }

    fn redacts(&self) -> Option<&Self::Id> {
        self.event.redacts.as_ref()
    }

    fn rejected(&self) -> bool {
        self.rejected
    }
}

#[cfg(test)]
mod tests;
