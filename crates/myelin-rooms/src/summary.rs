//! What a room is, in a few words, for those who think about joining it.

mod for_servers;
mod hierarchy;
mod remote;
mod space;
mod told;

use std::collections::HashMap;

use bytes::Bytes;
use myelin_core::{
    membership::Membership,
    trie::{
        StateKey, TYPE_AVATAR, TYPE_CANONICAL_ALIAS, TYPE_CREATE, TYPE_ENCRYPTION,
        TYPE_GUEST_ACCESS, TYPE_HISTORY_VISIBILITY, TYPE_JOIN_RULES, TYPE_NAME, TYPE_TOPIC,
    },
};
use myelin_net::FederationError;
use myelin_store::{EMPTY_STRING, Read, StoreError, StoreResult, memberships, rooms};
use ruma::{OwnedRoomId, OwnedServerName, RoomId, RoomVersionId};
use serde::Deserialize;
use serde_json::{Map, Value};

pub use for_servers::ServerHierarchy;
pub use hierarchy::{Hierarchy, HierarchyError, HierarchyRequest, HierarchyToken, SpaceRoom};

pub(crate) use remote::RemoteRooms;

use crate::{Rooms, membership::allowed_rooms};

/// The state that a summary is made of.
const SUMMARISED: [i64; 9] = [
    TYPE_CREATE,
    TYPE_NAME,
    TYPE_TOPIC,
    TYPE_AVATAR,
    TYPE_CANONICAL_ALIAS,
    TYPE_JOIN_RULES,
    TYPE_HISTORY_VISIBILITY,
    TYPE_GUEST_ACCESS,
    TYPE_ENCRYPTION,
];

/// What a room is.
#[derive(Clone, Debug)]
pub struct RoomSummary {
    /// Its number; None for a room that another server has told of.
    pub(crate) room: Option<i64>,
    /// Its id.
    pub room_id: OwnedRoomId,
    /// The version of its rules; another server may not have told it.
    pub room_version: Option<String>,
    /// How many users are joined.
    pub joined: i64,
    /// What it is called.
    pub name: Option<String>,
    /// What it is about.
    pub topic: Option<String>,
    /// Its picture.
    pub avatar_url: Option<String>,
    /// The alias that it goes by.
    pub canonical_alias: Option<String>,
    /// How one comes in.
    pub join_rule: String,
    /// The rooms whose members may join, if that is how one comes in.
    pub allowed_room_ids: Vec<OwnedRoomId>,
    /// Whether everybody may read it.
    pub world_readable: bool,
    /// Whether guests may join.
    pub guest_can_join: bool,
    /// Its type, such as `m.space`.
    pub room_type: Option<String>,
    /// How messages are encrypted, if they are.
    pub encryption: Option<String>,
    /// The root of its current state.
    pub(crate) root: Bytes,
}

/// Who wants to know what a room is.
#[derive(Clone, Copy, Debug)]
enum Asker {
    /// Nobody in particular.
    Anybody,
    /// A user, and what the user is in the room.
    User(i64, Option<Membership>),
    /// Another server, if its name is known here.
    Server(Option<i64>),
}

/// Why it is not known what a room is.
#[derive(Debug, thiserror::Error)]
pub enum SummaryError {
    /// The room is not known here, and no server that knows it could be asked.
    #[error(transparent)]
    Federation(FederationError),
    /// The database failed.
    #[error("the room could not be read")]
    Store(#[from] StoreError),
}

/// The contents of state events, by their types.
struct Contents(HashMap<i64, Map<String, Value>>);

impl Rooms {
    /// What a room is, as far as that may be told to a user, or to anybody at all (None); with it,
    /// what the user is in the room.
    pub async fn summary(
        &self,
        read: &mut Read,
        room: i64,
        user: Option<i64>,
    ) -> StoreResult<Option<(RoomSummary, Membership)>> {
        let Some(summary) = self.summarise(read, room).await? else {
            return Ok(None);
        };
        let membership = match user {
            Some(user) => memberships::find(read, room, user).await?,
            None => None,
        };
        let membership = membership.map(|found| found.membership);
        let asker = user.map_or(Asker::Anybody, |user| Asker::User(user, membership));
        let is_told = self.is_told(read, &summary, asker).await?;
        Ok(is_told.then_some((summary, membership.unwrap_or(Membership::Leave))))
    }

    /// The same for any room; for one that is not known here, one of these servers is asked.
    pub async fn summary_via(
        &self,
        room_id: &RoomId,
        via: &[OwnedServerName],
        user: Option<i64>,
    ) -> Result<Option<(RoomSummary, Membership)>, SummaryError> {
        let mut read = self.store.read();
        let number = self.find_number(room_id).await?;
        if let Some(room) = number
            && rooms::find(&mut read, room).await?.is_some()
        {
            return Ok(self.summary(&mut read, room, user).await?);
        }
        let giver = room_id.server_name().map(ToOwned::to_owned);
        let via: Vec<OwnedServerName> = via.iter().cloned().chain(giver).collect();
        let asked = self.remote_room(room_id, &via, false).await;
        let Some(room) = asked.map_err(SummaryError::Federation)? else {
            return Ok(None);
        };
        let membership = match (number, user) {
            (Some(room), Some(user)) => memberships::find(&mut read, room, user).await?,
            _ => None,
        };
        let membership = membership.map(|found| found.membership);
        let asker = user.map_or(Asker::Anybody, |user| Asker::User(user, membership));
        let is_told = self.is_told(&mut read, &room.summary, asker).await?;
        let membership = membership.unwrap_or(Membership::Leave);
        Ok(is_told.then(|| (room.summary.clone(), membership)))
    }

    /// Who is in a room, may join it, may knock or may read it anyway, may know what it is
    /// (spec: the answer of `/hierarchy`). Who is banned may do nothing but read.
    async fn is_told(
        &self,
        read: &mut Read,
        summary: &RoomSummary,
        asker: Asker,
    ) -> StoreResult<bool> {
        if summary.world_readable {
            return Ok(true);
        }
        match asker {
            Asker::User(_, Some(Membership::Join | Membership::Invite)) => return Ok(true),
            Asker::User(_, Some(Membership::Ban)) => return Ok(false),
            Asker::Server(Some(server))
                if self.has_server(read, &summary.room_id, server).await? =>
            {
                return Ok(true);
            }
            _ => {}
        }
        // What another server has told without a version, it has told because one may knock.
        let version = summary.room_version.as_deref();
        let version = version.map(RoomVersionId::try_from).transpose().ok();
        let supports = |has: fn(&ruma::room_version_rules::AuthorizationRules) -> bool| {
            version.as_ref().is_some_and(|version| {
                let rules = version.as_ref().map(RoomVersionId::rules);
                rules.is_none_or(|rules| rules.is_some_and(|rules| has(&rules.authorization)))
            })
        };
        match summary.join_rule.as_str() {
            "public" => Ok(true),
            "knock" => Ok(supports(|rules| rules.knocking)),
            "knock_restricted" => Ok(supports(|rules| rules.knock_restricted_join_rule)),
            "restricted" => self.is_in_allowed(read, summary, asker).await,
            _ => Ok(false),
        }
    }

    /// Whether who asks is in one of the rooms whose members may join.
    async fn is_in_allowed(
        &self,
        read: &mut Read,
        summary: &RoomSummary,
        asker: Asker,
    ) -> StoreResult<bool> {
        match asker {
            Asker::User(user, _) => self.is_in_any(read, &summary.allowed_room_ids, user).await,
            Asker::Server(Some(server)) => {
                let allowed = &summary.allowed_room_ids;
                self.has_server_in_any(read, allowed, server).await
            }
            Asker::Anybody | Asker::Server(None) => Ok(false),
        }
    }

    /// What a room is, whoever asks; None: there is no such room.
    async fn summarise(&self, read: &mut Read, room: i64) -> StoreResult<Option<RoomSummary>> {
        let Some(row) = rooms::find(read, room).await? else {
            return Ok(None);
        };
        let keys = SUMMARISED.map(|event_type| StateKey {
            event_type,
            state_key: EMPTY_STRING,
        });
        let numbers = self.state_numbers(read, (room, &row.root), &keys).await?;
        let numbers: Vec<i64> = numbers.into_iter().flatten().collect();
        let mut contents = Contents(HashMap::new());
        for event in self.events_in_order(read, &numbers).await? {
            contents.0.insert(event.event_type, content_of(&event.json));
        }
        let version = RoomVersionId::try_from(row.room_version.as_str()).ok();
        let join_rules = contents.0.get(&TYPE_JOIN_RULES);
        let allowed = match (version, join_rules) {
            (Some(version), Some(content)) => {
                let content = Value::Object(content.clone()).to_string();
                allowed_rooms(&version, &content).unwrap_or_default()
            }
            _ => Vec::new(),
        };
        let is = |event_type, key, value: &str| {
            contents
                .text(event_type, key)
                .is_some_and(|found| found == value)
        };
        Ok(Some(RoomSummary {
            room: Some(room),
            room_id: self.room_id(room).await?,
            joined: row.joined,
            name: contents.text(TYPE_NAME, "name"),
            topic: contents.text(TYPE_TOPIC, "topic"),
            avatar_url: contents.text(TYPE_AVATAR, "url"),
            canonical_alias: contents.text(TYPE_CANONICAL_ALIAS, "alias"),
            // Where nothing is said, the rules let nobody in without an invitation.
            join_rule: contents
                .text(TYPE_JOIN_RULES, "join_rule")
                .unwrap_or_else(|| "invite".to_owned()),
            allowed_room_ids: allowed,
            world_readable: is(
                TYPE_HISTORY_VISIBILITY,
                "history_visibility",
                "world_readable",
            ),
            guest_can_join: is(TYPE_GUEST_ACCESS, "guest_access", "can_join"),
            room_type: contents.text(TYPE_CREATE, "type"),
            encryption: contents.text(TYPE_ENCRYPTION, "algorithm"),
            room_version: Some(row.room_version),
            root: row.root,
        }))
    }
}

impl RoomSummary {
    /// Whether the room is one of rooms.
    pub fn is_space(&self) -> bool {
        self.room_type.as_deref() == Some("m.space")
    }
}

impl Contents {
    /// A text that is not empty: the specification lets an empty one take a name or topic away.
    fn text(&self, event_type: i64, key: &str) -> Option<String> {
        let text = self.0.get(&event_type)?.get(key)?.as_str()?;
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// The content of a stored event.
fn content_of(json: &str) -> Map<String, Value> {
    #[derive(Deserialize)]
    struct Event {
        content: Map<String, Value>,
    }
    serde_json::from_str::<Event>(json)
        .map(|event| event.content)
        .unwrap_or_default()
}
