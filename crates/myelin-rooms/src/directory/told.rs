//! Pages of directories as clients and servers are told of them, and asking other servers for
//! theirs.

use std::{fmt, str::FromStr, time::Duration};

use myelin_net::{FederationError, Limits};
use myelin_store::{StoreError, directory::PublishedRoom, room_facts::Fact};
use ruma::{
    OwnedRoomId, ServerName, UInt,
    api::federation::directory::{get_public_rooms, get_public_rooms_filtered},
    directory::{Filter, RoomNetwork},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{DirectoryPlace, DirectoryRequest, ListedRoom};
use crate::Rooms;

/// Rooms on a page unless one asks otherwise.
const LIMIT: u64 = 100;
/// Most rooms on a page.
const LIMIT_MAX: u64 = 1_000;
/// The longest token of another server that is passed on.
const TOKEN_BYTES_MAX: usize = 1_024;
/// What another server may take for a page: a user waits for it.
const LIMITS: Limits = Limits {
    time: Duration::from_secs(20),
    bytes: 4 * 1024 * 1024,
};

/// What is asked for, as `POST /publicRooms` has it.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PublicRoomsQuery {
    /// Most rooms on the page.
    pub limit: Option<u64>,
    /// Where the page begins: `next_batch` or `prev_batch` of another one.
    pub since: Option<String>,
    /// What the rooms must be.
    pub filter: Option<PublicRoomsFilter>,
    /// Whether rooms of other networks count, too.
    #[serde(default)]
    pub include_all_networks: bool,
    /// The other network whose rooms alone count.
    pub third_party_instance_id: Option<String>,
}

/// What listed rooms must be.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct PublicRoomsFilter {
    /// Words of the name, the topic or the canonical alias.
    pub generic_search_term: Option<String>,
    /// Their types; None among them: without one.
    pub room_types: Option<Vec<Option<String>>>,
}

/// A page as it is told.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PublicRooms {
    /// The rooms.
    pub chunk: Vec<PublicRoom>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_batch: Option<String>,
    /// Where the page before begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prev_batch: Option<String>,
    /// About how many rooms there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_room_count_estimate: Option<u64>,
}

/// A room of a directory as it is told.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PublicRoom {
    room_id: OwnedRoomId,
    num_joined_members: u64,
    world_readable: bool,
    guest_can_join: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canonical_alias: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    join_rule: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    room_type: Option<String>,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The place is no token that this server gave.
    #[error("`since` is no token of this server")]
    UnknownToken,
    /// One cannot ask for one network and for all.
    #[error("`third_party_instance_id` contradicts `include_all_networks`")]
    Contradiction,
    /// The server whose directory it is did not show it.
    #[error(transparent)]
    Federation(FederationError),
    /// The database failed.
    #[error("the directory could not be read")]
    Store(#[from] StoreError),
}

/// A page as another server tells it. What is no room does not spoil the others.
#[derive(Deserialize)]
struct Answer {
    chunk: Vec<Value>,
    next_batch: Option<String>,
    prev_batch: Option<String>,
    total_room_count_estimate: Option<u64>,
}

impl PublicRoomsQuery {
    fn check(&self) -> Result<(), DirectoryError> {
        if self.third_party_instance_id.is_some() && self.include_all_networks {
            return Err(DirectoryError::Contradiction);
        }
        Ok(())
    }

    /// Zero is no limit, says the specification: then ours holds.
    fn limit(&self) -> u64 {
        match self.limit {
            None => LIMIT,
            Some(0) => LIMIT_MAX,
            Some(limit) => limit.min(LIMIT_MAX),
        }
    }

    fn network(&self) -> RoomNetwork {
        match &self.third_party_instance_id {
            Some(id) => RoomNetwork::ThirdParty(id.clone()),
            None if self.include_all_networks => RoomNetwork::All,
            None => RoomNetwork::Matrix,
        }
    }
}

impl Rooms {
    /// A page of the directory of this server, as it is told.
    pub async fn told_public_rooms(
        &self,
        query: PublicRoomsQuery,
    ) -> Result<PublicRooms, DirectoryError> {
        let from = query.since.as_deref().map(str::parse).transpose()?;
        query.check()?;
        if query.third_party_instance_id.is_some() {
            // No other network has rooms here.
            return Ok(PublicRooms::default());
        }
        let limit = usize::try_from(query.limit()).unwrap_or(usize::MAX);
        let filter = query.filter.unwrap_or_default();
        let request = DirectoryRequest {
            limit,
            from,
            term: filter.generic_search_term.filter(|term| !term.is_empty()),
            room_types: filter.room_types,
        };
        let found = self.public_rooms(&request).await?;
        Ok(PublicRooms {
            chunk: found.rooms.into_iter().map(PublicRoom::from).collect(),
            next_batch: found.next.map(|place| place.to_string()),
            prev_batch: found.previous.map(|place| place.to_string()),
            total_room_count_estimate: u64::try_from(found.total).ok(),
        })
    }

    /// A page of the directory of another server, as it tells it.
    pub async fn remote_public_rooms(
        &self,
        server: &ServerName,
        query: &PublicRoomsQuery,
    ) -> Result<PublicRooms, DirectoryError> {
        query.check()?;
        let limit = query.limit();
        let asked = match &query.filter {
            None => {
                let mut request = get_public_rooms::v1::Request::new();
                request.limit = UInt::new(limit);
                request.since.clone_from(&query.since);
                request.room_network = query.network();
                self.federation.ask_for(server, request, LIMITS).await
            }
            Some(filter) => {
                let mut request = get_public_rooms_filtered::v1::Request::new();
                request.limit = UInt::new(limit);
                request.since.clone_from(&query.since);
                request.room_network = query.network();
                request.filter = to_ruma(filter);
                self.federation.ask_for(server, request, LIMITS).await
            }
        };
        let answer: Answer = asked.map_err(DirectoryError::Federation)?;
        let rooms = answer.chunk.into_iter();
        let rooms = rooms.filter_map(|room| serde_json::from_value(room).ok());
        let token = |token: Option<String>| token.filter(|token| token.len() <= TOKEN_BYTES_MAX);
        Ok(PublicRooms {
            chunk: rooms
                .take(usize::try_from(limit).unwrap_or(usize::MAX))
                .collect(),
            next_batch: token(answer.next_batch),
            prev_batch: token(answer.prev_batch),
            total_room_count_estimate: answer.total_room_count_estimate,
        })
    }
}

fn to_ruma(filter: &PublicRoomsFilter) -> Filter {
    let mut wanted = Filter::new();
    wanted
        .generic_search_term
        .clone_from(&filter.generic_search_term);
    let types = filter.room_types.iter().flatten().cloned();
    wanted.room_types = types.map(Into::into).collect();
    wanted
}

impl From<ListedRoom> for PublicRoom {
    fn from(mut room: ListedRoom) -> Self {
        let is = |fact, value: &str| room.facts.get(&fact).is_some_and(|found| found == value);
        Self {
            world_readable: is(Fact::HistoryVisibility, "world_readable"),
            guest_can_join: is(Fact::GuestAccess, "can_join"),
            room_id: room.room_id,
            num_joined_members: u64::try_from(room.joined).unwrap_or_default(),
            name: room.facts.remove(&Fact::Name),
            topic: room.facts.remove(&Fact::Topic),
            avatar_url: room.facts.remove(&Fact::Avatar),
            canonical_alias: room.facts.remove(&Fact::CanonicalAlias),
            join_rule: room.facts.remove(&Fact::JoinRule),
            room_type: room.facts.remove(&Fact::RoomType),
        }
    }
}

/// `n` or `p` for next and previous, then the room beside the place.
impl fmt::Display for DirectoryPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.backwards { 'p' } else { 'n' };
        write!(f, "{direction}{}_{}", self.beside.joined, self.beside.room)
    }
}

impl FromStr for DirectoryPlace {
    type Err = DirectoryError;

    fn from_str(token: &str) -> Result<Self, DirectoryError> {
        let parse = || {
            let (direction, beside) = token.split_at_checked(1)?;
            let (joined, room) = beside.split_once('_')?;
            let beside = PublishedRoom {
                joined: joined.parse().ok()?,
                room: room.parse().ok()?,
            };
            let backwards = match direction {
                "n" => false,
                "p" => true,
                _ => return None,
            };
            Some(Self { beside, backwards })
        };
        parse().ok_or(DirectoryError::UnknownToken)
    }
}
