//! A page of the room directory, from the wire and to it.

use axum::response::Response;
use http::StatusCode;
use myelin_http::{MatrixError, json_response};
use myelin_rooms::{DirectoryPlace, DirectoryRequest, ListedRoom};
use myelin_store::{directory::PublishedRoom, room_facts::Fact};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{ClientApi, Error};

/// Rooms on a page unless the client asks otherwise.
const LIMIT: u64 = 100;
/// Most rooms on a page.
const LIMIT_MAX: u64 = 1_000;

/// What a client asks for.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    limit: Option<u64>,
    since: Option<String>,
    filter: Option<Filter>,
    #[serde(default)]
    include_all_networks: bool,
    third_party_instance_id: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Filter {
    generic_search_term: Option<String>,
    room_types: Option<Vec<Option<String>>>,
}

impl Wanted {
    /// Rooms whatever they are.
    pub(super) fn all(limit: Option<u64>, since: Option<&str>) -> Self {
        Self {
            limit,
            since: since.map(str::to_owned),
            ..Self::default()
        }
    }
}

/// Answers with the page that is asked for.
pub(super) async fn answer(
    api: &ClientApi,
    server: Option<&str>,
    wanted: Wanted,
) -> Result<Response, Error> {
    if let Some(server) = server.filter(|server| *server != api.app.server.name) {
        let message = format!("{server:?} is another server, and this one does not federate.");
        return Err(MatrixError::not_found(message).into());
    }
    let from = wanted.since.as_deref().map(parse_place).transpose()?;
    if wanted.third_party_instance_id.is_some() {
        if wanted.include_all_networks {
            let message = "`third_party_instance_id` contradicts `include_all_networks`.";
            return Err(MatrixError::invalid_param(message).into());
        }
        // No other network has rooms here.
        return Ok(page(Vec::new(), Map::new()));
    }
    let filter = wanted.filter.unwrap_or_default();
    let limit = wanted.limit.unwrap_or(LIMIT).clamp(1, LIMIT_MAX);
    let request = DirectoryRequest {
        limit: usize::try_from(limit).unwrap_or(usize::MAX),
        from,
        term: filter.generic_search_term.filter(|term| !term.is_empty()),
        room_types: filter.room_types,
    };
    let found = api.rooms.public_rooms(&request).await?;
    let mut about = Map::new();
    for (key, place) in [("next_batch", found.next), ("prev_batch", found.previous)] {
        if let Some(place) = place {
            about.insert(key.to_owned(), write_place(place).into());
        }
    }
    about.insert("total_room_count_estimate".to_owned(), found.total.into());
    Ok(page(found.rooms.into_iter().map(chunk).collect(), about))
}

fn page(chunk: Vec<Value>, mut about: Map<String, Value>) -> Response {
    about.insert("chunk".to_owned(), chunk.into());
    json_response(StatusCode::OK, &about)
}

fn chunk(mut room: ListedRoom) -> Value {
    let mut chunk = Map::new();
    chunk.insert("room_id".to_owned(), room.room_id.to_string().into());
    chunk.insert("num_joined_members".to_owned(), room.joined.into());
    let is = |fact, value: &str| room.facts.get(&fact).is_some_and(|found| found == value);
    let readable = is(Fact::HistoryVisibility, "world_readable");
    chunk.insert("world_readable".to_owned(), readable.into());
    let guests = is(Fact::GuestAccess, "can_join");
    chunk.insert("guest_can_join".to_owned(), guests.into());
    for (key, fact) in [
        ("name", Fact::Name),
        ("topic", Fact::Topic),
        ("avatar_url", Fact::Avatar),
        ("canonical_alias", Fact::CanonicalAlias),
        ("join_rule", Fact::JoinRule),
        ("room_type", Fact::RoomType),
    ] {
        if let Some(value) = room.facts.remove(&fact) {
            chunk.insert(key.to_owned(), value.into());
        }
    }
    chunk.into()
}

/// `n` or `p` for next and previous, then the room beside the place.
fn write_place(place: DirectoryPlace) -> String {
    let direction = if place.backwards { 'p' } else { 'n' };
    format!("{direction}{}_{}", place.beside.joined, place.beside.room)
}

fn parse_place(token: &str) -> Result<DirectoryPlace, MatrixError> {
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
        Some(DirectoryPlace { beside, backwards })
    };
    parse().ok_or_else(|| MatrixError::invalid_param("`since` is no token of this server."))
}
