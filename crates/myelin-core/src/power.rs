//! Power levels: who may do what in a room.

use std::collections::BTreeMap;

use ruma::{OwnedUserId, RoomVersionId, UserId, serde::deserialize_v1_powerlevel};
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::value::RawValue as RawJsonValue;

use crate::{
    auth::AuthError,
    event::{Event, EventError, rules_of},
};

/// The level of a room's creators from room version 12 on: above every number an event can hold.
pub const CREATOR_LEVEL: i64 = i64::MAX;

/// The levels that hold in a room, with the defaults of the specification filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerLevels {
    pub users: BTreeMap<OwnedUserId, i64>,
    pub users_default: i64,
    pub events: BTreeMap<String, i64>,
    pub events_default: i64,
    pub state_default: i64,
    pub ban: i64,
    pub kick: i64,
    pub redact: i64,
    pub invite: i64,
    /// `notifications.room`: who may notify the whole room.
    pub notify_room: i64,
}

impl PowerLevels {
    /// What holds in a room with this create event and this `m.room.power_levels` event, if it has one.
    pub fn of_room(
        version: &RoomVersionId,
        create: &Event,
        power_levels: Option<&Event>,
    ) -> Result<PowerLevels, AuthError> {
        let creators = creators(version, create)?;
        let rules = rules(version)?;
        let mut levels = match power_levels {
            Some(event) => PowerLevels::from_content(version, &event.content)?,
            None => PowerLevels::default(),
        };
        let creator_level = if rules.explicitly_privilege_room_creators {
            Some(CREATOR_LEVEL)
        } else {
            power_levels.is_none().then_some(100)
        };
        if let Some(level) = creator_level {
            levels
                .users
                .extend(creators.into_iter().map(|creator| (creator, level)));
        }
        Ok(levels)
    }

    /// What the content of an `m.room.power_levels` event says. Before room version 10, levels may also be
    /// strings that hold an integer.
    pub fn from_content(
        version: &RoomVersionId,
        content: &RawJsonValue,
    ) -> Result<PowerLevels, AuthError> {
        let refused = |error: serde_json::Error| {
            AuthError::Refused(format!("invalid content of `m.room.power_levels`: {error}"))
        };
        if rules(version)?.integer_power_levels {
            let content: Content<Strict> = serde_json::from_str(content.get()).map_err(refused)?;
            Ok(content.levels())
        } else {
            let content: Content<Lax> = serde_json::from_str(content.get()).map_err(refused)?;
            Ok(content.levels())
        }
    }

    pub fn level_of(&self, user: &UserId) -> i64 {
        self.users.get(user).copied().unwrap_or(self.users_default)
    }

    /// The level needed to send an event of this type. Memberships have levels of their own.
    pub fn required_level(&self, event_type: &str, is_state: bool) -> i64 {
        let default = if is_state {
            self.state_default
        } else {
            self.events_default
        };
        self.events.get(event_type).copied().unwrap_or(default)
    }

    pub fn may_send(&self, user: &UserId, event_type: &str, is_state: bool) -> bool {
        self.level_of(user) >= self.required_level(event_type, is_state)
    }
}

/// The levels of a room without power levels event, its creator aside.
impl Default for PowerLevels {
    fn default() -> PowerLevels {
        Content::<Strict>::default().levels()
    }
}

/// Who created the room: from version 11 on the sender of the create event, before that the `creator` it
/// names, and from version 12 on its `additional_creators` too.
pub fn creators(version: &RoomVersionId, create: &Event) -> Result<Vec<OwnedUserId>, AuthError> {
    #[derive(Deserialize)]
    struct Content {
        creator: Option<OwnedUserId>,
    }
    #[derive(Deserialize)]
    struct Additional {
        #[serde(default)]
        additional_creators: Vec<OwnedUserId>,
    }
    let rules = rules(version)?;
    let refused = |error: serde_json::Error| {
        AuthError::Refused(format!("invalid content of `m.room.create`: {error}"))
    };
    let content = create.content.get();
    let mut creators = Vec::new();
    if rules.use_room_create_sender {
        creators.push(create.sender.clone());
    } else {
        let content: Content = serde_json::from_str(content).map_err(refused)?;
        creators.extend(content.creator);
    }
    if rules.additional_room_creators {
        let content: Additional = serde_json::from_str(content).map_err(refused)?;
        creators.extend(content.additional_creators);
    }
    Ok(creators)
}

fn rules(
    version: &RoomVersionId,
) -> Result<ruma::room_version_rules::AuthorizationRules, AuthError> {
    match rules_of(version) {
        Ok(rules) => Ok(rules.authorization),
        Err(EventError::UnknownRoomVersion(version)) => Err(AuthError::UnknownRoomVersion(version)),
        Err(error) => Err(AuthError::Refused(error.to_string())),
    }
}

#[derive(Deserialize)]
#[serde(bound = "L: Level")]
struct Content<L: Level> {
    users: Option<BTreeMap<OwnedUserId, L>>,
    users_default: Option<L>,
    events: Option<BTreeMap<String, L>>,
    events_default: Option<L>,
    state_default: Option<L>,
    ban: Option<L>,
    kick: Option<L>,
    redact: Option<L>,
    invite: Option<L>,
    notifications: Option<BTreeMap<String, L>>,
}

impl<L: Level> Content<L> {
    fn levels(self) -> PowerLevels {
        let or = |level: Option<L>, default: i64| level.map_or(default, Into::into);
        let notifications = self.notifications.unwrap_or_default();
        PowerLevels {
            users: numbers(self.users),
            users_default: or(self.users_default, 0),
            events: numbers(self.events),
            events_default: or(self.events_default, 0),
            state_default: or(self.state_default, 50),
            ban: or(self.ban, 50),
            kick: or(self.kick, 50),
            redact: or(self.redact, 50),
            invite: or(self.invite, 0),
            notify_room: or(notifications.get("room").copied(), 50),
        }
    }
}

impl<L: Level> Default for Content<L> {
    fn default() -> Self {
        Content {
            users: None,
            users_default: None,
            events: None,
            events_default: None,
            state_default: None,
            ban: None,
            kick: None,
            redact: None,
            invite: None,
            notifications: None,
        }
    }
}

fn numbers<K: Ord, L: Level>(levels: Option<BTreeMap<K, L>>) -> BTreeMap<K, i64> {
    let levels = levels.unwrap_or_default();
    levels
        .into_iter()
        .map(|(key, level)| (key, level.into()))
        .collect()
}

/// A level as one kind of room version writes it.
trait Level: Copy + Into<i64> + for<'de> Deserialize<'de> {}

#[derive(Clone, Copy, Deserialize)]
struct Strict(ruma::Int);

#[derive(Clone, Copy)]
struct Lax(ruma::Int);

impl Level for Strict {}
impl Level for Lax {}

impl From<Strict> for i64 {
    fn from(level: Strict) -> i64 {
        level.0.into()
    }
}

impl From<Lax> for i64 {
    fn from(level: Lax) -> i64 {
        level.0.into()
    }
}

impl<'de> Deserialize<'de> for Lax {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_v1_powerlevel(deserializer)
            .map(Lax)
            .map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
